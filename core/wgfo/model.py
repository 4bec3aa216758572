"""Frozen values that cross borders between the engine, the plugins and the daemon.

Only the standard library is imported here: everyone may import this module, it imports nobody.
Times are integers in microseconds on the monotonic clock (``*_us``) unless a name says otherwise.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType

GroupName = NewType("GroupName", str)
PathName = NewType("PathName", str)
ProviderName = NewType("ProviderName", str)
"""The name of a provider *instance* in the configuration (``[provider.NAME]``)."""
TableName = NewType("TableName", str)
"""A table in its provider's canonical spelling, as ``RouteOffer.parse_table`` returned it."""
Prefix = NewType("Prefix", str)
"""A destination in its provider's canonical spelling: a network, or what the platform takes in its place."""
Hop = NewType("Hop", str)
"""A next hop in its provider's canonical spelling, as ``RouteOffer.parse_hop`` returned it."""
ProbeClass = NewType("ProbeClass", str)
"""A kind of packet that must pass; the standard ones are named below."""
RouteSetId = NewType("RouteSetId", str)
"""``provider/table/group``, unique in a process; the slashes inside a name are kept."""

SMALL: Final = ProbeClass("small")
LARGE: Final = ProbeClass("large")
TCP: Final = ProbeClass("tcp")
HTTP: Final = ProbeClass("http")

ANCHOR_NAME: Final = "peer"
"""The name under which status shows the anchor among the targets."""


class PathState(StrEnum):
    """What wgfo believes of a path (semantics.md, "path state")."""

    UNKNOWN = "unknown"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


class Layer(StrEnum):
    """What a probe proves, from the weakest to the authority."""

    INTERFACE = "interface"
    HANDSHAKE = "handshake"
    DATAPLANE = "dataplane"


class Verdict(StrEnum):
    """What one layer, class or target says of itself."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    NOT_PROBED = "not_probed"


class Health(StrEnum):
    """What the platform says of routes that are in place."""

    OK = "ok"
    BLACKHOLE = "blackhole"
    PENDING = "pending"


def canonical_prefix(text: str) -> Prefix:
    """Return ``text`` as a canonical IPv4 or IPv6 network.

    Raises:
        ValueError: it is no network, or it has host bits set; the text names the canonical network.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 network such as 10.20.0.0/16") from None
    address = ipaddress.ip_interface(text)
    if address.ip != network.network_address:
        raise ValueError(f"{text!r} has host bits set; the network is {network}")
    return Prefix(str(network))


class PrefixSet:
    """An immutable, sorted set of destinations with a digest; compared and hashed by the digest alone.

    A switch hands the same object from the configuration to the provider: nothing is allocated per prefix.
    """

    __slots__ = ("_prefixes", "digest")

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._prefixes: tuple[Prefix, ...] = tuple(sorted(set(prefixes)))
        self.digest: str = hashlib.sha256("\n".join(self._prefixes).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._prefixes)

    def __iter__(self) -> Iterator[Prefix]:
        return iter(self._prefixes)

    def __contains__(self, prefix: object) -> bool:
        from bisect import bisect_left  # noqa: PLC0415 - rarely called; keeps the import list short

        index = bisect_left(self._prefixes, str(prefix))
        return index < len(self._prefixes) and self._prefixes[index] == prefix

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrefixSet) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"PrefixSet({len(self)} prefixes, {self.digest})"


# --- how a path is seen from here -------------------------------------------------------------------------


class BindKind(StrEnum):
    """How probes are made to leave through a path."""

    DEVICE = "device"
    MARK = "mark"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Bind:
    """``device`` binds to the path's interface, ``mark`` sets a firewall mark, ``address`` trusts the target."""

    kind: BindKind
    mark: int = 0

    def __str__(self) -> str:
        return f"mark:{self.mark}" if self.kind is BindKind.MARK else str(self.kind)


@dataclass(frozen=True, slots=True)
class PathView:
    """One path of one group as this site sees it."""

    group: GroupName
    name: PathName
    interface: str | None = None
    peer: str | None = None
    """The anchor: the far gateway's own tunnel address."""
    bind: Bind = Bind(BindKind.ADDRESS)
    public_key: str | None = None
    """Overrides the choice of the WireGuard peer by the allowed-ips that cover the anchor."""
    targets: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name of a target to its address through this path."""
    visible: bool = True
    """False where this site has no view of the path: it is ``unknown`` here, never ``down``."""


# --- routes: what is wanted -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RouteSet:
    """The unit of route failover: one group's prefixes in one table, and the candidate hop of each path."""

    id: RouteSetId
    group: GroupName
    provider: ProviderName
    table: TableName
    prefixes: PrefixSet
    hops: Mapping[PathName, Hop] = field(hash=False)
    """The candidate next hop of every path, in order of preference."""
    adopt: bool = False
    """Take over foreign routes."""
    options: object = field(default=None, hash=False, compare=False)
    """The provider's own validated options: those of the instance with this route's overrides."""

    @staticmethod
    def make_id(provider: ProviderName, table: TableName, group: GroupName) -> RouteSetId:
        """Return the id of a group's set in a table of a provider."""
        return RouteSetId(f"{provider}/{table}/{group}")


@dataclass(frozen=True, slots=True)
class SetChange:
    """Point every prefix of ``route_set`` at the hop of ``path``; what is in place already is no write."""

    route_set: RouteSet
    path: PathName
    epoch: int
    observed: SetObservation | None = None
    """The last observation; its token is the fence."""
    owned: bool = False
    """The set was seen in sync or written by us before: a change by others is drift, not a foreign route."""

    @property
    def hop(self) -> Hop:
        """The next hop to point at."""
        return self.route_set.hops[self.path]


# --- routes: what is there --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PathHop:
    """The route points at a candidate hop: the one of ``path``."""

    path: PathName


@dataclass(frozen=True, slots=True)
class Foreign:
    """The route points at none of the candidates; ``text`` is the platform's word for the hop."""

    text: str
    written_by_us: bool = False
    """The platform shows that we wrote it (a protocol number, a name prefix): not foreign, but drift."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no route for the prefix."""


Observed = PathHop | Foreign | Absent


@dataclass(frozen=True, slots=True)
class RouteException:
    """One prefix that differs from the majority of its set."""

    prefix: Prefix
    observed: Observed
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SetObservation:
    """What a provider read of one route set. Sparse: the majority, and the prefixes that differ."""

    set_id: RouteSetId
    majority: Observed
    exceptions: tuple[RouteException, ...] = ()
    residue: tuple[str, ...] = ()
    """Things of ours to be cleaned up, in the platform's words: half-finished writes, leftover routes."""
    health: Health = Health.OK
    shadows: tuple[str, ...] = ()
    """Routes of others that win over ours (a longer prefix, a better priority), in the platform's words."""
    token: str | None = None
    """Opaque fence: an etag, a revision, a digest of what was read."""
    text: str = ""
    """The majority's next hop in the platform's words, for people."""

    def in_sync_with(self, path: PathName) -> bool:
        """Whether every prefix points at the hop of ``path``, healthy and without residue."""
        return (
            self.majority == PathHop(path)
            and not self.exceptions
            and not self.residue
            and self.health is Health.OK
        )


class FailureKind(StrEnum):
    """How a provider's request ended badly; decides what may be done next."""

    TRANSIENT = "transient"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    UNSUPPORTED = "unsupported"
    CONFLICT = "conflict"
    FOREIGN = "foreign"
    UNKNOWN = "outcome_unknown"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """Why one prefix (or, with ``prefix`` None, the whole set) was not written."""

    kind: FailureKind
    text: str
    prefix: Prefix | None = None
    retry_after_ms: int | None = None
    busy: bool = False
    """``retry_after_ms`` is about this table alone (something else is being done with it): the account goes on."""


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """How one ``point`` ended: how many prefixes were written, how many stood already, and the failures."""

    set_id: RouteSetId
    written: int
    unchanged: int = 0
    failures: tuple[WriteFailure, ...] = ()
    not_attempted: int = 0

    @property
    def ok(self) -> bool:
        """Whether every prefix of the set points at the desired hop, as far as the provider knows."""
        return not self.failures and not self.not_attempted


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a preflight: what was found, and what to do about it."""

    severity: Severity
    subject: str
    text: str
    remedy: str = ""


# --- evidence ---------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """How one probe ended."""

    OK = "ok"
    LOST = "lost"
    """No valid reply in time, or a reply that says no (prohibited, refused, a wrong status)."""
    UNKNOWN = "unknown"
    """Nothing can be said: it was sent late, the clock stood still, or this host refused to send."""
    TOO_BIG = "too_big"
    """This host's own answer was EMSGSIZE: a finding, not a loss."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe of one target.

    ``sent_us`` is when it really left, on the monotonic clock. ``rtt_us`` is set for ``OK`` alone.
    """

    outcome: Outcome
    sent_us: int
    rtt_us: int = 0
    reason: str = ""
    """For ``LOST`` and ``UNKNOWN``: a short constant phrase such as ``prohibited`` or ``no route``."""


@dataclass(frozen=True, slots=True)
class FlowTally:
    """What became of the latest probes of one flow: from one source port to one target."""

    target: str
    source_port: int
    sent: int
    lost: int
    lost_running: int
    """Lost one after the other up to now."""


@dataclass(frozen=True, slots=True)
class FlowReport:
    """What a probe that varies its flows knows of a path's losses beyond each round's results.

    Evidence for people: nothing is decided from it.
    """

    kind: str
    window_us: int
    """How far back it looks."""
    sent: int
    """Probes whose end is known."""
    lost: int
    lost_forward: int
    """Of those: on the way to the far side."""
    lost_return: int
    """Of those: on the way back. What is left is not known, or not yet."""
    flows: tuple[FlowTally, ...]
    text: str
    """The same in words; empty while nothing is lost."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What an evidence or event probe says of one layer of one path (link events, alerts, queries)."""

    layer: Layer
    verdict: Verdict
    reason: str
    code: str = ""
    """A stable word for the reason, such as ``missing``, ``admin_down``, ``no_carrier``, ``rp_filter``."""
    discredits: bool = False
    """While ``unknown``: data-plane probes through this path prove nothing either (strict rp_filter)."""


@dataclass(frozen=True, slots=True)
class HandshakeReport:
    """What WireGuard says of the peer behind a path, just read."""

    stamp: int
    """Time of the latest handshake exactly as WireGuard tells it, in nanoseconds of its wall clock: 0 is never.
    Only its *changes* count; a one-shot check, which sees none, shows its age as evidence."""
    received_bytes: int
    sent_bytes: int
    error: str = ""
    """Why nothing could be read (no such peer, not permitted); the other fields are then 0."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A hint that routes of this set may have changed: a reason to observe, never truth."""

    set_id: RouteSetId
