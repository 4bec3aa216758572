"""The probes of a group as this site runs them: stanzas, default layers, services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel

from wgfo.config.models import Group, Probe, Service
from wgfo.config.problems import Problem, did_you_mean
from wgfo.config.scan import KeyPath
from wgfo.config.setup import DaemonSetup, ProbeSetup, ServiceSetup
from wgfo.config.work import Work
from wgfo.engine.policy import Act, EvidenceSource, ServicePolicy, StreamPolicy
from wgfo.model import SMALL, Layer, PathName, PathView, ProbeClass
from wgfo.plugin import Mode, ProbeOffer, Role
from wgfo.plugin.manager import UnusableKind
from wgfo.plugin.values import Duration

TIMEOUT_MAX_US: Final = 800_000
"""``timeout`` defaults to min(800 ms, 0.8·interval)."""
_PROBE_KEYS: Final = tuple(info.alias or name for name, info in Probe.model_fields.items())
_SERVICE_KEYS: Final = tuple(Service.model_fields)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A probe before the indexes and the base class of its group are known."""

    offer: ProbeOffer
    options: BaseModel
    stanza: Probe
    paths: tuple[PathView, ...]
    targets: tuple[str, ...] = ()
    addresses: Mapping[PathName, tuple[str, ...]] | None = None
    place: KeyPath | None = None
    """Where the stanza stands; None for a default layer."""

    @property
    def is_stream(self) -> bool:
        return self.offer.mode is Mode.ROUND

    @property
    def probe_class(self) -> ProbeClass:
        return ProbeClass(self.stanza.probe_class or self.offer.probe_class or SMALL)

    @property
    def act(self) -> Act:
        return self.stanza.act or (Act.ALONE if self.offer.role is Role.AUTHORITY else Act.CORROBORATE)

    @property
    def interval_us(self) -> int:
        return self.stanza.interval.us

    @property
    def timeout_us(self) -> int:
        return self.stanza.timeout.us if self.stanza.timeout else default_timeout_us(self.interval_us)


def default_timeout_us(interval_us: int) -> int:
    """Return how long a probe waits for its reply where the stanza does not say."""
    return min(TIMEOUT_MAX_US, interval_us * 8 // 10)


def probe_setups(
    work: Work, group: Group, path: KeyPath, views: Sequence[PathView], fall: int
) -> tuple[ProbeSetup, ...]:
    """Return the streams (indexes from 0), then the sources."""
    visible = tuple(view for view in views if view.visible)
    drafts = [
        draft
        for index, stanza in enumerate(group.probe)
        if (draft := _stanza(work, stanza, (*path, "probe", index), visible)) is not None
    ]
    drafts.extend(_defaults(work, path, visible, drafts))
    _tell_missing_layers(work, group, visible, drafts)
    _note(work, group, drafts, fall)
    setups = _numbered(drafts, fall)
    _refuse_idle(work, drafts, visible)
    return setups


# --- stanzas ----------------------------------------------------------------------------------------------


def runs_here(work: Work, stanza: Probe | Service) -> bool:
    """Whether this site runs the stanza."""
    return stanza.sites is None or work.site in stanza.sites


def _stanza(work: Work, stanza: Probe, path: KeyPath, visible: tuple[PathView, ...]) -> _Draft | None:
    offer = _offer(work, stanza, path)
    if offer is None:
        return None
    options = work.options(path, offer.options_model, stanza.options, _PROBE_KEYS)
    targets = _targets(work, stanza, offer, path)
    if targets is None or not runs_here(work, stanza):
        return None
    addresses = _addresses(work, offer, targets, visible, path)
    return _Draft(offer, options, stanza, visible, targets, addresses, path) if options is not None else None


def _offer(work: Work, stanza: Probe | Service, path: KeyPath) -> ProbeOffer | None:
    try:
        return work.registry.probe(stanza.kind)
    except UnusableKind as error:
        if runs_here(work, stanza):
            hint = did_you_mean(stanza.kind, work.registry.probes)
            work.refuse((*path, "kind"), str(error), hint=hint)
        else:
            problem: Problem = work.document.problem(
                path, "kept unread: another site's, and not installed here"
            )
            work.notice(f'{problem.where}: probe kind "{stanza.kind}" {problem.found}')
        return None


def _targets(work: Work, stanza: Probe | Service, offer: ProbeOffer, path: KeyPath) -> tuple[str, ...] | None:
    """Return the identities of the targets; None where one of them is wrong."""
    parse = offer.parse_target
    if parse is None:
        if stanza.targets:
            work.refuse((*path, "targets"), f'probe kind "{stanza.kind}" has no targets', hint="remove it")
        return None if stanza.targets else ()
    parsed = [work.ask((*path, "targets", index), parse, text) for index, text in enumerate(stanza.targets)]
    good = tuple(target for target in parsed if target is not None)
    return good if len(good) == len(parsed) else None


def _addresses(
    work: Work, offer: ProbeOffer, targets: tuple[str, ...], visible: tuple[PathView, ...], path: KeyPath
) -> dict[PathName, tuple[str, ...]]:
    """Return each target's address through each path, in the order of the targets."""
    resolve = offer.resolve_target
    if resolve is None:
        return {view.name: targets for view in visible}
    found: dict[PathName, list[str]] = {view.name: [] for view in visible}
    for index, target in enumerate(targets):
        for view in visible:
            address = work.ask((*path, "targets", index), resolve, target, view)
            if address is None:
                break
            found[view.name].append(address)
    return {name: tuple(addresses) for name, addresses in found.items()}


def check_webhook(work: Work, daemon: DaemonSetup) -> None:
    """Refuse probes that wait for alerts where none could ever come in."""
    for number, group in enumerate(work.document.config.group):
        for index, stanza in enumerate(group.probe):
            offer = work.registry.probes.get(stanza.kind)
            if offer is None or not offer.hears_alerts or not runs_here(work, stanza):
                continue
            if daemon.webhook_token_file is None or daemon.http is None:
                missing = "webhook_token_file" if daemon.webhook_token_file is None else "http"
                work.refuse(
                    ("group", number, "probe", index, "kind"),
                    f'kind "{stanza.kind}" hears alerts by POST /api/v1/alerts, and [daemon] {missing} is not set',
                    '[daemon] http = "127.0.0.1:9785" and webhook_token_file = "/etc/wgfo/webhook.token"',
                )


# --- default layers ---------------------------------------------------------------------------------------


def _defaults(
    work: Work, path: KeyPath, visible: tuple[PathView, ...], drafts: Sequence[_Draft]
) -> list[_Draft]:
    """Return a probe for each layer that no stanza covers, from the offers that want to be the default."""
    covered = {draft.offer.layer for draft in drafts if _covers(draft)}
    found = []
    for kind, offer in sorted(work.registry.probes.items()):
        paths = tuple(view for view in visible if _wants(work, offer, view, path))
        if offer.layer in covered or not paths:
            continue
        options = work.options((), offer.options_model, {}, ())
        if options is not None:
            empty: dict[PathName, tuple[str, ...]] = {view.name: () for view in paths}
            found.append(_Draft(offer, options, Probe(kind=kind), paths, addresses=empty))
    return found


def _covers(draft: _Draft) -> bool:
    """Whether a stanza replaces the default of its layer: mere evidence of the data plane does not."""
    return draft.offer.layer is not Layer.DATAPLANE or draft.act is Act.ALONE


def _wants(work: Work, offer: ProbeOffer, view: PathView, path: KeyPath) -> bool:
    return bool(work.ask(path, offer.default_when, view))


def _tell_missing_layers(
    work: Work, group: Group, visible: tuple[PathView, ...], drafts: Sequence[_Draft]
) -> None:
    probed = {view.name for draft in drafts if draft.offer.layer is Layer.INTERFACE for view in draft.paths}
    for view in visible:
        if view.interface is not None and view.name not in probed:
            work.notice(
                f'group "{group.name}", path "{view.name}": no installed plugin probes interface '
                f"{view.interface}: layers interface and handshake are not_probed; pip install 'wgfo[linux]'"
            )
    leading = any(draft.act is Act.ALONE and draft.offer.layer is Layer.DATAPLANE for draft in drafts)
    if visible and not leading:
        work.notice(
            f'group "{group.name}": no data-plane probe runs here: give [[group.probe]], or each path a peer'
        )


# --- numbering --------------------------------------------------------------------------------------------


def _numbered(drafts: Sequence[_Draft], fall: int) -> tuple[ProbeSetup, ...]:
    streams = [draft for draft in drafts if draft.is_stream]
    sources = [draft for draft in drafts if not draft.is_stream]
    base = _base_class(streams)
    return (
        *(_stream(draft, index, base, fall) for index, draft in enumerate(streams)),
        *(_source(draft, index) for index, draft in enumerate(sources, start=len(streams))),
    )


def _base_class(streams: Sequence[_Draft]) -> ProbeClass | None:
    """``small``, or where there is no such probe, the class of the shortest interval."""
    if not streams or any(draft.probe_class == SMALL for draft in streams):
        return SMALL
    return min(streams, key=lambda draft: draft.interval_us).probe_class


def _stream(draft: _Draft, index: int, base: ProbeClass | None, fall: int) -> ProbeSetup:
    is_base = draft.probe_class == base
    anchors = _anchors(draft) if is_base else {}
    policy = StreamPolicy(
        index,
        draft.offer.kind,
        draft.probe_class,
        draft.interval_us,
        draft.timeout_us,
        draft.targets,
        draft.stanza.fall or fall,
        base=is_base,
        act=draft.act,
        anchored=not is_base or bool(anchors),
    )
    return replace(_setup(draft), stream=policy, anchors=anchors)


def _refuse_idle(work: Work, drafts: Sequence[_Draft], visible: Sequence[PathView]) -> None:
    """A stanza without targets probes the anchor; where it cannot, it would probe nothing."""
    base = _base_class([draft for draft in drafts if draft.is_stream])
    for draft in drafts:
        idle = draft.is_stream and not draft.targets and (draft.probe_class != base or not _anchors(draft))
        if idle and visible and draft.place is not None:
            work.refuse(
                draft.place, "no targets, and no anchor that it could probe instead", 'targets = ["…"]'
            )


def _source(draft: _Draft, index: int) -> ProbeSetup:
    return replace(
        _setup(draft),
        source=EvidenceSource(index, draft.offer.kind, draft.offer.layer, draft.act, draft.interval_us),
    )


def _setup(draft: _Draft) -> ProbeSetup:
    return ProbeSetup(
        draft.offer,
        draft.options,
        draft.interval_us,
        draft.timeout_us,
        paths=tuple(view.name for view in draft.paths),
        addresses=draft.addresses or {},
    )


def _anchors(draft: _Draft) -> dict[PathName, str]:
    """Return the anchor of each path, where this kind of probe can reach a bare address at all."""
    found = {}
    for view in draft.paths:
        if view.peer is not None and draft.offer.parse_target is not None:
            try:
                found[view.name] = draft.offer.parse_target(view.peer)
            except ValueError:
                continue
    return found


def _note(work: Work, group: Group, drafts: Sequence[_Draft], fall: int) -> None:
    """Show what a stanza leaves to the defaults; what it says itself was noted with its line."""
    for number, draft in enumerate(drafts, start=1):
        key = f"group.{group.name}.probe.{number}"
        stanza = draft.stanza
        values = {
            "kind": draft.offer.kind,
            "class": draft.probe_class if draft.is_stream else None,
            "interval": stanza.interval,
            "timeout": Duration(draft.timeout_us),
            "fall": stanza.fall or fall,
            "act": draft.act,
        }
        for name, value in values.items():
            if value is not None:
                work.effective.note(f"{key}.{name}", value, "default")
        if draft.place is not None:
            work.effective.written(key, draft.place)


# --- services ---------------------------------------------------------------------------------------------


def service_setups(work: Work, group: Group, path: KeyPath) -> tuple[ServiceSetup, ...]:
    """Return the service probes that this site runs."""
    found: list[ServiceSetup] = []
    for number, stanza in enumerate(group.service):
        place = (*path, "service", number)
        setup = _service(work, stanza, place, len(found))
        if setup is not None:
            work.effective.written(f"group.{group.name}.service.{number + 1}", place)
            found.append(setup)
    return tuple(found)


def _service(work: Work, stanza: Service, path: KeyPath, index: int) -> ServiceSetup | None:
    offer = _offer(work, stanza, path)
    if offer is None:
        return None
    options = work.options(path, offer.options_model, stanza.options, _SERVICE_KEYS)
    targets = _targets(work, stanza, offer, path)
    if offer.mode is not Mode.ROUND:
        work.refuse(
            (*path, "kind"), f'probe kind "{stanza.kind}" cannot probe a service', "a kind with targets"
        )
        return None
    if options is None or targets is None or not runs_here(work, stanza):
        return None
    timeout_us = stanza.timeout.us if stanza.timeout else default_timeout_us(stanza.interval.us)
    policy = ServicePolicy(index, stanza.kind, targets, stanza.interval.us, stanza.fall)
    return ServiceSetup(policy, offer, options, timeout_us)
