"""How long a simulated day takes: two paths, four targets, one round a second, every invariant watched.

    python -m tests.bench.day

Prints it, and whether that is within what is aimed at on one core that has nothing else to do.
"""

from __future__ import annotations

import time
from typing import Final

from wgfo.simulate.play import Options, play
from wgfo.simulate.read import parse

SCENARIO: Final = """
name     = "a quiet day"
duration = "{hours}h"
targets  = ["t1", "t2", "t3", "t4"]

[providers]
linux = ["main"]

[group]
reconcile = "30s"
"""
AIM_S: Final = 20.0


def day(hours: int = 24) -> float:
    """Simulate so many hours; return the seconds of this processor that it took."""
    read = parse(SCENARIO.format(hours=hours))
    begun = time.process_time()
    run = play(read.scenario.plan(), read.document, Options(lean=True))
    took = time.process_time() - begun
    if run.violations:
        raise AssertionError(run.violations)
    return took


def main() -> None:
    """Print it."""
    took = day()
    rounds = 24 * 3600 * 2
    verdict = "within" if took <= AIM_S else "above"
    print(f"a day of two paths with four targets: {took:.1f} s, {took / rounds * 1e6:.0f} us a path and round; "
          f"{verdict} the aim of {AIM_S:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
