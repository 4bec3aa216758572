"""A platform in memory: tables of routes behind an API that is slow, late, stale, throttled or broken on demand.

It is a cloud in small. A request is received, takes its time and is answered; whoever gives up waiting does not
stop it. Every route has a revision, and a write may name the one which it expects. Errors are the platform's
own, and their texts hold what real ones do: codes and credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")
OURS: Final = 100
"""Priority of the one route for a destination that wgfo writes; the lowest number carries."""
DORMANT: Final = 900
BLACKHOLE: Final = "blackhole"
"""A hop that drops everything."""


class Code(StrEnum):
    """What the platform answers when it does not do it."""

    THROTTLED = "RequestLimitExceeded"
    DENIED = "UnauthorizedOperation"
    NO_TABLE = "NoSuchTable"
    CHANGED = "PreconditionFailed"
    INVALID = "InvalidRoute"
    INTERNAL = "InternalError"
    RESET = "ConnectionReset"
    FAILED = "OperationFailed"


class PlatformError(Exception):
    """An error as an SDK raises it."""

    def __init__(self, code: Code, text: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True, slots=True)
class Entry:
    """One route."""

    prefix: str
    hop: str
    owner: str
    priority: int = OURS
    revision: int = 0


@dataclass(slots=True)
class Faults:
    """What is wrong with the platform now."""

    latency_ms: int = 0
    """How long every request takes."""
    lag_ms: int = 0
    """How old is what reads show."""
    writes: PlatformError | None = None
    """Answer to every write."""
    reads: PlatformError | None = None
    """Answer to every read."""
    refused: set[str] = field(default_factory=set)
    """Prefixes whose writes are refused."""
    failing: set[str] = field(default_factory=set)
    """Prefixes whose writes are accepted and then fail."""
    stall_write: bool = False
    """The next write waits for ``release``."""
    stall_reads: bool = False
    lose_answer: bool = False
    """The next write is carried out, its answer is lost."""
    race: Callable[[], None] | None = None
    """Happens right before the next write."""


Routes = dict[tuple[str, int], Entry]
"""By prefix and priority."""


class Observer:
    """Sees what the platform receives and what changes; this one looks away."""

    def handling(self, *, write: bool, table: str, prefix: str) -> contextlib.AbstractContextManager[None]:
        """Return what is entered for as long as a request is handled."""
        del write, table, prefix
        return contextlib.nullcontext()

    def changed(self, table: str, entries: Sequence[Entry]) -> None:
        """Hear what stands in a table after a change."""


class MemoryPlatform:
    """Tables, and the API to them.

    Args:
        name: found by this name for as long as somebody holds the platform.
        tables: their names.
        observer: sees requests and changes.
    """

    def __init__(self, name: str, *tables: str, observer: Observer | None = None) -> None:
        self.name = name
        self.faults = Faults()
        self._tables: dict[str, _Table] = {table: _Table() for table in tables}
        self._observer = observer or Observer()
        self._revision = 0
        self._stalled: list[asyncio.Future[bool]] = []
        self._requests: set[asyncio.Task[Any]] = set()
        self._listeners: set[asyncio.Queue[str]] = set()
        _platforms[name] = self

    # --- the API, as an SDK offers it -----------------------------------------------------------------------

    async def list_routes(self, table: str, key: str) -> list[Entry]:
        """Return the routes of a table, all priorities."""
        return await self._handled(self._list(table, key))

    async def put_route(self, table: str, entry: Entry, expected: int | None, key: str) -> None:
        """Write a route; ``expected`` is the revision to replace (0: there is none), None: whatever stands."""
        await self._handled(self._write(table, entry, expected, key, delete=False))

    async def delete_route(self, table: str, entry: Entry, expected: int | None, key: str) -> None:
        """Delete the route of that prefix and priority."""
        await self._handled(self._write(table, entry, expected, key, delete=True))

    @contextlib.contextmanager
    def notifications(self) -> Iterator[asyncio.Queue[str]]:
        """Have the name of every table that changes put into a queue."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def _handled(self, handling: Coroutine[Any, Any, T]) -> T:
        """Handle a request on the platform's side: a client that goes away does not end it."""
        task = asyncio.get_running_loop().create_task(handling)
        self._requests.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait({task})
        return task.result()

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._requests.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to hear it

    # --- the platform's side --------------------------------------------------------------------------------

    async def _list(self, table: str, key: str) -> list[Entry]:
        with self._observer.handling(write=False, table=table, prefix=""):
            lag_s = self.faults.lag_ms / 1000
            await self._latency()
            if self.faults.stall_reads:
                await self._stall()
            if self.faults.reads is not None:
                raise self.faults.reads
            return list(self._table(table, key).at(time.monotonic() - lag_s).values())

    async def _write(self, table: str, entry: Entry, expected: int | None, key: str, *, delete: bool) -> None:
        faults = self.faults
        with self._observer.handling(write=True, table=table, prefix=entry.prefix):
            await self._latency()
            if faults.stall_write:
                faults.stall_write = False
                await self._stall()
            self._refuse(entry.prefix, key, delete=delete)
            race, faults.race = faults.race, None
            if race is not None:
                race()
            self._table(table, key).expect(entry, expected)
            if entry.prefix in faults.failing:
                raise PlatformError(Code.FAILED, f"operation on {entry.prefix} failed")
            self.change(table, entry, delete=delete)
            if faults.lose_answer:
                faults.lose_answer = False
                raise PlatformError(Code.RESET, f"connection reset by peer ({key})")

    def _refuse(self, prefix: str, key: str, *, delete: bool) -> None:
        if self.faults.writes is not None:
            raise self.faults.writes
        if prefix in self.faults.refused and not delete:
            raise PlatformError(Code.INVALID, f"{prefix} is not accepted (signed with {key})")

    async def _latency(self) -> None:
        await asyncio.sleep(self.faults.latency_ms / 1000)

    async def _stall(self) -> None:
        released: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._stalled.append(released)
        if not await released:
            raise PlatformError(Code.RESET, "dropped")

    def _table(self, name: str, key: str) -> _Table:
        if name not in self._tables:
            raise PlatformError(Code.NO_TABLE, f"no table {name} for {key}")
        return self._tables[name]

    # --- from outside ---------------------------------------------------------------------------------------

    def entries(self, table: str) -> list[Entry]:
        """Return what stands now."""
        return list(self._tables[table].now.values())

    def change(self, table: str, entry: Entry, *, delete: bool = False) -> None:
        """Change a route at once."""
        self._revision += 1
        held = self._tables[table]
        held.change(None if delete else replace(entry, revision=self._revision), entry)
        self._observer.changed(table, list(held.now.values()))
        for queue in self._listeners:
            queue.put_nowait(table)

    def remove_table(self, table: str) -> None:
        """Delete a table with all its routes."""
        del self._tables[table]

    async def release(self, *, land: bool = True) -> None:
        """Carry out (or drop) what is stalled and return when all requests are over."""
        stalled, self._stalled = self._stalled, []
        for released in stalled:
            released.set_result(land)
        while self._requests:
            await asyncio.wait(set(self._requests))


class _Table:
    """The routes of one table, and what they were."""

    def __init__(self) -> None:
        self.now: Routes = {}
        self._past: list[tuple[float, Routes]] = [(0.0, {})]

    def at(self, instant: float) -> Routes:
        """Return the routes as they were at an instant."""
        return next(routes for since, routes in reversed(self._past) if since <= instant)

    def expect(self, entry: Entry, expected: int | None) -> None:
        standing = self.now.get((entry.prefix, entry.priority))
        if expected is not None and expected != (standing.revision if standing else 0):
            raise PlatformError(Code.CHANGED, f"{entry.prefix} is not at revision {expected}")

    def change(self, entry: Entry | None, place: Entry) -> None:
        key = (place.prefix, place.priority)
        self.now = {at: one for at, one in self.now.items() if at != key}
        if entry is not None:
            self.now[key] = entry
        self._past = [*self._past[-_REMEMBERED:], (time.monotonic(), self.now)]


_REMEMBERED: Final = 100
_platforms: Final[WeakValueDictionary[str, MemoryPlatform]] = WeakValueDictionary()


def platform_named(name: str) -> MemoryPlatform:
    """Return a platform of this process; raises ``KeyError``."""
    return _platforms[name]
