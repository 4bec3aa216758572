"""Pointing a set at a hop: what differs is replaced in place, several destinations at a time.

ReplaceRoute changes a standing route, CreateRoute makes one where there is none: both are one request, so a prefix
is never without a route by our doing. Which of the two is needed is read right before; a stale read is noticed by
the answer, and the other request is sent then, under a permit of its own:

    ReplaceRoute  "There is no route defined …"  → CreateRoute
    CreateRoute   RouteAlreadyExists             → ReplaceRoute where the set is ours; else a conflict

EC2 has no precondition for a route, hence no fence: what is foreign at the read before the write is refused.
Its reads are stale for a while after a write. What this instance wrote lately is remembered for that time, so
that a route which seems to stand already, but which we have just pointed elsewhere, is written again; a write
too many is harmless. What a read shows is never replaced by memory.

After a refusal that every other destination would meet too (rights, table, target, throttling) nothing more is
sent, nor after a write of which nobody knows whether it was carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from wgfo.model import (
    FailureKind,
    Foreign,
    Hop,
    Observed,
    PathHop,
    Prefix,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
    WriteFailure,
)
from wgfo.plugin import Permit, ProviderError, Transient, Withdrawn
from wgfo_aws.config import is_list
from wgfo_aws.errors import AwsError
from wgfo_aws.observe import ABSENT, meaning_of
from wgfo_aws.sdk import Ec2
from wgfo_aws.tables import Table
from wgfo_aws.targets import kind_of

CREATE: Final = "create_route"
REPLACE: Final = "replace_route"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one destination before it is written."""

    observed: Observed
    static: bool
    """A route stands that CreateRoute would refuse to make again."""
    blackhole: bool = False


Standings = Mapping[Prefix, Standing]


def from_table(change: SetChange, table: Table) -> Standings:
    """Say what stands, as just read."""
    found: dict[Prefix, Standing] = {}
    for prefix in change.route_set.prefixes:
        route = table.carrying.get(prefix)
        observed = meaning_of(route, change.route_set.hops)
        found[prefix] = Standing(observed, bool(route and route.static), bool(route and route.blackhole))
    return found


def from_observation(change: SetChange, seen: SetObservation) -> Standings:
    """Say what stood at the last observation."""
    others = {one.prefix: one.observed for one in seen.exceptions}
    return {
        prefix: Standing(one, static=one != ABSENT)
        for prefix in change.route_set.prefixes
        for one in (others.get(prefix, seen.majority),)
    }


# --- what was written lately ------------------------------------------------------------------------------


class Lately:
    """Which hop this instance sent last for a destination, for as long as reads may be older than that."""

    def __init__(self, for_ms: int, clock: Callable[[], int]) -> None:
        self._for_us = for_ms * 1_000
        self._clock = clock
        self._sent: dict[tuple[TableName, Prefix], tuple[Hop, int]] = {}

    def sent(self, table: TableName, prefix: Prefix, hop: Hop) -> None:
        """Remember a write that may have been carried out."""
        self._sent[table, prefix] = (hop, self._clock() + self._for_us)

    def elsewhere(self, table: TableName, prefix: Prefix, hop: Hop) -> bool:
        """Whether a read that shows ``hop`` may be older than a write of ours that pointed elsewhere."""
        last, until_us = self._sent.get((table, prefix), (hop, 0))
        if until_us <= self._clock():
            self._sent.pop((table, prefix), None)
            return False
        return last != hop


# --- one call ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """How a ``point`` went so far."""

    written: int = 0
    unchanged: int = 0
    not_attempted: int = 0
    failures: list[WriteFailure] = field(default_factory=list)
    stop: WriteFailure | None = None
    """The failure of the whole set, if there is one."""
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one change."""

    ec2: Ec2
    change: SetChange
    permit: Permit
    lately: Lately
    tally: Tally = field(default_factory=Tally)

    @property
    def ours(self) -> bool:
        """Whether whatever stands may be written over."""
        return self.change.owned or self.change.route_set.adopt

    async def carry_out(self, standings: Standings, parallel: int) -> SetOutcome:
        """Write what differs, ``parallel`` destinations at a time."""
        todo = self._todo(standings)
        waiting = iter(todo)
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(parallel, len(todo))):
                workers.create_task(self._work(waiting))
        tally = self.tally
        failures = (*tally.failures, *((tally.stop,) if tally.stop else ()))
        return SetOutcome(
            self.change.route_set.id, tally.written, tally.unchanged, failures, tally.not_attempted
        )

    def _todo(self, standings: Standings) -> Sequence[tuple[Prefix, str]]:
        """Return what is to be written, each with the request that should do it."""
        todo: list[tuple[Prefix, str]] = []
        for prefix, standing in standings.items():
            if self._in_place(prefix, standing):
                self.tally.unchanged += 1
            elif isinstance(standing.observed, Foreign) and not self.ours:
                self.tally.failures.append(self._foreign(prefix, standing.observed))
            else:
                todo.append((prefix, REPLACE if standing.static else CREATE))
        return todo

    def _in_place(self, prefix: Prefix, standing: Standing) -> bool:
        """A blackhole is written again: an instance's new interface is found only so."""
        if standing.observed != PathHop(self.change.path) or standing.blackhole:
            return False
        return not self.lately.elsewhere(self.change.route_set.table, prefix, self.change.hop)

    def _foreign(self, prefix: Prefix, observed: Foreign) -> WriteFailure:
        route_set = self.change.route_set
        return WriteFailure(
            FailureKind.FOREIGN,
            f"table {route_set.table}: {prefix} has a route of others ({observed.text}); delete it, or take it "
            f"over with `wgfo adopt {route_set.group}` or adopt = true",
            prefix,
        )

    async def _work(self, waiting: Iterator[tuple[Prefix, str]]) -> None:
        for prefix, operation in waiting:
            if self.tally.stopped:
                self.tally.not_attempted += 1
            else:
                await self._one(prefix, operation)

    async def _one(self, prefix: Prefix, operation: str) -> None:
        try:
            await self._write(prefix, operation)
        except Withdrawn as error:  # at the deadline, say: the engine goes on at once with what is left
            self._stop(WriteFailure(error.kind, str(error)))
        except AwsError as error:
            self._failed(prefix, error)
        except ProviderError as error:  # credentials that could not be renewed
            self._stop(WriteFailure(error.kind, str(error), None, error.retry_after_ms))
        else:
            self.tally.written += 1

    async def _write(self, prefix: Prefix, operation: str) -> None:
        try:
            await self._send(prefix, operation)
        except AwsError as error:
            other = self._other(operation, error)
            if other is None:
                raise
            await self._send(prefix, other)

    def _other(self, operation: str, error: AwsError) -> str | None:
        """Return the request that fits what EC2 has just told of the route."""
        if operation == REPLACE and error.no_such_route:
            return CREATE
        if operation == CREATE and error.exists_already and self.ours:
            return REPLACE
        return None

    async def _send(self, prefix: Prefix, operation: str) -> None:
        change = self.change
        try:
            await self.ec2.write(
                self.permit, operation, parameters(change.route_set.table, prefix, change.hop)
            )
        except AwsError as error:
            if error.may_have_happened:
                self.lately.sent(change.route_set.table, prefix, change.hop)
            raise
        self.lately.sent(change.route_set.table, prefix, change.hop)

    def _failed(self, prefix: Prefix, error: AwsError) -> None:
        change = self.change
        what = f"table {change.route_set.table}: pointing {prefix} at {change.hop}"
        found = error.as_provider_error(what, writes=True)
        if found.kind is FailureKind.UNKNOWN:
            self.tally.stopped = True
        elif error.meaning.whole:
            self._stop(WriteFailure(found.kind, str(found), None, found.retry_after_ms))
            return
        self.tally.failures.append(WriteFailure(found.kind, str(found), prefix, found.retry_after_ms))

    def _stop(self, failure: WriteFailure) -> None:
        """Say it once, however many requests under way meet the same."""
        self.tally.stopped = True
        self.tally.stop = self.tally.stop or failure
        self.tally.not_attempted += 1


def parameters(table: str, prefix: str, hop: str) -> dict[str, Any]:
    """Return the fields of CreateRoute and ReplaceRoute for a destination and its target."""
    return {"RouteTableId": table, _destination(prefix): prefix, kind_of(hop).parameter: hop}


def _destination(prefix: str) -> str:
    if is_list(prefix):
        return "DestinationPrefixListId"
    return "DestinationIpv6CidrBlock" if ":" in prefix else "DestinationCidrBlock"


def may_trust(change: SetChange, error: ProviderError) -> SetObservation | None:
    """Return the last observation where a write may go by it, since the read before it failed.

    EC2 counts its reads and its writes apart, and an outage of one is often none of the other. What is ours would
    be written over whatever it has become, so nothing is lost by not having looked once more.
    """
    ours = change.owned or change.route_set.adopt
    return change.observed if ours and isinstance(error, Transient) else None
