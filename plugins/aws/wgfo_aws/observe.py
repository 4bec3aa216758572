"""What a route table says of a route set: which candidate each prefix has; no I/O.

A route means a candidate by its most exact field: the interface first, then the instance, then everything else.
So a route that was written with ``i-…`` and shows ``i-…`` and ``eni-…`` means that instance; after its interface
was attached to another instance it means the other one, for that is where the traffic goes; and a route to one
of two interfaces of an instance means that interface, whichever of the two are candidates.

A propagated route for a prefix of ours counts while no static one stands: it carries the traffic. A route that
is more specific than ours and that no set of this instance configures wins over ours and is a shadow, whoever
wrote it; the VPC's own routes are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wgfo.model import (
    Absent,
    Foreign,
    Health,
    Hop,
    Observed,
    PathHop,
    PathName,
    Prefix,
    RouteException,
    RouteSet,
    SetObservation,
)
from wgfo_aws.tables import Network, Route, Table, network

ABSENT: Final = Absent()
NAMED: Final = 20
"""Shadows that are named one by one; the rest is counted."""


def meaning_of(route: Route | None, hops: Mapping[PathName, Hop]) -> Observed:
    """Say which candidate a route means."""
    if route is None:
        return ABSENT
    for target in route.targets.values():
        for path, hop in hops.items():
            if hop == target:
                return PathHop(path)
    return Foreign(str(route))


def read_set(route_set: RouteSet, table: Table, configured: Collection[str]) -> SetObservation:
    """Sum up one set; ``configured`` are the destinations in this table of all sets of this instance."""
    standing = {prefix: table.carrying.get(prefix) for prefix in route_set.prefixes}
    found = _meanings(route_set, standing)
    majority = _majority(route_set, found)
    return SetObservation(
        set_id=route_set.id,
        majority=majority,
        exceptions=tuple(RouteException(prefix, one) for prefix, one in found.items() if one != majority),
        health=_health(standing, found),
        shadows=tuple(_named(list(shadows(route_set, table, configured)))),
        text=next(
            (str(standing[prefix] or "no route") for prefix, one in found.items() if one == majority), ""
        ),
    )


def _meanings(route_set: RouteSet, standing: Mapping[Prefix, Route | None]) -> dict[Prefix, Observed]:
    return {prefix: meaning_of(route, route_set.hops) for prefix, route in standing.items()}


def _majority(route_set: RouteSet, found: Mapping[Prefix, Observed]) -> Observed:
    """The most frequent one; of equals a path before others, the preferred path first."""
    counts = Counter(found.values())
    order: list[Observed] = [PathHop(path) for path in route_set.hops]
    return max(
        counts,
        key=lambda one: (counts[one], -order.index(one) if one in order else -len(order)),
        default=ABSENT,
    )


def _health(standing: Mapping[Prefix, Route | None], found: Mapping[Prefix, Observed]) -> Health:
    """A route of ours whose target is gone or stopped drops everything."""
    dead = any(
        route and route.blackhole and isinstance(found[prefix], PathHop) for prefix, route in standing.items()
    )
    return Health.BLACKHOLE if dead else Health.OK


# --- what wins over ours ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ours:
    """The networks of a set by version and length: whether one covers a route is a few look-ups."""

    networks: frozenset[Network]
    lengths: tuple[tuple[int, int], ...]

    def covering(self, other: Network) -> Network | None:
        for version, length in self.lengths:
            if version == other.version and length < other.prefixlen:
                wider = other.supernet(new_prefix=length)
                if wider in self.networks:
                    return wider
        return None


def shadows(route_set: RouteSet, table: Table, configured: Collection[str]) -> Iterator[str]:
    """Name the routes of others that are more specific than ours."""
    known = frozenset(found for prefix in route_set.prefixes if (found := network(prefix)) is not None)
    ours = _Ours(known, tuple({(one.version, one.prefixlen) for one in known}))
    for route in table.routes:
        place = route.network
        if place is None or route.local or route.destination in configured:
            continue
        wider = ours.covering(place)
        if wider is not None:
            yield f"{route.destination} → {route}, inside {wider}"


def _named(lines: list[str]) -> list[str]:
    more = len(lines) - NAMED
    return [*lines[:NAMED], f"and {more} more"] if more > 0 else lines
