"""What a table's JSON says: routes as values, what they mean for a set, and what is to be sent for one.

A table is read whole and never written whole: a PUT of a table replaces all of its routes. What a route holds
beside its next hop, fields newer than this code included, is sent back as it was read.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from wgfo.model import (
    Absent,
    Foreign,
    Health,
    Observed,
    PathHop,
    Prefix,
    RouteException,
    RouteSet,
    SetObservation,
)
from wgfo_azure.config import HopSpec, HopType, TableRef, read_hop

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_READ_ONLY: Final = frozenset({"provisioningState", "hasBgpOverride"})
_HOP_FIELDS: Final = frozenset({"nextHopType", "nextHopIpAddress", "nextHop"})
_NAME_MOST: Final = 80
_SHADOWS_MOST: Final = 20


class State(StrEnum):
    """What a provisioning state means for a route that shows the wanted next hop."""

    IN_FORCE = "in force"
    RUNNING = "running"
    BROKEN = "broken"
    """Failed, cancelled or being deleted: traffic need not follow what the route shows."""


_STATES: Final = {"": State.IN_FORCE, "succeeded": State.IN_FORCE}
_RUNNING: Final = frozenset({"creating", "updating"})


@dataclass(frozen=True)
class Route:
    """One route of a table, as it was read."""

    name: str
    etag: str
    properties: Mapping[str, Any]

    @cached_property
    def prefix(self) -> str:
        """The destination in canonical spelling; a service tag as it stands."""
        text = str(self.properties.get("addressPrefix") or "")
        network = as_network(text)
        return text if network is None else str(network)

    @cached_property
    def hop(self) -> HopSpec:
        """The next hop, in the spelling of :func:`~wgfo_azure.config.read_hop` where it is one of ours."""
        kind = str(self.properties.get("nextHopType") or "unknown")
        address = str(self.properties.get("nextHopIpAddress") or "")
        appliance = kind.lower() == HopType.APPLIANCE.lower()
        try:
            return read_hop(address if appliance else kind)
        except ValueError:
            return HopSpec(kind, address)

    @property
    def state(self) -> State:
        """What its provisioning state means."""
        word = str(self.properties.get("provisioningState") or "").lower()
        return _STATES.get(word, State.RUNNING if word in _RUNNING else State.BROKEN)

    def says_the_same(self, other: Route) -> bool:
        """Whether both hold the same destination and next hop, whatever became of their etags."""
        return (self.prefix, self.hop) == (other.prefix, other.hop)


@dataclass(frozen=True)
class Table:
    """A route table as it was read."""

    ref: TableRef
    etag: str
    properties: Mapping[str, Any]
    routes: tuple[Route, ...]

    @cached_property
    def by_prefix(self) -> Mapping[str, Route]:
        """The route of each destination; Azure admits one."""
        return {route.prefix: route for route in reversed(self.routes)}

    @property
    def shares_etags(self) -> bool:
        """Whether a write of one route changes the etags of the others: then they equal the table's."""
        etags = [route.etag for route in self.routes]
        return self.etag in etags or len(set(etags)) < len(etags)

    def free_name(self, prefix: Prefix) -> str:
        """Return the name for a new route: always the same, unless another route already bears it."""
        taken = {route.name.lower() for route in self.routes}
        name = route_name(prefix)
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        return next(one for one in (name, *numbered) if one not in taken)

    @property
    def subnets(self) -> tuple[str, ...]:
        """The ids of the subnets that use this table."""
        found = self.properties.get("subnets")
        listed = found if isinstance(found, Sequence) else ()
        return tuple(str(one.get("id") or "") for one in listed if isinstance(one, Mapping))


def read_table(ref: TableRef, body: Mapping[str, Any]) -> Table:
    """Read a table's JSON; what is no route is passed over."""
    properties = _mapping(body.get("properties"))
    listed = properties.get("routes")
    routes = [read_route(one) for one in listed or () if isinstance(one, Mapping)]
    return Table(ref, str(body.get("etag") or ""), properties, tuple(routes))


def read_route(body: Mapping[str, Any]) -> Route:
    """Read a route's JSON."""
    return Route(str(body.get("name") or ""), str(body.get("etag") or ""), _mapping(body.get("properties")))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def as_network(text: str) -> Network | None:
    """Return a destination as a network; None for a service tag."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def route_name(prefix: Prefix) -> str:
    """Return the name under which a new route is made: ``wgfo-10-20-0-0-16``."""
    return f"wgfo-{re.sub('[^0-9a-f]', '-', prefix)}"[:_NAME_MOST]


def in_place(route: Route, hop: HopSpec) -> bool:
    """Whether traffic follows a hop already."""
    return route.hop == hop and route.state is State.IN_FORCE


def body_for(prefix: Prefix, hop: HopSpec, standing: Route | None) -> dict[str, Any]:
    """Return what is sent to point a destination at a hop; everything else a route holds stays."""
    held = standing.properties if standing else {"addressPrefix": prefix}
    kept = {key: value for key, value in held.items() if key not in _READ_ONLY | _HOP_FIELDS}
    address = {"nextHopIpAddress": hop.address} if hop.address else {}
    return {"properties": {**kept, "nextHopType": hop.type, **address}}


# --- what a table means for a set -------------------------------------------------------------------------


def meaning(route_set: RouteSet, route: Route | None) -> Observed:
    """Say which candidate a route means."""
    if route is None:
        return Absent()
    for path, hop in route_set.hops.items():
        if read_hop(hop) == route.hop:
            return PathHop(path)
    return Foreign(str(route.hop))


def sum_up(
    route_set: RouteSet, table: Table, configured: frozenset[str], residue: tuple[str, ...]
) -> SetObservation:
    """Say what most prefixes of a set have, and which differ.

    Args:
        route_set: whose prefixes are looked up.
        table: what was read.
        configured: all destinations in this table that some set of the instance configures.
        residue: writes that may still land.
    """
    known: dict[HopSpec | None, Observed] = {}
    found: dict[Prefix, Observed] = {}
    for prefix in route_set.prefixes:
        route = table.by_prefix.get(prefix)
        hop = route.hop if route else None
        if hop not in known:
            known[hop] = meaning(route_set, route)
        found[prefix] = known[hop]
    majority = _majority(route_set, found.values())
    return SetObservation(
        set_id=route_set.id,
        majority=majority,
        exceptions=tuple(RouteException(at, one) for at, one in found.items() if one != majority),
        residue=residue,
        health=_health(table, found),
        shadows=tuple(_shadows(route_set, table, configured)),
        token=token(route_set, table),
        text=next((str(hop) for hop, one in known.items() if one == majority and hop), "no route"),
    )


def _majority(route_set: RouteSet, found: Iterable[Observed]) -> Observed:
    """The most frequent one; of equals a path before others, the preferred path first."""
    counts = Counter(found)
    order: list[Observed] = [PathHop(path) for path in route_set.hops]
    return max(
        counts,
        key=lambda one: (counts[one], -order.index(one) if one in order else -len(order)),
        default=Absent(),
    )


def _health(table: Table, found: Mapping[Prefix, Observed]) -> Health:
    """A route that Azure has not brought into force shows the new hop while traffic keeps the old one."""
    pending = any(
        isinstance(one, PathHop) and table.by_prefix[prefix].state is not State.IN_FORCE
        for prefix, one in found.items()
    )
    return Health.PENDING if pending else Health.OK


def _shadows(route_set: RouteSet, table: Table, configured: frozenset[str]) -> Iterator[str]:
    """Name routes of others for a longer prefix inside one of ours."""
    ours = {network for prefix in route_set.prefixes if (network := as_network(prefix)) is not None}
    lengths = {(int(network.version), network.prefixlen) for network in ours}
    inside = [
        route
        for route in table.routes
        if route.prefix not in configured and _covered(as_network(route.prefix), ours, lengths)
    ]
    for route in inside[:_SHADOWS_MOST]:
        yield f"{route.prefix} to {route.hop} (route {route.name!r})"
    if len(inside) > _SHADOWS_MOST:
        yield f"and {len(inside) - _SHADOWS_MOST} more"


def _covered(network: Network | None, ours: set[Network], lengths: set[tuple[int, int]]) -> bool:
    """Whether one of ours holds a network and is shorter: a look-up for each length, not for each of ours."""
    if network is None:
        return False
    return any(
        network.supernet(new_prefix=length) in ours
        for version, length in lengths
        if version == network.version and length < network.prefixlen
    )


def token(route_set: RouteSet, table: Table) -> str:
    """Return the fence: a digest of what the set's destinations point at.

    Not of the etags: where they are shared, any change in the table changes all of them.
    """
    routes = ((prefix, table.by_prefix.get(prefix)) for prefix in route_set.prefixes)
    lines = (
        f"{prefix} {route.name if route else ''} {route.hop if route else ''}" for prefix, route in routes
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
