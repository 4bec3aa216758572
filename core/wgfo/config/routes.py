"""Provider instances and route sets: everything parsed by the plugin that owns the words."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from wgfo.config.models import Group, GroupPath, Provider, Route
from wgfo.config.problems import Origin, Problem, did_you_mean, listed
from wgfo.config.scan import KeyPath
from wgfo.config.setup import ProviderSetup
from wgfo.config.sites import Instance
from wgfo.config.source import where
from wgfo.config.translate import unknown_key
from wgfo.config.views import sights
from wgfo.config.work import Work
from wgfo.model import (
    GroupName,
    Hop,
    PathName,
    Prefix,
    PrefixSet,
    ProviderName,
    RouteSet,
    RouteSetId,
    TableName,
    canonical_prefix,
)
from wgfo.plugin import RouteOffer
from wgfo.plugin.manager import Sort, UnusableKind

_PROVIDER_KEYS: Final = tuple(Provider.model_fields)
_ROUTE_KEYS: Final = tuple(Route.model_fields)
_PROBLEMS_PER_FILE: Final = 20


@dataclass(frozen=True, slots=True)
class Providers:
    """The instances that can be read here, by name, and which of them are selected."""

    parsed: Mapping[str, ProviderSetup]
    selected: frozenset[str]

    def used(self, sets: Iterable[RouteSet]) -> tuple[ProviderSetup, ...]:
        """Return the selected instances that have routes here."""
        named = {it.provider for it in sets}
        return tuple(self.parsed[name] for name in self.parsed if name in self.selected & named)


@dataclass(slots=True)
class Ownership:
    """Who manages a destination: (kind, scope, table, prefix) → group and place."""

    owners: dict[tuple[str, str, TableName, Prefix], tuple[str, KeyPath]] = field(default_factory=dict)
    prefixes: dict[Prefix, str] = field(default_factory=dict)
    """Every managed prefix, and its group."""


# --- instances --------------------------------------------------------------------------------------------


def read_instances(
    work: Work, instances: Iterable[Instance], selected: Iterable[str], *, asked: bool
) -> Providers:
    """Validate the options of every instance whose kind is installed.

    A kind that is selected and missing is an error with the pip command; one that is neither selected nor
    installed is kept unread, with a notice. ``asked``: the selection was made by name, not by default.
    """
    chosen = frozenset(selected)
    used = {route.provider for group in work.document.config.group for route in group.route}
    found = {}
    for instance in instances:
        wanted = instance.name in chosen and (asked or instance.name in used)
        offer = _offer(work, instance, wanted=wanted)
        setup = _instance(work, instance, offer) if offer is not None else None
        if setup is not None:
            found[instance.name] = setup
    return Providers(found, chosen)


def _offer(work: Work, instance: Instance, *, wanted: bool) -> RouteOffer | None:
    registry = work.registry
    if not wanted and instance.kind not in registry.routes:
        work.notice(
            f'provider "{instance.name}": kind "{instance.kind}" is neither selected nor installed; '
            "its options and routes are kept unread"
        )
        return None
    try:
        return registry.route(instance.kind)
    except UnusableKind as error:
        is_twice = registry.duplicate(Sort.ROUTE, instance.kind) is not None
        hint = "" if is_twice else _how_to_install(instance.kind, registry.routes)
        work.refuse(_place(work, instance), str(error), hint=hint)
        return None


def _how_to_install(kind: str, offered: Iterable[str]) -> str:
    near = did_you_mean(kind, offered)
    return near or f"install it: pip install 'wgfo[{kind}]'"


def _place(work: Work, instance: Instance) -> KeyPath:
    """Where the instance is declared, else the first route that names it."""
    if work.document.root.find(instance.path) is not None:
        return instance.path
    for index, group in enumerate(work.document.config.group):
        for number, route in enumerate(group.route):
            if route.provider == instance.name:
                return ("group", index, "route", number, "provider")
    return instance.path


def _instance(work: Work, instance: Instance, offer: RouteOffer) -> ProviderSetup | None:
    section = instance.section
    options = work.options(instance.path, offer.options_model, section.options, _PROVIDER_KEYS)
    scope = work.ask(instance.path, offer.scope, options) if options is not None else None
    if options is None or scope is None:
        return None
    key = f"provider.{instance.name}"
    for name, value in (
        ("kind", instance.kind),
        ("deadline", section.deadline),
        ("parallel", section.parallel),
    ):
        work.effective.note(f"{key}.{name}", value, "default")
    for name, value in options.model_dump(mode="json").items():
        work.effective.note(f"{key}.{name}", value, "default")
    work.effective.written(key, instance.path)
    return ProviderSetup(
        ProviderName(instance.name), offer, options, scope, section.deadline.us, section.parallel
    )


# --- route sets -------------------------------------------------------------------------------------------


def route_sets(
    work: Work, group: Group, path: KeyPath, providers: Providers, ownership: Ownership
) -> tuple[RouteSet, ...]:
    """Return the group's sets of the selected instances; the routes of the others are only checked."""
    found: dict[RouteSetId, RouteSet] = {}
    for index, route in enumerate(group.route):
        provider = providers.parsed.get(route.provider)
        if provider is None:
            continue
        place = (*path, "route", index)
        for new in _sets(work, group, route, provider, place):
            _own(work, new, provider, place, ownership)
            if route.provider in providers.selected:
                _add(work, found, new, place)
                _note(work, route, new, f"group.{group.name}.route.{index + 1}", place)
    return tuple(found.values())


def _note(work: Work, route: Route, new: RouteSet, key: str, path: KeyPath) -> None:
    """Show the stanza, and of a file what was read from it: two readings of one name may differ."""
    work.effective.written(key, path)
    if route.prefixes_file is not None:
        origin = str(work.document.beside(route.prefixes_file, (*path, "prefixes_file")))
        work.effective.note(
            f"{key}.prefixes_read", f"{len(new.prefixes)}, digest {new.prefixes.digest}", origin
        )


def _sets(
    work: Work, group: Group, route: Route, provider: ProviderSetup, path: KeyPath
) -> Iterator[RouteSet]:
    options = _overridden(work, route, provider, path)
    prefixes = _prefixes(work, route, provider, path)
    hops = _hops(work, group, route, provider, path)
    tables = _tables(work, route, provider, path)
    for table in tables:
        yield RouteSet(
            RouteSet.make_id(provider.name, table, GroupName(group.name)),
            GroupName(group.name),
            provider.name,
            table,
            prefixes,
            hops,
            route.adopt,
            options,
        )


def _overridden(work: Work, route: Route, provider: ProviderSetup, path: KeyPath) -> BaseModel:
    """Return the instance's options with the route's own; only ``route_keys`` may stand on a route.

    After a mistake, those of the instance: the other checks of the route go on with them.
    """
    offer = provider.offer
    alien = [key for key in route.options if key not in offer.route_keys]
    for key in alien:
        if key in offer.options_model.model_fields:
            found = f"stands on [provider.{provider.name}], not on a route"
            work.refuse((*path, key), found, listed([*_ROUTE_KEYS, *offer.route_keys]))
        else:
            known = [*_ROUTE_KEYS, *offer.route_keys]
            work.problems.append(unknown_key(work.document.root, (*path, key), known))
    if alien or not route.options:
        return provider.options
    values = {**provider.options.model_dump(exclude_unset=True), **route.options}
    return work.options(path, offer.options_model, values, _ROUTE_KEYS) or provider.options


def _tables(work: Work, route: Route, provider: ProviderSetup, path: KeyPath) -> list[TableName]:
    found: list[TableName] = []
    for index, text in enumerate(route.tables):
        place = (*path, "tables", index)
        table = work.ask(place, provider.offer.parse_table, text, provider.options)
        if table is not None and table in found:
            work.refuse(place, f'table "{text}" stands twice', "each table once")
        elif table is not None:
            found.append(table)
    return found


def _hops(
    work: Work, group: Group, route: Route, provider: ProviderSetup, path: KeyPath
) -> dict[PathName, Hop]:
    """Return the candidates in order of preference."""
    found: dict[PathName, Hop] = {}
    for item in group.path:
        text = route.next_hop.get(item.name)
        place = (*path, "next_hop", item.name)
        if text is None or item.name in found:
            continue
        hop = work.ask(place, provider.offer.parse_hop, text, provider.options)
        twin = next((name for name, other in found.items() if other == hop), None)
        if hop is not None and twin is not None:
            work.refuse(
                place, f'the same next hop as path "{twin}": {hop}', "a next hop of its own for each path"
            )
        elif hop is not None:
            found[PathName(item.name)] = hop
    return found


def _add(work: Work, found: dict[RouteSetId, RouteSet], new: RouteSet, path: KeyPath) -> None:
    """Join stanzas of one table that agree in everything but their prefixes."""
    old = found.get(new.id)
    if old is None:
        found[new.id] = new
        return
    same = (old.hops, old.adopt, old.options) == (new.hops, new.adopt, new.options)
    if not same:
        found_text = (
            f'table "{new.table}" stands in another route of this group with other next hops or options'
        )
        work.refuse(
            (*path, "tables"), found_text, "one set of next hops and options for each table and group"
        )
        return
    found[new.id] = replace(old, prefixes=PrefixSet([*old.prefixes, *new.prefixes]))


# --- prefixes ---------------------------------------------------------------------------------------------


def _prefixes(work: Work, route: Route, provider: ProviderSetup, path: KeyPath) -> PrefixSet:
    """Return those that are right: the mistakes of the others end the whole, but hide nothing."""
    found = [
        prefix
        for index, text in enumerate(route.prefixes)
        if (prefix := work.ask((*path, "prefixes", index), _prefix, text, provider)) is not None
    ]
    if route.prefixes_file is not None:
        place = (*path, "prefixes_file")
        found.extend(_from_file(work, work.document.beside(route.prefixes_file, place), provider, place))
    if not route.prefixes and route.prefixes_file is None and not _torn(work, path):
        work.refuse(path, "no prefixes", "prefixes or prefixes_file")
    return PrefixSet(found)


def _torn(work: Work, path: KeyPath) -> bool:
    return work.document.lost(path, "prefixes") or work.document.lost(path, "prefixes_file")


def _prefix(text: str, provider: ProviderSetup) -> Prefix:
    parse = provider.offer.parse_destination
    return canonical_prefix(text) if parse is None else parse(text, provider.options)


def _from_file(work: Work, file: Path, provider: ProviderSetup, path: KeyPath) -> Iterator[Prefix]:
    """Yield the prefixes of a file: one a line, ``#`` starts a comment."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        work.refuse(path, f"{file} cannot be read: {said}", "a text file with one prefix a line")
        return
    bad = 0
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text or bad >= _PROBLEMS_PER_FILE:
            continue
        try:
            yield _prefix(text, provider)
        except ValueError as error:
            bad += 1
            words = where(work.document.root, path)
            work.problems.append(Problem(Origin(str(file), number), words, str(error)))


# --- what may not be --------------------------------------------------------------------------------------


def _own(work: Work, new: RouteSet, provider: ProviderSetup, path: KeyPath, ownership: Ownership) -> None:
    """A destination of a table belongs to one group, under whatever instance it is written."""
    taken: dict[tuple[str, KeyPath], list[Prefix]] = {}
    for prefix in new.prefixes:
        ownership.prefixes.setdefault(prefix, new.group)
        key = (provider.offer.kind, provider.scope, new.table, prefix)
        owner = ownership.owners.setdefault(key, (new.group, path))
        if owner[1] != path:
            taken.setdefault(owner, []).append(prefix)
    for (group, place), prefixes in taken.items():
        more = f" and {len(prefixes) - 1} more" if len(prefixes) > 1 else ""
        origin = work.document.origin(place)
        at = f" at {origin}" if origin else ""
        found = f'{prefixes[0]}{more} in table "{new.table}" is managed by group "{group}"{at} already'
        work.refuse((*path, "prefixes"), found, "each destination of a table in one group, once")


def check_anchors(work: Work, ownership: Ownership) -> None:
    """Refuse an anchor inside a managed prefix: its probes would follow the active path.

    The default route is left out: every anchor is inside it, and the tunnel's own subnet is more specific.
    """
    for index, group in enumerate(work.document.config.group):
        for number, item in enumerate(group.path):
            _check_anchor(work, item, ("group", index, "path", number), ownership)


def _check_anchor(work: Work, item: GroupPath, path: KeyPath, ownership: Ownership) -> None:
    for site, sight in sights(item).items():
        managed = covering(sight.peer, ownership.prefixes) if sight.peer else None
        if managed is not None:
            place = (*path, "at", site, "peer") if site else (*path, "peer")
            found = f'{sight.peer} is inside {managed}, which group "{ownership.prefixes[managed]}" manages'
            work.refuse(place, found, "a tunnel address outside every managed prefix")


def covering(address: str, prefixes: Mapping[Prefix, str]) -> Prefix | None:
    """Return the longest of the prefixes, the default route apart, that contains the address."""
    parsed = ipaddress.ip_address(address)
    for length in range(parsed.max_prefixlen, 0, -1):
        network = Prefix(str(ipaddress.ip_network(f"{address}/{length}", strict=False)))
        if network in prefixes:
            return network
    return None
