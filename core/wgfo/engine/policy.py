"""What the operator asked for, in the engine's terms: integers, microseconds, names.

A policy is made once from the configuration and never changes while it is used; a reload makes a new one.
The words are those of semantics.md, the defaults those of interface.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wgfo.model import GroupName, Layer, PathName, ProbeClass, ProviderName, RouteSetId, TableName

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US

HANDSHAKE_EXPIRED_US: Final = 180 * SECOND_US
"""REJECT_AFTER_TIME of WireGuard: a key older than this carries no data (whitepaper, section 6.1)."""
STALL_INTERVALS: Final = 5
"""No closed round for so many intervals: the state is unknown, and that is an alarm."""
CONTENDED_WINDOW_US: Final = 5 * MINUTE_US
CONTENDED_REWRITES: Final = 3


class Act(StrEnum):
    """What a probe's verdict may do: decide on its own, or only support what others found."""

    ALONE = "alone"
    CORROBORATE = "corroborate"


class Drift(StrEnum):
    """What happens to a change made by others: written back, or only reported."""

    REPAIR = "repair"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class LossRule:
    """When a path is degraded by loss.

    At ``percent`` lost over ``window_us``, ``margin`` points worse than the standby, held for ``confirm_us``.
    """

    percent: int = 20
    window_us: int = 20 * SECOND_US
    margin: int = 10
    confirm_us: int = 10 * SECOND_US


@dataclass(frozen=True, slots=True)
class RecoverRule:
    """Good enough to be returned to by choice: at most ``percent`` lost over ``window_us``."""

    percent: int = 2
    window_us: int = 100 * SECOND_US


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """The median over ``window_us`` above ``median_us`` warns; with ``act`` it degrades the path."""

    median_us: int | None = None
    window_us: int = 20 * SECOND_US
    act: bool = False


@dataclass(frozen=True, slots=True)
class DampingRule:
    """Penalty against flapping, in the terms of RFC 2439, and a bound on voluntary moves."""

    half_life_us: int = 15 * MINUTE_US
    suppress: int = 2000
    reuse: int = 750
    max_moves: int = 6
    max_moves_window_us: int = 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """One probe stanza as this site runs it: the same targets on every path, one round per interval."""

    index: int
    """Position of the stanza in the group, and the stream's identity in events."""
    kind: str
    probe_class: ProbeClass
    interval_us: int
    timeout_us: int
    targets: tuple[str, ...]
    """Identities of the targets, the same on every path; empty where the anchor stands in alone."""
    fall: int = 3
    base: bool = False
    """Of the base class, to which the blackout rule applies; its rounds carry the anchor, where they can."""
    act: Act = Act.ALONE
    anchored: bool = True
    """Its rounds can carry the anchor; False where its kind reaches no bare address."""


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """A probe that pushes verdicts about a layer of a path: link events, alerts, queries, observers."""

    index: int
    """Identity in events; sources come after the streams."""
    kind: str
    layer: Layer
    act: Act = Act.CORROBORATE
    interval_us: int = SECOND_US
    """Where it leads (``GroupPolicy.leading``): up for so long counts as a clean round."""


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """A path as this site sees it."""

    name: PathName
    visible: bool = True
    """False where this site has no view of it: unknown here, never down."""
    anchor: bool = True
    """It has a ``peer`` that is probed with every base round."""
    layers: frozenset[Layer] = frozenset({Layer.DATAPLANE})
    """The layers that have a probe; the others are ``not_probed``."""


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """A route set, as far as the engine must know it."""

    id: RouteSetId
    provider: ProviderName
    table: TableName
    prefixes: int = 1
    adopt: bool = False
    settle_us: int = 0
    """Good reads must last this long; 0 where the platform's reads are consistent."""
    deadline_us: int = 20 * SECOND_US
    """One write, polling included; when it has passed without an outcome, the outcome is unknown."""
    late_write_us: int = 0
    """A write that timed out may still land for so long: no other write meanwhile."""


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """A probe that follows the real route and never judges a path."""

    index: int
    kind: str
    targets: tuple[str, ...]
    interval_us: int = SECOND_US
    fall: int = 3


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """Everything that decides for one group."""

    name: GroupName
    paths: tuple[PathPolicy, ...]
    """In order of preference: the first is the primary."""
    streams: tuple[StreamPolicy, ...] = ()
    sources: tuple[EvidenceSource, ...] = ()
    sets: tuple[SetPolicy, ...] = ()
    services: tuple[ServicePolicy, ...] = ()
    rise: int = 10
    class_fall: int = 5
    loss: LossRule = field(default_factory=LossRule)
    recover: RecoverRule = field(default_factory=RecoverRule)
    latency: LatencyRule = field(default_factory=LatencyRule)
    damping: DampingRule = field(default_factory=DampingRule)
    revertive: bool = True
    wait_to_restore_us: int = 5 * MINUTE_US
    hold_off_us: int = 0
    drift: Drift = Drift.REPAIR
    reconcile_us: int = 30 * SECOND_US
    has_reference: bool = False
    """A reference is configured: only then can isolation be told."""
    reference_fall: int = 2
    """Reference rounds without any answer that mean isolation."""
    base_streams: tuple[StreamPolicy, ...] = field(init=False, compare=False, repr=False)
    """The streams to which the blackout rule applies."""
    class_streams: tuple[StreamPolicy, ...] = field(init=False, compare=False, repr=False)
    """The streams of the other classes, which can degrade a path."""
    leading: tuple[EvidenceSource, ...] = field(init=False, compare=False, repr=False)
    """Sources of the data plane that decide because no round does; none where there are base streams."""
    link_places: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """Where among the sources those of the interface layer stand."""
    alone_places: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """Where those of the data plane stand that may decide on their own."""

    def __post_init__(self) -> None:
        alone = tuple(stream for stream in self.streams if stream.act is Act.ALONE)
        base = tuple(stream for stream in alone if stream.base)
        object.__setattr__(self, "base_streams", base)
        object.__setattr__(self, "class_streams", tuple(stream for stream in alone if not stream.base))
        deciding = tuple(place for place, one in enumerate(self.sources) if _decides(one))
        object.__setattr__(self, "leading", () if base else tuple(self.sources[place] for place in deciding))
        object.__setattr__(self, "alone_places", deciding)
        links = tuple(place for place, one in enumerate(self.sources) if one.layer is Layer.INTERFACE)
        object.__setattr__(self, "link_places", links)

    @property
    def vouch_us(self) -> int:
        """How long a leading source must say up for a clean round, and for proof: the slowest one's interval."""
        return max((source.interval_us for source in self.leading), default=SECOND_US)

    @property
    def preferred(self) -> PathName:
        """The primary."""
        return self.paths[0].name

    def path(self, name: PathName) -> PathPolicy | None:
        """Return the path of that name, if it is one of the group."""
        return next((path for path in self.paths if path.name == name), None)

    def rank(self, name: PathName) -> int:
        """Return the path's place in the order of preference, 0 for the primary."""
        return next(rank for rank, path in enumerate(self.paths) if path.name == name)


def _decides(source: EvidenceSource) -> bool:
    return source.layer is Layer.DATAPLANE and source.act is Act.ALONE
