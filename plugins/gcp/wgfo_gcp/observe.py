"""What the routes of a project mean for each set: sorted by destination, then summed up.

observed
    The route that wins for the destination, whoever wrote it. Routes of others over a candidate hop are as good
    as ours; over any other hop they are foreign.
shadows
    Routes of others with a better priority than ours, with a longer prefix inside ours, or in our slots for some of
    the instances only (other tags). Never touched.
residue
    Routes of ours that carry nothing: the rest of a switch that was cut off, or of another ``priority``; and one
    whose deletion was requested and may still happen.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.model import (
    Absent,
    Foreign,
    Health,
    Observed,
    PathHop,
    PathName,
    Prefix,
    RouteException,
    RouteSet,
    SetObservation,
)
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.hops import Balancers, HopSpec, read_hop
from wgfo_gcp.routes import DEAD, Key, Route, tags_of
from wgfo_gcp.slots import HIGH, Standing

NAMED: Final = 20
"""Shadows and pieces of residue that are named one by one; the rest is counted."""
_DIGEST_CHARS: Final = 8


@dataclass(frozen=True, slots=True)
class View:
    """How to read one set: its options and its candidates."""

    route_set: RouteSet
    options: GcpOptions
    candidates: Mapping[PathName, HopSpec]
    balancers: Balancers

    def path_of(self, hop: HopSpec | None) -> PathName | None:
        """Return whose candidate a route's next hop is."""
        if hop is None:
            return None
        same = self.balancers.same
        return next((path for path, spec in self.candidates.items() if same(spec, hop)), None)


def view_of(route_set: RouteSet, options: GcpOptions, balancers: Balancers) -> View:
    """Return how to read a set; its own options hold what the route overrides."""
    own = route_set.options if isinstance(route_set.options, GcpOptions) else options
    return View(route_set, own, {path: read_hop(hop) for path, hop in route_set.hops.items()}, balancers)


class Network:
    """The routes of one network, by destination."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._at: dict[Prefix, list[Route]] = defaultdict(list)
        for route in routes:
            self._at[route.prefix].append(route)

    def standing(self, view: View, prefix: Prefix, doomed: frozenset[int] = frozenset()) -> Standing:
        """Return what stands for a destination."""
        tags = tags_of(view.options)
        here = self._at.get(prefix, [])
        ours = tuple(route for route in here if route.ours and route.tags == tags)
        rest = [route for route in here if route not in ours]
        return Standing(
            key=Key(view.route_set.table, prefix, tags),
            base=view.options.priority,
            ours=ours,
            others=tuple(route for route in rest if route.covers(tags)),
            partial=tuple(route for route in rest if not route.covers(tags)),
            doomed=doomed,
        )

    def inside(self, prefixes: Sequence[Prefix]) -> Iterator[Route]:
        """Yield routes for a part of one of these destinations. A default route has everything inside: none."""
        nets = [ipaddress.ip_network(prefix) for prefix in prefixes]
        nets = [net for net in nets if net.prefixlen]
        known = set(prefixes)
        for prefix, routes in self._at.items():
            if prefix not in known and any(within(ipaddress.ip_network(prefix), net) for net in nets):
                yield from routes


_Net = ipaddress.IPv4Network | ipaddress.IPv6Network


def within(inner: _Net, outer: _Net) -> bool:
    """Whether one network lies in another; of different families never."""
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def read_set(
    view: View, network: Network, doomed: frozenset[int], configured: frozenset[Prefix]
) -> SetObservation:
    """Sum up one set: the majority, what differs, and what surrounds it."""
    prefixes = tuple(view.route_set.prefixes)
    found = {prefix: network.standing(view, prefix, doomed) for prefix in prefixes}
    meaning = {prefix: meaning_of(view, standing) for prefix, standing in found.items()}
    majority = _majority(view, meaning)
    shadows = [route for standing in found.values() for route in _shadows(standing)]
    shadows += [
        route for route in network.inside(prefixes) if not route.ours and route.prefix not in configured
    ]
    residue = [str(route) for standing in found.values() for route in _residue(standing)]
    return SetObservation(
        set_id=view.route_set.id,
        majority=majority,
        exceptions=tuple(
            RouteException(prefix, meaning[prefix], _dead(found[prefix]))
            for prefix in prefixes
            if meaning[prefix] != majority
        ),
        residue=_named(residue),
        health=_health(found.values()),
        shadows=_named([str(route) for route in shadows]),
        token=token_of(found),
        text=_text(found, meaning, majority),
    )


def meaning_of(view: View, standing: Standing) -> Observed:
    """Say what wins for a destination."""
    carrying = standing.carrying
    if not carrying:
        return Absent()
    paths = {view.path_of(route.hop) for route in carrying}
    path = paths.pop() if len(paths) == 1 else None
    if path is not None:
        return PathHop(path)
    texts = " and ".join(dict.fromkeys(route.text for route in carrying))
    return Foreign(texts, written_by_us=all(route.ours for route in carrying))


def _majority(view: View, meaning: Mapping[Prefix, Observed]) -> Observed:
    """The most frequent one; of equals a path before others, the preferred path first."""
    totals = Counter(meaning.values())
    order: list[Observed] = [PathHop(path) for path in view.route_set.hops]
    return max(
        totals,
        key=lambda one: (totals[one], -order.index(one) if one in order else -len(order)),
        default=Absent(),
    )


def _shadows(standing: Standing) -> Iterator[Route]:
    yield from standing.shadows
    slots = {standing.base, standing.base + HIGH}
    yield from (route for route in standing.partial if route.priority in slots)


def _residue(standing: Standing) -> Iterator[Route]:
    leftovers = standing.leftovers()
    yield from leftovers
    yield from (route for route in standing.ours if route.id in standing.doomed and route not in leftovers)
    slots = {standing.base, standing.base + HIGH}
    if len(standing.ours) == 1 and standing.ours[0].priority not in slots:
        yield standing.ours[0]


def _dead(standing: Standing) -> str | None:
    codes = sorted({code for route in standing.carrying for code in route.dead})
    return "; ".join(f"{DEAD[code]} ({code})" for code in codes) or None


def _health(found: Iterable[Standing]) -> Health:
    dead = any(route.dead for standing in found for route in standing.carrying)
    return Health.BLACKHOLE if dead else Health.OK


def _text(found: Mapping[Prefix, Standing], meaning: Mapping[Prefix, Observed], majority: Observed) -> str:
    prefix = next((prefix for prefix, one in meaning.items() if one == majority), None)
    carrying = found[prefix].carrying if prefix is not None else ()
    if not carrying or prefix is None:
        return "no route"
    dead = _dead(found[prefix])
    return carrying[0].text + (f": {dead}" if dead else "")


def _named(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - NAMED
    return (*lines[:NAMED], f"and {more} more") if more > 0 else tuple(lines)


# --- the fence --------------------------------------------------------------------------------------------


def token_of(found: Mapping[Prefix, Standing]) -> str:
    """Return a digest of each destination's routes: one that others change shows, and only that one is fenced."""
    return json.dumps({prefix: fingerprint(standing) for prefix, standing in found.items()})


def fingerprint(standing: Standing) -> str:
    """Return a digest of which routes stand for a destination: these very ones, not others of the same name."""
    rows = sorted((route.name, route.id) for route in (*standing.ours, *standing.others, *standing.partial))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:_DIGEST_CHARS]


def fence(token: str | None) -> Mapping[str, str]:
    """Return the digests of a token, by destination; nothing is fenced without one."""
    found = json.loads(token) if token else {}
    return found if isinstance(found, dict) else {}
