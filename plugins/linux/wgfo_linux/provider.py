"""The Linux kernel as a route provider: one instance, one network namespace.

    open     sockets, the index of the configured prefixes, probe rules, notifications
    observe  one dump per table and family, sorted by observe.py
    point    the same dump, then point.py
    watch    notifications through watch.py
    check    check.py

The kernel has no compare-and-swap for routes, so there is no token: ``point`` reads the table right before it
writes, and what is foreign then is refused. Reads are consistent and a write is carried out while it is sent:
``visibility_ms`` and ``late_write_ms`` are 0. Nothing is retried, and nothing read is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

from wgfo.model import (
    Changed,
    Finding,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)
from wgfo.plugin import Capabilities, Conflict, Permit, ProviderContext
from wgfo_linux.bulk import BATCH, Interrupted, RouteSocket
from wgfo_linux.config import LinuxOptions
from wgfo_linux.hops import candidates, devices_of
from wgfo_linux.index import TableIndex, build
from wgfo_linux.netlink import Netlink
from wgfo_linux.observe import Seen, TableReader, View, read_set
from wgfo_linux.point import carry_out, plan
from wgfo_linux.rules import ProbeRules, tunnels
from wgfo_linux.tables import number_of
from wgfo_linux.watch import Hints, Listener, Notifications

_DUMP_TRIES: Final = 3


class LinuxProvider:
    """Routes in the kernel's tables."""

    def __init__(self, options: LinuxOptions) -> None:
        self._options = options
        self._netlink = Netlink(options.netns)
        self._routes = RouteSocket(options.netns)
        self._sets: dict[RouteSetId, RouteSet] = {}
        self._numbers: dict[TableName, int] = {}
        self._indexes: dict[int, TableIndex] = {}
        self._watchers: list[Hints] = []
        self._rules: ProbeRules | None = None
        self._notifications = Notifications(options.netns, self._listener())

    @property
    def capabilities(self) -> Capabilities:
        """Replaces in place, tells of changes, writes whole batches."""
        return Capabilities(parallel_tables=1, parallel_writes=BATCH, watches=True)

    async def open(self, context: ProviderContext) -> None:
        """Connect, resolve the tables and pack the prefixes.

        Raises:
            NotFound: the namespace or a table's name does not exist.
            Denied: the namespace may not be entered.
            Conflict: two spellings name one table.
        """
        await context.permit.read()
        await self._netlink.open()
        self._routes.open()
        await self._know(context.sets)
        self._notifications.open()
        if self._options.probe_table and not context.read_only:
            wanted = tunnels(context.paths, context.sets)
            self._rules = ProbeRules(self._netlink, self._routes, self._options, wanted)
            await self._rules.start()

    async def aclose(self) -> None:
        """Remove the probe rules and close the sockets; the managed routes stay."""
        self._notifications.close()
        if self._rules is not None:
            await self._rules.close()
            self._rules = None
        self._routes.close()
        self._netlink.close()

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Look for what would keep these routes from working."""
        return ()

    # --- reading ------------------------------------------------------------------------------------------

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read the sets: each table once for each address family that occurs."""
        await self._know(sets)
        found: dict[RouteSetId, SetObservation] = {}
        for table, members in self._by_table(sets).items():
            seen = await self._read(table, members, permit)
            for route_set in members:
                view = await self._view(route_set, seen[route_set.id], table, permit)
                found[route_set.id] = read_set(view, seen[route_set.id])
        return found

    async def _read(
        self, table: int, members: Sequence[RouteSet], permit: Permit
    ) -> Mapping[RouteSetId, Seen]:
        """Dump a table.

        On a busy one every dump is interrupted by someone's change. The last one is then taken: the kernel's
        walks go on behind the last route shown, so what did not change is not missed.
        """
        index = self._indexes[table]
        families = sorted({family for one in members for family in index.packed[one.id].families})
        for last in (*[False] * (_DUMP_TRIES - 1), True):
            reader = TableReader(index, self._options_of(index))
            try:
                for family in families:
                    await permit.read()
                    await self._routes.dump(table, family, reader.see)
            except Interrupted:
                if not last:
                    continue
            return reader.seen
        raise AssertionError("the last try returns")

    async def _view(self, route_set: RouteSet, seen: Seen, table: int, permit: Permit) -> View:
        await permit.read()
        devices = {
            name: device.index
            for name in devices_of(route_set.hops)
            if (device := await self._netlink.device(name))
        }
        names = {index: name for name, index in devices.items()}
        for index in _interfaces(seen) - names.keys():
            device = await self._netlink.device_at(index)
            if device:
                names[index] = device.name
        packed = self._indexes[table].packed[route_set.id]
        return View(route_set, self._of(route_set), packed, candidates(route_set.hops, devices), names)

    # --- writing ------------------------------------------------------------------------------------------

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Read the table, then write what differs."""
        route_set = change.route_set
        await self._know((route_set,))
        table = self._numbers[route_set.table]
        seen = (await self._read(table, (route_set,), permit))[route_set.id]
        view = await self._view(route_set, seen, table, permit)
        made = await plan(view, seen, change, table)
        return await carry_out(self._routes, made, view, change, permit)

    # --- hints --------------------------------------------------------------------------------------------

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield a hint within milliseconds of a change that concerns one of the sets."""
        await self._know(sets)
        self._notifications.open()
        hints = Hints(route_set.id for route_set in sets)
        self._watchers.append(hints)
        try:
            while True:
                for set_id in await hints.take():
                    yield Changed(set_id)
        finally:
            self._watchers.remove(hints)

    def _hint(self, sets: Iterable[RouteSetId]) -> None:
        changed = tuple(sets)
        for hints in self._watchers:
            hints.add(changed)

    def _listener(self) -> Listener:
        return Listener(
            route=self._route_changed,
            link=self._link_changed,
            surroundings=self._surroundings_changed,
            lost=self._events_lost,
            is_ours=self._routes.wrote,
        )

    def _route_changed(self, table: int, destination: bytes) -> None:
        if self._rules is not None and self._rules.owns(table):
            self._rules.touch()
        index = self._indexes.get(table)
        concerned = index.concerned(destination) if index else None
        if concerned is not None:
            self._hint((concerned,))

    def _link_changed(self, name: str) -> None:
        self._hint(one.id for one in self._sets.values() if _depends_on(one, name))

    def _surroundings_changed(self) -> None:
        if self._rules is not None:
            self._rules.touch()

    def _events_lost(self) -> None:
        self._hint(self._sets)
        self._surroundings_changed()
        if not self._notifications.is_open:
            for hints in self._watchers:
                hints.fail()

    # --- what is configured -------------------------------------------------------------------------------

    async def _know(self, sets: Iterable[RouteSet]) -> None:
        """Learn sets that are new or changed: their table's number, and the table's index."""
        new = [one for one in sets if self._sets.get(one.id) != one]
        if not new:
            return
        for route_set in new:
            self._number(route_set.table)
            self._sets[route_set.id] = route_set
        for table in {self._numbers[one.table] for one in new}:
            members = [one for one in self._sets.values() if self._numbers[one.table] == table]
            self._indexes[table] = await build(members)

    def _number(self, name: TableName) -> int:
        number = number_of(name)
        other = next(
            (known for known, value in self._numbers.items() if value == number and known != name), None
        )
        if other is not None:
            raise Conflict(
                f"tables {other!r} and {name!r} are both table {number}: write one spelling everywhere"
            )
        self._numbers[name] = number
        return number

    def _by_table(self, sets: Sequence[RouteSet]) -> dict[int, list[RouteSet]]:
        grouped: dict[int, list[RouteSet]] = {}
        for route_set in sets:
            grouped.setdefault(self._numbers[route_set.table], []).append(route_set)
        return grouped

    def _options_of(self, index: TableIndex) -> dict[RouteSetId, LinuxOptions]:
        return {set_id: self._of(self._sets[set_id]) for set_id in index.packed}

    def _of(self, route_set: RouteSet) -> LinuxOptions:
        """Return a set's options: its own where the route overrides some, else the instance's."""
        return route_set.options if isinstance(route_set.options, LinuxOptions) else self._options


def _interfaces(seen: Seen) -> set[int]:
    """Return the interfaces that a set's routes, leftovers and shadows use."""
    around = [body for _, body in (*seen.leftover, *seen.shadows)]
    return {body.oif for body in (*seen.at_key.values(), *around) if body.oif}


def _depends_on(route_set: RouteSet, device: str) -> bool:
    """A gateway without a device may be reached over any."""
    return any(f"dev {device}" in hop or " dev " not in f" {hop}" for hop in route_set.hops.values())
