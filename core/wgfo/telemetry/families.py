"""The metrics that say how things are: made from the groups' reports at each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median_low
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wgfo.engine.events import OverrideKind
from wgfo.engine.report import GroupReport, Mode, PathReport, SetReport, TargetReport
from wgfo.model import ANCHOR_NAME, GroupName, PathHop, PathName, PathState, ProbeClass, ProviderName, Verdict

_PATH: Final = ("group", "path")
_CLASS: Final = ("group", "path", "class")
_US: Final = 1_000_000


def of_reports(reports: Sequence[GroupReport]) -> Iterator[Metric]:
    """Yield the families; a sample is absent while nothing is known of it."""
    yield from of_paths(reports)
    yield _active([(report.name, path) for report in reports for path in report.paths])
    yield from _groups(reports)


def of_paths(reports: Sequence[GroupReport]) -> Iterator[Metric]:
    """Yield what probes alone can say: for a one-shot check, which reads no route."""
    paths = [(report.name, path) for report in reports for path in report.paths]
    yield from _paths(paths)
    yield from _classes(paths)
    yield from _wireguard(paths)


def _gauge(name: str, text: str, labels: Sequence[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _paths(paths: Sequence[tuple[GroupName, PathReport]]) -> Iterator[Metric]:
    up = _gauge("wgfo_path_up", "Whether the path is up; degraded and unknown are not.", _PATH)
    state = _gauge("wgfo_path_state", "The state of the path: 1 for the present one.", (*_PATH, "state"))
    layer = _gauge(
        "wgfo_layer_up", "Whether the layer is up; absent while nothing is known.", (*_PATH, "layer")
    )
    for group, path in paths:
        up.add_metric([group, path.name], path.state is PathState.UP)
        for one in PathState:
            state.add_metric([group, path.name, one], path.state is one)
        for name, verdict in path.layers.items():
            if verdict in {Verdict.UP, Verdict.DOWN}:
                layer.add_metric([group, path.name, name], verdict is Verdict.UP)
    yield from (up, state, layer)


def _active(paths: Sequence[tuple[GroupName, PathReport]]) -> Metric:
    active = _gauge("wgfo_path_active", "Whether the observed routes use the path.", _PATH)
    for group, path in paths:
        active.add_metric([group, path.name], path.active)
    return active


def _classes(paths: Sequence[tuple[GroupName, PathReport]]) -> Iterator[Metric]:
    loss = _gauge("wgfo_probe_loss_ratio", "Share of probes lost over the loss window.", _CLASS)
    rtt = _gauge("wgfo_probe_rtt_seconds", "Median round-trip time over the loss window.", _CLASS)
    for group, path in paths:
        for name, targets in _by_class(path.targets):
            known = sum(one.known for one in targets)
            if known:
                loss.add_metric([group, path.name, name], sum(one.lost for one in targets) / known)
            times = [one.rtt_us for one in targets if one.rtt_us is not None]
            if times:
                rtt.add_metric([group, path.name, name], median_low(times) / _US)
    yield from (loss, rtt)


def _by_class(targets: Iterable[TargetReport]) -> Iterator[tuple[ProbeClass, Sequence[TargetReport]]]:
    """Yield each class with its targets: the anchor only where it stands in for them."""
    classes: dict[ProbeClass, list[TargetReport]] = {}
    for one in targets:
        classes.setdefault(one.probe_class, []).append(one)
    for name, members in classes.items():
        yield name, [one for one in members if one.name != ANCHOR_NAME] or members


def _wireguard(paths: Sequence[tuple[GroupName, PathReport]]) -> Iterator[Metric]:
    age = _gauge("wgfo_wireguard_handshake_age_seconds", "Time since the latest handshake changed.", _PATH)
    received = CounterMetricFamily(
        "wgfo_wireguard_received_bytes", "Bytes received from the peer.", labels=_PATH
    )
    sent = CounterMetricFamily("wgfo_wireguard_sent_bytes", "Bytes sent to the peer.", labels=_PATH)
    for group, path in paths:
        if path.handshake_age_us is not None:
            age.add_metric([group, path.name], path.handshake_age_us / _US)
        if path.received_bytes is not None:
            received.add_metric([group, path.name], path.received_bytes)
        if path.sent_bytes is not None:
            sent.add_metric([group, path.name], path.sent_bytes)
    yield from (age, received, sent)


def _groups(reports: Sequence[GroupReport]) -> Iterator[Metric]:
    unsynced = _gauge(
        "wgfo_routes_out_of_sync", "Prefixes that do not point at the desired hop.", ("group", "provider")
    )
    override = _gauge(
        "wgfo_override", "Whether an operator's request of this kind stands.", ("group", "kind")
    )
    frozen = _gauge(
        "wgfo_frozen", "Whether nothing is decided and nothing written: isolated, no lease.", ("group",)
    )
    for report in reports:
        for provider, prefixes in _out_of_sync(report).items():
            unsynced.add_metric([report.name, provider], prefixes)
        for kind in OverrideKind:
            override.add_metric([report.name, kind], any(one.kind is kind for one in report.overrides))
        frozen.add_metric([report.name], report.mode is Mode.FROZEN)
    yield from (unsynced, override, frozen)


def _out_of_sync(report: GroupReport) -> dict[ProviderName, int]:
    counts: dict[ProviderName, int] = {}
    for one in report.sets:
        counts[one.provider] = counts.get(one.provider, 0) + out_of_sync(one, report.desired)
    return counts


def out_of_sync(report: SetReport, desired: PathName | None) -> int:
    """Count the prefixes of a set that do not point at the desired hop; unread ones are counted."""
    observation = report.observation
    if report.in_sync:
        return 0
    if observation is None or desired is None:
        return report.prefixes
    right = PathHop(desired)
    if observation.majority == right:
        return max(1, len(observation.exceptions))  # residue or bad health: not in sync for all that
    return report.prefixes - sum(one.observed == right for one in observation.exceptions)
