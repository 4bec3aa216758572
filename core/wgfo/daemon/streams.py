"""Which probes are sent, and who hears of them: identical streams of several groups are sent once; pure.

Stanzas with the same kind, options, class, interval and timeout over the same paths (as this site sees them)
become one schedule. On each of its paths it probes every address that any of its groups asks for, once, and
each group picks its own results out of the round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wgfo.config.setup import GroupSetup, ProbeSetup
from wgfo.engine.policy import EvidenceSource, StreamPolicy
from wgfo.model import GroupName, Layer, PathName, PathView


@dataclass(frozen=True, slots=True)
class ViewKey:
    """What makes two paths the same path: all but the group and the name."""

    interface: str | None
    peer: str | None
    bind: str
    public_key: str | None
    targets: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, view: PathView) -> ViewKey:
        """Return the key of a view."""
        targets = tuple(sorted(view.targets.items()))
        return cls(view.interface, view.peer, str(view.bind), view.public_key, targets)


@dataclass(frozen=True, slots=True)
class Ear:
    """One group's share of a path's rounds."""

    group: GroupName
    path: PathName
    stream: int
    picks: tuple[int, ...]
    """Places of the group's targets in the round, in the order of its stream."""
    anchor: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One path of a schedule: what is probed through it, each address once, and who hears of it."""

    view: PathView
    addresses: tuple[str, ...]
    ears: tuple[Ear, ...]


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """Rounds that go out together on several paths."""

    key: tuple[object, ...]
    setup: ProbeSetup = field(compare=False)
    """The first group's; the others' are the same save targets and names."""
    channels: tuple[ChannelPlan, ...]


@dataclass(frozen=True, slots=True)
class PushEar:
    """A group's path that hears what a push probe reports."""

    group: GroupName
    path: PathName
    source: int


@dataclass(frozen=True, slots=True)
class PushPlan:
    """One running push probe."""

    key: tuple[object, ...]
    setup: ProbeSetup = field(compare=False)
    view: PathView
    destinations: tuple[str, ...]
    ears: tuple[PushEar, ...]


@dataclass(slots=True)
class _Channel:
    """A channel plan while the groups are gathered."""

    view: PathView
    addresses: dict[str, int] = field(default_factory=dict)
    ears: list[Ear] = field(default_factory=list)

    def place(self, address: str) -> int:
        return self.addresses.setdefault(address, len(self.addresses))

    def plan(self) -> ChannelPlan:
        return ChannelPlan(self.view, tuple(self.addresses), tuple(self.ears))


def plan_rounds(groups: Iterable[GroupSetup]) -> tuple[SchedulePlan, ...]:
    """Gather the round probes of all groups into schedules, in configured order."""
    found: dict[tuple[object, ...], tuple[ProbeSetup, dict[object, _Channel]]] = {}
    for group in groups:
        views = {view.name: view for view in group.paths}
        for probe in group.probes:
            if probe.stream is None or not probe.paths:
                continue
            keys = _path_keys([views[path] for path in probe.paths])
            key = (*_stanza_key(probe), frozenset(keys))
            _, channels = found.setdefault(key, (probe, {}))
            for path, path_key in zip(probe.paths, keys, strict=True):
                channel = channels.setdefault(path_key, _Channel(views[path]))
                channel.ears.append(_ear(channel, group.name, path, probe, probe.stream))
    return tuple(
        SchedulePlan(key, setup, tuple(channel.plan() for channel in channels.values()))
        for key, (setup, channels) in found.items()
    )


def _path_keys(views: Sequence[PathView]) -> list[object]:
    """Keys of a stanza's paths; two paths that look alike from here stay two."""
    keys: list[object] = []
    for view in views:
        key = ViewKey.of(view)
        alike = sum(1 for other in keys if isinstance(other, tuple) and other[0] == key)
        keys.append((key, alike))
    return keys


def _stanza_key(probe: ProbeSetup) -> tuple[object, ...]:
    stream_class = probe.stream.probe_class if probe.stream else None
    options = probe.options.model_dump_json()
    return (probe.offer.kind, options, stream_class, probe.interval_us, probe.timeout_us)


def _ear(channel: _Channel, group: GroupName, path: PathName, probe: ProbeSetup, stream: StreamPolicy) -> Ear:
    picks = tuple(channel.place(address) for address in probe.addresses.get(path, ()))
    anchor = probe.anchors.get(path)
    return Ear(group, path, stream.index, picks, None if anchor is None else channel.place(anchor))


def plan_pushes(groups: Iterable[GroupSetup]) -> tuple[PushPlan, ...]:
    """Gather the push probes; those of the layers below the data plane know no group, and are shared."""
    found: dict[tuple[object, ...], tuple[ProbeSetup, PathView, tuple[str, ...], list[PushEar]]] = {}
    for group in groups:
        views = {view.name: view for view in group.paths}
        for probe in group.probes:
            if probe.source is None:
                continue
            for path in probe.paths:
                reached = destinations(group, path)
                key = _push_key(probe, probe.source, views[path], reached)
                plan = found.setdefault(key, (probe, views[path], reached, []))
                plan[3].append(PushEar(group.name, path, probe.source.index))
    return tuple(
        PushPlan(key, setup, view, reached, tuple(ears))
        for key, (setup, view, reached, ears) in found.items()
    )


def _push_key(
    probe: ProbeSetup, source: EvidenceSource, view: PathView, reached: tuple[str, ...]
) -> tuple[object, ...]:
    local = source.layer is not Layer.DATAPLANE
    owner = () if local else (view.group, view.name)
    return (*_stanza_key(probe), source.layer, ViewKey.of(view), reached, *owner)


def destinations(group: GroupSetup, path: PathName) -> tuple[str, ...]:
    """What the group's data-plane probes reach through a path, the anchor left out."""
    reached = {
        address: None
        for probe in group.probes
        if probe.stream is not None
        for address in probe.addresses.get(path, ())
    }
    return tuple(reached)
