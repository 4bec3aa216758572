"""``make soak``: many random worlds on all cores; a failing one prints the command that makes it again.

    python -m tests.simulation.soak --worlds 100000 --seed 1

With ``--worlds 1`` it prints the world's plan and story too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from traceback import format_exc

from wgfo.simulate.campaign import make, run_world

STOP_AFTER = 20
"""Failing worlds; more of them tell nothing new."""
SHARE = 8
"""Worlds that a process takes at a time."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a world."""

    seed: int
    failures: tuple[str, ...]
    switches: int


def say(*words: object) -> None:
    """Print one line, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def tried(seed: int) -> Tried:
    """Play one world; an exception is a failure like any other."""
    try:
        outcome = run_world(seed)
    except Exception:  # noqa: BLE001 - whatever the core raises is what is looked for
        return Tried(seed, (format_exc(limit=-6),), 0)
    return Tried(seed, outcome.failures, outcome.switches)


@contextmanager
def played(seeds: range, jobs: int) -> Iterator[Iterator[Tried]]:
    """Yield the outcome of each world, in order."""
    if jobs <= 1 or len(seeds) <= SHARE:
        yield map(tried, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield pool.imap(tried, seeds, chunksize=SHARE)


def show(seed: int) -> None:
    """Print a world's plan and story."""
    world = make(seed)
    say(world.configuration)
    for field in ("faults", "troubles", "rewrites", "asks", "mishaps"):
        for one in getattr(world.plan, field):
            say(field, one)
    for entry in run_world(seed).run.entries:
        say(entry.line())


def again(seed: int) -> str:
    """Return the command that makes a world again."""
    return f"make soak WORLDS=1 SEED={seed}"


def soak(worlds: int, seed: int, jobs: int) -> int:
    """Play worlds; return how many failed."""
    failed = switches = count = 0
    begun = time.monotonic()
    with played(range(seed, seed + worlds), jobs) as outcomes:
        for one in outcomes:
            count += 1
            switches += one.switches
            for failure in one.failures[:3]:
                say(f"seed {one.seed}: {failure}")
            if one.failures:
                failed += 1
                say(f"  again: {again(one.seed)}")
            if failed >= STOP_AFTER:
                say(f"stopped after {STOP_AFTER} failing worlds")
                break
    took = time.monotonic() - begun
    say(f"{count} worlds from seed {seed}: {failed} failed; {switches} switches; {took:.0f} s")
    return failed


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Play random worlds and check every invariant.")
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.worlds == 1:
        show(options.seed)
    return 1 if soak(options.worlds, options.seed, options.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
