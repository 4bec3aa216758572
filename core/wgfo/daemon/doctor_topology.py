"""What the configuration leaves open: nothing is asked of anyone."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from wgfo.config.load import Document
from wgfo.config.routes import covering
from wgfo.config.setup import GroupSetup, Setup
from wgfo.config.sites import instances, matches
from wgfo.daemon.control.explaining import trusted
from wgfo.model import Finding, Layer, Severity
from wgfo.plugin.manager import Registry
from wgfo.plugin.values import Duration
from wgfo.telemetry.figures.figures import findings_of

_WHOLE: Final = 100


def plugin_findings(registry: Registry) -> list[Finding]:
    """Return the plugins that are installed and of no use."""
    found = [
        Finding(
            Severity.WARNING, one.name, f"the plugin is broken: {one.error}", _reinstall(one.distribution)
        )
        for one in registry.broken
    ]
    return found + [
        Finding(Severity.WARNING, one.kind, str(one), "uninstall all but one") for one in registry.duplicates
    ]


def _reinstall(distribution: str) -> str:
    return f"pip install --force-reinstall {distribution}, or uninstall it" if distribution else "mend it"


def topology_findings(setup: Setup, document: Document) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Yield whose they are, and the findings."""
    yield "configuration", [*_groups(setup), *_references(setup), *_writers(document)]
    for group in setup.groups:
        found = findings_of(group.policy, trusted(group))
        yield (
            f"group {group.name}",
            [*found, *_layers(group), *_shared(group), *_loss(group), *_routes(group)],
        )


def _groups(setup: Setup) -> Iterator[Finding]:
    if not setup.groups:
        text = "there is no [[group]]: there is nothing to do"
        yield Finding(Severity.WARNING, "group", text, "`wgfo config init` writes a file to begin with")


# --- the reference ----------------------------------------------------------------------------------------


def _references(setup: Setup) -> Iterator[Finding]:
    """A reference that is reached over the paths dies with them: then nothing would ever be decided."""
    managed = {prefix: one.group for group in setup.groups for one in group.sets for prefix in one.prefixes}
    anchors = {view.peer: view for group in setup.groups for view in group.paths if view.peer}
    for host in setup.daemon.reference:
        prefix = covering(host, managed) if _is_address(host) else None
        if prefix is not None:
            text = f"it is inside {prefix}, which group {managed[prefix]} manages: it dies with the paths"
            yield Finding(Severity.WARNING, f"reference {host}", text, "name a host next to this one instead")
        if host in anchors:
            text = f"it is the peer of path {anchors[host].name}: it dies with that path"
            yield Finding(Severity.WARNING, f"reference {host}", text, "name a host next to this one instead")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# --- several writers --------------------------------------------------------------------------------------


def _writers(document: Document) -> Iterator[Finding]:
    """Sites that move the same routes without a lease undo one another."""
    config = document.config
    if config.lease.kind != "none":
        return
    sites: defaultdict[str, list[str]] = defaultdict(list)
    kinds = {name: one.kind for name, one in instances(document).items()}
    routed = {route.provider for group in config.group for route in group.route}
    for site, section in config.site.items():
        for name in sorted(routed):
            if section.providers is None or any(matches(word, name, kinds) for word in section.providers):
                sites[name].append(site)
    for name, several in sites.items():
        if len(several) > 1 and kinds[name] != "linux":
            text = f"sites {', '.join(several)} write the same routes, each by its own decision"
            remedy = "let one of them write: name the others' `providers` without it"
            yield Finding(Severity.WARNING, f"provider {name}", text, remedy)


# --- a group ----------------------------------------------------------------------------------------------


def _layers(group: GroupSetup) -> Iterator[Finding]:
    probed = {name for probe in group.probes if probe.offer.layer is Layer.INTERFACE for name in probe.paths}
    for view in group.paths:
        if view.visible and view.interface is not None and view.name not in probed:
            text = f"no installed plugin looks at interface {view.interface}: a link that goes down is found late"
            yield Finding(Severity.WARNING, f"path {view.name}", text, "pip install 'wgfo[linux]'")


def _shared(group: GroupSetup) -> Iterator[Finding]:
    """Paths over one interface, or to one far end, fail together."""
    for what in ("interface", "peer"):
        users: defaultdict[str, list[str]] = defaultdict(list)
        for view in group.paths:
            if view.visible and (value := getattr(view, what)) is not None:
                users[value].append(view.name)
        for value, names in users.items():
            if len(names) > 1:
                text = f"paths {', '.join(names)} have the {what} {value} in common: they fail together"
                remedy = f"give each path its own {what}, a tunnel to another gateway"
                yield Finding(Severity.WARNING, what, text, remedy)


def _loss(group: GroupSetup) -> Iterator[Finding]:
    """A window with few probes in it measures nothing, or trips over one lost packet."""
    rule, streams = group.policy.loss, group.policy.base_streams
    counted = sum(max(1, len(one.targets)) * (rule.window_us // one.interval_us) for one in streams)
    window = Duration(rule.window_us)
    remedy = "lengthen loss.window, shorten the probes' interval, or give more targets"
    if streams and not counted:
        text = f"loss is never measured: loss.window {window} is below the interval of the probes"
        yield Finding(Severity.ERROR, "loss", text, remedy)
    elif streams and counted * rule.percent <= _WHOLE:
        text = f"one lost probe of {counted} in loss.window {window} is {_WHOLE // counted} %, and that is a fault"
        yield Finding(Severity.WARNING, "loss", text, remedy)


def _routes(group: GroupSetup) -> Iterator[Finding]:
    if not group.sets:
        text = "no route of this group is moved by this process: it only watches"
        yield Finding(
            Severity.INFO, "routes", text, "give [[group.route]], or run wgfo where its provider is"
        )
