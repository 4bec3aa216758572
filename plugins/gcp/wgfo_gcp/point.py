"""Pointing a set at a hop: what to do is planned for each destination (slots.py), then carried out side by side.

First every destination's steps up to the one after which the traffic takes the desired hop; then, of those that got
there, the deletion of what carries nothing any more. So an escape from HIGH is over for all of them after one
operation each. What a lapsed permit leaves undone is a state like any other, and told as not attempted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from wgfo.model import FailureKind, Prefix, SetChange, SetOutcome, WriteFailure
from wgfo.plugin import NotFound, Permit, Withdrawn
from wgfo_gcp.errors import GcpError
from wgfo_gcp.hops import HopSpec
from wgfo_gcp.observe import Network, View, fence, fingerprint
from wgfo_gcp.routes import NewRoute, description
from wgfo_gcp.slots import Insert, Plan, Standing, Step, Wish, plan
from wgfo_gcp.writer import Writer


@dataclass(slots=True)
class Work:
    """What one ``point`` does, and how far it got."""

    change: SetChange
    hop: HopSpec
    unchanged: int = 0
    written: int = 0
    plans: dict[Prefix, tuple[Standing, Plan]] = field(default_factory=dict)
    failures: list[WriteFailure] = field(default_factory=list)
    not_attempted: int = 0
    stopped: bool = False
    """Nothing more is sent: the permit has lapsed, the account is throttled, or a write may still land."""

    def fail(self, prefix: Prefix, kind: FailureKind, text: str) -> None:
        """Remember what went wrong for a destination."""
        self.failures.append(WriteFailure(kind, f"network {self.change.route_set.table}: {text}", prefix))

    def outcome(self) -> SetOutcome:
        """Return how it ended."""
        failures = tuple(sorted(self.failures, key=lambda one: one.prefix or ""))
        return SetOutcome(
            self.change.route_set.id, self.written, self.unchanged, failures, self.not_attempted
        )


@dataclass(frozen=True, slots=True)
class Doubts:
    """What was read, and is not to be relied upon."""

    doomed: frozenset[int] = frozenset()
    """Routes whose deletion was requested and may still happen."""
    stale: frozenset[Prefix] = frozenset()
    """Destinations of which the list shows a state of the past."""


def prepare(view: View, network: Network, doubts: Doubts, change: SetChange) -> Work:
    """Compare what stands with what is wanted.

    Raises:
        NotFound: the next hop is a load balancer that nobody has found.
    """
    hop = view.balancers.resolved(view.candidates[change.path])
    if hop is None:
        name = view.candidates[change.path].name
        raise NotFound(
            f"there is no internal forwarding rule {name!r} in the project: create it, or correct next_hop"
        )
    work = Work(change, hop)
    wish = Wish(
        is_desired=lambda found: view.path_of(found) == change.path,
        is_candidate=lambda found: view.path_of(found) is not None,
        mine=change.owned or change.route_set.adopt,
    )
    observed = fence(change.observed.token if change.observed else None)
    for prefix in change.route_set.prefixes:
        if prefix in doubts.stale:
            text = f"the list of routes still shows one for {prefix} that is deleted; it is read again"
            work.fail(prefix, FailureKind.TRANSIENT, text)
        else:
            _sort(work, prefix, network.standing(view, prefix, doubts.doomed), wish, observed)
    return work


def _sort(work: Work, prefix: Prefix, standing: Standing, wish: Wish, observed: Mapping[str, str]) -> None:
    made = plan(standing, wish)
    if not made.writes and made.problem is None:
        work.unchanged += 1
    elif observed.get(prefix, fingerprint(standing)) != fingerprint(standing):
        work.fail(prefix, FailureKind.CONFLICT, f"routes for {prefix} changed since they were observed")
    elif not made.writes and made.problem is not None:
        work.fail(prefix, made.problem.kind, made.problem.text)
    else:
        work.plans[prefix] = standing, made


async def carry_out(work: Work, writer: Writer, permit: Permit, at_once: int) -> SetOutcome:
    """Write what was prepared, so many destinations at once."""
    run = _Run(work, writer, permit)
    arrived: list[Prefix] = []

    async def arrive(prefix: Prefix) -> None:
        if await run.steps(prefix, work.plans[prefix][1].steps):
            arrived.append(prefix)

    async def clean_up(prefix: Prefix) -> None:
        if await run.steps(prefix, work.plans[prefix][1].cleanup):
            run.finish(prefix)

    await _side_by_side(arrive, iter(work.plans), at_once)
    await _side_by_side(clean_up, iter(arrived), at_once)
    return work.outcome()


async def _side_by_side(
    do: Callable[[Prefix], Awaitable[None]], prefixes: Iterator[Prefix], at_once: int
) -> None:
    async def worker() -> None:
        for prefix in prefixes:
            await do(prefix)

    async with asyncio.TaskGroup() as workers:
        for _ in range(at_once):
            workers.create_task(worker())


class _Run:
    """Carries out steps and tells how they went."""

    def __init__(self, work: Work, writer: Writer, permit: Permit) -> None:
        self._work, self._writer, self._permit = work, writer, permit

    async def steps(self, prefix: Prefix, steps: tuple[Step, ...]) -> bool:
        """Do these steps one after the other; return whether all of them are done."""
        standing, _ = self._work.plans[prefix]
        for step in steps:
            if self._work.stopped or not await self._step(prefix, standing, step):
                self._work.not_attempted += self._work.stopped and not self._failed(prefix)
                return False
        return True

    def finish(self, prefix: Prefix) -> None:
        """All that can be done for a destination is done."""
        problem = self._work.plans[prefix][1].problem
        if problem is None:
            self._work.written += 1
        else:
            self._work.fail(prefix, problem.kind, problem.text)

    async def _step(self, prefix: Prefix, standing: Standing, step: Step) -> bool:
        try:
            if isinstance(step, Insert):
                await self._writer.insert(self._new(standing, step), self._permit)
            else:
                await self._writer.delete(step.route, self._permit)
        except Withdrawn:
            self._work.stopped = True
            return False
        except GcpError as error:
            self._work.stopped = self._work.stopped or error.stops
            self._work.failures.append(error.as_failure(self._what(prefix, step), prefix))
            return False
        return True

    def _new(self, standing: Standing, step: Insert) -> NewRoute:
        name = standing.key.name(step.priority)
        return NewRoute(name, standing.key, step.priority, self._work.hop, description(self._work.change))

    def _what(self, prefix: Prefix, step: Step) -> str:
        table = self._work.change.route_set.table
        if isinstance(step, Insert):
            return f"network {table}: {prefix} to {self._work.hop} at priority {step.priority}"
        return f"network {table}: deleting {step.route}"

    def _failed(self, prefix: Prefix) -> bool:
        return any(failure.prefix == prefix for failure in self._work.failures)
