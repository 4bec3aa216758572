"""Pointing a set at a hop: what to write is decided from a fresh dump, then written in batches.

Every write is a replace in place (``NLM_F_REPLACE | NLM_F_CREATE``): the prefix is never without a route.
IPv6 replaces the first route of the same metric whatever its kind, also across "with gateway" and "device
only" (``fib6_add_rt2node``). A leftover is deleted, and a fallback written, only where the route itself
stands. The exception is a second route of ours behind the first at our key: it carries nothing, but IPv4
refuses (EEXIST) to make the first one equal to it, so it goes first.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from wgfo.model import FailureKind, Foreign, Observed, PathHop, Prefix, SetChange, SetOutcome, WriteFailure
from wgfo.plugin import Permit, Withdrawn
from wgfo_linux import wire
from wgfo_linux.bulk import BATCH, RouteSocket, RouteWrite
from wgfo_linux.config import FALLBACK_METRIC
from wgfo_linux.errors import failure, missing_device
from wgfo_linux.hops import Candidate
from wgfo_linux.observe import Seen, View, meaning_of, missing_fallback
from wgfo_linux.wire import Body, Destination, Refusal

IPV4: Final = 4
_SLICE: Final = 1000
HOPELESS: Final = frozenset((errno.EPERM, errno.EACCES, errno.ENODEV))
"""What the kernel refuses so for one destination, it would refuse for all of them."""


@dataclass(slots=True)
class Plan:
    """What one ``point`` has to do."""

    unchanged: int = 0
    before: list[RouteWrite] = field(default_factory=list)
    """Deletes of second routes at our key."""
    routes: list[RouteWrite] = field(default_factory=list)
    around: list[RouteWrite] = field(default_factory=list)
    """Fallbacks and leftovers, after the routes."""
    failures: list[WriteFailure] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """How a list of writes went."""

    written: int = 0
    refused: list[tuple[RouteWrite, Refusal]] = field(default_factory=list)
    not_attempted: int = 0


async def plan(view: View, seen: Seen, change: SetChange, table: int) -> Plan:
    """Compare what stands with what is wanted, giving way to others every few milliseconds.

    Raises:
        NotFound: the hop's device does not exist.
    """
    target = next(one for one in view.known if one.path == change.path)
    if target.missing:
        raise missing_device(str(target.spec.device), where(view))
    planner = _Planner(view, seen, change, target, table)
    packed = view.packed
    for start in range(0, len(packed.prefixes), _SLICE):
        end = start + _SLICE
        planner.add(packed.prefixes[start:end], packed.destinations[start:end])
        await asyncio.sleep(0)
    return planner.finish()


class _Planner:
    """Sorts destinations into those in place, those to write and those not to touch."""

    def __init__(self, view: View, seen: Seen, change: SetChange, target: Candidate, table: int) -> None:
        self._view, self._seen, self._change, self._target = view, seen, change, target
        self._table = table
        self._meaning: dict[int, Observed] = {}
        self._bodies = {ipv6: _route(view, target, ipv6=ipv6, table=table) for ipv6 in (False, True)}
        self._refused: set[Destination] = set()
        self._plan = Plan()

    def add(self, prefixes: Sequence[Prefix], destinations: Sequence[Destination]) -> None:
        """Sort some destinations."""
        wanted = PathHop(self._change.path)
        for prefix, packed in zip(prefixes, destinations, strict=True):
            observed = self._means(self._seen.at_key.get(packed))
            if observed == wanted:
                self._plan.unchanged += 1
            elif (problem := _problem(self._view, observed, self._change, self._target, prefix)) is not None:
                self._plan.failures.append(problem)
                self._refused.add(packed)
            else:
                self._plan.routes.append(RouteWrite(packed, self._bodies[wire.is_ipv6(packed)]))

    def _means(self, body: Body | None) -> Observed:
        found = self._meaning.get(id(body))
        if found is None:
            found = self._meaning[id(body)] = meaning_of(self._view, body)
        return found

    def finish(self) -> Plan:
        """Return the plan, with what belongs around the routes."""
        made, stands = self._plan, self._seen.at_key
        for one in _around(self._view, self._seen, self._table):
            behind = one.delete and one.body.metric == self._metric(one) and one.destination in stands
            if one.destination not in self._refused:
                (made.before if behind else made.around).append(one)
        return made

    def _metric(self, write: RouteWrite) -> int:
        return self._bodies[wire.is_ipv6(write.destination)].metric


def where(view: View) -> str:
    """Return where the set's routes are, for texts."""
    return f"table {view.route_set.table}"


def _problem(
    view: View, observed: Observed, change: SetChange, target: Candidate, prefix: Prefix
) -> WriteFailure | None:
    """Say why this destination must not or cannot be written."""
    taken = change.owned or change.route_set.adopt
    if isinstance(observed, Foreign) and not observed.written_by_us and not taken:
        return WriteFailure(
            FailureKind.FOREIGN,
            f"{where(view)}: {prefix} has a route of others ({observed.text}); delete it, or take it over "
            f"with `wgfo adopt {change.route_set.group}` or adopt = true",
            prefix,
        )
    if ":" in prefix and target.spec.gateway is not None and target.spec.gateway.version == IPV4:
        return WriteFailure(
            FailureKind.UNSUPPORTED,
            f"{where(view)}: the IPv6 prefix {prefix} cannot have the IPv4 gateway of '{target.spec}'; "
            f"give IPv6 prefixes a [[group.route]] of their own",
            prefix,
        )
    return None


def _route(view: View, target: Candidate, *, ipv6: bool, table: int) -> Body:
    return Body(
        type=wire.TYPE_UNICAST,
        protocol=view.options.protocol,
        flags=0,
        table=table,
        metric=view.options.metric_for(ipv6=ipv6),
        oif=target.oif or 0,
        gateway=target.gateway,
    )


def _around(view: View, seen: Seen, table: int) -> Iterator[RouteWrite]:
    fallback = Body(
        wire.TYPE_UNREACHABLE, view.options.protocol, flags=0, table=table, metric=FALLBACK_METRIC
    )
    for packed in missing_fallback(view, seen):
        yield RouteWrite(packed, fallback)
    for packed, body in seen.leftover:
        yield RouteWrite(packed, body, delete=True)


# --- carrying it out --------------------------------------------------------------------------------------


async def carry_out(
    routes: RouteSocket, made: Plan, view: View, change: SetChange, permit: Permit
) -> SetOutcome:
    """Write the routes, then what surrounds them, and sum it up."""
    before = await _write(routes, made.before, permit)
    result = await _write(routes, made.routes, permit)
    broken = {write.destination for write, _ in result.refused}
    rest = [] if result.not_attempted else [one for one in made.around if one.destination not in broken]
    around = await _write(routes, rest, permit)
    hop = str(change.hop)
    return SetOutcome(
        set_id=change.route_set.id,
        written=result.written,
        unchanged=made.unchanged,
        failures=(
            *made.failures,
            *(one for part in (before, result, around) for one in _failures(view, hop, part)),
        ),
        not_attempted=result.not_attempted + before.not_attempted + around.not_attempted,
    )


async def _write(routes: RouteSocket, writes: Sequence[RouteWrite], permit: Permit) -> Result:
    """Write in batches; when the permit lapses, nothing more is sent."""
    result = Result()
    for start in range(0, len(writes), BATCH):
        batch = writes[start : start + BATCH]
        try:
            answers = await routes.write(batch, permit)
        except Withdrawn:
            result.not_attempted = len(writes) - start
            return result
        if _take(result, batch, answers):
            result.not_attempted = len(writes) - start - len(batch)
            return result
        await asyncio.sleep(0)
    return result


def _take(result: Result, batch: Sequence[RouteWrite], answers: Sequence[Refusal | None]) -> bool:
    """Count the answers; True when it is no use to go on. What was to be deleted and is gone is done."""
    refused = [
        (write, answer)
        for write, answer in zip(batch, answers, strict=True)
        if answer is not None and not (write.delete and answer.code == errno.ESRCH)
    ]
    result.refused += refused
    result.written += len(batch) - len(refused)
    return any(answer.code in HOPELESS for _, answer in refused)


def _failures(view: View, hop: str, result: Result) -> Iterator[WriteFailure]:
    """One failure for each refused destination, or one for all of them where the reason is hopeless."""
    for write, answer in result.refused:
        what = "delete of a leftover" if write.delete else _words(write, hop)
        if answer.code in HOPELESS and not result.written:
            yield failure(answer, what, where(view), None)
            return
        yield failure(answer, what, where(view), Prefix(wire.network(write.destination)))


def _words(write: RouteWrite, hop: str) -> str:
    return hop if write.body.type == wire.TYPE_UNICAST else "unreachable"
