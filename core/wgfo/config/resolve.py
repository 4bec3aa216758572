"""From a configuration to what *this* process does, or every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wgfo.config.checks import check
from wgfo.config.effective import COMMAND_LINE, Effective
from wgfo.config.effective import Layer as Section
from wgfo.config.load import Document
from wgfo.config.models import Daemon, Group, Settings
from wgfo.config.notify import notify_setups
from wgfo.config.problems import ConfigProblems, Problem
from wgfo.config.routes import Ownership, Providers, check_anchors, read_instances, route_sets
from wgfo.config.scan import KeyPath
from wgfo.config.served import not_served
from wgfo.config.setup import DaemonSetup, GroupSetup, ProbeSetup, Setup
from wgfo.config.sites import choose_providers, choose_site, instances
from wgfo.config.streams import check_webhook, probe_setups, service_setups
from wgfo.config.views import path_views
from wgfo.config.work import Work
from wgfo.engine.policy import (
    DampingRule,
    GroupPolicy,
    LatencyRule,
    LossRule,
    PathPolicy,
    RecoverRule,
    SetPolicy,
)
from wgfo.model import GroupName, PathView, RouteSet
from wgfo.plugin import ConfigError
from wgfo.plugin.manager import Registry
from wgfo.plugin.values import Duration


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says over the configuration; None: nothing."""

    state_dir: Path | None = None
    control: Path | None = None
    http: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A setup with the origin of every value."""

    setup: Setup
    effective: Effective


def resolve(
    document: Document,
    registry: Registry,
    *,
    site: str | None = None,
    providers: Sequence[str] = (),
    overrides: Overrides | None = None,
    hostname: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Setup:
    """Return what this process does.

    ``site`` and ``providers`` are what ``--site`` and ``--provider`` said; ``hostname`` and ``environ`` are
    this host's where they are not given. Raises :class:`ConfigProblems` with everything that is wrong,
    mistakes in the schema included.
    """
    return explain(
        document,
        registry,
        site=site,
        providers=providers,
        overrides=overrides,
        hostname=hostname,
        environ=environ,
    ).setup


def explain(
    document: Document,
    registry: Registry,
    *,
    site: str | None = None,
    providers: Sequence[str] = (),
    overrides: Overrides | None = None,
    hostname: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Resolved:
    """Return the setup and where each of its values comes from; raises as :func:`resolve` does."""
    problems = [*document.problems, *not_served(document), *check(document)]
    try:
        here = choose_site(document, site, providers, hostname, environ)
        selected = choose_providers(document.config, here, providers, instances(document).values())
    except ConfigError as error:
        raise ConfigProblems([*problems, Problem(None, "", str(error))]) from None
    work = Work(document, registry, here, Effective(document), problems)
    asked = bool(providers) or (here is not None and document.config.site[here].providers is not None)
    daemon = _daemon(work, overrides or Overrides())
    known = read_instances(work, instances(document).values(), selected, asked=asked)
    groups = _groups(work, known, has_reference=bool(daemon.reference))
    check_webhook(work, daemon)
    notify = notify_setups(work)
    if work.problems:
        raise ConfigProblems(work.problems)
    sets = [it for group in groups for it in group.sets]
    setup = Setup(
        here,
        daemon,
        known.used(sets),
        groups,
        tuple(work.notices),
        work.effective.digest(),
        work.effective.mapping(),
        notify,
    )
    return Resolved(setup, work.effective)


def resolve_daemon(
    document: Document,
    *,
    site: str | None = None,
    providers: Sequence[str] = (),
    overrides: Overrides | None = None,
    hostname: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> DaemonSetup:
    """Return the ``[daemon]`` section alone: for clients, which need no plugin and forgive other mistakes.

    Raises :class:`ConfigError` where the site cannot be told.
    """
    here = choose_site(document, site, providers, hostname, environ)
    return _daemon(Work(document, Registry(), here, Effective(document)), overrides or Overrides())


# --- daemon -----------------------------------------------------------------------------------------------


def _daemon(work: Work, overrides: Overrides) -> DaemonSetup:
    config = work.document.config
    layers = [Section(config.daemon, ("daemon",))]
    site = config.site[work.site] if work.site is not None else None
    if site is not None:
        layers.append(Section(site.daemon, ("site", str(work.site), "daemon"), f"site {work.site}"))
    section = work.effective.overlay(Daemon, layers, "daemon")
    reference = section.reference
    if site is not None and site.reference is not None:
        reference = site.reference
        origin = work.effective.origin(
            Section(site, ("site", str(work.site)), f"site {work.site}"), "reference"
        )
        work.effective.note("daemon.reference", reference, origin)
    return _with_overrides(work, _daemon_setup(work, section, reference), overrides)


def _daemon_setup(work: Work, section: Daemon, reference: tuple[str, ...]) -> DaemonSetup:
    return DaemonSetup(
        _path(work, section.state_dir, "state_dir"),
        _path(work, section.control, "control"),
        section.http,
        _path(work, section.textfile, "textfile") if section.textfile else None,
        reference,
        section.operators,
        _path(work, section.webhook_token_file, "webhook_token_file") if section.webhook_token_file else None,
        section.journal.max_size,
        section.journal.max_age.us,
    )


def _path(work: Work, value: Path, key: str) -> Path:
    """A relative path is relative to the file that names it."""
    place: KeyPath = ("daemon", key)
    if work.site is not None:
        of_site = ("site", work.site, "daemon", key)
        place = of_site if work.document.root.find(of_site) is not None else place
    return work.document.beside(value, place)


def _with_overrides(work: Work, setup: DaemonSetup, overrides: Overrides) -> DaemonSetup:
    for key in ("state_dir", "control", "http"):
        value = getattr(overrides, key)
        if value is not None:
            setup = replace(setup, **{key: value})
            work.effective.note(f"daemon.{key}", value, COMMAND_LINE)
    return setup


# --- groups -----------------------------------------------------------------------------------------------


def _groups(work: Work, providers: Providers, *, has_reference: bool) -> tuple[GroupSetup, ...]:
    ownership = Ownership()
    if not work.document.config.group and not work.document.lost((), "group"):
        work.notice("the configuration has no [[group]]: there is nothing to do")
    groups = tuple(
        _group(work, group, ("group", index), providers, ownership, has_reference=has_reference)
        for index, group in enumerate(work.document.config.group)
    )
    check_anchors(work, ownership)
    return groups


def _group(
    work: Work,
    group: Group,
    path: KeyPath,
    providers: Providers,
    ownership: Ownership,
    *,
    has_reference: bool,
) -> GroupSetup:
    settings = _settings(work, group, path)
    views = path_views(work, group, path)
    probes = probe_setups(work, group, path, views, settings.detect.fall)
    sets = route_sets(work, group, path, providers, ownership)
    services = service_setups(work, group, path)
    policy = replace(
        _policy(group, settings),
        paths=tuple(_path_policy(view, probes) for view in views),
        streams=tuple(probe.stream for probe in probes if probe.stream is not None),
        sources=tuple(probe.source for probe in probes if probe.source is not None),
        sets=tuple(_set_policy(it, settings, providers) for it in sets),
        services=tuple(service.policy for service in services),
        has_reference=has_reference,
    )
    _check_confirm(work, policy, path)
    return GroupSetup(policy, views, probes, sets, services)


def _check_confirm(work: Work, policy: GroupPolicy, path: KeyPath) -> None:
    """A loss is left only with an answer of the other path as new as ``confirm``: one must fall due in it."""
    slowest_us = max((stream.interval_us for stream in policy.base_streams), default=0)
    if policy.loss.confirm_us < slowest_us:
        found = (
            f'loss.confirm "{Duration(policy.loss.confirm_us)}" is below the interval of the probes, '
            f'"{Duration(slowest_us)}": no answer of another path would be new enough to move to it'
        )
        work.refuse((*path, "detect", "loss"), found, f'at least "{Duration(slowest_us)}"')


def _settings(work: Work, group: Group, path: KeyPath) -> Settings:
    """Merge the profile and the group over the defaults."""
    layers = [Section(group, path)]
    profile = work.document.config.profile.get(group.profile or "")
    if profile is not None:
        layers.insert(0, Section(profile, ("profile", str(group.profile)), f"profile {group.profile}"))
    settings = work.effective.overlay(Settings, layers, f"group.{group.name}")
    _check_numbers(work, settings, path)
    return settings


def _check_numbers(work: Work, settings: Settings, path: KeyPath) -> None:
    damping, detect = settings.damping, settings.detect
    if damping.reuse >= damping.suppress:
        found = f"reuse {damping.reuse} is not below suppress {damping.suppress}"
        work.refuse((*path, "damping", "reuse"), found, f"less than {damping.suppress}")
    if detect.recover.percent >= detect.loss.percent:
        found = f"recover.percent {detect.recover.percent} is not below loss.percent {detect.loss.percent}"
        work.refuse((*path, "detect", "recover"), found, f"less than {detect.loss.percent}")


def _policy(group: Group, settings: Settings) -> GroupPolicy:
    detect, damping = settings.detect, settings.damping
    loss, recover, latency, moves = detect.loss, detect.recover, detect.latency, damping.max_moves
    median_us = latency.median.us if latency.median is not None else None
    return GroupPolicy(
        GroupName(group.name),
        (),
        rise=detect.rise,
        class_fall=detect.class_fall,
        loss=LossRule(loss.percent, loss.window.us, loss.margin, loss.confirm.us),
        recover=RecoverRule(recover.percent, recover.window.us),
        latency=LatencyRule(median_us, latency.window.us, latency.act),
        damping=DampingRule(
            damping.half_life.us, damping.suppress, damping.reuse, moves.count, moves.window.us
        ),
        revertive=settings.revertive,
        wait_to_restore_us=settings.wait_to_restore.us,
        hold_off_us=settings.hold_off.us,
        drift=settings.drift,
        reconcile_us=settings.reconcile.us,
    )


def _path_policy(view: PathView, probes: Sequence[ProbeSetup]) -> PathPolicy:
    here = [probe for probe in probes if view.name in probe.paths]
    return PathPolicy(
        view.name,
        view.visible,
        anchor=any(view.name in probe.anchors for probe in here),
        layers=frozenset(probe.offer.layer for probe in here),
    )


def _set_policy(route_set: RouteSet, settings: Settings, providers: Providers) -> SetPolicy:
    """Settle is as configured; the daemon makes it 0 where the opened provider's reads are consistent."""
    return SetPolicy(
        route_set.id,
        route_set.provider,
        route_set.table,
        len(route_set.prefixes),
        route_set.adopt,
        settings.settle.us,
        providers.parsed[route_set.provider].deadline_us,
    )
