"""One heap of deadlines for all groups, re-armed lazily: a deadline that moved away is found out when it comes."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import Final

from wgfo.daemon.clock import Clock
from wgfo.model import GroupName

_US: Final = 1_000_000
TURNS: Final = 8
"""Turns of the loop between a timer and its Tick: what waits in the sockets is read and stepped first."""

BUSY_US: Final = -1
"""Earlier than any deadline: no timer is wanted while the turns go on."""

Due = Callable[[Sequence[GroupName]], None]
Stands = Callable[[GroupName, int], bool]


class Deadlines:
    """Calls ``due`` with the groups whose time has come, in configured order.

    A deadline that ``due`` leaves where it is must be armed again. ``stands`` says whether a group's deadline is
    still at such a time; one that moved away is armed anew by it, and costs no turns.
    """

    def __init__(self, clock: Clock, due: Due, stands: Stands) -> None:
        self._clock = clock
        self._due = due
        self._stands = stands
        self._heap: list[tuple[int, int, GroupName]] = []
        self._armed: dict[GroupName, int] = {}
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._timer_us: int | None = None

    def arm(self, group: GroupName, order: int, at_us: int) -> None:
        """Wake up at ``at_us`` for this group, or earlier if that was asked before."""
        armed_us = self._armed.get(group)
        if armed_us is not None and armed_us <= at_us:
            return
        self._armed[group] = at_us
        heapq.heappush(self._heap, (at_us, order, group))
        self._set_timer()

    def next_us(self) -> int | None:
        """Return the earliest deadline."""
        return self._heap[0][0] if self._heap else None

    def clear(self) -> None:
        """Forget all deadlines."""
        self._heap.clear()
        self._armed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timer_us = None

    def _set_timer(self) -> None:
        if not self._heap or (self._timer_us is not None and self._timer_us <= self._heap[0][0]):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_us = self._heap[0][0]
        wait_us = max(0, self._timer_us - self._clock.monotonic_us())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait_us / _US, self._rung)

    def _rung(self) -> None:
        """Begin the turns if any deadline is where it was when it was armed."""
        self._timer, self._timer_us = None, BUSY_US
        now_us = self._clock.monotonic_us()
        due = [group for group in self._pop(now_us) if self._stands(group[1], now_us)]
        for order, group in due:
            self._armed[group] = now_us
            heapq.heappush(self._heap, (now_us, order, group))
        if due:
            self._turn(TURNS)
        else:
            self._timer_us = None
            self._set_timer()

    def _turn(self, left: int) -> None:
        if left > 0:
            self._timer = asyncio.get_running_loop().call_soon(self._turn, left - 1)
            return
        self._timer = self._timer_us = None
        groups = self._pop(self._clock.monotonic_us())
        if groups:
            self._due([group for _, group in groups])
        self._set_timer()

    def _pop(self, now_us: int) -> list[tuple[int, GroupName]]:
        found: list[tuple[int, GroupName]] = []
        while self._heap and self._heap[0][0] <= now_us:
            at_us, order, group = heapq.heappop(self._heap)
            if self._armed.get(group) == at_us:
                del self._armed[group]
                found.append((order, group))
        return sorted(found)
