"""A virtual clock and an event loop that runs on it: hours in milliseconds, the same every time.

The loop jumps to the next timer as soon as nothing is left to run. Real sockets and threads still work: while
:meth:`VirtualTime.outside` is held, or where no timer is armed, the loop waits for them in real time and the
virtual clock stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple

from wgfo.daemon.clock import LoopSleep, wall_text

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_US: Final = 1_000_000
_START_WALL_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z, so that texts of time in a simulation are the same on every run."""
_PATIENCE_S: Final = 10.0
"""Real seconds to wait for a socket or a thread when no timer is armed; then the run is stuck."""


class VirtualTime(LoopSleep):
    """A :class:`~wgfo.daemon.clock.Clock` that moves only when it is told to."""

    def __init__(self, start_us: int = 1_000 * _US) -> None:
        self._now_us = start_us
        self._slept_us = 0
        self._wall_step_ns = 0
        self._start_us = start_us
        self._outside = 0

    def monotonic_us(self) -> int:
        """Time of the virtual loop."""
        return self._now_us

    def boottime_us(self) -> int:
        """Virtual time with the naps of :meth:`suspend`."""
        return self._now_us + self._slept_us

    def wall_ns(self) -> int:
        """A wall clock that starts with 2026 and jumps by :meth:`step_wall`."""
        return _START_WALL_NS + self._wall_step_ns + (self.boottime_us() - self._start_us) * 1_000

    def rfc3339(self, at_us: int) -> str:
        """Wall time of a monotonic time."""
        return wall_text(self.wall_ns() - (self._now_us - at_us) * 1_000)

    def advance(self, by_us: int) -> None:
        """Let time pass while nothing runs: from inside a callback this is a stall of the process."""
        if by_us < 0:
            raise ValueError(f"time cannot go back by {-by_us} us")
        self._now_us += by_us

    def suspend(self, for_us: int) -> None:
        """The machine sleeps: boot time and the wall clock go on, the monotonic clock does not."""
        self._slept_us += for_us

    def step_wall(self, by_us: int) -> None:
        """Somebody sets the wall clock."""
        self._wall_step_ns += by_us * 1_000

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Hold virtual time while a thread or another process works."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    @property
    def held(self) -> bool:
        """Whether something outside is waited for."""
        return self._outside > 0


class _VirtualSelector(selectors.BaseSelector):
    """Polls the real selector, and instead of waiting for a timer moves the clock to it.

    It is not polled while there is no socket but the loop's own, which only ends a wait.
    """

    def __init__(self, clock: VirtualTime) -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0) if len(self._real.get_map()) > 1 else []
        if ready or timeout == 0:
            return ready
        if timeout is None or self._clock.held:
            return self._wait()
        self._clock.advance(max(1, math.ceil(timeout * _US - 0.01)))
        return []

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(_PATIENCE_S)
        if not ready:
            raise RuntimeError(f"nothing is scheduled and nothing arrived for {_PATIENCE_S:.0f} s: stuck")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class _Timer(asyncio.TimerHandle):
    """A timer that comes after those of the same moment that were set before it."""

    __slots__ = ("order",)
    order: tuple[float, int]

    def __lt__(self, other: object) -> bool:
        return self.order < other.order if isinstance(other, _Timer) else NotImplemented


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time.

    In virtual time many timers fall on one moment, and asyncio leaves their order to its heap, where one timer
    more or less may change it. Here it is the order in which they were set.
    """

    _scheduled: list[asyncio.TimerHandle]
    """asyncio's own heap of timers; a loop that orders them has no other way in."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__(_VirtualSelector(clock))
        self.clock = clock
        self._timers = 0

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call back at a moment, after what was set for the same moment before."""
        timer = _Timer(when, callback, args, self, context)
        self._timers += 1
        timer.order = (when, self._timers)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - as the base class does: cancel() asks
        return timer

    def time(self) -> float:
        """Virtual seconds."""
        return self.clock.monotonic_us() / _US


def run_virtually(main: Coroutine[Any, Any, T], clock: VirtualTime | None = None) -> T:
    """Run a coroutine to its end in virtual time; what it left running is cancelled."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock or VirtualTime())) as runner:
        return runner.run(main)
