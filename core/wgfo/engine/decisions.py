"""All that the engine may ask for or announce, each with its rule, its reason and its numbers (I22)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wgfo.engine.events import Override
from wgfo.model import PathName, PathState, RouteSetId


class Rule(StrEnum):
    """Why the desired path is what it is, strongest first (semantics.md, "Selection")."""

    START = "start"
    FORCED = "forced"
    LOCKOUT = "lockout"
    SIGNAL_FAIL = "signal_fail"
    SIGNAL_DEGRADE = "signal_degrade"
    MANUAL = "manual"
    DRAIN = "drain"
    REVERT = "revert"
    SERVICE_RETURN = "service_return"
    PLANNED_FAILED = "planned_failed"
    STAY = "stay"


class AlarmName(StrEnum):
    """The names of interface.md."""

    NO_USABLE_PATH = "no_usable_path"
    REMOTE_DOWN = "remote_down"
    ISOLATED = "isolated"
    PARTIAL = "partial"
    DRIFT = "drift"
    CONTENDED = "contended"
    SHADOWED = "shadowed"
    FOREIGN_ROUTE = "foreign_route"
    ASYMMETRIC = "asymmetric"
    FLAPPING = "flapping"
    FORCED_PATH_DOWN = "forced_path_down"
    BACKGROUND_LOSS = "background_loss"
    JOURNAL = "journal"
    LEASE = "lease"
    SERVICE_DOWN = "service_down"
    CONTACT_LOST = "contact_lost"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An alternative that was not chosen, and why."""

    path: PathName
    why: str


@dataclass(frozen=True, slots=True)
class Established:
    """The desired path was found at start: no switch."""

    at_us: int
    epoch: int
    path: PathName
    found_in: str
    """``stored``, ``observed`` or ``preference``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Switch:
    """The desired path changes; the intent is stored before anything is written."""

    at_us: int
    epoch: int
    source: PathName | None
    target: PathName
    rule: Rule
    reason: str
    fault_us: int | None = None
    """When the first lost probe of the condemning run was sent, where a fault is the cause."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """Write a set: point it at the hop of ``path``. A newer epoch or attempt replaces an older one."""

    at_us: int
    set_id: RouteSetId
    path: PathName
    epoch: int
    attempt: int
    urgent: bool
    """A failover, which goes before reconcile reads in every budget."""
    owned: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Observe:
    """Read a set."""

    at_us: int
    set_id: RouteSetId
    urgent: bool
    cause: str


@dataclass(frozen=True, slots=True)
class SetConverged:
    """A set became equal to the desired path (``verified``: by reading back, after the settle time)."""

    at_us: int
    set_id: RouteSetId
    epoch: int
    path: PathName


@dataclass(frozen=True, slots=True)
class PathChanged:
    """A path's state changed."""

    at_us: int
    path: PathName
    before: PathState
    after: PathState
    rule: str
    reason: str
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlarmRaised:
    """An alarm became active, or its text changed."""

    at_us: int
    name: AlarmName
    text: str
    page: bool = False
    """Of the highest severity: wake somebody."""


@dataclass(frozen=True, slots=True)
class AlarmCleared:
    """An alarm is over."""

    at_us: int
    name: AlarmName


@dataclass(frozen=True, slots=True)
class OverrideSet:
    """A standing operator request begins."""

    at_us: int
    override: Override


@dataclass(frozen=True, slots=True)
class OverrideEnded:
    """A standing operator request is over: cleared, expired, or cancelled by a signal fail."""

    at_us: int
    override: Override
    why: str


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The answer to an operator request; not ``accepted``: refused by policy, with the reason."""

    at_us: int
    request_id: str
    accepted: bool
    text: str


Decision = (
    Established
    | Switch
    | Point
    | Observe
    | SetConverged
    | PathChanged
    | AlarmRaised
    | AlarmCleared
    | OverrideSet
    | OverrideEnded
    | RequestAnswered
)
