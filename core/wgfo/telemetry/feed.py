"""The latest changes, numbered, for those who follow them live: ``GET /api/v1/events`` and the status page.

One ring for everybody. A reader keeps the number of what it has seen last and asks for what came after; it has
no queue of its own, so that one that does not read costs nothing and holds up nobody.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event, WriteEnded
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName
from wgfo.telemetry.changes import GroupChanged
from wgfo.telemetry.happenings import Happening, Kind, of_change, of_decision, of_phases, of_write
from wgfo.telemetry.switches import SwitchRecord

KEPT: Final = 2_000
"""Happenings in the ring; at the busiest, all groups of a large site switching at once, some seconds' worth."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A happening with its place in the session."""

    number: int
    at: str
    """RFC 3339."""
    happening: Happening

    def as_json(self) -> str:
        """Return the object that a client gets, on one line."""
        one = self.happening
        return json.dumps({"at": self.at, "kind": one.kind, "group": one.group, **one.fields})


@dataclass(slots=True)
class Audience:
    """Who follows the event stream."""

    clients: int = 0
    cut_off: int = 0
    """Clients that did not read, since the start."""


class Missed(Exception):
    """What was asked for is no longer, or was never, in the ring."""


class Feed:
    """A listener with a ring.

    Args:
        session: names this run of the daemon; numbers of another run mean nothing here.
        rfc3339: the wall-clock text of a monotonic time.
        kept: size of the ring.
    """

    def __init__(self, session: str, rfc3339: Callable[[int], str], kept: int = KEPT) -> None:
        self.session = session
        self._rfc3339 = rfc3339
        self._ring: deque[Numbered] = deque(maxlen=kept)
        self._last = 0
        self._last_of: dict[GroupName, int] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    # --- what happens ---------------------------------------------------------------------------------------

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Keep what one step brought."""
        if isinstance(event, WriteEnded):
            self._keep(event.at_us, of_write(group, event))
        for decision in decisions:
            happening = of_decision(group, decision)
            if happening is not None:
                self._keep(decision.at_us, happening)

    def group_changed(self, change: GroupChanged) -> None:
        """Keep how a group stands now."""
        self._keep(change.at_us, of_change(change))

    def switch_measured(self, record: SwitchRecord) -> None:
        """Keep a switch whose phases are known; its time is that of the switch."""
        self._put(record.at, of_phases(record))

    def _keep(self, at_us: int, happening: Happening) -> None:
        self._put(self._rfc3339(at_us), happening)

    def _put(self, at: str, happening: Happening) -> None:
        self._last += 1
        self._last_of[happening.group] = self._last
        self._ring.append(Numbered(self._last, at, happening))
        self._wake()

    # --- who reads ------------------------------------------------------------------------------------------

    @property
    def last(self) -> int:
        """The number of the newest; 0: nothing happened yet."""
        return self._last

    def last_of(self, group: GroupName) -> int:
        """Return the number of the newest of a group; 0: nothing happened to it yet."""
        return self._last_of.get(group, 0)

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    def after(self, number: int) -> Sequence[Numbered]:
        """Return what came after a number, oldest first.

        Raises:
            Missed: something after it has left the ring already, or it was never reached.
        """
        if number > self._last or (self._ring and number < self._ring[0].number - 1):
            raise Missed
        return [one for one in self._ring if one.number > number]

    def latest(self, kinds: frozenset[Kind], most: int) -> Sequence[Numbered]:
        """Return the newest of some kinds, newest first."""
        found = (one for one in reversed(self._ring) if one.happening.kind in kinds)
        return [one for one, _ in zip(found, range(most), strict=False)]

    async def wait(self, number: int, timeout_s: float) -> bool:
        """Wait until something comes after a number; False: nothing came in time, or nothing ever will."""
        if number < self._last:
            return True
        if self._closed:
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_s)
        finally:
            self._waiting.discard(waiter)
        return number < self._last

    def close(self) -> None:
        """Nothing more will come: let those who wait go."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
