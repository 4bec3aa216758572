"""The reference provider: what every rule of the contract asks for, on the simplest platform that has them all.

One route for a destination is ours: the one of priority 100. It is replaced in place, against the revision that
was read in the same call, so that a write which lands late cannot undo a newer one. A request that is given up
may land for ``late_write_ms``. The token is a digest of what stands.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from wgfo.model import (
    Absent,
    Changed,
    FailureKind,
    Finding,
    Foreign,
    Observed,
    PathHop,
    Prefix,
    RouteException,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    Severity,
    WriteFailure,
)
from wgfo.plugin import (
    Capabilities,
    NotFound,
    OutcomeUnknown,
    Permit,
    ProviderContext,
    ProviderError,
    Withdrawn,
)
from wgfo.testing.memory.errors import late, translated
from wgfo.testing.memory.options import MemoryOptions
from wgfo.testing.memory.platform import OURS, Entry, MemoryPlatform, PlatformError, platform_named

T = TypeVar("T")
OWNER: Final = "wgfo"
ADMINISTRATOR: Final = "administrator"
"""Who owns what was given back."""
_SHARE: Final = 0.9
"""Of the time left that one answer may take; the rest is for reporting."""
Standing = Mapping[str, Entry]
"""The route at our priority, by prefix."""


@dataclass(slots=True)
class Tally:
    """How a ``point`` went so far."""

    written: int = 0
    unchanged: int = 0
    not_attempted: int = 0
    failures: list[WriteFailure] = field(default_factory=list)
    stopped: bool = False
    """Nothing more may be sent: the permit lapsed, or what became of a write is unknown."""


class MemoryProvider:
    """Routes on a :class:`MemoryPlatform`."""

    def __init__(self, options: MemoryOptions) -> None:
        self._options = options
        self._key = options.key.get_secret_value()
        self._platform: MemoryPlatform | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the options say, and hints."""
        return Capabilities(
            parallel_writes=self._options.parallel_writes,
            visibility_ms=self._options.visibility_ms,
            late_write_ms=self._options.late_write_ms,
            watches=True,
        )

    @property
    def platform(self) -> MemoryPlatform:
        """The platform, once open."""
        assert self._platform is not None, "open() comes first"
        return self._platform

    async def open(self, context: ProviderContext) -> None:
        """Find the platform and read once.

        Raises:
            NotFound: there is no platform or table of that name.
        """
        try:
            self._platform = platform_named(self._options.platform)
        except KeyError:
            raise NotFound(
                f"there is no MemoryPlatform {self._options.platform!r} in this process: make one first"
            ) from None
        for table in {one.table for one in context.sets}:
            await self.read(table, context.permit)

    async def aclose(self) -> None:
        """Nothing is held."""
        self._platform = None

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Read every table; say which of them cannot be read."""
        found = []
        for route_set in sets:
            try:
                await self.read(route_set.table, permit)
            except ProviderError as error:
                remedy = "correct the table's name or the platform's state"
                found.append(Finding(Severity.ERROR, f"table {route_set.table}", str(error), remedy))
        return found

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield a hint for every change of a set's table."""
        with self.platform.notifications() as changes:
            while True:
                table = await changes.get()
                for route_set in sets:
                    if route_set.table == table:
                        yield Changed(route_set.id)

    # --- reading --------------------------------------------------------------------------------------------

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read each table once."""
        tables = {one.table: await self.read(one.table, permit) for one in sets}
        return {one.id: self.sum_up(one, tables[one.table]) for one in sets}

    async def read(self, table: str, permit: Permit) -> Standing:
        """Return the routes at our priority."""
        await permit.read()
        entries = await self.request(self.platform.list_routes(table, self._key), permit, table)
        return {entry.prefix: entry for entry in entries if entry.priority == OURS}

    def sum_up(self, route_set: RouteSet, standing: Standing) -> SetObservation:
        """Say what most prefixes have, and which differ."""
        found = {prefix: self.meaning(route_set, standing.get(prefix)) for prefix in route_set.prefixes}
        majority = Counter(found.values()).most_common(1)[0][0]
        return SetObservation(
            set_id=route_set.id,
            majority=majority,
            exceptions=tuple(RouteException(at, one) for at, one in found.items() if one != majority),
            token=token(route_set, standing),
            text=next((entry.hop for entry in self._of(route_set, standing)), "no route"),
        )

    @staticmethod
    def _of(route_set: RouteSet, standing: Standing) -> Iterator[Entry]:
        return (standing[prefix] for prefix in route_set.prefixes if prefix in standing)

    def meaning(self, route_set: RouteSet, entry: Entry | None) -> Observed:
        """Say which candidate a route means."""
        if entry is None:
            return Absent()
        for path, hop in route_set.hops.items():
            if hop == entry.hop:
                return PathHop(path)
        return Foreign(entry.hop, written_by_us=entry.owner == OWNER)

    # --- writing --------------------------------------------------------------------------------------------

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Read, compare with the fence, then write what differs, ``parallel_writes`` at a time."""
        route_set = change.route_set
        standing = await self.read(route_set.table, permit)
        if self.fenced(change, standing):
            text = f"table {route_set.table}: the routes are no longer what was observed; observe again"
            failure = WriteFailure(FailureKind.CONFLICT, text)
            return SetOutcome(route_set.id, 0, failures=(failure,), not_attempted=len(route_set.prefixes))
        tally = Tally()
        todo = iter(self.todo(change, standing, tally))
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.workers()):
                workers.create_task(self.work(change, todo, tally, permit))
        return SetOutcome(
            route_set.id, tally.written, tally.unchanged, tuple(tally.failures), tally.not_attempted
        )

    def workers(self) -> int:
        """Return how many destinations are written at once."""
        return self._options.parallel_writes

    def fenced(self, change: SetChange, standing: Standing) -> bool:
        """Whether the set is no longer what was observed."""
        observed = change.observed
        return observed is not None and observed.token != token(change.route_set, standing)

    def todo(self, change: SetChange, standing: Standing, tally: Tally) -> list[tuple[Prefix, Entry | None]]:
        """Return what has to be written, each with what stands there now."""
        todo: list[tuple[Prefix, Entry | None]] = []
        for prefix in change.route_set.prefixes:
            entry = standing.get(prefix)
            observed = self.meaning(change.route_set, entry)
            if self.is_done(change, prefix, observed):
                tally.unchanged += 1
            elif self.is_others(change, observed):
                text = f"table {change.route_set.table}: {prefix} has a route of others; delete or adopt it"
                tally.failures.append(WriteFailure(FailureKind.FOREIGN, text, prefix))
            else:
                todo.append((prefix, entry))
        return todo

    def is_done(self, change: SetChange, prefix: Prefix, observed: Observed) -> bool:
        """Whether a destination needs no write."""
        del prefix
        return observed == PathHop(change.path)

    def is_others(self, change: SetChange, observed: Observed) -> bool:
        """Whether a route is foreign and to be left alone."""
        taken = change.owned or change.route_set.adopt
        return isinstance(observed, Foreign) and not observed.written_by_us and not taken

    async def work(
        self, change: SetChange, todo: Iterator[tuple[Prefix, Entry | None]], tally: Tally, permit: Permit
    ) -> None:
        """Write one destination after the other, as long as anything may be sent."""
        for prefix, entry in todo:
            if tally.stopped:
                tally.not_attempted += 1
                continue
            try:
                await self.write(change, prefix, entry, permit)
            except Withdrawn:
                tally.stopped = True
                tally.not_attempted += 1
            except ProviderError as error:
                tally.stopped |= isinstance(error, OutcomeUnknown)
                failure = WriteFailure(error.kind, str(error), prefix, error.retry_after_ms)
                tally.failures.append(failure)
            else:
                tally.written += 1

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        """Replace the route of one destination, provided that it still is what was read."""
        route_set = change.route_set
        await permit.write()
        made = Entry(prefix, change.hop, OWNER)
        revision = entry.revision if entry else 0
        sent = self.platform.put_route(route_set.table, made, revision, self._key)
        await self.request(sent, permit, route_set.table, writes=True)

    async def give_back(self, route_set: RouteSet, permit: Permit) -> str:
        """Make our routes those of an administrator, in place."""
        standing = await self.read(route_set.table, permit)
        ours = [entry for entry in self._of(route_set, standing) if entry.owner == OWNER]
        for entry in ours:
            await permit.write()
            plain = Entry(entry.prefix, entry.hop, ADMINISTRATOR, entry.priority)
            sent = self.platform.put_route(route_set.table, plain, entry.revision, self._key)
            await self.request(sent, permit, route_set.table, writes=True)
        return f"{len(ours)} routes belong to {ADMINISTRATOR} now"

    # --- requests -------------------------------------------------------------------------------------------

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        """Await an answer, not beyond the deadline, and translate what goes wrong."""
        try:
            return await asyncio.wait_for(sent, self.timeout_s(permit))
        except TimeoutError:
            raise late(table, writes=writes) from None
        except PlatformError as error:
            raise translated(error, table, writes=writes) from None

    def timeout_s(self, permit: Permit) -> float:
        """Return how long an answer may take: less than the call has left."""
        return permit.remaining_ms() * _SHARE / 1000


def token(route_set: RouteSet, standing: Standing) -> str:
    """Return the fence: a digest of the revisions that stand."""
    found = ((prefix, standing.get(prefix)) for prefix in route_set.prefixes)
    revisions = (f"{prefix} {entry.revision if entry else 0}" for prefix, entry in found)
    return hashlib.sha256("\n".join(revisions).encode()).hexdigest()[:16]
