"""The metrics of ``/metrics`` and of the textfile. Their labels come from the configuration and from enums."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from wgfo.engine.decisions import Decision, Switch
from wgfo.engine.events import Event, RoundClosed, SetObserved
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, Outcome, PathName, ProbeClass
from wgfo.telemetry.families import of_paths, of_reports
from wgfo.telemetry.feed import Audience
from wgfo.telemetry.switches import SwitchRecord
from wgfo.telemetry.webhook import WebhookCounts

PHASE_BOUNDS: Final = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
REQUEST_BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_US: Final = 1_000_000

Labels = tuple[str, ...]


@dataclass(slots=True)
class _Histogram:
    """Counts per bucket; the last is above all bounds."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value; a bound belongs to its own bucket."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """Yield the buckets as Prometheus wants them."""
        running = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            yield bound, running


@dataclass(frozen=True, slots=True)
class Exposition:
    """All metrics in one format."""

    body: bytes
    content_type: str


class Metrics:
    """Counts what happens, as a listener, and makes the exposition.

    Args:
        version: of wgfo.
        reports: every group as it is now.
        wall_us: the wall clock, for timestamps.
        policies: the groups, by name; :meth:`configure` replaces them after a reload.
    """

    def __init__(
        self,
        version: str,
        reports: Callable[[], Sequence[GroupReport]],
        wall_us: Callable[[], int],
        policies: Mapping[GroupName, GroupPolicy],
    ) -> None:
        self._version = version
        self._reports = reports
        self._wall_us = wall_us
        self._classes: dict[tuple[GroupName, int], ProbeClass] = {}
        self._results: dict[tuple[GroupName, PathName, int, Outcome], int] = {}
        self._switches: dict[Labels, int] = {}
        self._phases: dict[Labels, _Histogram] = {}
        self._measured: dict[GroupName, SwitchRecord] = {}
        self._requests: dict[Labels, int] = {}
        self._request_times: dict[Labels, _Histogram] = {}
        self._notifications: dict[Labels, int] = {}
        self.audience = Audience()
        """Who follows the event stream."""
        self._reconciled_us: int | None = None
        self._reload_ok = True
        self.webhook = WebhookCounts()
        self.configure(policies)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    # --- what happens ---------------------------------------------------------------------------------------

    def configure(self, policies: Mapping[GroupName, GroupPolicy]) -> None:
        """Go on with other groups; the counts of groups that are gone go too."""
        self._classes = {
            (name, stream.index): stream.probe_class
            for name, policy in policies.items()
            for stream in policy.streams
        }
        self._results = {key: count for key, count in self._results.items() if key[:3:2] in self._classes}
        self._switches = {key: count for key, count in self._switches.items() if key[0] in policies}
        self._phases = {key: phase for key, phase in self._phases.items() if key[0] in policies}

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Count one step."""
        if isinstance(event, RoundClosed):
            self._count_round(group, event)
        elif isinstance(event, SetObserved):
            self._reconciled_us = self._wall_us()
        for decision in decisions:
            if isinstance(decision, Switch):
                key = (group, decision.source or "", decision.target, decision.rule)
                self._switches[key] = self._switches.get(key, 0) + 1

    def _count_round(self, group: GroupName, event: RoundClosed) -> None:
        for result in event.results or ((event.anchor,) if event.anchor else ()):
            key = (group, event.path, event.stream, result.outcome)
            self._results[key] = self._results.get(key, 0) + 1

    def switch_changed(self, record: SwitchRecord) -> None:
        """Measure the phases that are new in a record; the observer of a ``SwitchLog``."""
        before = self._measured.get(record.group)
        if before is None or (before.epoch, before.at) != (record.epoch, record.at):
            before = None
        self._measured[record.group] = record
        old = phases(before) if before else {}
        for phase, took_us in phases(record).items():
            if took_us is not None and old.get(phase) is None:
                self._histogram(self._phases, (record.group, phase), PHASE_BOUNDS).add(took_us / _US)

    def requested(self, provider: str, operation: str, result: str, took_us: int) -> None:
        """Count one request to a provider."""
        key = (provider, operation, result)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._histogram(self._request_times, (provider, operation), REQUEST_BOUNDS).add(took_us / _US)

    def notified(self, kind: str, result: str) -> None:
        """Count what became of a notification."""
        self._notifications[kind, result] = self._notifications.get((kind, result), 0) + 1

    def reloaded(self, *, successful: bool) -> None:
        """Note how the last reading of the configuration ended."""
        self._reload_ok = successful

    @staticmethod
    def _histogram(held: dict[Labels, _Histogram], key: Labels, bounds: tuple[float, ...]) -> _Histogram:
        return held.setdefault(key, _Histogram(bounds))

    # --- what is shown --------------------------------------------------------------------------------------

    def exposition(self) -> bytes:
        """Return the text format."""
        return generate_latest(self._registry)

    def negotiated(self, accept: str) -> Exposition:
        """Return OpenMetrics where an ``Accept`` header asks for it, else the text format."""
        encode, content_type = choose_encoder(accept)
        return Exposition(encode(self._registry), content_type)

    def collect(self) -> Iterable[Metric]:
        """Yield every family, in a fixed order."""
        build = GaugeMetricFamily("wgfo_build_info", "What runs.", labels=("version",))
        build.add_metric([self._version], 1)
        yield build
        yield from of_reports(self._reports())
        yield self._probe_results()
        yield _counter(
            "wgfo_switches", "Changes of the desired path.", ("group", "from", "to", "rule"), self._switches
        )
        yield _histograms(
            "wgfo_switch_phase_seconds",
            "How long the phases of switches took.",
            ("group", "phase"),
            self._phases,
        )
        yield _counter(
            "wgfo_provider_requests",
            "Calls to route providers.",
            ("provider", "operation", "result"),
            self._requests,
        )
        yield _histograms(
            "wgfo_provider_request_seconds",
            "How long calls to route providers took.",
            ("provider", "operation"),
            self._request_times,
        )
        yield from self.webhook.families()
        yield _counter(
            "wgfo_notifications",
            "Messages of [[notify]] by what became of them.",
            ("kind", "result"),
            self._notifications,
        )
        yield from self._watching()
        yield from self._times()

    def _probe_results(self) -> Metric:
        counts: dict[Labels, int] = {}
        for (group, path, stream, outcome), count in self._results.items():
            key = (group, path, self._classes.get((group, stream), ProbeClass("other")), outcome)
            counts[key] = counts.get(key, 0) + count
        labels = ("group", "path", "class", "result")
        return _counter("wgfo_probe_results", "Probes by how they ended.", labels, counts)

    def _watching(self) -> Iterator[Metric]:
        clients = GaugeMetricFamily("wgfo_event_clients", "Clients of the event stream.", labels=())
        clients.add_metric([], self.audience.clients)
        cut_off = CounterMetricFamily(
            "wgfo_event_clients_cut_off", "Clients of the event stream that did not read.", labels=()
        )
        cut_off.add_metric([], self.audience.cut_off)
        yield from (clients, cut_off)

    def _times(self) -> Iterator[Metric]:
        reconciled = GaugeMetricFamily(
            "wgfo_last_reconcile_timestamp_seconds", "When routes were last read back, since 1970.", labels=()
        )
        if self._reconciled_us is not None:
            reconciled.add_metric([], self._reconciled_us / _US)
        reloaded = GaugeMetricFamily(
            "wgfo_config_last_reload_successful",
            "Whether the configuration was last read in full.",
            labels=(),
        )
        reloaded.add_metric([], self._reload_ok)
        yield from (reconciled, reloaded)


class PathMetrics:
    """The metrics of a one-shot check: what its probes found and when, and nothing that was counted.

    The time tells a check's file from a daemon's, and how old it is; ``wall_s`` counts from 1970.
    """

    def __init__(self, reports: Sequence[GroupReport], wall_s: float) -> None:
        self._reports = reports
        self._wall_s = wall_s

    def collect(self) -> Iterable[Metric]:
        """Yield the families of paths, and the time."""
        yield from of_paths(self._reports)
        checked = GaugeMetricFamily(
            "wgfo_check_timestamp_seconds", "When the check was made, since 1970.", labels=()
        )
        checked.add_metric([], self._wall_s)
        yield checked

    def exposition(self) -> bytes:
        """Return the text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)


def phases(record: SwitchRecord) -> Mapping[str, int | None]:
    """Return the phases under the names of the metric."""
    return {
        "detect": record.detect_us,
        "write": record.write_us,
        "verify": record.verified_us,
        "first_packet": record.first_packet_us,
    }


def _counter(name: str, text: str, labels: Sequence[str], counts: Mapping[Labels, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, count in counts.items():
        family.add_metric(list(key), count)
    return family


def _histograms(name: str, text: str, labels: Sequence[str], held: Mapping[Labels, _Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, histogram in held.items():
        family.add_metric(list(key), list(histogram.cumulative()), histogram.total)
    return family
