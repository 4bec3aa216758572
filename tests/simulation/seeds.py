"""``make campaign``: what is promised of chance, counted over many seeds of the scenarios that say so.

    python -m tests.simulation.seeds s05 s07

Plays every scenario that asks for more than one seed with all of them, and a week of two per cent loss on both
paths, on all cores. Names narrow it. Ends with 1 where a promise does not hold.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tests.simulation.soak import say
from wgfo.plugin.values import Duration
from wgfo.simulate.read import Read, read
from wgfo.simulate.report import Played, perform

SCENARIOS = Path(__file__).parent / "scenarios"
WEEK = SCENARIOS / "s06-two-percent-loss.toml"
DAYS = 7


def promised(words: Sequence[str] = ()) -> Iterator[tuple[str, Read]]:
    """Yield the scenarios to play, with their names; ``words`` are beginnings of names."""
    for path in sorted(SCENARIOS.glob("*.toml")):
        found = read(path)
        name = path.stem
        if path == WEEK:
            name, found = f"{name}, {DAYS} days", week(found)
        wanted = not words or name.startswith(tuple(words))
        if found.scenario.seeds > 1 and wanted:
            yield name, found


def week(of: Read) -> Read:
    """Return a scenario that lasts a week: seven days, each with luck of its own, so that cores can share it."""
    days = {"duration": Duration.parse("24h"), "seeds": DAYS}
    return replace(of, scenario=of.scenario.model_copy(update=days))


def tell(name: str, played: Played, took_s: float) -> None:
    """Print how a scenario went."""
    say(f"{name}: {'held' if played.passed else 'FAILED'} ({played.seeds} seeds, {took_s:.0f} s)")
    for one in played.verdicts:
        say(f"  {'ok    ' if one.met else 'FAILED'} {one.text}")
    for seed, violation in played.violations:
        say(f"  FAILED seed {seed}: {violation}")


def main(words: Sequence[str]) -> int:
    """Play them; return the exit code."""
    failed = count = 0
    for name, found in promised(words):
        begun = time.monotonic()
        played = perform(found, jobs=os.cpu_count() or 1)
        tell(name, played, time.monotonic() - begun)
        count += 1
        failed += not played.passed
    if not count:
        say(f"no scenario of many seeds begins with {', '.join(words)}; see {SCENARIOS}")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
