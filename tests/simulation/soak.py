"""``make soak``: many random worlds on all cores; a failing one prints the command that makes it again.

python -m tests.simulation.soak --worlds 100000 --seed 1
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from traceback import format_exc

from wgfo.simulate.campaign import make, run_world

STOP_AFTER = 20
"""Failing worlds; more of them tell nothing new."""


def say(*words: object) -> None:
    """Print one line."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def tried(seed: int) -> tuple[int, tuple[str, ...], int]:
    """Play one world; an exception is a failure like any other."""
    try:
        outcome = run_world(seed)
    except Exception:  # noqa: BLE001 - whatever the core raises is what is looked for
        return seed, (format_exc(limit=-6),), 0
    return seed, outcome.failures, outcome.switches


def outcomes(seeds: range, jobs: int) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """Yield the outcome of each world, in order."""
    if jobs <= 1:
        yield from map(tried, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(tried, seeds, chunksize=8)


def show(seed: int) -> None:
    """Print a world's plan and story."""
    world = make(seed)
    say(world.configuration)
    for field in ("faults", "troubles", "rewrites", "asks", "mishaps"):
        for one in getattr(world.plan, field):
            say(field, one)
    for entry in run_world(seed).run.entries:
        say(entry.line())


def soak(worlds: int, seed: int, jobs: int) -> int:
    """Play worlds; return how many failed."""
    failed = switches = 0
    begun = time.monotonic()
    for number, failures, moves in outcomes(range(seed, seed + worlds), jobs):
        switches += moves
        for failure in failures[:3]:
            say(f"seed {number}: {failure}")
        if failures:
            failed += 1
            say(f"  again: make soak WORLDS=1 SEED={number}")
        if failed >= STOP_AFTER:
            break
    took = time.monotonic() - begun
    say(f"{worlds} worlds from seed {seed}: {failed} failed; {switches} switches; {took:.0f} s")
    return failed


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.worlds == 1:
        show(options.seed)
    return 1 if soak(options.worlds, options.seed, 1 if options.worlds == 1 else options.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
