"""Two slots for each destination, and how to get from any state to the desired hop. Pure: no I/O, no SDK.

Routes of Google cannot be changed, only made and deleted; of several for a destination the lowest priority wins,
and equal ones share the traffic, a dead next hop included. So each destination has two slots, LOW (the base
priority, which wins) and HIGH (base + 1):

    at rest in HIGH:  insert LOW (it wins at once), delete HIGH           LOW  ──────────────┐
    at rest in LOW:   insert HIGH (it loses yet), delete LOW (HIGH wins)  HIGH ──┘ at rest   └── then LOW at rest

No step leaves the destination without a route or with two of equal priority, and priorities do not creep. Each step
waits until the one before it has ended, so a process may be killed between any two of them: what it left is a state
of the same kind, and the same rules lead on from there. A first route goes into HIGH: the first escape is then in
force after one operation.

Only our own routes are written and deleted. Routes of others:

better priority than ours   shadows ours; never touched
in a slot of ours           avoided if the other slot serves; deleted only when the set is ours or adopts, and only
                            after a route of ours stands behind it; otherwise a conflict
worse priority              without effect; never touched, whatever its next hop

A route of ours whose deletion was requested and not answered is *doomed*: it stands, but nothing may rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wgfo.model import FailureKind
from wgfo_gcp.hops import HopSpec
from wgfo_gcp.routes import Key, Route

Slot = Literal[0, 1]
LOW: Final = 0
HIGH: Final = 1


@dataclass(frozen=True, slots=True)
class Insert:
    """Write the desired hop into a slot."""

    priority: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a route; one that is gone already is fine."""

    route: Route


Step = Insert | Delete


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the destination cannot be brought to the desired hop, or not wholly."""

    kind: FailureKind
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, each after the one before has ended; and what will still be wrong after them."""

    steps: tuple[Step, ...] = ()
    """After these the traffic takes the desired hop."""
    cleanup: tuple[Delete, ...] = ()
    """What then carries nothing any more."""
    problem: Problem | None = None

    @property
    def writes(self) -> int:
        """How many requests that change something it takes."""
        return len(self.steps) + len(self.cleanup)


@dataclass(frozen=True, slots=True)
class Standing:
    """All routes for one destination, sorted by what they are to us."""

    key: Key
    base: int
    ours: tuple[Route, ...] = ()
    """Of these tags; those at other priorities than the slots' are leftovers."""
    others: tuple[Route, ...] = ()
    """Routes of others that apply wherever ours do."""
    partial: tuple[Route, ...] = ()
    """Routes for other tags: they apply to some of the instances that ours apply to, or may."""
    doomed: frozenset[int] = frozenset()
    """Ids of routes whose deletion was requested and may still happen."""

    @property
    def carrying(self) -> tuple[Route, ...]:
        """The routes that win: several share the traffic."""
        standing = (*self.ours, *self.others)
        best = min((route.priority for route in standing), default=0)
        return tuple(route for route in standing if route.priority == best)

    @property
    def shadows(self) -> tuple[Route, ...]:
        """Routes of others that win over our better slot, at least for some instances."""
        return tuple(route for route in (*self.others, *self.partial) if route.priority < self.base)

    def own(self, slot: int) -> Route | None:
        """Return our route in a slot."""
        return next((route for route in self.ours if route.priority == self.base + slot), None)

    def taken(self, slot: int) -> Route | None:
        """Return a route of others in a slot of ours: of its priority, or of its name."""
        priority, name = self.base + slot, self.key.name(self.base + slot)
        found = (*self.others, *self.partial)
        return next((route for route in found if route.priority == priority or route.name == name), None)

    def leftovers(self) -> tuple[Route, ...]:
        """Return what of ours a finished switch would not leave: all but the one that wins."""
        ranked = sorted(self.ours, key=lambda route: (route.priority, route.name))
        return tuple(ranked[1:])


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a destination."""

    is_desired: Callable[[HopSpec | None], bool]
    is_candidate: Callable[[HopSpec | None], bool]
    mine: bool
    """The set is ours or adopts: what others put in its place may be taken over."""


def plan(standing: Standing, wish: Wish) -> Plan:
    """Return how to get from what stands to the desired hop."""
    carrying = standing.carrying
    foreign = [route for route in carrying if not route.ours and not wish.is_candidate(route.hop)]
    if foreign and not wish.mine:
        return Plan(problem=Problem(FailureKind.FOREIGN, _foreign_text(foreign[0])))
    if _in_place(standing, wish):
        return Plan()
    return _Planner(standing, wish).plan()


def _in_place(standing: Standing, wish: Wish) -> bool:
    """What points at the desired hop already is left alone, whoever wrote it."""
    carrying = standing.carrying
    if not carrying or not all(wish.is_desired(route.hop) for route in carrying):
        return False
    sole_ours = len(standing.ours) == 1 and standing.ours[0] in carrying
    in_slot = sole_ours and standing.ours[0].priority - standing.base in {LOW, HIGH}
    doomed = sole_ours and standing.ours[0].id in standing.doomed
    return not standing.ours or (in_slot and not doomed and len(carrying) == 1)


class _Planner:
    """Plans for one destination that is not in place."""

    def __init__(self, standing: Standing, wish: Wish) -> None:
        self._standing, self._wish = standing, wish
        self._low, self._high = standing.own(LOW), standing.own(HIGH)
        self._low_taken, self._high_taken = standing.taken(LOW), standing.taken(HIGH)

    def plan(self) -> Plan:
        """Return the steps, or why there are none."""
        rival = next((one for one in self._standing.others if one.priority == self._standing.base), None)
        if rival is not None and not self._wish.mine:
            return self._conflict(rival)
        if self._serves(self._low) and (self._low_taken is None or self._may_take(self._low_taken)):
            return self._finish((), LOW)
        if self._serves(self._high) and self._high_taken is None:
            return self._finish((), HIGH)
        return self._write()

    def _serves(self, own: Route | None) -> bool:
        doomed = own is not None and own.id in self._standing.doomed
        return own is not None and not doomed and self._wish.is_desired(own.hop)

    def _may_take(self, taken: Route) -> bool:
        return self._wish.mine and taken in self._standing.others

    def _write(self) -> Plan:
        low, high = self._low, self._high
        if low is not None and high is not None:
            return self._replace_one(low, high)
        if low is not None:
            return self._write_high(low)
        if high is not None:
            return self._write_low(high)
        return self._write_first()

    def _replace_one(self, low: Route, high: Route) -> Plan:
        """Both slots are ours and neither serves. The one that carries stays until the new one stands.

        Unless it is doomed: then the other one must carry, for nobody knows how long this one stands.
        """
        if low.id in self._standing.doomed or self._high_taken is not None:
            return self._finish((Delete(low), Insert(self._standing.base)), LOW)
        return self._finish((Delete(high), Insert(self._standing.base + HIGH)), HIGH)

    def _write_high(self, low: Route) -> Plan:
        """At rest in LOW."""
        taken = self._high_taken
        if taken is None:
            return self._finish((Insert(self._standing.base + HIGH),), HIGH)
        bridges = taken in self._standing.others and taken.priority == self._standing.base + HIGH
        same_way = taken.hop == low.hop or self._wish.is_desired(taken.hop)
        if bridges and same_way:  # the route of others carries in between, and is left alone
            return self._finish((Delete(low), Insert(self._standing.base)), LOW)
        return self._conflict(taken)

    def _write_low(self, high: Route) -> Plan:
        """At rest in HIGH."""
        taken = self._low_taken
        if taken is None:
            return self._finish((Insert(self._standing.base),), LOW)
        if not self._may_take(taken) or taken.priority > high.priority:
            return self._conflict(taken)
        if self._high_taken is not None:
            return self._conflict(self._high_taken)
        return self._finish((Delete(high), Insert(high.priority)), HIGH)  # the other one carries in between

    def _write_first(self) -> Plan:
        low, high, base = self._low_taken, self._high_taken, self._standing.base
        if high is None and (low is None or self._may_take(low)):
            return self._finish((Insert(base + HIGH),), HIGH)
        if low is None:
            return self._finish((Insert(base),), LOW)
        return self._conflict(low)

    def _finish(self, steps: Sequence[Step], slot: Slot) -> Plan:
        """Delete what the route in ``slot`` replaces, and tell what it cannot win over."""
        standing, priority = self._standing, self._standing.base + slot
        done = {step.route.id for step in steps if isinstance(step, Delete)}
        ours = [route for route in standing.ours if route.priority != priority and route.id not in done]
        rivals = [route for route in standing.others if standing.base <= route.priority <= priority]
        better = [Delete(route) for route in (*rivals, *ours) if route.priority <= priority]
        worse = tuple(Delete(route) for route in ours if route.priority > priority)
        return Plan((*steps, *better), worse, self._shadowed())

    def _shadowed(self) -> Problem | None:
        in_the_way = [
            route
            for route in self._standing.others
            if route.priority < self._standing.base and not self._wish.is_desired(route.hop)
        ]
        return (
            Problem(FailureKind.CONFLICT, _shadow_text(in_the_way[0], self._standing)) if in_the_way else None
        )

    def _conflict(self, taken: Route) -> Plan:
        return Plan(problem=Problem(FailureKind.CONFLICT, _taken_text(taken, self._standing)))


def _foreign_text(route: Route) -> str:
    return (
        f"{route} is none of the candidates, and not ours: delete it, or take it over with adopt = true or "
        f"`wgfo adopt`"
    )


def _shadow_text(route: Route, standing: Standing) -> str:
    return (
        f"{route} wins over our priority {standing.base}: delete it, or set a priority below {route.priority}"
    )


def _taken_text(route: Route, standing: Standing) -> str:
    slots = f"{standing.base} and {standing.base + HIGH}"
    return (
        f"{route} stands in one of our slots (priorities {slots}), and routes of equal priority would share the "
        f"traffic: delete it, or set another priority"
    )
