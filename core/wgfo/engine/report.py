"""What a group looks like to a person: the engine's state in the words of interface.md, as frozen values.

``report()`` of :mod:`wgfo.engine.engine` makes it; status, metrics, explain and the page read it. Nothing is
decided from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wgfo.engine.decisions import AlarmName, Rejected, Rule
from wgfo.engine.events import Override
from wgfo.model import (
    GroupName,
    Layer,
    PathName,
    PathState,
    ProbeClass,
    ProviderName,
    RouteSetId,
    SetObservation,
    TableName,
    Verdict,
)


class GroupState(StrEnum):
    """The group's state, worst first."""

    ISOLATED = "isolated"
    NO_USABLE_PATH = "no_usable_path"
    STARTING = "starting"
    PARTIAL = "partial"
    REMOTE_DOWN = "remote_down"
    PAUSED = "paused"
    FOLLOWING_LOST = "following_lost"
    ON_STANDBY = "on_standby"
    DEGRADED = "degraded"
    OK = "ok"


class Mode(StrEnum):
    """Who decides."""

    AUTO = "auto"
    FORCED = "forced"
    MANUAL = "manual"
    PAUSED = "paused"
    FOLLOWING = "following"
    FROZEN = "frozen"


class TargetVerdict(StrEnum):
    """A target as one path sees it."""

    UP = "up"
    DOWN = "down"
    MASKED = "masked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target of one class through one path; the anchor is called ``peer``."""

    name: str
    probe_class: ProbeClass
    state: TargetVerdict
    lost: int
    known: int
    """Probes lost of those whose end is known, over the loss window."""
    rtt_us: int | None


@dataclass(frozen=True, slots=True)
class PathReport:
    """One path."""

    name: PathName
    state: PathState
    active: bool
    reason: str
    since_us: int
    layers: Mapping[Layer, Verdict]
    classes: Mapping[ProbeClass, Verdict]
    targets: tuple[TargetReport, ...]
    lost: int
    known: int
    rtt_us: int | None
    """Median of the base class over the loss window."""
    handshake_age_us: int | None
    handshake_churn: bool
    received_bytes: int | None
    sent_bytes: int | None
    usable: bool
    """May be escaped to now."""
    restorable: bool
    """May be returned to by choice, wait-to-restore aside."""
    clean_rounds: int
    layer_reasons: Mapping[Layer, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetReport:
    """One route set."""

    id: RouteSetId
    provider: ProviderName
    table: TableName
    prefixes: int
    phase: str
    in_sync: bool
    observation: SetObservation | None
    observed_us: int | None
    error: str | None
    attempt: int
    next_try_us: int | None


@dataclass(frozen=True, slots=True)
class AlarmReport:
    """An active alarm."""

    name: AlarmName
    since_us: int
    text: str
    page: bool


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One group."""

    name: GroupName
    state: GroupState
    mode: Mode
    active: PathName | None
    """What the observed routes say; None where they disagree or nothing was read."""
    desired: PathName | None
    epoch: int
    converged: bool
    rule: Rule
    reason: str
    rejected: tuple[Rejected, ...]
    paths: tuple[PathReport, ...]
    sets: tuple[SetReport, ...]
    alarms: tuple[AlarmReport, ...]
    overrides: tuple[Override, ...]
    restore_due_us: int | None
    """When wait-to-restore ends if all stays well; None while it does not run, or an operator's wish holds."""
    damped_until_us: int | None
    hold_off_until_us: int | None
    penalty: int
