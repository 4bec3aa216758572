"""What a step of the engine costs: with one group and with a thousand, with a short journal and with a long one.

    python -m tests.bench.engine_step

Prints microseconds a step and two ratios: about 1 where nothing grows, a little more for a thousand groups, which
do not fit into the processor's caches. A step is a closed round in the daemon's own runtime.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from tests.engine.world import A, B, policy
from wgfo.daemon.journal import MemoryJournal
from wgfo.daemon.runtime import Beginning, Runtime
from wgfo.daemon.state import MemoryStore
from wgfo.daemon.stored import Times
from wgfo.engine.decisions import Observe, Point
from wgfo.engine.events import RoundClosed
from wgfo.model import GroupName, Outcome, ProbeResult
from wgfo.simulate.loop import VirtualTime, run_virtually

GROUPS: Final = 1_000
STEPS: Final = 20_000
LONG: Final = 500_000
"""Records of a long journal."""
MOST: Final = 2.0
"""A ratio above this is growth."""
_S: Final = 1_000_000


class Nobody:
    """Carries nothing out."""

    def submit(self, decisions: Iterable[Point | Observe]) -> None:
        """Drop them."""

    def supersede(self, group: GroupName, epoch: int) -> None:
        """There is nothing to withdraw."""


class Rig:
    """A runtime of so many healthy groups."""

    def __init__(self, groups: int) -> None:
        self.clock = VirtualTime()
        self.names = [GroupName(f"g{number}") for number in range(groups)]
        self.journal = MemoryJournal()
        self.runtime = Runtime(self.clock, MemoryStore("s", Times(self.clock, "boot")), _spawn_nothing, print)
        self.runtime.carrier = Nobody()
        self.runtime.listeners = (self.journal,)
        self.runtime.configure([Beginning(replace(policy(), name=name)) for name in self.names])
        self.number = 0
        self.rounds(20)

    def rounds(self, count: int) -> None:
        """Close so many rounds of both paths in every group."""
        for _ in range(count):
            self.clock.advance(_S)
            self.number += 1
            for name in self.names:
                self._round(name)

    def _round(self, name: GroupName) -> None:
        at_us = self.clock.monotonic_us()
        good = ProbeResult(Outcome.OK, at_us - 10_000, 3_000)
        for path in (A, B):
            self.runtime.dispatch(name, RoundClosed(at_us, path, 0, self.number, (good,) * 3, good))

    def step_us(self) -> float:
        """Return what a step costs, in microseconds of processor time: the best of three."""
        return min(self._step_us() for _ in range(3))

    def _step_us(self) -> float:
        before, begun = self.runtime.steps, time.process_time()
        self.rounds(max(1, STEPS // 2 // len(self.names)))
        return (time.process_time() - begun) * 1e6 / (self.runtime.steps - before)


def _spawn_nothing(coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    coroutine.close()
    raise AssertionError(f"a healthy group stores nothing, but {name} was asked for")


async def measure() -> Sequence[tuple[str, float]]:
    """Return each ratio with its name."""
    one, many = Rig(1), Rig(GROUPS)
    short_us, many_us = one.step_us(), many.step_us()
    one.journal.records.extend(list(one.journal.records)[-1:] * LONG)
    long_us = one.step_us()
    print(f"a step: {short_us:.0f} us with one group, {many_us:.0f} us with {GROUPS}; "
          f"{long_us:.0f} us after {LONG} records")  # fmt: skip
    return (f"{GROUPS} groups to one", many_us / short_us), (
        "a long journal to a short one",
        long_us / short_us,
    )


def main() -> int:
    """Print them; fail where one grows."""
    ratios = run_virtually(measure())
    for name, ratio in ratios:
        print(f"{name}: {ratio:.2f}")
    return 0 if all(ratio < MOST for _, ratio in ratios) else 1


if __name__ == "__main__":
    sys.exit(main())
