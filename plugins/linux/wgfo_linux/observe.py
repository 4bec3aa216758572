"""From a dump to what the core wants to know of each set: routes in, :class:`SetObservation` out; no I/O.

A set's routes are those at its *key*: table, destination and metric (IPv4 metric 0, IPv6 1024 where the
options name none). What else stands for the same traffic is one of three things:

shadow
    A route of others that wins over ours: the same destination with a lower metric, or a longer prefix inside
    ours that no set of this instance configures. Never touched.
residue
    A route with our protocol number for a *configured* destination that should not be there: another metric
    (the option was changed), a second one at the key, a fallback that is no longer wanted; and a fallback
    that is wanted and missing. ``point`` clears it up. Routes with our number for destinations that no set
    configures are left alone, since another wgfo process may use the same number: ``check`` names them.
dormant
    A route of others with a higher metric, or (IPv4) behind the first at our key: without effect, not ours,
    not mentioned.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from wgfo.model import (
    Absent,
    Health,
    Observed,
    PathHop,
    Prefix,
    RouteException,
    RouteSet,
    RouteSetId,
    SetObservation,
)
from wgfo_linux import wire
from wgfo_linux.config import FALLBACK_METRIC, LinuxOptions
from wgfo_linux.hops import Candidate, classify, describe
from wgfo_linux.index import PackedSet, TableIndex
from wgfo_linux.wire import Body, Destination

T = TypeVar("T")
_SLICE: Final = 5000
NAMED: Final = 20
"""Shadows and pieces of residue that are named one by one; the rest is counted."""


@dataclass(slots=True)
class Seen:
    """What a dump showed of one set."""

    at_key: dict[Destination, Body] = field(default_factory=dict)
    """The first route at our key: the one that the kernel uses."""
    leftover: list[tuple[Destination, Body]] = field(default_factory=list)
    """Routes of ours that should not be there."""
    fallback: set[Destination] = field(default_factory=set)
    shadows: list[tuple[Destination, Body]] = field(default_factory=list)


class TableReader:
    """Sorts the routes of one table into what they mean for each set."""

    def __init__(self, index: TableIndex, options: Mapping[RouteSetId, LinuxOptions]) -> None:
        self._index = index
        self._options = options
        self.seen: dict[RouteSetId, Seen] = {set_id: Seen() for set_id in options}

    def see(self, destination: Destination, body: Body) -> None:
        """Take one route, in the kernel's order."""
        owner = self._index.owners.get(destination)
        if owner is not None:
            self._own(owner, destination, body)
            return
        covering = self._index.covering(destination)
        if covering is not None and not body.special:
            self._inside(covering[1], destination, body)

    def _own(self, owner: RouteSetId, destination: Destination, body: Body) -> None:
        options, seen = self._options[owner], self.seen[owner]
        if body.special:
            return
        ours = body.protocol == options.protocol
        metric = options.metric_for(ipv6=wire.is_ipv6(destination))
        if body.metric == metric and destination not in seen.at_key:
            seen.at_key[destination] = body
        elif ours and is_fallback(body) and options.fallback == "unreachable":
            seen.fallback.add(destination)
        elif ours:
            seen.leftover.append((destination, body))
        elif body.metric < metric or (body.metric == metric and wire.is_ipv6(destination)):
            seen.shadows.append((destination, body))

    def _inside(self, owner: RouteSetId, destination: Destination, body: Body) -> None:
        if body.protocol != self._options[owner].protocol:
            self.seen[owner].shadows.append((destination, body))


def is_fallback(body: Body) -> bool:
    """Whether this is what ``fallback = "unreachable"`` writes."""
    return body.type == wire.TYPE_UNREACHABLE and body.metric == FALLBACK_METRIC


@dataclass(frozen=True, slots=True)
class View:
    """How to read one set: its options, its packed prefixes, its candidates, and the names of interfaces."""

    route_set: RouteSet
    options: LinuxOptions
    packed: PackedSet
    known: tuple[Candidate, ...]
    names: Mapping[int, str]


async def read_set(view: View, seen: Seen) -> SetObservation:
    """Sum up one set: the majority, what differs, and what surrounds it.

    Counts route bodies, not prefixes, in slices: a set of 100,000 has a handful of them.
    """
    counts: Counter[int] = Counter()
    distinct: dict[int, Body | None] = {}
    for part in _slices(view.packed.destinations):
        bodies = [seen.at_key.get(packed) for packed in part]
        counts.update(map(id, bodies))
        distinct.update(zip(map(id, bodies), bodies, strict=True))
        await asyncio.sleep(0)
    meaning = {key: meaning_of(view, body) for key, body in distinct.items()}
    majority = _majority(view, counts, meaning)
    return SetObservation(
        set_id=view.route_set.id,
        majority=majority,
        exceptions=tuple(await _exceptions(view, seen, meaning, majority)),
        residue=tuple(_residue(view, seen)),
        health=_health(distinct, meaning),
        shadows=tuple(_named([line(one, view.names) for one in seen.shadows[:NAMED]], len(seen.shadows))),
        text=_text(view, distinct, meaning, majority),
    )


def _slices(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    return (all_of_them[start : start + _SLICE] for start in range(0, len(all_of_them), _SLICE))


def meaning_of(view: View, body: Body | None) -> Observed:
    """Say what the route at a key means."""
    return _ABSENT if body is None else classify(body, view.known, view.names, view.options.protocol)


_ABSENT: Final = Absent()


def _majority(view: View, counts: Mapping[int, int], meaning: Mapping[int, Observed]) -> Observed:
    """The most frequent one; of equals a path before others, the preferred path first."""
    totals: Counter[Observed] = Counter()
    for key, count in counts.items():
        totals[meaning[key]] += count
    order: list[Observed] = [PathHop(path) for path in view.route_set.hops]
    return max(
        totals,
        key=lambda one: (totals[one], -order.index(one) if one in order else -len(order)),
        default=_ABSENT,
    )


async def _exceptions(
    view: View, seen: Seen, meaning: Mapping[int, Observed], majority: Observed
) -> list[RouteException]:
    others = {key: observed for key, observed in meaning.items() if observed != majority}
    found: list[RouteException] = []
    if others:
        pairs = tuple(zip(view.packed.prefixes, view.packed.destinations, strict=True))
        for part in _slices(pairs):
            found += _differing(part, seen, others)
            await asyncio.sleep(0)
    return found


def _differing(
    part: Sequence[tuple[Prefix, Destination]], seen: Seen, others: Mapping[int, Observed]
) -> Iterator[RouteException]:
    for prefix, packed in part:
        observed = others.get(id(seen.at_key.get(packed)))
        if observed is not None:
            yield RouteException(prefix, observed)


def _residue(view: View, seen: Seen) -> list[str]:
    missing = missing_fallback(view, seen)
    lines = [line(one, view.names) for one in seen.leftover[:NAMED]]
    lines += [f"no fallback yet for {wire.network(packed)}" for packed in missing[:NAMED]]
    return _named(lines[:NAMED], len(seen.leftover) + len(missing))


def missing_fallback(view: View, seen: Seen) -> list[Destination]:
    """Return the destinations that want a fallback route and have none."""
    if view.options.fallback != "unreachable":
        return []
    return [packed for packed in view.packed.destinations if packed not in seen.fallback]


def _health(distinct: Mapping[int, Body | None], meaning: Mapping[int, Observed]) -> Health:
    """A route that stands but whose device is down or without carrier carries nothing."""
    dead = any(
        body is not None and body.dead and isinstance(meaning[key], PathHop) for key, body in distinct.items()
    )
    return Health.BLACKHOLE if dead else Health.OK


def _text(
    view: View, distinct: Mapping[int, Body | None], meaning: Mapping[int, Observed], majority: Observed
) -> str:
    found = next((body for key, body in distinct.items() if body and meaning[key] == majority), None)
    return describe(found, view.names) if found else "no route"


def line(one: tuple[Destination, Body], names: Mapping[int, str]) -> str:
    """Return a whole route in iproute2's words."""
    destination, body = one
    return f"{wire.network(destination)} {describe(body, names)} proto {body.protocol} metric {body.metric}"


def _named(lines: list[str], total: int) -> list[str]:
    more = total - len(lines)
    return [*lines, f"and {more} more"] if more else lines
