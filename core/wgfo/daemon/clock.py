"""The daemon's only source of time; everything else asks here or the event loop.

Three clocks, three uses: *monotonic* orders events and measures, *boot time* goes on while the machine sleeps
(leases, overrides, finding out that it slept), *wall* is for people. A simulation brings a clock of its own
and a loop whose ``time()`` is virtual; then this very daemon runs in virtual time.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_US: Final = 1_000_000


class Clock(Protocol):
    """Microseconds as integers; ``monotonic_us`` runs in step with the event loop's own time."""

    def monotonic_us(self) -> int:
        """Time since an unspecified start; never goes back, stands still while the machine sleeps."""

    def boottime_us(self) -> int:
        """Time since boot; goes on while the machine sleeps."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970; may jump."""

    def rfc3339(self, at_us: int) -> str:
        """Return the wall-clock text, in UTC, of a monotonic time."""

    async def sleep_until_us(self, at_us: int) -> None:
        """Return at ``at_us`` on the monotonic clock, or at once if it has passed; never early."""


class LoopSleep:
    """``sleep_until_us`` for clocks whose monotonic time is the running loop's own."""

    def monotonic_us(self) -> int:
        """Time since an unspecified start."""
        raise NotImplementedError

    async def sleep_until_us(self, at_us: int) -> None:
        """Return at ``at_us``; a loop's timers may fire a clock tick early, hence the second look."""
        while (left_us := at_us - self.monotonic_us()) > 0:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(left_us / _US)


class SystemClock(LoopSleep):
    """The clocks of this machine. asyncio's own loops run on the same monotonic clock."""

    def monotonic_us(self) -> int:
        """``CLOCK_MONOTONIC``."""
        return time.monotonic_ns() // 1_000

    def boottime_us(self) -> int:
        """``CLOCK_BOOTTIME``."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000

    def wall_ns(self) -> int:
        """``CLOCK_REALTIME``."""
        return time.time_ns()

    def rfc3339(self, at_us: int) -> str:
        """Wall time of a monotonic time by the distance of both clocks now."""
        return wall_text(self.wall_ns() - (self.monotonic_us() - at_us) * 1_000)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def wall_text(wall_ns: int) -> str:
    """Return RFC 3339 in UTC with milliseconds; integers alone, so that it is the same everywhere."""
    moment = _EPOCH + timedelta(microseconds=wall_ns // 1_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1_000:03d}Z"
