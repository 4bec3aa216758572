"""What happens in a simulated world, and when: frozen values, times in microseconds from its beginning.

A scenario file and the campaign both come down to a :class:`Plan`; nothing here knows how it is played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.model import PathName, ProbeClass, ProviderName, TableName

FOREVER_US: Final = 1 << 62
REFERENCE: Final = PathName("(reference)")
"""The pseudo path of probes to the local reference hosts."""


class FaultKind(StrEnum):
    """What goes wrong between here and the hosts behind the far gateway."""

    CUT = "cut"
    """Nothing passes, in either direction."""
    LOSS = "loss"
    """``percent`` of all packets are lost, independently."""
    CLASS = "class"
    """Packets of some classes are lost (MTU holes, a filter that stops TCP)."""
    TARGETS = "targets"
    """Some targets do not answer through the path."""
    ANCHOR = "anchor"
    """The far gateway's own address does not answer; the targets do."""
    NOT_FORWARDING = "not_forwarding"
    """The far gateway answers and forwards nothing."""
    REMOTE_DARK = "remote_dark"
    """Every target is dead through every path, the far gateways answer."""
    ISOLATED = "isolated"
    """This controller reaches nothing, the reference included."""
    REFERENCE = "reference"
    """Only the reference hosts are dead."""
    ONE_WAY_OUT = "one_way_out"
    """What is sent is lost; what would come back is not."""
    ONE_WAY_IN = "one_way_in"
    """What is sent arrives, its answers are lost."""
    LATENCY = "latency"
    """Round trips take ``by`` longer."""
    LINK_DOWN = "link_down"
    """The interface goes away, is set down or loses its carrier; the kernel says so."""
    DATA_DEAD = "data_dead"
    """Handshakes pass, data does not (packets of type 4 above a keepalive's size)."""
    KEY_MISMATCH = "key_mismatch"
    """The far side does not know our key any more: no data and no handshake."""
    UNPROBED = "unprobed"
    """No probe of the data plane can run through the path, and nothing else is sent through it."""
    RP_FILTER = "rp_filter"
    """Strict reverse-path filtering drops the answers: probes through the path prove nothing."""
    SERVICE = "service"
    """The workload's own packets die on the path; probes pass."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, through some paths, for a while."""

    kind: FaultKind
    start_us: int
    end_us: int
    paths: tuple[PathName, ...]
    percent: int = 100
    targets: tuple[str, ...] | None = None
    """None: all of them."""
    classes: tuple[ProbeClass, ...] | None = None
    """None: all of them."""
    by_us: int = 0
    code: str = "no_carrier"
    """For ``link_down``: what the kernel says."""

    def holds(self, at_us: int) -> bool:
        """Whether the fault is there at a moment."""
        return self.start_us <= at_us < self.end_us


class TroubleKind(StrEnum):
    """How a provider's platform misbehaves."""

    UNREACHABLE = "unreachable"
    """Requests get no answer and fail after ``by``."""
    THROTTLED = "throttled"
    """429, with ``retry_after``."""
    DENIED = "denied"
    """403 for every write."""
    NOT_FOUND = "not_found"
    """404: the table is gone."""
    ERROR = "error"
    """500 for writes, at once."""
    CONFLICT = "conflict"
    """Writes fail because the route is no longer what was observed."""
    PARTIAL = "partial"
    """Only every second destination of a write succeeds."""
    SLOW = "slow"
    """Requests take ``by`` longer."""
    LATE = "late"
    """Writes are not answered, and land ``by`` after they were sent."""
    VANISHED = "vanished"
    """Writes are answered well and never happen."""
    STALE = "stale"
    """Reads show the table as it was ``by`` ago."""
    REGRESSING = "regressing"
    """Reads show the table as it is, or as it was ``by`` ago, by chance."""
    BLACKHOLE = "blackhole"
    """The platform says that the routes lead nowhere."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A platform's misbehaviour, on some tables, for a while."""

    kind: TroubleKind
    start_us: int
    end_us: int
    provider: ProviderName | None = None
    """None: every one."""
    tables: tuple[TableName, ...] | None = None
    by_us: int = 0
    retry_after_us: int = 0
    percent: int = 100
    """How many of the requests it hits."""

    def hits(self, provider: ProviderName, table: TableName, at_us: int) -> bool:
        """Whether a request at a moment may be hit."""
        if not self.start_us <= at_us < self.end_us or self.provider not in (None, provider):
            return False
        return self.tables is None or table in self.tables


class Content(StrEnum):
    """What may stand in a table besides a path's hop."""

    FOREIGN = "foreign"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Somebody else writes tables."""

    at_us: int
    to: PathName | Content
    provider: ProviderName | None = None
    tables: tuple[TableName, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """An operator's request."""

    at_us: int
    kind: RequestKind
    path: PathName | None = None
    for_us: int | None = None
    reason: str = ""
    clear_kind: OverrideKind | None = None


class MishapKind(StrEnum):
    """What happens to the daemon's process or its machine."""

    KILL = "kill"
    """It dies on the spot, and is started again ``after``."""
    RESTART = "restart"
    """It is stopped in order, and started again ``after``."""
    STALL = "stall"
    """It does not run for ``after`` (SIGSTOP, a hung disk under its pages, a starved machine)."""
    SLEEP = "sleep"
    """The machine is suspended for ``after``."""
    WALL_STEP = "wall_step"
    """Somebody sets the wall clock, ``by`` forth or back."""
    DISK = "disk"
    """The disk is full, read-only or hung for ``after``."""


class DiskState(StrEnum):
    """What the disk under the state directory does."""

    GOOD = "good"
    FULL = "full"
    READ_ONLY = "read_only"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One mishap: at a moment, or as soon as something was done so often."""

    kind: MishapKind
    at_us: int = 0
    after_us: int = 0
    by_us: int = 0
    disk: DiskState = DiskState.FULL
    writes: int | None = None
    """Not before so many routes were written since ``at_us``."""
    step: int | None = None
    """Right after this step of the engine, before its decisions are carried out."""


@dataclass(frozen=True, slots=True)
class LeasePlan:
    """A lease store, and a rival that takes the lease as soon as it is free, then writes every table."""

    ttl_us: int
    rival: PathName | None = None
    """Where the rival points the tables; None: there is no rival."""


@dataclass(frozen=True, slots=True)
class Platform:
    """How a provider's platform works while nothing is wrong."""

    read_us: int = 60_000
    write_us: int = 120_000
    visibility_us: int = 0
    late_write_us: int = 0
    parallel_tables: int = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """A world's whole life."""

    duration_us: int
    faults: tuple[Fault, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    asks: tuple[Ask, ...] = ()
    mishaps: tuple[Mishap, ...] = ()
    lease: LeasePlan | None = None
    platforms: Mapping[ProviderName, Platform] = field(default_factory=dict)
    begin: PathName | Content = Content.ABSENT
    """What stands in every table at the beginning."""
    rtt_us: int = 3_000
