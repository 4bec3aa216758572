"""Watches a run and says which invariant of semantics.md is broken, when, and by what.

It judges by what went in (events), what came out (decisions), what reached the tables, and what the world
really was; never by the engine's own state. Each check is named for its invariant. I12 and I16 are checked by
replaying (:mod:`wgfo.simulate.replays`); I13 and I15 by comparing runs; I23 needs a second process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wgfo.config.setup import GroupSetup
from wgfo.engine.decisions import Decision, SetConverged
from wgfo.engine.events import Event
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, PathHop, Prefix, SetChange
from wgfo.simulate.plan import Ask, DiskState, TroubleKind
from wgfo.simulate.tables import Landing, TableId
from wgfo.simulate.timeline import What, clock_text
from wgfo.simulate.truth import Truth
from wgfo.simulate.watch import GroupWatch

if TYPE_CHECKING:
    from wgfo.simulate.stage import Stage

ENOUGH: Final = 20
"""Violations kept of one run."""
QUIET_US: Final = 20_000_000
"""I9: how long before the end nothing may be written any more."""
LYING: Final = frozenset({TroubleKind.STALE, TroubleKind.REGRESSING})
"""Troubles by which a read shows what no longer stands."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant."""

    invariant: str
    at_us: int
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} at {clock_text(self.at_us)}: {self.text}"


@dataclass(slots=True)
class _Flight:
    """A request that was sent and may still land."""

    life: int
    lands_us: int
    text: str


class Checker:
    """A listener of the engine's steps and a watcher of the tables.

    ``desired`` and ``holder`` ask the living daemon; the show sets them.
    """

    def __init__(self, stage: Stage, groups: Sequence[GroupSetup], *, quiet_end: bool = False) -> None:
        self._stage = stage
        self._quiet_end = quiet_end
        self._truth = Truth(stage.plan, stage.begin_us)
        self._groups = {group.name: GroupWatch(group, self._truth, self._broken) for group in groups}
        self._configured = {
            (one.provider, one.table, prefix): frozenset(one.hops)
            for group in groups
            for one in group.sets
            for prefix in one.prefixes
        }
        self._tables = {one.id: TableId((one.provider, one.table)) for group in groups for one in group.sets}
        self._flights: dict[tuple[str, str], _Flight] = {}
        self._newest: dict[tuple[TableId, Prefix], tuple[int, int]] = {}
        self._last_sent_us = 0
        self.violations: list[Violation] = []
        self.desired: Callable[[GroupName], tuple[str | None, int]] = lambda _group: (None, 0)
        self.holder: Callable[[], str] = lambda: ""

    # --- what the show tells ------------------------------------------------------------------------------

    def born(self) -> None:
        """A life begins."""
        for group in self._groups.values():
            group.born()

    def asked(self, ask: Ask) -> None:
        """An operator asks for something."""
        del ask
        self._truth.disturbed(self._stage.clock.monotonic_us())

    def stalled(self, for_us: int) -> None:
        """The process is about to stand still."""
        self._truth.stalled(self._stage.clock.monotonic_us(), for_us)

    def disk_was_bad(self) -> None:
        """The disk loses what is stored: what a later life finds there may be old."""
        for group in self._groups.values():
            group.memory_is_sure = False

    def finish(self) -> None:
        """The run is over."""
        if self._quiet_end:
            for group in self._groups.values():
                self._stands(group)

    def idle(self) -> bool:
        """Whether every table stands where it is desired, for as long as the checks of the end ask."""
        now_us = self._stage.clock.monotonic_us()
        if now_us - self._last_sent_us < QUIET_US or self._stage.disk.state is not DiskState.GOOD:
            return False
        desired = {self.desired(name)[0] for name in self._groups}
        stands = {self._stage.tables.path(table) for table in self._stage.tables.of} <= desired
        return stands and not any(group.moved_within(2 * QUIET_US) for group in self._groups.values())

    # --- the engine's steps -------------------------------------------------------------------------------

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Check a step."""
        self._groups[group].stepped(event, decisions)
        for decision in decisions:
            if isinstance(decision, SetConverged):
                self._check_converged(decision)

    def _check_converged(self, decision: SetConverged) -> None:
        """I9: what is called in step is in step, where reads tell the truth and nobody else writes."""
        plan = self._stage.plan
        lies = any(one.kind in LYING for one in plan.troubles)
        if lies or plan.rewrites or plan.lease is not None:
            return
        path = self._stage.tables.path(self._tables[decision.set_id])
        if path != decision.path:
            self._broken("I9", f"{decision.set_id} is said to be on {decision.path}, but it is on {path}")

    # --- what reaches the tables --------------------------------------------------------------------------

    def sent(self, change: SetChange, prefix: Prefix, lands_us: int) -> None:
        """Check a request that writes, at the moment at which it leaves."""
        one = change.route_set
        now_us = self._stage.clock.monotonic_us()
        self._last_sent_us = now_us
        text = f"{one.table}: {prefix} -> {change.path} (epoch {change.epoch})"
        desired, epoch = self.desired(one.group)
        if (desired, epoch) != (change.path, change.epoch):
            self._broken("I2", f"{text} is sent, but desired is {desired} in epoch {epoch}")
        self._groups[one.group].check_write(text, change)
        self._check_lease(text)
        self._check_flight(text, (one.provider, one.table), lands_us, now_us)
        if change.path not in self._configured.get((one.provider, one.table, prefix), frozenset()):
            self._broken("I20", f"{text}: not a configured destination, table or path")

    def _check_lease(self, text: str) -> None:
        lease = self._stage.lease
        if lease is not None and not lease.holds(self.holder()):
            self._broken("I7", f"{text} is sent without the lease, which {lease.holder or 'nobody'} holds")

    def _check_flight(self, text: str, table: tuple[str, str], lands_us: int, now_us: int) -> None:
        """Until a request has ended, or cannot land any more, no other one goes to its table."""
        before = self._flights.get(table)
        if before is not None and before.life == self._stage.life and before.lands_us > now_us:
            self._broken("I2", f"{text} is sent while {before.text} may still land")
        self._flights[table] = _Flight(self._stage.life, lands_us, text)

    def landed(self, landing: Landing) -> None:
        """Check a change of a table."""
        if landing.by != "wgfo":
            return
        text = f"{landing.table[1]}: {landing.prefix}"
        if not isinstance(landing.hop, PathHop):
            self._broken("I19", f"{text} became {landing.hop} by our own write")
        key = (landing.table, landing.prefix)
        life, epoch = self._newest.get(key, (0, 0))
        if life == landing.life and landing.epoch < epoch:
            self._broken("I2", f"{text}: a request of epoch {landing.epoch} landed over epoch {epoch}")
        self._newest[key] = (landing.life, max(epoch if life == landing.life else 0, landing.epoch))

    # --- the end ------------------------------------------------------------------------------------------

    def _stands(self, group: GroupWatch) -> None:
        """I9: with a constant desired path and a healthy provider all tables are equal to it, and quiet."""
        desired, _ = self.desired(group.name)
        if desired is None or group.excused():
            return
        wrong = [
            f"{table[1]} is on {self._stage.tables.path(table)}"
            for table in self._stage.tables.of
            if self._stage.tables.path(table) != desired
        ]
        if wrong and not group.moved_within(2 * QUIET_US):
            self._broken("I9", f"desired is {desired} and all is well, but {', '.join(wrong)}")
        ago_us = self._stage.clock.monotonic_us() - self._last_sent_us
        busy = group.moved_within(2 * QUIET_US) or group.settled_within(QUIET_US)
        if ago_us < QUIET_US and not busy:
            self._broken("I9", f"a route was written {ago_us // 1_000} ms before the end, for no reason")

    def _broken(self, invariant: str, text: str) -> None:
        if len(self.violations) >= ENOUGH:
            return
        at_us = self._stage.clock.monotonic_us() - self._stage.begin_us
        self.violations.append(Violation(invariant, at_us, text))
        self._stage.scribe.note(What.VIOLATION, f"{invariant}: {text}")
