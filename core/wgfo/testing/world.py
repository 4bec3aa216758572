"""What a provider's author tells the suite: the platform, seen and touched by its own means.

A world stands for one platform (a namespace, an HTTP stand-in, memory) that is fresh for every test. The suite
talks to the provider through the contract, and to the platform only through the world: the observer is never
the code under test. Everything that takes a table, a prefix or a hop gets the *canonical* spelling, as the
offer's parsers returned it; everything that returns one gives it back in that spelling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from wgfo.model import Hop, Prefix, TableName
from wgfo.plugin import RouteOffer
from wgfo.testing.requests import RequestLog


class Can(StrEnum):
    """What a world can show or bring about beyond what every world must.

    A test that needs what a world does not declare is skipped with that reason. What is declared and does not
    work fails. Except for the first two, ``ProviderWorld.inject`` brings it about, until ``heal``.
    """

    TIMELINE = "timeline"
    """``moments`` tells what stood after every single change of a table."""
    REQUESTS = "requests"
    """``log`` is told of every request when the platform receives it."""
    DORMANT = "dormant"
    """Somebody else's route for ``spot.prefix`` over ``spot.hop`` that carries nothing (a worse priority)."""
    REFUSE = "refuse"
    """Every route for ``spot.prefix`` is refused for a reason of its own: a limit, an invalid value. Deleting one
    is not."""
    FAIL_LATER = "fail_later"
    """Every write of ``spot.prefix`` is accepted; then its operation fails and nothing has changed."""
    SLOW = "slow"
    """Every request is answered after ``slow_ms``. A write lands at the end of that time, also when the client
    has gone away meanwhile. Where the platform answers at once and works on, its operation takes that long."""
    STALL = "stall"
    """The next write is received and neither carried out nor answered; ``release`` carries it out, as late as
    that may be. With ``spot.writes`` false: every read is received and never answered."""
    LOSE_ANSWER = "lose_answer"
    """The next write is carried out, and the connection breaks before its answer."""
    STALE = "stale"
    """Reads show what stood a moment ago, for less than the provider's ``visibility_ms``."""
    THROTTLE = "throttle"
    """Every request of ``spot.writes`` is refused as one too many, with ``retry_after_ms`` if that is set."""
    DENY = "deny"
    """Every request of ``spot.writes`` is refused for want of rights."""
    GONE = "gone"
    """``spot.table`` is there no more."""
    BREAK = "break"
    """Every request of ``spot.writes`` ends as nobody foresaw: a server error, garbage, a reset."""
    RACE = "race"
    """Right before the next write is carried out, somebody else changes the route of ``spot.prefix`` as ``put``
    without a hop does. Only for platforms that can tell by the write's own precondition."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table that exists on the platform, empty but for what the platform itself keeps in it.

    Spelled as an operator writes it in a configuration.
    """

    table: str
    hops: Mapping[str, str]
    """The next hop of every path, at least two, that is good in this table."""


@dataclass(frozen=True, slots=True)
class StandingRoute:
    """One route as the platform holds it now."""

    prefix: str
    hop: str
    """Canonical where it is a candidate's; otherwise whatever the platform calls it."""
    detail: str = ""
    """Everything else by which a change would show: name, priority, protocol. Compared as text."""
    carries: bool = True
    """Whether traffic takes it: False while another route for the prefix wins."""
    blackhole: bool = False
    """Whether traffic that takes it is dropped."""


Moment = tuple[StandingRoute, ...]
"""All routes of a table at one instant."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is to happen."""

    table: TableName
    prefix: Prefix
    hop: Hop
    """The candidate of the first path."""
    writes: bool = True
    """Whether it happens to requests that change something, or to those that read."""


class ProviderWorld(ABC):
    """One platform and how to reach it; made anew for every test by the fixture ``world``."""

    plugin: ClassVar[str]
    """The module that the plugin's entry point names."""
    sdks: ClassVar[Sequence[str]]
    """Top-level modules that the provider may import in ``open`` and not before; empty if it needs none."""
    offer: RouteOffer
    options: Mapping[str, object]
    """The keys of ``[provider.NAME]``, as in a configuration file."""
    tables: Sequence[TableSpec]
    """Two at least."""
    prefixes: Sequence[str]
    """Four at least, none inside another, of which the platform holds no route yet."""
    unrelated: str
    """One more that no set of the suite configures."""

    can: frozenset[Can] = frozenset()
    secrets: Sequence[str] = ()
    """Texts that stand in the options or the credentials and must never be shown; random ones."""
    retry_after_ms: int | None = None
    """What the platform says under ``Can.THROTTLE``."""
    slow_ms: int = 400
    deadline_ms: int = 2_000
    """Of the calls that must end by themselves because the platform does not answer."""
    patience_ms: int = 10_000
    """No call and no wait of the suite takes longer."""

    def __init__(self) -> None:
        self.log = RequestLog()
        self._moments: dict[str, list[Moment]] = defaultdict(list)

    @abstractmethod
    async def routes(self, table: TableName) -> Sequence[StandingRoute]:
        """Tell what stands in a table now, by the platform's own truth: never stale."""

    @abstractmethod
    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        """Write a route as somebody else would, in place of the one that carries the prefix now.

        ``hop`` None is a next hop which is no candidate of any path, chosen by the world.
        """

    @abstractmethod
    async def drop(self, table: TableName, prefix: Prefix) -> None:
        """Delete the routes for a prefix as somebody else would."""

    async def inject(self, what: Can, spot: Spot) -> None:
        """Bring about ``what``, until :meth:`heal`."""
        raise NotImplementedError(f"{type(self).__name__} declares Can.{what.name}: inject() must do it")

    async def release(self) -> None:
        """Let what ``Can.STALL`` holds go on and land; return when it has."""
        raise NotImplementedError(f"{type(self).__name__} declares Can.STALL: release() must end it")

    async def heal(self) -> None:  # noqa: B027 - a world that injects nothing has nothing to heal
        """End everything that was injected; stalled requests are dropped."""

    # --- the timeline ---------------------------------------------------------------------------------------

    def changed(self, table: TableName, routes: Iterable[StandingRoute]) -> None:
        """Remember what stands after a change; a stand-in calls this at every one (``Can.TIMELINE``)."""
        self._moments[table].append(tuple(routes))

    async def moments(self, table: TableName) -> Sequence[Moment]:
        """Return what stood after every change of a table since the world was made, oldest first."""
        return tuple(self._moments[table])
