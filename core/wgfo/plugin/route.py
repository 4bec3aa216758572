"""The route provider contract: how a plugin points prefixes at a next hop.

The unit is a :class:`~wgfo.model.RouteSet`. The eleven rules that every provider keeps stand in
``docs/reference/provider-contract.md``; each is a test of ``wgfo.testing``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from wgfo.model import (
    Changed,
    Finding,
    Hop,
    PathView,
    Prefix,
    ProviderName,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)


@dataclass(frozen=True, slots=True)
class RequestRates:
    """The account's token buckets as the platform documents them, less a reserve; 0 per second: unbounded.

    Reads and writes have a bucket each, shared by every instance of the same ``RouteOffer.scope``.
    """

    writes_per_s: int = 0
    write_burst: int = 1
    reads_per_s: int = 0
    read_burst: int = 1


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider instance can do, and how much at once."""

    parallel_tables: int = 4
    """``point`` calls that may run at once on different tables; never two on one table."""
    parallel_writes: int = 1
    """Destinations that one ``point`` call may write at once."""
    visibility_ms: int = 0
    """Within this time ``observe`` returns what ``point`` reported done; 0 where reads are consistent."""
    late_write_ms: int = 0
    """A cancelled or timed-out write may still land for this long."""
    watches: bool = False
    """Whether ``watch`` yields hints."""
    ipv6: bool = True
    replaces: bool = True
    """A route is replaced in place; otherwise make before break, and two of ours may stand for a moment."""
    rates: RequestRates = RequestRates()
    """How many requests the account allows."""


class Permit(Protocol):
    """Leave to send requests, for one call: the account's budget, the deadline, the lease and the epoch.

    A provider awaits ``write()`` before *every* request that changes something and ``read()`` before every
    other one. Both raise :class:`~wgfo.plugin.errors.Withdrawn` once the permit has lapsed: stop then, and
    report the rest as not attempted.
    """

    async def write(self) -> None:
        """Wait for the budget, then return; the very next thing is the request that changes something."""

    async def read(self) -> None:
        """Wait for the budget of reads and polls."""

    def remaining_ms(self) -> int:
        """Time left until the deadline of this call; socket timeouts stay below it. Never negative."""


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider is given at ``open``."""

    instance: ProviderName
    paths: tuple[PathView, ...]
    """Every path, of the groups that have routes of this instance, as this site sees it."""
    sets: tuple[RouteSet, ...]
    permit: Permit
    """For the first reads."""
    read_only: bool = False
    """Nothing may be changed, not even helper objects of our own (``--dry-run``, ``plan``, ``doctor``)."""
    monotonic_us: Callable[[], int] = field(default=lambda: 0, repr=False)


class RouteProvider(Protocol):
    """A provider instance. Methods raise only :class:`~wgfo.plugin.errors.ProviderError` and its kinds."""

    @property
    def capabilities(self) -> Capabilities:
        """Constant after ``open``."""

    async def open(self, context: ProviderContext) -> None:
        """Import the SDK, make the client, find the credentials, read once: all paid before ready."""

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Preflight; reads only. Every finding says what to do."""

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read the sets; one that cannot be read is left out only by raising for the whole call."""

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Point one set at one hop. Idempotent; one destination failing does not stop the others."""

    def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield hints that a set changed. Only called where ``capabilities.watches``."""

    async def aclose(self) -> None:
        """Release sockets, threads and helper objects of our own; routes stay as they are."""


@runtime_checkable
class GivesBack(Protocol):
    """A provider that marks its routes (a protocol number, an owner) may have this as well, for ``release``."""

    async def give_back(self, route_set: RouteSet, permit: Permit) -> str:
        """Take our mark off a set's routes, in place: they stay, as anybody's.

        Return in a few words what became of them. Called once nothing is written to the table any more; like
        ``point`` it asks the permit before every request and raises only ``ProviderError`` and its kinds. Routes
        without our mark stay as they are.
        """


@dataclass(frozen=True, slots=True)
class RouteOffer:
    """A kind of route provider.

    The parsers are pure, import no SDK, and raise ``ValueError`` with a sentence that says what is accepted.
    """

    kind: str
    options_model: type[BaseModel]
    """The keys of ``[provider.NAME]`` (``extra="forbid"``), less the core's own: kind, deadline, parallel."""
    parse_table: Callable[[str, BaseModel], TableName]
    parse_hop: Callable[[str, BaseModel], Hop]
    open: Callable[[BaseModel], RouteProvider]
    """Make an instance; nothing is imported, opened or read before ``RouteProvider.open``."""
    scope: Callable[[BaseModel], str]
    """The account, project or namespace: budgets are shared within it, and a (scope, table, destination) is
    owned by one group."""
    parse_destination: Callable[[str, BaseModel], Prefix] | None = None
    """None: IPv4 and IPv6 networks only, parsed by the core."""
    route_keys: frozenset[str] = frozenset()
    """Options that a ``[[group.route]]`` may override."""
    permissions: Callable[[Sequence[RouteSet], BaseModel], str] | None = None
    """The least-privilege policy for these sets, as text in the platform's own format."""
