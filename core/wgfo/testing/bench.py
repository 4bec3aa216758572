"""The test bench: a provider instance on a world, called as the daemon calls it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import pytest
from pydantic import BaseModel

from wgfo.model import (
    Finding,
    GroupName,
    PathName,
    PathView,
    Prefix,
    PrefixSet,
    ProviderName,
    RouteSet,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
    WriteFailure,
    canonical_prefix,
)
from wgfo.plugin import ProviderContext, ProviderError, RouteProvider, WgfoError
from wgfo.testing.loopwatch import provider_code
from wgfo.testing.permit import RecordingPermit, WithdrawAfter
from wgfo.testing.world import Can, Moment, ProviderWorld, Spot, StandingRoute

T = TypeVar("T")
GROUP: Final = GroupName("conformance")
INSTANCE: Final = ProviderName("tested")
_POLL_S: Final = 0.02
_CLOSE_S: Final = 10.0


class Bench:
    """What the tests of a rule work with; the fixture ``bench``."""

    def __init__(self, world: ProviderWorld) -> None:
        self.world = world
        self.offer = world.offer
        self.options: BaseModel = world.offer.options_model.model_validate(dict(world.options))
        self.prefixes = tuple(self._prefix(text) for text in world.prefixes)
        self.unrelated = self._prefix(world.unrelated)
        self.tables = tuple(self.offer.parse_table(spec.table, self.options) for spec in world.tables)
        self.paths = tuple(PathName(name) for name in world.tables[0].hops)
        self.texts: list[str] = []
        """Everything that the provider said: errors, failures, findings, observations."""
        self._permits: list[RecordingPermit] = []
        self._open: list[RouteProvider] = []
        self._epoch = 0
        world.log.granted = self._granted
        _require_enough(world)

    def _prefix(self, text: str) -> Prefix:
        parse = self.offer.parse_destination
        return canonical_prefix(text) if parse is None else parse(text, self.options)

    def _granted(self, write: bool) -> int:
        return sum(permit.writes if write else permit.reads for permit in self._permits)

    def require(self, *abilities: Can) -> None:
        """Skip a test that needs what the world does not declare."""
        missing = [f"Can.{one.name}" for one in abilities if one not in self.world.can]
        if missing:
            pytest.skip(f"{type(self.world).__name__} does not declare {', '.join(missing)}")

    # --- what is configured ---------------------------------------------------------------------------------

    @property
    def a(self) -> PathName:
        """The first path."""
        return self.paths[0]

    @property
    def b(self) -> PathName:
        """The second path."""
        return self.paths[1]

    def route_set(
        self, prefixes: Sequence[Prefix] | None = None, *, table: int = 0, adopt: bool = False
    ) -> RouteSet:
        """Return a set of these prefixes (all, if not said) in a table of the world."""
        name = self.tables[table]
        hops = self.world.tables[table].hops
        return RouteSet(
            id=RouteSet.make_id(INSTANCE, name, GROUP),
            group=GROUP,
            provider=INSTANCE,
            table=name,
            prefixes=PrefixSet(self.prefixes if prefixes is None else prefixes),
            hops={PathName(path): self.offer.parse_hop(hop, self.options) for path, hop in hops.items()},
            adopt=adopt,
            options=self.options,
        )

    def permit(self, **limits: int) -> RecordingPermit:
        """Make a permit that the log of requests is held against."""
        return self.counted(RecordingPermit(**limits))

    def counted(self, permit: RecordingPermit) -> RecordingPermit:
        """Hold the log of requests against this permit too."""
        self._permits.append(permit)
        return permit

    def withdraw_after(self, writes: int) -> RecordingPermit:
        """Make a permit that lapses after so many writes."""
        return self.counted(WithdrawAfter(writes))

    # --- calls ----------------------------------------------------------------------------------------------

    async def open(
        self, *sets: RouteSet, read_only: bool = False, permit: RecordingPermit | None = None
    ) -> RouteProvider:
        """Open an instance for these sets (one of all prefixes, if none is said); the bench closes it."""
        provider = self.offer.open(self.options)
        await self.call(provider.open(self.context(*sets, read_only=read_only, permit=permit)))
        self._open.append(provider)
        return provider

    def context(
        self, *sets: RouteSet, read_only: bool = False, permit: RecordingPermit | None = None
    ) -> ProviderContext:
        """Return what an instance is opened with."""
        return ProviderContext(
            instance=INSTANCE,
            paths=tuple(PathView(GROUP, path) for path in self.paths),
            sets=sets or (self.route_set(),),
            permit=permit or self.permit(),
            read_only=read_only,
            monotonic_us=lambda: time.monotonic_ns() // 1000,
        )

    async def point(
        self,
        provider: RouteProvider,
        route_set: RouteSet,
        path: PathName,
        *,
        permit: RecordingPermit | None = None,
        observed: SetObservation | None = None,
        owned: bool = False,
    ) -> SetOutcome:
        """Point a set as the daemon does: an error that was raised becomes the outcome of the whole set."""
        self._epoch += 1
        change = SetChange(route_set, path, self._epoch, observed, owned=owned)
        try:
            outcome = await self.call(provider.point(change, permit or self.permit()))
        except ProviderError as error:
            failure = WriteFailure(error.kind, str(error), retry_after_ms=error.retry_after_ms)
            outcome = SetOutcome(route_set.id, 0, failures=(failure,), not_attempted=len(route_set.prefixes))
        assert outcome.set_id == route_set.id, f"point() answered for {outcome.set_id}, not {route_set.id}"
        self.texts += [failure.text for failure in outcome.failures]
        return outcome

    async def moved(self, provider: RouteProvider, route_set: RouteSet, path: PathName) -> SetOutcome:
        """Point a set, and see that it is done and that the platform agrees."""
        outcome = await self.point(provider, route_set, path, owned=True)
        assert outcome.ok, f"pointing {route_set.id} at {path} in a healthy world: {outcome}"
        await self.assert_carried(route_set, path)
        return outcome

    async def observe(
        self, provider: RouteProvider, *sets: RouteSet, permit: RecordingPermit | None = None
    ) -> SetObservation:
        """Observe sets; return what was said of the first one."""
        found = await self.call(provider.observe(sets, permit or self.permit()))
        self.texts += [text for one in found.values() for text in _texts(one)]
        return found[sets[0].id]

    async def observe_until(
        self, provider: RouteProvider, route_set: RouteSet, true: Callable[[SetObservation], bool], what: str
    ) -> SetObservation:
        """Observe until something shows, for as long as ``visibility_ms`` allows; fail with ``what``."""
        visible_ms = min(provider.capabilities.visibility_ms, self.world.patience_ms)
        limit = time.monotonic() + visible_ms / 1000
        while True:
            asked = time.monotonic()
            seen = await self.observe(provider, route_set)
            if true(seen):
                return seen
            assert asked < limit, f"{what}; observe() says {seen} after {visible_ms} ms (visibility_ms)"
            await asyncio.sleep(_POLL_S)

    async def in_sync(self, provider: RouteProvider, route_set: RouteSet, path: PathName) -> SetObservation:
        """See that observe() tells the set to be in sync with a path."""
        return await self.observe_until(
            provider, route_set, lambda seen: seen.in_sync_with(path), f"the set is not in sync with {path}"
        )

    async def check(
        self, provider: RouteProvider, *sets: RouteSet, permit: RecordingPermit | None = None
    ) -> Sequence[Finding]:
        """Run the preflight."""
        found = await self.call(provider.check(sets, permit or self.permit()))
        self.texts += [text for one in found for text in (one.subject, one.text, one.remedy)]
        return found

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one call of a provider, bounded; remember what it said when it failed."""
        task = self.begin(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self.world.patience_ms / 1000)
            assert done, f"{work} had not ended after {self.world.patience_ms} ms"
            return task.result()
        except WgfoError as error:
            self.texts += _chain(error)
            raise
        finally:
            task.cancel()

    async def fails(self, work: Coroutine[Any, Any, Any]) -> None:
        """See that a call fails; in what way is left to the rule about errors."""
        try:
            await work
        except AssertionError:
            raise
        except Exception:  # noqa: BLE001 - whatever a stranger's code raises
            return
        raise AssertionError("the call should have failed: the platform does not serve it")

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a call of a provider; whoever begins it sees to its end."""
        with provider_code():
            return asyncio.ensure_future(work)

    async def ended(self, task: asyncio.Task[Any]) -> float:
        """Wait for a cancelled call to end, however; return when it had."""
        await asyncio.wait({task}, timeout=self.world.patience_ms / 1000)
        assert task.done(), f"a cancelled call had not ended after {self.world.patience_ms} ms"
        if not task.cancelled():
            task.exception()
        return time.monotonic()

    # --- the platform ---------------------------------------------------------------------------------------

    def spot(self, prefix: Prefix | None = None, *, writes: bool = True) -> Spot:
        """Return where to inject something: the first table and path, and the first prefix if not said."""
        route_set = self.route_set()
        return Spot(route_set.table, prefix or self.prefixes[0], route_set.hops[self.a], writes=writes)

    async def inject(self, what: Can, spot: Spot | None = None) -> None:
        """Bring something about on the platform."""
        await self.world.inject(what, spot or self.spot())

    async def carriers(self, table: TableName, prefix: Prefix) -> list[str]:
        """Return the hops that carry a prefix now."""
        return carriers(await self.world.routes(table), prefix)

    async def others(self, table: TableName, prefixes: Sequence[Prefix] = ()) -> list[StandingRoute]:
        """Return every route of a table but those for these prefixes, in an order of its own."""
        standing = await self.world.routes(table)
        return sorted(
            (one for one in standing if one.prefix not in prefixes),
            key=lambda one: (one.prefix, one.hop, one.detail),
        )

    async def assert_carried(
        self, route_set: RouteSet, path: PathName, prefixes: Sequence[Prefix] | None = None
    ) -> None:
        """See that the platform itself has these prefixes (all of the set) on the hop of a path."""
        standing = await self.world.routes(route_set.table)
        for prefix in route_set.prefixes if prefixes is None else prefixes:
            found = carriers(standing, prefix)
            assert found == [route_set.hops[path]], (
                f"{prefix} in {route_set.table} should be carried by {route_set.hops[path]} ({path}), "
                f"the platform says {found or 'nothing'}"
            )

    async def moments(self, table: TableName, since: int = 0) -> Sequence[Moment]:
        """Return what stood after every change, from the one before ``since`` on; there must be some."""
        found = await self.world.moments(table)
        assert len(found) > since, "Can.TIMELINE is declared, but moments() shows no change after a switch"
        return found[max(0, since - 1) :]

    async def eventually(self, true: Callable[[], Awaitable[bool]], what: str, within_ms: int = 0) -> float:
        """Wait until something is so and return when it was; fail with ``what``."""
        limit = time.monotonic() + (within_ms or self.world.patience_ms) / 1000
        while not await true():
            assert time.monotonic() < limit, what
            await asyncio.sleep(_POLL_S / 4)
        return time.monotonic()

    async def write_received(self, more_than: int) -> None:
        """Wait until the platform has received one more write than before."""

        async def received() -> bool:
            return self.world.log.writes > more_than

        await self.eventually(received, "Can.REQUESTS is declared, but the log is told of no write")

    async def close(self) -> None:
        """Close every instance that was opened, whatever was injected."""
        with contextlib.suppress(NotImplementedError):
            await self.world.heal()
        for provider in self._open:
            await asyncio.wait_for(provider.aclose(), _CLOSE_S)
        self._open.clear()

    def forget(self, provider: RouteProvider) -> None:
        """A test has closed this instance itself."""
        self._open.remove(provider)


@contextlib.asynccontextmanager
async def bench_on(world: ProviderWorld) -> AsyncIterator[Bench]:
    """Make a bench on a world; its instances are closed at the end."""
    bench = Bench(world)
    try:
        yield bench
    finally:
        await bench.close()


def carriers(standing: Sequence[StandingRoute], prefix: str) -> list[str]:
    """Return the hops that carry a prefix among these routes."""
    return [one.hop for one in standing if one.prefix == prefix and one.carries and not one.blackhole]


def _require_enough(world: ProviderWorld) -> None:
    enough = len(world.tables) > 1 and len(set(world.prefixes)) > 3  # noqa: PLR2004 - as ProviderWorld says
    assert enough, "a world needs two tables and four prefixes"
    assert all(len(spec.hops) > 1 for spec in world.tables), "a table needs the hops of two paths"


def _texts(seen: SetObservation) -> list[str]:
    return [
        seen.text,
        *seen.residue,
        *seen.shadows,
        *(str(one.observed) for one in seen.exceptions),
        *(one.error or "" for one in seen.exceptions),
        str(seen.majority),
    ]


def _chain(error: BaseException | None) -> list[str]:
    """Return an error's texts and those of its causes: all of them stand in a traceback."""
    texts: list[str] = []
    while error is not None:
        texts += [str(error), repr(error), *getattr(error, "__notes__", ())]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return texts
