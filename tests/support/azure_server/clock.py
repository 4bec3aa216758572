"""Time of the stand-in: how long an operation lasts is counted on it."""

from __future__ import annotations

import time


class Clock:
    """Real time, in milliseconds."""

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class ManualClock(Clock):
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self._now_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, by_ms: int) -> None:
        self._now_ms += by_ms
