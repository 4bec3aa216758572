"""A provider for a platform whose routes cannot be replaced: make before break, between two priorities.

The new route is made in the free slot; then the old one is deleted. Either of the two steps moves the traffic,
depending on which slot is better, and neither leaves a gap. A call that is cut off between them leaves both:
residue, which the next call clears up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import BaseModel

from wgfo.model import (
    Hop,
    Observed,
    Prefix,
    RouteSet,
    SetChange,
    SetObservation,
    TableName,
)
from wgfo.plugin import Capabilities, Permit, RouteProvider
from wgfo.testing import Can
from wgfo.testing.memory import MEMORY, MemoryOptions
from wgfo.testing.memory.platform import Entry
from wgfo.testing.memory.provider import OWNER, MemoryProvider, Standing
from wgfo.testing.memory.world import OUTSIDER, MemoryWorld

SLOTS = (60, 70)


class SlotProvider(MemoryProvider):
    """Never replaces a route."""

    def __init__(self, options: MemoryOptions) -> None:
        super().__init__(options)
        self._ours: dict[str, Mapping[str, list[Entry]]] = {}
        """By table and prefix, the better slot first."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, replaces=False)

    async def read(self, table: str, permit: Permit) -> Standing:
        """Return the route that carries each prefix; keep ours aside."""
        await permit.read()
        entries = await self.request(self.platform.list_routes(table, self._key), permit, table)
        entries.sort(key=lambda entry: entry.priority)
        ours: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.owner == OWNER:
                ours.setdefault(entry.prefix, []).append(entry)
        self._ours[table] = ours
        return {entry.prefix: entry for entry in reversed(entries)}

    def sum_up(self, route_set: RouteSet, standing: Standing) -> SetObservation:
        seen = super().sum_up(route_set, standing)
        twice = [prefix for prefix in route_set.prefixes if self.leftover(route_set.table, prefix)]
        return replace(seen, residue=tuple(f"second route of ours for {prefix}" for prefix in twice))

    def leftover(self, table: str, prefix: str) -> list[Entry]:
        return self._ours[table].get(prefix, [])[1:]

    def is_done(self, change: SetChange, prefix: Prefix, observed: Observed) -> bool:
        return super().is_done(change, prefix, observed) and not self.leftover(change.route_set.table, prefix)

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        ours = self._ours[change.route_set.table].get(prefix, [])
        kept = next((one for one in ours if one.hop == change.hop), None)
        if kept is None:
            for one in ours[1:]:
                await self.delete(change, one, permit)
            ours = ours[:1]
            free = next(slot for slot in SLOTS if slot not in {one.priority for one in ours})
            await self.insert(change, Entry(prefix, change.hop, OWNER, free), permit)
        for one in ours:
            if one is not kept:
                await self.delete(change, one, permit)

    async def insert(self, change: SetChange, entry: Entry, permit: Permit) -> None:
        await permit.write()
        sent = self.platform.put_route(change.route_set.table, entry, 0, self._key)
        await self.request(sent, permit, change.route_set.table, writes=True)

    async def delete(self, change: SetChange, entry: Entry, permit: Permit) -> None:
        await permit.write()
        sent = self.platform.delete_route(change.route_set.table, entry, entry.revision, self._key)
        await self.request(sent, permit, change.route_set.table, writes=True)


def _open(options: BaseModel) -> RouteProvider:
    assert isinstance(options, MemoryOptions)
    return SlotProvider(options)


class SlotWorld(MemoryWorld):
    """Somebody else's route has a worse priority than our slots; to take our place is to delete ours."""

    offer = replace(MEMORY, open=_open)
    can = frozenset(Can) - {Can.RACE}

    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        await super().put(table, prefix, hop)
        self.clear(table, prefix, OWNER)

    async def drop(self, table: TableName, prefix: Prefix) -> None:
        self.clear(table, prefix, OWNER)
        self.clear(table, prefix, OUTSIDER)

    def clear(self, table: TableName, prefix: Prefix, owner: str) -> None:
        for entry in self.platform.entries(table):
            if (entry.prefix, entry.owner) == (prefix, owner):
                self.platform.change(table, entry, delete=True)
