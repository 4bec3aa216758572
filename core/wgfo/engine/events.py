"""All that can happen to a group.

Every event bears ``at_us``: when it *entered* the engine, assigned once, never decreasing. Times inside the
evidence (``sent_us`` of a probe) are its own and may be older. An event of a group that does not know the
path, stream or set it names is refused with :class:`~wgfo.engine.engine.RefusedEvent`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from wgfo.model import (
    HandshakeReport,
    LayerReport,
    PathName,
    ProbeResult,
    RouteSetId,
    SetObservation,
    SetOutcome,
)


class RequestKind(StrEnum):
    """What an operator may ask for."""

    SWITCH = "switch"
    FORCE = "force"
    LOCKOUT = "lockout"
    DRAIN = "drain"
    CLEAR = "clear"
    PAUSE = "pause"
    RESUME = "resume"
    ADOPT = "adopt"
    RELEASE = "release"


class OverrideKind(StrEnum):
    """An operator request that stays until it is cleared or expires."""

    FORCED = "forced"
    MANUAL = "manual"
    LOCKOUT = "lockout"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Override:
    """A standing operator request."""

    kind: OverrideKind
    path: PathName | None
    reason: str
    by: str
    since: str
    """RFC 3339, for people; decides nothing."""
    expires_us: int | None = None
    """In the session's time base; None: until cleared."""
    expires: str | None = None
    """RFC 3339, for people and for the reading after a reboot."""


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """What survives a restart: the intent and what it rests on. All times relative or for people."""

    desired: PathName | None = None
    epoch: int = 0
    overrides: tuple[Override, ...] = ()
    owned: tuple[RouteSetId, ...] = ()
    """Sets that were once seen in sync or written by us: later changes are drift, not foreign routes."""
    restore_done_us: int = 0
    """How much of the wait-to-restore had passed."""
    penalty: int = 0
    suppressed: bool = False
    service_latched: bool = False
    released: bool = False


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A new time base: the daemon (re)started, or its configuration changed. The first event of a group."""

    at_us: int
    stored: StoredGroup = field(default_factory=StoredGroup)
    downtime_us: int = 0
    """How long nobody watched; the wait-to-restore resumes less this."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come: the time that ``next_deadline_us`` named, or later."""

    at_us: int


@dataclass(frozen=True, slots=True)
class RoundClosed:
    """A probe round through one path has ended: every probe answered or timed out."""

    at_us: int
    path: PathName
    stream: int
    round: int
    """Counts the stanza's intervals; the same number on every path is the same moment, save the stagger."""
    results: tuple[ProbeResult, ...]
    """One per target, in the stream's order."""
    anchor: ProbeResult | None = None
    """With rounds of the base class of a path that has an anchor."""


@dataclass(frozen=True, slots=True)
class LayerReported:
    """A source said something of a layer: a link event, an alert, the answer to a query."""

    at_us: int
    path: PathName
    source: int
    report: LayerReport


@dataclass(frozen=True, slots=True)
class HandshakeRead:
    """WireGuard's own figures for a path's peer were read."""

    at_us: int
    path: PathName
    source: int
    report: HandshakeReport


@dataclass(frozen=True, slots=True)
class ReferenceClosed:
    """A round to the reference hosts has ended. ``alive``: at least one answered; None: nothing can be said."""

    at_us: int
    alive: bool | None
    first_lost_us: int = 0


@dataclass(frozen=True, slots=True)
class ServiceClosed:
    """A round of a service probe has ended."""

    at_us: int
    service: int
    alive: bool | None
    sent_us: int = 0


@dataclass(frozen=True, slots=True)
class SetObserved:
    """A route set was read."""

    at_us: int
    observation: SetObservation


@dataclass(frozen=True, slots=True)
class ObserveFailed:
    """A route set could not be read."""

    at_us: int
    set_id: RouteSetId
    text: str
    permanent: bool = False
    retry_after_us: int | None = None


@dataclass(frozen=True, slots=True)
class SetChanged:
    """A hint that the set changed: observe it now."""

    at_us: int
    set_id: RouteSetId


@dataclass(frozen=True, slots=True)
class WriteEnded:
    """A write that the engine asked for has ended, or its outcome is unknown (``outcome`` None)."""

    at_us: int
    set_id: RouteSetId
    epoch: int
    attempt: int
    outcome: SetOutcome | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """An operator asks for something; answered by exactly one ``RequestAnswered``."""

    at_us: int
    request_id: str
    kind: RequestKind
    path: PathName | None = None
    reason: str = ""
    by: str = ""
    since: str = ""
    expires_us: int | None = None
    expires: str | None = None
    clear_kind: OverrideKind | None = None


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """The state store or the journal works (again), or does not: voluntary moves wait, escapes do not."""

    at_us: int
    healthy: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """The right to write was won or lost."""

    at_us: int
    held: bool
    term: int = 0
    text: str = ""


Event = (
    SessionStarted
    | Tick
    | RoundClosed
    | LayerReported
    | HandshakeRead
    | ReferenceClosed
    | ServiceClosed
    | SetObserved
    | ObserveFailed
    | SetChanged
    | WriteEnded
    | OperatorRequest
    | StoreChanged
    | LeaseChanged
)
