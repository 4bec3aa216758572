"""What is done now and then while the daemon runs: watchdog, stores, textfile, waking up from sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wgfo.daemon import notify
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import Spawn
from wgfo.daemon.runtime import Runtime

SECOND_US: Final = 1_000_000
SAVE_US: Final = 10 * SECOND_US
TEXTFILE_US: Final = 5 * SECOND_US
SLEPT_US: Final = 2 * SECOND_US
"""A difference between boot time and monotonic time that grew by more means that the machine slept."""
STUCK_US: Final = 2 * SECOND_US
"""A deadline left so long means that the decision loop does not run."""


async def periodically(clock: Clock, every_us: int, work: Callable[[], None]) -> None:
    """Call ``work`` at intervals; its exceptions end the daemon."""
    while True:
        await clock.sleep_until_us(clock.monotonic_us() + every_us)
        work()


@dataclass(slots=True)
class Watchdog:
    """Feeds systemd's watchdog from the decision loop's progress alone.

    A daemon whose sockets still answer while its decisions stand still is one to be restarted.
    """

    runtime: Runtime
    alive: Callable[[], bool] = notify.alive
    _steps: int = -1

    def feed(self) -> None:
        """Feed it if events were stepped since the last time, or nothing was due."""
        steps = self.runtime.steps
        if steps != self._steps or self.runtime.late_us() < STUCK_US:
            self.alive()
        self._steps = steps


@dataclass(slots=True)
class SleepWatch:
    """Notices that the machine was suspended: the monotonic clock stood still, the world did not."""

    clock: Clock
    slept: Callable[[int], None]
    """Called with how long it slept."""
    _gap_us: int = field(init=False)

    def __post_init__(self) -> None:
        self._gap_us = self._gap()

    def _gap(self) -> int:
        return self.clock.boottime_us() - self.clock.monotonic_us()

    def look(self) -> None:
        """Compare the clocks."""
        gap_us = self._gap()
        if gap_us - self._gap_us > SLEPT_US:
            self.slept(gap_us - self._gap_us)
        self._gap_us = gap_us


class SlowFile:
    """Writes a file off the loop, one write at a time: a hung disk costs a thread and nothing else.

    Args:
        prepare: called on the loop; returns what the thread has to do.
        spawn: starts core tasks.
        failed: hears of a failure, once while it lasts.
    """

    def __init__(
        self, prepare: Callable[[], Callable[[], None]], spawn: Spawn, failed: Callable[[str], None]
    ) -> None:
        self._prepare = prepare
        self._spawn = spawn
        self._failed = failed
        self._busy = False
        self._error = ""

    def refresh(self) -> None:
        """Begin a write unless one is under way."""
        if not self._busy:
            self._busy = True
            self._spawn(self._refresh(self._prepare()), name="textfile")

    async def _refresh(self, write: Callable[[], None]) -> None:
        error = ""
        try:
            await asyncio.to_thread(write)
        except OSError as failure:
            error = str(failure)
        finally:
            self._busy = False
        if error and error != self._error:
            self._failed(f"textfile: {error}")
        self._error = error
