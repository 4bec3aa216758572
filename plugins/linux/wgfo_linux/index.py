"""Which route set a destination belongs to: looked up once per route of a dump, and per route event.

Built once per table from the configured sets, in slices: packing 100,000 prefixes takes 0.1 s.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.model import Prefix, PrefixSet, RouteSet, RouteSetId
from wgfo_linux.wire import Destination, destination, family_of

_SLICE: Final = 2000
_BITS: Final = {5: 32, 17: 128}


@dataclass(frozen=True, slots=True)
class PackedSet:
    """The destinations of one prefix set in the kernel's form, in the set's order."""

    destinations: tuple[Destination, ...]
    prefixes: tuple[Prefix, ...]

    @property
    def families(self) -> tuple[int, ...]:
        """The address families that occur, IPv4 first."""
        found = {family_of(packed) for packed in self.destinations}
        return tuple(family for family in (socket.AF_INET, socket.AF_INET6) if family in found)


async def pack(prefixes: PrefixSet) -> PackedSet:
    """Pack a set, giving way to others every few milliseconds."""
    names = tuple(prefixes)
    packed: list[Destination] = []
    for start in range(0, len(names), _SLICE):
        packed.extend(destination(name) for name in names[start : start + _SLICE])
        await asyncio.sleep(0)
    return PackedSet(tuple(packed), names)


class TableIndex:
    """The owners of one table's destinations."""

    __slots__ = ("_lengths", "families", "owners", "packed")

    def __init__(self, sets: Sequence[RouteSet], packed: Sequence[PackedSet]) -> None:
        self.owners: dict[Destination, RouteSetId] = {}
        self.packed: dict[RouteSetId, PackedSet] = {}
        for route_set, one in zip(sets, packed, strict=True):
            self.packed[route_set.id] = one
            self.owners.update(dict.fromkeys(one.destinations, route_set.id))
        self.families = _families(packed)
        self._lengths: dict[int, tuple[int, ...]] = _lengths(self.owners)

    def covering(self, packed: Destination) -> tuple[Destination, RouteSetId] | None:
        """Return the longest configured prefix that contains ``packed`` and is shorter than it.

        A default route is left out: that every other route is inside it is its purpose.
        """
        size = len(packed)
        lengths = self._lengths.get(size)
        if not lengths:
            return None
        number, bits, own = int.from_bytes(packed[:-1], "big"), _BITS[size], packed[-1]
        for length in lengths:
            if length < own:
                shift = bits - length
                candidate = (number >> shift << shift).to_bytes(size - 1, "big") + bytes((length,))
                owner = self.owners.get(candidate)
                if owner is not None:
                    return candidate, owner
        return None

    def concerned(self, packed: Destination) -> RouteSetId | None:
        """Return the set whose traffic a route for ``packed`` would carry, if any."""
        owner = self.owners.get(packed)
        if owner is not None:
            return owner
        covering = self.covering(packed)
        return covering[1] if covering else None


def _families(packed: Iterable[PackedSet]) -> tuple[int, ...]:
    found = {family for one in packed for family in one.families}
    return tuple(sorted(found))


def _lengths(owners: dict[Destination, RouteSetId]) -> dict[int, tuple[int, ...]]:
    found: dict[int, set[int]] = {}
    for packed in owners:
        if packed[-1]:
            found.setdefault(len(packed), set()).add(packed[-1])
    return {size: tuple(sorted(lengths, reverse=True)) for size, lengths in found.items()}


async def build(sets: Sequence[RouteSet]) -> TableIndex:
    """Build the index of one table."""
    return TableIndex(sets, [await pack(route_set.prefixes) for route_set in sets])
