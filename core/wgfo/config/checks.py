"""Checks across sections that need no plugin: names that must exist, and names that must not exist twice.

Each check yields problems and looks at one thing. A check that follows a name into a list does nothing where
that list lost an item to a mistake: the name may well be that of the lost one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from wgfo.config.load import Document
from wgfo.config.models import Group, GroupPath, Probe, Service, Sight
from wgfo.config.problems import Problem, did_you_mean, listed
from wgfo.config.scan import KeyPath


def check(document: Document) -> Iterator[Problem]:
    """Yield everything that is wrong across sections."""
    yield from _sites(document)
    yield from _notifications(document)
    yield from _unique(document, ("group",), [group.name for group in document.config.group], "group")
    for index, group in enumerate(document.config.group):
        path: KeyPath = ("group", index)
        yield from _profile(document, group, path)
        yield from _paths(document, group, path)
        yield from _next_hops(document, group, path)
        for key, stanzas in (("probe", group.probe), ("service", group.service)):
            yield from _stanzas(document, stanzas, (*path, key))
        if group.follow is not None:
            yield from _site_name(document, group.follow.leader.site, (*path, "follow", "leader", "site"))


def unknown(document: Document, path: KeyPath, what: str, name: str, known: Iterable[str]) -> Problem:
    """Make the problem of a name that stands for nothing."""
    names = list(known)
    return document.problem(path, f'no {what} is named "{name}"', listed(names), did_you_mean(name, names))


def _unique(document: Document, path: KeyPath, names: Sequence[str], what: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            place = document.origin((*path, first[name]))
            also = f" (the other is at {place})" if place else ""
            found = f'a second {what} is named "{name}"{also}'
            yield document.problem((*path, index, "name"), found, "a name of its own")
        first.setdefault(name, index)


def _sites(document: Document) -> Iterator[Problem]:
    config = document.config
    instances = {*config.provider, *(route.provider for group in config.group for route in group.route)}
    kinds = {provider.kind for provider in config.provider.values() if provider.kind}
    owners: dict[str, str] = {}
    for name, site in config.site.items():
        for index, provider in enumerate(site.providers or ()):
            if provider not in instances | kinds and not document.lost((), "group"):
                place: KeyPath = ("site", name, "providers", index)
                yield unknown(document, place, "provider instance or kind", provider, instances | kinds)
        for index, host in enumerate(site.hosts):
            if owners.setdefault(host, name) != name:
                found = f'host "{host}" is in site "{owners[host]}" too'
                yield document.problem(("site", name, "hosts", index), found, "each host in one site")


def _notifications(document: Document) -> Iterator[Problem]:
    for index, notify in enumerate(document.config.notify):
        place: KeyPath = ("notify", index)
        ways = [key for key in ("command", "url", "url_file") if getattr(notify, key) is not None]
        if len(ways) != 1:
            found = f"{' and '.join(ways)} together" if ways else "neither command nor url nor url_file"
            yield document.problem(place, found, "exactly one of command, url, url_file")
        if notify.token_file is not None and notify.command is not None:
            yield document.problem((*place, "token_file"), "stands beside command", "with url or url_file")
        if notify.url is not None and "@" in urlsplit(notify.url).netloc:
            found, accepted = "a URL with a user or password", "a URL without; token_file for a bearer token"
            yield document.problem((*place, "url"), found, accepted, "or the whole URL in url_file")


def _profile(document: Document, group: Group, path: KeyPath) -> Iterator[Problem]:
    profiles = document.config.profile
    if group.profile is not None and group.profile not in profiles:
        yield unknown(document, (*path, "profile"), "profile", group.profile, profiles)


def _paths(document: Document, group: Group, path: KeyPath) -> Iterator[Problem]:
    yield from _unique(document, (*path, "path"), [it.name for it in group.path], "path")
    for index, item in enumerate(group.path):
        place = (*path, "path", index)
        yield from _flat_or_sited(document, item, place)
        yield from _sight(document, item, place)
        for site, sight in (item.at or {}).items():
            yield from _site_name(document, site, (*place, "at", site))
            yield from _sight(document, sight, (*place, "at", site))


def _flat_or_sited(document: Document, item: GroupPath, place: KeyPath) -> Iterator[Problem]:
    flat = item.model_fields_set & Sight.model_fields.keys()
    if item.at and flat:
        found = f"{listed(flat)} beside [group.path.at.…]"
        yield document.problem(
            (*place, min(flat)), found, "keys in [group.path.at.SITE], or all of them flat"
        )


def _sight(document: Document, sight: Sight, place: KeyPath) -> Iterator[Problem]:
    node = document.root.find(place)
    if sight.interface is not None and sight.peer is None and node is not None and "peer" not in node.lost:
        found = "interface without peer"
        hint = "add the far gateway's own tunnel address"
        yield document.problem(place, found, hint=hint)
    if sight.bind is not None and str(sight.bind) == "device" and sight.interface is None:
        yield document.problem((*place, "bind"), 'bind = "device" without interface', '"address" or "mark:N"')


def _site_name(document: Document, site: str, place: KeyPath) -> Iterator[Problem]:
    if site not in document.config.site:
        yield unknown(document, place, "site", site, document.config.site)


def _next_hops(document: Document, group: Group, path: KeyPath) -> Iterator[Problem]:
    if document.lost(path, "path"):
        return
    names = [item.name for item in group.path]
    for index, route in enumerate(group.route):
        place = (*path, "route", index, "next_hop")
        meant = []
        for name in route.next_hop:
            if name not in names:
                problem = unknown(document, (*place, name), "path of this group", name, names)
                meant.append(problem.hint)
                yield problem
        node = document.root.find(place)
        for name in dict.fromkeys(names):
            is_torn = (node and name in node.lost) or did_you_mean(name, [name]) in meant
            if name not in route.next_hop and not is_torn:
                found = f'no next hop for path "{name}"'
                yield document.problem(place, found, hint=f'add {name} = "…"')


def _stanzas(document: Document, stanzas: Sequence[Probe | Service], path: KeyPath) -> Iterator[Problem]:
    for index, stanza in enumerate(stanzas):
        place = (*path, index)
        for number, site in enumerate(stanza.sites or ()):
            yield from _site_name(document, site, (*place, "sites", number))
        if stanza.timeout is not None and stanza.timeout >= stanza.interval:
            found = f'timeout "{stanza.timeout}" is not below interval "{stanza.interval}"'
            yield document.problem((*place, "timeout"), found, f'less than "{stanza.interval}"')
        for number, target in enumerate(stanza.targets):
            if target in stanza.targets[:number]:
                found = f'target "{target}" stands twice'
                yield document.problem((*place, "targets", number), found, "each target once")
