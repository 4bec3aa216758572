"""What would be written: the routes as they are against the path that is desired. Nothing is changed.

Without a daemon nobody decides; desired is then the stored path, else what most observed routes say, else the
preferred path, and the plan says which.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from wgfo.config.setup import GroupSetup, Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.control.render import hop_text
from wgfo.daemon.instances import Accounts, Instance, Opener, open_all
from wgfo.daemon.reading import Reads, read_sets
from wgfo.daemon.stored import Loaded
from wgfo.daemon.terms import Terms
from wgfo.model import (
    Absent,
    Foreign,
    GroupName,
    Health,
    Observed,
    PathHop,
    PathName,
    Prefix,
    RouteSet,
    RouteSetId,
    SetObservation,
)
from wgfo.plugin import ProviderError


class DesiredFrom(StrEnum):
    """Where the desired path comes from, strongest first."""

    DAEMON = "daemon"
    STATE = "state"
    OBSERVED = "observed"
    PREFERENCE = "preference"


class Action(StrEnum):
    """What the daemon would do with one prefix."""

    ADD = "add"
    REPLACE = "replace"
    REPAIR = "repair"
    """The hop is right, the platform says that the route is not healthy."""
    CLEAN_UP = "clean_up"
    """Something of ours is left over; it belongs to no prefix."""
    FOREIGN = "foreign"
    """Somebody else's route: an alarm and no write, unless it is adopted."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A group's desired path."""

    path: PathName
    origin: DesiredFrom


@dataclass(frozen=True, slots=True)
class Change:
    """One prefix that is not as desired."""

    group: GroupName
    provider: str
    table: str
    prefix: Prefix | None
    observed: str
    desired: str
    action: Action


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is not as desired."""

    changes: tuple[Change, ...]
    unchanged: int
    """Prefixes that are in place."""
    desired: Mapping[GroupName, Desired]
    errors: tuple[str, ...] = ()
    """Sets that could not be read, and why."""

    @property
    def desired_from(self) -> DesiredFrom:
        """The weakest origin of any group."""
        order = list(DesiredFrom)
        return max(
            (one.origin for one in self.desired.values()), key=order.index, default=DesiredFrom.PREFERENCE
        )


async def read_routes(setup: Setup, clock: Clock) -> Reads:
    """Open every provider for reading, and read every set.

    Raises:
        OpenFailed: a provider cannot be opened.
    """
    opener = Opener(clock, Accounts(clock), read_only=True)
    instances = await open_all(opener, setup)
    try:
        found = await asyncio.gather(*(_read(instance, setup, clock) for instance in instances.values()))
    finally:
        await asyncio.gather(*(opener.close(instance) for instance in instances.values()))
    return {set_id: read for reads in found for set_id, read in reads.items()}


async def _read(instance: Instance, setup: Setup, clock: Clock) -> Reads:
    sets = [one for group in setup.groups for one in group.sets if one.provider == instance.name]
    return await read_sets(instance, sets, Terms(clock), urgent=True) if sets else {}


def make_plan(
    setup: Setup,
    reads: Mapping[RouteSetId, SetObservation | ProviderError],
    daemon: Mapping[str, str],
    stored: Loaded,
) -> Plan:
    """Compare what was read with what is desired; ``daemon`` is group to path as a running daemon said."""
    groups = [group for group in setup.groups if group.sets]
    seen = {set_id: read for set_id, read in reads.items() if isinstance(read, SetObservation)}
    wanted = {group.name: desired_path(group, seen, daemon, stored) for group in groups}
    changes: list[Change] = []
    unchanged = 0
    for group in groups:
        owned = _owned(group.name, stored)
        for route_set in group.sets:
            if (found := seen.get(route_set.id)) is not None:
                mine = list(_changes(route_set, found, wanted[group.name].path, owned=route_set.id in owned))
                changes += mine
                unchanged += len(route_set.prefixes) - sum(one.prefix is not None for one in mine)
    errors = [f"{set_id}: {read}" for set_id, read in reads.items() if isinstance(read, ProviderError)]
    return Plan(tuple(changes), unchanged, wanted, tuple(errors))


def _owned(group: GroupName, stored: Loaded) -> Sequence[RouteSetId]:
    restored = stored.groups.get(group)
    return restored.stored.owned if restored else ()


# --- desired ------------------------------------------------------------------------------------------------


def desired_path(
    group: GroupSetup, seen: Mapping[RouteSetId, SetObservation], daemon: Mapping[str, str], stored: Loaded
) -> Desired:
    """Return a group's desired path, and who says so; a path that is configured no more is passed over."""
    restored = stored.groups.get(group.name)
    candidates = (
        (daemon.get(group.name), DesiredFrom.DAEMON),
        (restored.stored.desired if restored else None, DesiredFrom.STATE),
        (_most_observed(group, seen), DesiredFrom.OBSERVED),
    )
    for name, origin in candidates:
        if name is not None and group.policy.path(PathName(name)) is not None:
            return Desired(PathName(name), origin)
    return Desired(group.policy.preferred, DesiredFrom.PREFERENCE)


def _most_observed(group: GroupSetup, seen: Mapping[RouteSetId, SetObservation]) -> PathName | None:
    """Return the path that most prefixes use; with equal numbers the one preferred."""
    votes: Counter[PathName] = Counter()
    for route_set in group.sets:
        if (found := seen.get(route_set.id)) is not None:
            votes.update(hop.path for _, hop in _observed(route_set, found) if isinstance(hop, PathHop))
    names = [path.name for path in group.policy.paths if votes[path.name]]
    return max(names, key=lambda name: votes[name], default=None)


# --- changes ------------------------------------------------------------------------------------------------


def _observed(route_set: RouteSet, found: SetObservation) -> Iterator[tuple[Prefix, Observed]]:
    others = {one.prefix: one.observed for one in found.exceptions}
    for prefix in route_set.prefixes:
        yield prefix, others.get(prefix, found.majority)


def _changes(route_set: RouteSet, found: SetObservation, path: PathName, *, owned: bool) -> Iterator[Change]:
    desired = route_set.hops[path]
    for prefix, hop in _observed(route_set, found):
        action = _action(hop, path, found.health, ours=owned or route_set.adopt)
        if action is not None:
            yield _change(route_set, prefix, hop_text(hop, route_set.hops), desired, action)
    for residue in found.residue:
        yield _change(route_set, None, residue, desired, Action.CLEAN_UP)


def _change(
    route_set: RouteSet, prefix: Prefix | None, observed: str, desired: str, action: Action
) -> Change:
    return Change(route_set.group, route_set.provider, route_set.table, prefix, observed, desired, action)


def _action(hop: Observed, path: PathName, health: Health, *, ours: bool) -> Action | None:
    match hop:
        case Absent():
            return Action.ADD
        case Foreign(written_by_us=written_by_us):
            return Action.REPLACE if ours or written_by_us else Action.FOREIGN
        case PathHop(used) if used != path:
            return Action.REPLACE
        case PathHop():
            return None if health is Health.OK else Action.REPAIR
