"""Reading tables for the provider: dumps, and the names and indexes of interfaces around them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from wgfo.model import RouteSet, RouteSetId
from wgfo.plugin import Permit
from wgfo_linux.bulk import Interrupted, RouteSocket, patience_s
from wgfo_linux.catalogue import Catalogue
from wgfo_linux.hops import candidates, devices_of
from wgfo_linux.index import TableIndex
from wgfo_linux.netlink import FAMILIES, Netlink
from wgfo_linux.observe import NAMED, Seen, TableReader, View, line
from wgfo_linux.wire import Body, Destination

_DUMP_TRIES: Final = 3


class Reader:
    """Reads what the provider observes, and what it compares with before it writes."""

    def __init__(self, netlink: Netlink, routes: RouteSocket, catalogue: Catalogue) -> None:
        self._netlink = netlink
        self._routes = routes
        self._catalogue = catalogue

    async def table(self, number: int, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, Seen]:
        """Dump a table once for each address family that occurs in the sets.

        On a busy table every dump is interrupted by someone's change. The last one is then taken: the
        kernel's walks go on behind the last route shown, so what did not change is not missed.
        """
        index = self._index(number)
        families = sorted({family for one in sets for family in index.packed[one.id].families})
        reader = TableReader(index, {})
        for _ in range(_DUMP_TRIES):
            reader = TableReader(index, self._catalogue.options_in(index))
            if await self._dump_all(number, families, reader, permit):
                break
        return reader.seen

    async def _dump_all(
        self, number: int, families: Iterable[int], reader: TableReader, permit: Permit
    ) -> bool:
        undisturbed = True
        for family in families:
            await permit.read()
            try:
                await self._routes.dump(number, family, reader.see, permit)
            except Interrupted:
                undisturbed = False
        return undisturbed

    async def view(self, route_set: RouteSet, seen: Seen, permit: Permit) -> View:
        """Resolve the interfaces that a set's hops and routes name."""
        await permit.read()
        devices = {
            name: device.index
            for name in devices_of(route_set.hops)
            if (device := await self._netlink.device(name, patience_s(permit))) is not None
        }
        known = {index: name for name, index in devices.items()}
        return View(
            route_set=route_set,
            options=self._catalogue.options(route_set),
            packed=self._index(self._catalogue.number(route_set)).packed[route_set.id],
            known=candidates(route_set.hops, devices),
            names=known | await self._names(_interfaces(seen) - known.keys(), permit),
        )

    async def strangers(self, sets: Sequence[RouteSet], permit: Permit) -> list[str]:
        """Return routes with our protocol number for destinations that nobody configures, the first few."""
        found: list[tuple[Destination, Body]] = []
        for number, members in self._catalogue.by_table(sets).items():
            owners = self._index(number).owners
            ours = frozenset(self._catalogue.options(one).protocol for one in members)
            for family in FAMILIES:
                await permit.read()
                stranger = _Strangers(owners.keys(), ours, found)
                with contextlib.suppress(Interrupted):
                    await self._routes.dump(number, family, stranger.see, permit)
        names = await self._names({body.oif for _, body in found if body.oif}, permit)
        return [line(one, names) for one in found]

    async def _names(self, indexes: Iterable[int], permit: Permit) -> dict[int, str]:
        devices = [await self._netlink.device_at(index, patience_s(permit)) for index in sorted(indexes)]
        return {device.index: device.name for device in devices if device is not None}

    def _index(self, number: int) -> TableIndex:
        index = self._catalogue.index(number)
        assert index is not None, f"table {number} was learned"
        return index


class _Strangers:
    """Collects the first routes that bear our number and that no set configures."""

    def __init__(
        self, known: Iterable[Destination], ours: frozenset[int], found: list[tuple[Destination, Body]]
    ) -> None:
        self._known, self._ours, self._found = known, ours, found

    def see(self, destination: Destination, body: Body) -> None:
        """Take one route."""
        if body.protocol in self._ours and destination not in self._known and len(self._found) < NAMED:
            self._found.append((destination, body))


def _interfaces(seen: Seen) -> set[int]:
    """Return the interfaces that a set's routes use, and those of the first leftovers and shadows."""
    around = [body for _, body in (*seen.leftover[:NAMED], *seen.shadows[:NAMED])]
    return {body.oif for body in (*seen.at_key.values(), *around) if body.oif}
