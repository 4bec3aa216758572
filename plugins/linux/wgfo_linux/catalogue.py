"""What is configured for one instance: its sets, the numbers of their tables, and each table's index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wgfo.model import RouteSet, RouteSetId, TableName
from wgfo.plugin import Conflict
from wgfo_linux.config import LinuxOptions
from wgfo_linux.index import TableIndex, build
from wgfo_linux.tables import number_of


class Catalogue:
    """Learns sets once; a dump or an event is then sorted by lookups alone."""

    def __init__(self, options: LinuxOptions) -> None:
        self._options = options
        self._sets: dict[RouteSetId, RouteSet] = {}
        self._numbers: dict[TableName, int] = {}
        self._indexes: dict[int, TableIndex] = {}

    def __iter__(self) -> Iterator[RouteSetId]:
        return iter(tuple(self._sets))

    async def learn(self, sets: Iterable[RouteSet]) -> None:
        """Take in sets that are new or changed.

        Raises:
            NotFound: a table's name is unknown on this host.
            Conflict: two spellings name one table.
        """
        new = [one for one in sets if self._sets.get(one.id) != one]
        for route_set in new:
            self._resolve(route_set.table)
            self._sets[route_set.id] = route_set
        for table in {self.number(one) for one in new}:
            members = [one for one in self._sets.values() if self.number(one) == table]
            self._indexes[table] = await build(members)

    def _resolve(self, name: TableName) -> None:
        number = number_of(name)
        for known, value in self._numbers.items():
            if value == number and known != name:
                raise Conflict(
                    f"tables {known!r} and {name!r} are both table {number} of this host: write one spelling "
                    f"everywhere"
                )
        self._numbers[name] = number

    def number(self, route_set: RouteSet) -> int:
        """Return the number of a set's table."""
        return self._numbers[route_set.table]

    def index(self, table: int) -> TableIndex | None:
        """Return a table's index, None for a table without sets."""
        return self._indexes.get(table)

    def by_table(self, sets: Sequence[RouteSet]) -> dict[int, list[RouteSet]]:
        """Group sets by their table."""
        grouped: dict[int, list[RouteSet]] = {}
        for route_set in sets:
            grouped.setdefault(self.number(route_set), []).append(route_set)
        return grouped

    def options(self, route_set: RouteSet) -> LinuxOptions:
        """Return a set's options: its own where the route overrides some, else the instance's."""
        return route_set.options if isinstance(route_set.options, LinuxOptions) else self._options

    def options_in(self, index: TableIndex) -> dict[RouteSetId, LinuxOptions]:
        """Return the options of every set of a table."""
        return {set_id: self.options(self._sets[set_id]) for set_id in index.packed}

    def concerned(self, table: int, destination: bytes) -> RouteSetId | None:
        """Return the set whose traffic a route of this table would carry, if any."""
        index = self._indexes.get(table)
        return index.concerned(destination) if index else None

    def depending_on(self, device: str) -> Iterator[RouteSetId]:
        """Return the sets with a hop over a device; a gateway without one may be reached over any."""
        for route_set in self._sets.values():
            words = (hop.split() for hop in route_set.hops.values())
            if any("dev" not in one or one[-1] == device for one in words):
                yield route_set.id
