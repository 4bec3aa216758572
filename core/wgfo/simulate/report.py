"""Plays a scenario as often as it asks, and says how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wgfo.simulate.expect import Verdict, looks_us, verdict
from wgfo.simulate.invariants import Violation
from wgfo.simulate.play import Options, Run, play
from wgfo.simulate.read import Read


@dataclass(frozen=True, slots=True)
class Played:
    """How a scenario went."""

    read: Read
    first: Run
    """The run of the first seed, through the whole of the daemon's code."""
    seeds: int
    verdicts: tuple[Verdict, ...]
    violations: tuple[tuple[int, Violation], ...]
    """With their seeds."""

    @property
    def passed(self) -> bool:
        """Whether all was as expected, and no invariant broken."""
        return not self.violations and all(one.met for one in self.verdicts)

    def failures(self) -> list[str]:
        """Return what was not as expected, one line each."""
        failed = [f"expected: {one.text}" for one in self.verdicts if not one.met]
        return failed + [f"seed {seed}: {violation}" for seed, violation in self.violations]

    def data(self) -> Mapping[str, object]:
        """Return it for a program."""
        scenario = self.read.scenario
        return {
            "scenario": scenario.name,
            "seed": self.first.seed,
            "seeds": self.seeds,
            "passed": self.passed,
            "expectations": [
                {"text": one.text, "passed": one.met, "failing_seeds": list(one.seeds)}
                for one in self.verdicts
            ],
            "violations": [
                {
                    "seed": seed,
                    "invariant": one.invariant,
                    "at_seconds": one.at_us / 1_000_000,
                    "text": one.text,
                }
                for seed, one in self.violations
            ],
            "timeline": [entry.data() for entry in self.first.entries],
        }


def perform(read: Read, seed: int | None = None, seeds: int | None = None) -> Played:
    """Play a scenario: the first seed with the daemon's own prober, the others with the lean one."""
    scenario = read.scenario
    first = scenario.seed if seed is None else seed
    count = (scenario.seeds if seed is None else 1) if seeds is None else seeds
    plan, looks = scenario.plan(), looks_us(scenario)
    runs = [play(plan, read.document, Options(first + number, number > 0, looks)) for number in range(count)]
    verdicts = tuple(verdict(scenario, one, runs) for one in scenario.expect)
    violations = tuple((run.seed, one) for run in runs for one in run.violations)
    return Played(read, runs[0], count, verdicts, violations)
