"""Plays a scenario as often as it asks, and says how it went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from wgfo.simulate.expect import Seen, Verdict, judge, looks_us, verdict
from wgfo.simulate.invariants import Violation
from wgfo.simulate.play import Options, Run, play
from wgfo.simulate.read import Read
from wgfo.simulate.scenario import Scenario


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


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one run comes to: small enough to be handed from one process to another."""

    seed: int
    seen: tuple[Seen, ...]
    violations: tuple[Violation, ...]


def perform(read: Read, seed: int | None = None, seeds: int | None = None, jobs: int = 1) -> Played:
    """Play a scenario: the first seed with the daemon's own prober, the others with the lean one.

    ``jobs``: processes that share the other seeds.
    """
    scenario = read.scenario
    first = scenario.seed if seed is None else seed
    count = (scenario.seeds if seed is None else 1) if seeds is None else seeds
    run = play(scenario.plan(), read.document, Options(first, looks_us=looks_us(scenario)))
    others = range(first + 1, first + count)
    heard = [_heard(scenario, run), *(_in_processes(read, others, jobs) if jobs > 1 else _some(read, others))]
    verdicts = tuple(
        verdict(one, [(ear.seed, ear.seen[place]) for ear in heard])
        for place, one in enumerate(scenario.expect)
    )
    violations = tuple((ear.seed, one) for ear in heard for one in ear.violations)
    return Played(read, run, count, verdicts, violations)


def _some(read: Read, seeds: Iterable[int]) -> list[_Heard]:
    scenario = read.scenario
    plan, looks = scenario.plan(), looks_us(scenario)
    return [
        _heard(scenario, play(plan, read.document, Options(seed, lean=True, looks_us=looks)))
        for seed in seeds
    ]


def _in_processes(read: Read, seeds: Sequence[int], jobs: int) -> list[_Heard]:
    """Spread the seeds; processes are spawned, since a fork would take this one's threads and loops along."""
    shares = [seeds[number::jobs] for number in range(jobs)]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        parts = pool.map(_some, [read] * jobs, shares)
        return sorted((one for part in parts for one in part), key=lambda one: one.seed)


def _heard(scenario: Scenario, run: Run) -> _Heard:
    return _Heard(run.seed, tuple(judge(scenario, one, run) for one in scenario.expect), run.violations)
