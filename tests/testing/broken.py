"""Providers that break one rule each, and otherwise are the memory provider. The docstring tells the flaw.

Some look at the platform's knobs, which no real provider can: a flaw that shows everywhere would break the
tests of other rules too, and prove nothing about them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from wgfo.model import (
    Absent,
    Changed,
    Finding,
    Foreign,
    Observed,
    PathHop,
    PathName,
    Prefix,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
)
from wgfo.plugin import Capabilities, Denied, OutcomeUnknown, Permit, ProviderError, Transient
from wgfo.testing.memory.platform import BLACKHOLE, DORMANT, OURS, Code, Entry, PlatformError
from wgfo.testing.memory.provider import OWNER, MemoryProvider, Standing, Tally

T = TypeVar("T")
Todo = Iterator[tuple[Prefix, Entry | None]]


class Broken(MemoryProvider):
    """What the flaws are made with."""

    async def put(self, table: str, entry: Entry, expected: int | None, permit: Permit) -> None:
        sent = self.platform.put_route(table, entry, expected, self._key)
        await self.request(sent, permit, table, writes=True)

    async def delete(self, table: str, entry: Entry, expected: int | None, permit: Permit) -> None:
        sent = self.platform.delete_route(table, entry, expected, self._key)
        await self.request(sent, permit, table, writes=True)


# --- the shape --------------------------------------------------------------------------------------------


class LeavesASetOut(Broken):
    """observe() answers for one set alone."""

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        return dict(list((await super().observe(sets, permit)).items())[:1])


class NeverHints(Broken):
    """Promises hints and yields none."""

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        await asyncio.Event().wait()
        yield Changed(sets[0].id)


# --- rule 1 -----------------------------------------------------------------------------------------------


class WritesWhatStands(Broken):
    """Writes every destination, also what is in place."""

    def todo(self, change: SetChange, standing: Standing, tally: Tally) -> list[tuple[Prefix, Entry | None]]:
        made = super().todo(change, standing, tally)
        again = [
            (one, standing[one]) for one in change.route_set.prefixes if self.stands(change, standing, one)
        ]
        tally.unchanged -= len(again)
        return [*made, *again]

    @staticmethod
    def stands(change: SetChange, standing: Standing, prefix: Prefix) -> bool:
        return prefix in standing and standing[prefix].hop == change.hop


# --- rule 2 -----------------------------------------------------------------------------------------------


class DeletesFirst(Broken):
    """Deletes a route, then writes the new one."""

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        table = change.route_set.table
        if entry is not None:
            await permit.write()
            await self.delete(table, entry, entry.revision, permit)
        await permit.write()
        await self.put(table, Entry(prefix, change.hop, OWNER), 0, permit)


class BlackholesFirst(Broken):
    """Closes a destination, then opens it to the new hop."""

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        table = change.route_set.table
        await permit.write()
        await self.put(table, Entry(prefix, BLACKHOLE, OWNER), entry.revision if entry else 0, permit)
        await permit.write()
        await self.put(table, Entry(prefix, change.hop, OWNER), None, permit)


class TakesRoutesAlong(Broken):
    """Deletes what it was to give back."""

    async def give_back(self, route_set: RouteSet, permit: Permit) -> str:
        for entry in (await self.read(route_set.table, permit)).values():
            await permit.write()
            await self.delete(route_set.table, entry, entry.revision, permit)
        return "gone"


class DeletesWhenClosed(Broken):
    """Takes its routes away with it."""

    async def aclose(self) -> None:
        for table, held in self.platform._tables.items():
            for entry in held.now.copy().values():
                self.platform.change(table, entry, delete=True)
        await super().aclose()


# --- rule 3 -----------------------------------------------------------------------------------------------


class TidiesUp(Broken):
    """Deletes routes of destinations that nobody configured."""

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        outcome = await super().point(change, permit)
        for entry in self.platform.entries(change.route_set.table):
            if entry.prefix not in change.route_set.prefixes and entry.owner != OWNER:
                await permit.write()
                await self.delete(change.route_set.table, entry, None, permit)
        return outcome


class OverwritesForeign(Broken):
    """Knows no foreign routes."""

    def is_others(self, change: SetChange, observed: Observed) -> bool:
        return False


class NeverAdopts(Broken):
    """Leaves foreign routes alone though they are adopted."""

    def is_others(self, change: SetChange, observed: Observed) -> bool:
        return isinstance(observed, Foreign) and not change.owned


class NeverRepairs(Broken):
    """Takes drift for a foreign route."""

    def is_others(self, change: SetChange, observed: Observed) -> bool:
        return isinstance(observed, Foreign) and not change.route_set.adopt


class HidesForeign(Broken):
    """Tells of a foreign route as if there were none."""

    def sum_up(self, route_set: RouteSet, standing: Standing) -> SetObservation:
        seen = super().sum_up(route_set, standing)
        told = tuple(
            replace(one, observed=Absent()) if isinstance(one.observed, Foreign) else one
            for one in seen.exceptions
        )
        return replace(seen, exceptions=told)


class KnowsOnlyItsOwn(Broken):
    """Takes a candidate that somebody else chose for a foreign hop."""

    def sum_up(self, route_set: RouteSet, standing: Standing) -> SetObservation:
        seen = super().sum_up(route_set, standing)
        told = tuple(
            replace(one, observed=Foreign("?")) if isinstance(one.observed, PathHop) else one
            for one in seen.exceptions
        )
        return replace(seen, exceptions=told)


class ChecksByWriting(Broken):
    """Finds out whether it may write by writing."""

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        await permit.write()
        await self.put(sets[0].table, Entry("203.0.113.0/24", "gateway-1", OWNER, DORMANT), None, permit)
        return await super().check(sets, permit)


# --- rule 4 -----------------------------------------------------------------------------------------------


class StopsAtTheFirstFailure(Broken):
    """One failure ends the call."""

    async def work(self, change: SetChange, todo: Todo, tally: Tally, permit: Permit) -> None:
        foreign = len(tally.failures)
        for prefix, entry in todo:
            if len(tally.failures) > foreign:
                tally.not_attempted += 1
            else:
                await super().work(change, iter([(prefix, entry)]), tally, permit)


class OneTableAtATime(Broken):
    """Promises parallel tables and refuses the second."""

    _busy = 0

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        if self._busy:
            raise Transient("busy with another table")
        self._busy += 1
        try:
            return await super().point(change, permit)
        finally:
            self._busy -= 1


class MoreAtOnceThanDeclared(Broken):
    """Declares one write at a time and sends three while the platform is slow."""

    def workers(self) -> int:
        return 3 if self.platform.faults.latency_ms else 1


# --- rule 5 -----------------------------------------------------------------------------------------------


class IgnoresTheToken(Broken):
    """Never looks at what was observed."""

    def fenced(self, change: SetChange, standing: Standing) -> bool:
        return False


class FencedForGood(Broken):
    """Compares with the first token that it ever gave."""

    _first: str | None = None

    def sum_up(self, route_set: RouteSet, standing: Standing) -> SetObservation:
        seen = super().sum_up(route_set, standing)
        self._first = self._first or seen.token
        return seen

    def fenced(self, change: SetChange, standing: Standing) -> bool:
        now = super().sum_up(change.route_set, standing).token
        return change.observed is not None and now != self._first


class WithoutPrecondition(Broken):
    """Writes whatever stands, though the platform could tell."""

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        await permit.write()
        await self.put(change.route_set.table, Entry(prefix, change.hop, OWNER), None, permit)


# --- rule 6 -----------------------------------------------------------------------------------------------


class RunsOutOfPlaces(Broken):
    """Has ten names for the route of a destination; later it reports done and writes nothing."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._used: Counter[Prefix] = Counter()

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        if self._used[prefix] < 10:
            await super().write(change, prefix, entry, permit)
            self._used[prefix] += 1


class BelievesWhatWasAccepted(Broken):
    """Takes an accepted operation for a finished one."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        try:
            return await super().request(sent, permit, table, writes=writes)
        except Transient as error:
            if "accepted" in str(error):
                return None
            raise


class UnderstatesVisibility(Broken):
    """Declares reads to be nearly consistent."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, visibility_ms=1)


# --- rule 7 -----------------------------------------------------------------------------------------------


class NoPermit:
    """Lets everything out."""

    def __init__(self, permit: Permit) -> None:
        self.remaining_ms = permit.remaining_ms

    async def write(self) -> None:
        await asyncio.sleep(0)

    async def read(self) -> None:
        await asyncio.sleep(0)


class WritesWithoutPermit(Broken):
    """Asks for no leave to write."""

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        await super().write(change, prefix, entry, NoPermit(permit))


class ReadsWithoutPermit(Broken):
    """Asks for no leave to read."""

    async def read(self, table: str, permit: Permit) -> Standing:
        return await super().read(table, NoPermit(permit))


class CollectsPermits(Broken):
    """Asks for leave to write everything, then writes."""

    async def work(self, change: SetChange, todo: Todo, tally: Tally, permit: Permit) -> None:
        wanted = list(todo)
        try:
            for _ in wanted:
                await permit.write()
        except ProviderError:
            tally.not_attempted += len(wanted)
            return
        await super().work(change, iter(wanted), tally, NoPermit(permit))


class CallsWithdrawnAFailure(Broken):
    """Reports what it was not allowed to attempt as a failure."""

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        outcome = await super().point(change, permit)
        if not outcome.not_attempted or outcome.failures:
            return outcome
        raise Transient("interrupted")


class Retries(Broken):
    """Tries once more, with a new permit."""

    retries_writes = True

    async def once_more(self, first: Coroutine[Any, Any, T], again: Any, writes: bool) -> T:
        try:
            return await first
        except ProviderError:
            faults = self.platform.faults
            if (faults.writes if self.retries_writes else faults.reads) and writes is self.retries_writes:
                return await again()
            raise

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        def attempt() -> Coroutine[Any, Any, None]:
            return MemoryProvider.write(self, change, prefix, entry, permit)

        await self.once_more(attempt(), attempt, writes=True)

    async def read(self, table: str, permit: Permit) -> Standing:
        def attempt() -> Coroutine[Any, Any, Standing]:
            return MemoryProvider.read(self, table, permit)

        return await self.once_more(attempt(), attempt, writes=False)


class RetriesReads(Retries):
    """Reads once more, with a new permit."""

    retries_writes = False


# --- rule 8 -----------------------------------------------------------------------------------------------


class DeniesLateWrites(Broken):
    """Declares that nothing lands late, and does not wait for it either."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, late_write_ms=0)


class GoesOnWhenCancelled(Broken):
    """Works in a task that the cancellation does not reach."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._tasks: set[asyncio.Task[SetOutcome]] = set()

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        task = asyncio.create_task(super().point(change, permit))
        self._tasks.add(task)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
            await asyncio.wait({task})


class CallsUnknownTransient(Broken):
    """Says of a write that may have landed that it failed."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        try:
            return await super().request(sent, permit, table, writes=writes)
        except OutcomeUnknown as error:
            raise Transient(str(error)) from None


class GoesOnAfterUnknown(Broken):
    """Writes the next destination while nobody knows about the last."""

    async def work(self, change: SetChange, todo: Todo, tally: Tally, permit: Permit) -> None:
        for prefix, entry in todo:
            await super().work(change, iter([(prefix, entry)]), tally, permit)
            tally.stopped = False

    def timeout_s(self, permit: Permit) -> float:
        return super().timeout_s(permit) / 5


class BelievesItsOwnMemory(Broken):
    """Remembers after an unknown outcome what it last saw in place, and looks no more."""

    _doubt = False
    _sure: PathName | None = None

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        if self._sure == change.path:
            return SetOutcome(change.route_set.id, 0, len(change.route_set.prefixes))
        outcome = await super().point(change, permit)
        self._doubt |= not outcome.ok
        self._sure = change.path if self._doubt and outcome.ok else None
        return outcome

    async def write(self, change: SetChange, prefix: Prefix, entry: Entry | None, permit: Permit) -> None:
        if not self.platform.faults.stall_write:
            await super().write(change, prefix, entry, permit)
            return
        await permit.write()
        await self.put(change.route_set.table, Entry(prefix, change.hop, OWNER), None, permit)


class DeletesTheOperatorsRoute(Broken):
    """Takes every route over a candidate hop for its own."""

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        outcome = await super().point(change, permit)
        for entry in self.platform.entries(change.route_set.table):
            if entry.prefix in change.route_set.prefixes and entry.priority != OURS:
                await permit.write()
                await self.delete(change.route_set.table, entry, None, permit)
        return outcome


# --- rule 9 -----------------------------------------------------------------------------------------------


class BlocksTheLoop(Broken):
    """Waits for a slow platform on the event loop."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        if self.platform.faults.latency_ms:
            time.sleep(0.15)  # noqa: ASYNC251 - the flaw
        return await super().request(sent, permit, table, writes=writes)


class UsesTheDefaultExecutor(Broken):
    """Blocks in everybody's threads."""

    async def read(self, table: str, permit: Permit) -> Standing:
        await asyncio.to_thread(time.sleep, 0)
        return await super().read(table, permit)


class LeavesThreads(Broken):
    """Has an executor of its own and never shuts it down."""

    _kept: ClassVar[list[ThreadPoolExecutor]] = []

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._executor = ThreadPoolExecutor(1)
        self._kept.append(self._executor)

    async def read(self, table: str, permit: Permit) -> Standing:
        await asyncio.get_running_loop().run_in_executor(self._executor, time.sleep, 0)
        return await super().read(table, permit)


class IgnoresTheDeadline(Broken):
    """Has a timeout of its own."""

    def timeout_s(self, permit: Permit) -> float:
        return 0.8


# --- rule 10 ----------------------------------------------------------------------------------------------


class LetsTheSdkSpeak(Broken):
    """Passes the SDK's exceptions on."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        async def watched() -> T:
            try:
                return await sent
            except PlatformError as error:
                if error.code in {Code.DENIED, Code.NO_TABLE}:
                    raise RuntimeError("from the SDK") from None
                raise

        return await super().request(watched(), permit, table, writes=writes)


class CallsThrottlingDenied(Broken):
    """Knows one kind of 403."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        try:
            return await super().request(sent, permit, table, writes=writes)
        except Transient as error:
            if error.retry_after_ms:
                raise Denied(str(error)) from None
            raise


class ForgetsRetryAfter(Broken):
    """Says that it was throttled, and not for how long."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        try:
            return await super().request(sent, permit, table, writes=writes)
        except Transient as error:
            raise Transient(str(error)) from None


class ShowsTheKey(Broken):
    """Quotes the platform, which quotes the key."""

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        try:
            return await super().request(sent, permit, table, writes=writes)
        except Denied as error:
            raise Denied(f"{error} (key {self._key})") from None
