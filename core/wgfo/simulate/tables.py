"""What really stands in the simulated route tables, at every moment, whoever reads it.

Writes land at their own time, also when nobody waits for them any more: they stand in one queue of things to
come, which is worked off before anybody looks.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NewType

from wgfo.model import Absent, Foreign, Observed, PathHop, PathName, Prefix, ProviderName, TableName
from wgfo.simulate.plan import Content

TableId = NewType("TableId", tuple[ProviderName, TableName])

STRANGER = Foreign("a stranger's hop")


@dataclass(frozen=True, slots=True)
class Landing:
    """One change of one table."""

    at_us: int
    table: TableId
    prefix: Prefix
    hop: Observed
    by: str
    """``wgfo``, or who else."""
    sent_us: int
    epoch: int = 0
    life: int = 0
    """Which life of the daemon sent it."""


@dataclass(slots=True)
class Table:
    """One table, as it is and as it was."""

    routes: dict[Prefix, Observed]
    past: list[tuple[int, dict[Prefix, Observed]]] = field(default_factory=list)
    """Before each change: until when it stood, and what."""

    def at(self, moment_us: int) -> Mapping[Prefix, Observed]:
        """Return what stood there at a moment of the past."""
        for until_us, routes in self.past:
            if moment_us < until_us:
                return routes
        return self.routes


@dataclass(slots=True)
class Tables:
    """All tables of a world.

    ``landed`` is called with every change of ours or of others.
    """

    now_us: Callable[[], int]
    landed: Callable[[Landing], None]
    of: dict[TableId, Table] = field(default_factory=dict)
    _coming: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: int = 0

    def later(self, at_us: int, happen: Callable[[], None]) -> None:
        """Let something happen at its time, whether or not anybody runs then."""
        self._order += 1
        heapq.heappush(self._coming, (at_us, self._order, happen))

    def land(self, landing: Landing) -> None:
        """Let a write land at its time."""
        self.later(landing.at_us, lambda: self._put(landing))

    def settle(self) -> None:
        """Let everything happen that is due."""
        while self._coming and self._coming[0][0] <= self.now_us():
            heapq.heappop(self._coming)[2]()

    def next_us(self) -> int | None:
        """Return when something happens next."""
        return self._coming[0][0] if self._coming else None

    def table(self, table: TableId) -> Table:
        """Return a table as it is now."""
        self.settle()
        return self.of[table]

    def path(self, table: TableId) -> PathName | None:
        """Return the path that the whole table points at now; None where it does not."""
        hops = set(self.table(table).routes.values())
        only = next(iter(hops)) if len(hops) == 1 else None
        return only.path if isinstance(only, PathHop) else None

    def rewrite(self, at_us: int, table: TableId, to: PathName | Content, by: str) -> None:
        """Let somebody else write a whole table, now."""
        for prefix in list(self.of[table].routes):
            self._put(Landing(at_us, table, prefix, content(to), by, at_us))

    def _put(self, landing: Landing) -> None:
        table = self.of[landing.table]
        table.past.append((landing.at_us, dict(table.routes)))
        table.routes[landing.prefix] = landing.hop
        self.landed(landing)


def content(word: PathName | Content) -> Observed:
    """Return the route that a word of the plan means."""
    if word == Content.FOREIGN:
        return STRANGER
    return Absent() if word == Content.ABSENT else PathHop(PathName(word))
