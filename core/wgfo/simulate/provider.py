"""A route provider that keeps the contract on a platform that lies, delays, throttles and forgets.

It reads the table before it writes, asks the permit before every request, and reports what it was told. All
that goes wrong is the platform's doing (:class:`~wgfo.simulate.plan.Trouble`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wgfo.model import (
    Absent,
    Changed,
    FailureKind,
    Finding,
    Foreign,
    Health,
    Observed,
    PathHop,
    Prefix,
    ProviderName,
    RouteException,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
    WriteFailure,
)
from wgfo.plugin import (
    Capabilities,
    Conflict,
    Denied,
    NotFound,
    Permit,
    ProviderContext,
    ProviderError,
    Transient,
    Withdrawn,
)
from wgfo.simulate import chance
from wgfo.simulate.plan import Platform, Trouble, TroubleKind
from wgfo.simulate.tables import Landing, TableId

if TYPE_CHECKING:
    from wgfo.simulate.stage import Stage

NO_ANSWER_US: Final = 2_000_000
"""How long an unreachable platform keeps a request waiting, where the plan does not say."""


@dataclass(slots=True)
class _Call:
    """One ``point`` while it runs."""

    change: SetChange
    written: int = 0
    failures: list[WriteFailure] = field(default_factory=list)
    left: list[Prefix] = field(default_factory=list)
    unchanged: int = 0

    def outcome(self) -> SetOutcome:
        return SetOutcome(
            self.change.route_set.id, self.written, self.unchanged, tuple(self.failures), len(self.left)
        )


class SimulatedProvider:
    """One provider instance on the stage."""

    def __init__(self, stage: Stage, kind: str) -> None:
        self._stage = stage
        self._kind = kind
        self._life = stage.life
        self._name = ProviderName(kind)
        self._platform = Platform()

    @property
    def capabilities(self) -> Capabilities:
        """What the platform does in good times."""
        platform = self._platform
        return Capabilities(
            parallel_tables=platform.parallel_tables,
            visibility_ms=platform.visibility_us // 1_000,
            late_write_ms=platform.late_write_us // 1_000,
        )

    async def open(self, context: ProviderContext) -> None:
        """Take note of the instance's name; a simulated platform needs no client."""
        self._name = context.instance
        self._platform = self._stage.platform(context.instance)
        self._stage.furnish(self._kind, context.sets)

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Find nothing."""
        del sets, permit
        return ()

    def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield no hints: ``capabilities.watches`` is False."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing to release."""

    # --- reading ------------------------------------------------------------------------------------------

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read the sets, each table in a request of its own."""
        found = {}
        for one in sets:
            routes, health = await self._read(one, permit)
            found[one.id] = observation(one, routes, health)
        return found

    async def _read(self, one: RouteSet, permit: Permit) -> tuple[Mapping[Prefix, Observed], Health]:
        await permit.read()
        stage, clock = self._stage, self._stage.clock
        number = stage.request("read", self._name, one.table)
        troubles = self._troubles(one.table, number)
        await clock.sleep_until_us(clock.monotonic_us() + self._platform.read_us + _slower(troubles))
        await self._refuse(troubles, writing=False)
        moment_us = clock.monotonic_us()
        for trouble in troubles:
            stale = trouble.kind is TroubleKind.STALE
            regressed = trouble.kind is TroubleKind.REGRESSING and chance.mix(number + stage.seed) & 1
            if stale or regressed:
                moment_us -= trouble.by_us
        blackhole = any(trouble.kind is TroubleKind.BLACKHOLE for trouble in troubles)
        routes = stage.tables.table(self._id(one.table)).at(moment_us)
        return dict(routes), Health.BLACKHOLE if blackhole else Health.OK

    # --- writing ------------------------------------------------------------------------------------------

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Read the table, then write what differs, one destination after the other."""
        one = change.route_set
        routes, _ = await self._read(one, permit)
        call = _Call(change, left=list(one.prefixes))
        while call.left:
            prefix = call.left.pop(0)
            seen = routes.get(prefix, Absent())
            if seen == PathHop(change.path):
                call.unchanged += 1
            elif isinstance(seen, Foreign) and not (change.owned or one.adopt):
                call.failures.append(WriteFailure(FailureKind.FOREIGN, f"{prefix}: {seen.text}", prefix))
            elif not await self._write(call, prefix, permit):
                break
        return call.outcome()

    async def _write(self, call: _Call, prefix: Prefix, permit: Permit) -> bool:
        """Write one destination; False: stop here."""
        try:
            await permit.write()
            await self._send(call.change, prefix)
        except Withdrawn as gone:
            call.failures.append(WriteFailure(FailureKind.WITHDRAWN, str(gone)))
            call.left.insert(0, prefix)
            return False
        except ProviderError as error:
            failure = WriteFailure(error.kind, str(error), prefix, error.retry_after_ms)
            call.failures.append(failure)
            return error.kind is FailureKind.TRANSIENT and error.retry_after_ms is None
        call.written += 1
        return True

    async def _send(self, change: SetChange, prefix: Prefix) -> None:
        """Send the request that changes something, and wait for its answer."""
        stage, clock, table = self._stage, self._stage.clock, change.route_set.table
        sent_us = clock.monotonic_us()
        number = stage.request("write", self._name, table)
        troubles = self._troubles(table, number)
        took_us = self._platform.write_us + _slower(troubles)
        refused = _refusal(troubles, prefix, change, writing=True)
        kinds = {trouble.kind for trouble in troubles}
        late_us = max((one.by_us for one in troubles if one.kind is TroubleKind.LATE), default=0)
        lands_us = sent_us + (late_us or took_us // 2)
        stage.sent(change, prefix, lands_us if refused is None else sent_us)
        if refused is None and TroubleKind.VANISHED not in kinds:
            stage.land(
                Landing(
                    lands_us,
                    self._id(table),
                    prefix,
                    PathHop(change.path),
                    "wgfo",
                    sent_us,
                    change.epoch,
                    self._life,
                )
            )
        await clock.sleep_until_us(max(sent_us + took_us, lands_us))
        await self._refuse(troubles, writing=True, error=refused)

    async def _refuse(
        self, troubles: Sequence[Trouble], *, writing: bool, error: ProviderError | None = None
    ) -> None:
        """Let the request fail, if it must; what is unreachable keeps it waiting first."""
        error = error or (None if writing else _refusal(troubles, None, None, writing=False))
        if error is None:
            return
        waits = [one.by_us or NO_ANSWER_US for one in troubles if one.kind is TroubleKind.UNREACHABLE]
        clock = self._stage.clock
        await clock.sleep_until_us(clock.monotonic_us() + max(waits, default=0))
        raise error

    # --- trouble ------------------------------------------------------------------------------------------

    def _troubles(self, table: TableName, number: int) -> list[Trouble]:
        stage = self._stage
        at_us = stage.clock.monotonic_us() - stage.begin_us
        return [
            one
            for place, one in enumerate(stage.plan.troubles)
            if one.hits(self._name, table, at_us) and chance.hits(one.percent, stage.seed, place, number)
        ]

    def _id(self, table: TableName) -> TableId:
        return TableId((ProviderName(self._kind), table))


def _slower(troubles: Sequence[Trouble]) -> int:
    return sum(one.by_us for one in troubles if one.kind is TroubleKind.SLOW)


def _refusal(
    troubles: Sequence[Trouble], prefix: Prefix | None, change: SetChange | None, *, writing: bool
) -> ProviderError | None:
    """Return how the platform refuses a request; None: it does not."""
    for one in troubles:
        error = _everywhere(one) or (_of_writes(one, prefix, change) if writing else None)
        if error is not None:
            return error
    return None


def _everywhere(one: Trouble) -> ProviderError | None:
    if one.kind is TroubleKind.UNREACHABLE:
        return Transient("no route to the platform's endpoint")
    if one.kind is TroubleKind.THROTTLED:
        return Transient("429 too many requests", retry_after_ms=one.retry_after_us // 1_000 or None)
    return NotFound("404: there is no such table") if one.kind is TroubleKind.NOT_FOUND else None


def _of_writes(one: Trouble, prefix: Prefix | None, change: SetChange | None) -> ProviderError | None:
    if one.kind is TroubleKind.DENIED:
        return Denied("403 AccessDenied: this identity may not replace routes")
    if one.kind is TroubleKind.ERROR:
        return Transient("500 internal error")
    if one.kind is TroubleKind.CONFLICT:
        return Conflict("412: the route is no longer what was observed")
    partial = one.kind is TroubleKind.PARTIAL and change is not None and prefix is not None
    if partial and change is not None and list(change.route_set.prefixes).index(prefix or Prefix("")) % 2:
        return Transient("500 for this destination")
    return None


def observation(one: RouteSet, routes: Mapping[Prefix, Observed], health: Health) -> SetObservation:
    """Return what a read shows: the majority, and what differs from it."""
    seen = {prefix: routes.get(prefix, Absent()) for prefix in one.prefixes}
    majority = Counter(seen.values()).most_common(1)[0][0]
    exceptions = tuple(RouteException(prefix, hop) for prefix, hop in seen.items() if hop != majority)
    text = one.hops.get(majority.path, "") if isinstance(majority, PathHop) else str(majority)
    return SetObservation(one.id, majority, exceptions, health=health, text=text)
