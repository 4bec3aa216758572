"""The decision loop: steps events through the engine, tells the listeners, and hands decisions on.

    event ─▶ step ─▶ listeners (journal first) ─▶ state store ─▶ reconciler
                                                     └ a switch's writes wait for it, 50 ms at most

All of it but that wait is synchronous: between a closed round and the decision it causes nothing else runs.
Groups share nothing; an event of one is stepped in that one alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol

from wgfo.daemon.clock import Clock
from wgfo.daemon.deadlines import Deadlines
from wgfo.daemon.guard import Spawn
from wgfo.daemon.state import Store
from wgfo.engine import engine
from wgfo.engine.decisions import (
    Decision,
    Established,
    Observe,
    OverrideEnded,
    OverrideSet,
    Point,
    RequestAnswered,
    SetConverged,
    Switch,
)
from wgfo.engine.engine import GroupState, RefusedEvent
from wgfo.engine.events import Event, SessionStarted, StoreChanged, StoredGroup, Tick, WriteEnded
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName
from wgfo.telemetry.listener import Listener

LASTING: Final = (Established, Switch, OverrideSet, OverrideEnded, SetConverged, RequestAnswered)
"""Decisions after which the stored state is another one."""
GRACE_US: Final = 50_000
"""A Tick waits so long for rounds that should have been closed: their replies may be here already."""
RETICK_US: Final = 1_000
"""A deadline that its own Tick did not move is not run more often than this."""


class Carrier(Protocol):
    """Carries out decisions; the reconciler."""

    def submit(self, decisions: Iterable[Point | Observe]) -> None:
        """Take decisions."""

    def supersede(self, group: GroupName, epoch: int) -> None:
        """Let nothing of an older epoch of the group out any more."""


@dataclass(slots=True)
class Group:
    """One group: what decides, and how it stands."""

    policy: GroupPolicy
    state: GroupState
    order: int
    saved: StoredGroup | None = None
    saving: int = 0
    """Switches whose intent is not stored yet; meanwhile the writes stand in ``held``."""
    held: list[Point] = field(default_factory=list)
    ticked_us: int = -RETICK_US

    def stored(self, now_us: int) -> StoredGroup:
        """Return what must survive a restart."""
        return engine.stored(self.policy, self.state, now_us)


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a group begins a session."""

    policy: GroupPolicy
    stored: StoredGroup = field(default_factory=StoredGroup)
    downtime_us: int = 0


class Runtime:
    """Holds the groups.

    Args:
        clock: the daemon's.
        store: the state store.
        spawn: starts core tasks.
        notice: hears what is worth a line in the log.
    """

    def __init__(self, clock: Clock, store: Store, spawn: Spawn, notice: Callable[[str], None]) -> None:
        self._clock = clock
        self._store = store
        self._spawn = spawn
        self._notice = notice
        self._groups: dict[GroupName, Group] = {}
        self._events: deque[tuple[GroupName, Event]] = deque()
        self._stepping = False
        self._last_us = 0
        self._unwell: dict[str, str] = {}
        self._deadlines = Deadlines(clock, self._due, self._stands)
        self.listeners: Sequence[Listener] = ()
        """Called in order after every step."""
        self.carrier: Carrier | None = None
        """Set before the first event."""
        self.overdue: Callable[[GroupName, int], bool] = lambda _group, _by_us: False
        """Whether a group's round should have been closed by then and is not."""
        self.steps = 0
        """Progress of the decision loop, for the watchdog."""

    # --- groups -------------------------------------------------------------------------------------------

    def configure(self, beginnings: Sequence[Beginning], unchanged: Iterable[GroupName] = ()) -> None:
        """Go on with these groups, in this order: the unchanged keep their state, the others begin anew."""
        before, kept = self._groups, set(unchanged)
        self._groups = {}
        self._deadlines.clear()
        for order, begin in enumerate(beginnings):
            name = begin.policy.name
            if name in kept:
                self._groups[name] = before[name]
                self._groups[name].order = order
                self._arm(self._groups[name])
            else:
                self._groups[name] = Group(begin.policy, engine.initial(begin.policy), order)
        for begin in beginnings:
            if begin.policy.name not in kept:
                self._start(begin)

    def _start(self, begin: Beginning) -> None:
        name = begin.policy.name
        self.dispatch(name, SessionStarted(self.now_us(), begin.stored, begin.downtime_us))
        if self._unwell:
            self.dispatch(name, self._store_event())

    def group(self, name: GroupName) -> Group | None:
        """Return a group."""
        return self._groups.get(name)

    def reports(self) -> list[GroupReport]:
        """Return how every group stands now, in configured order."""
        return [self._report(group) for group in self._groups.values()]

    def states(self) -> Mapping[GroupName, GroupState]:
        """Return the engine's state of every group."""
        return {name: group.state for name, group in self._groups.items()}

    def _report(self, group: Group) -> GroupReport:
        return engine.report(group.policy, group.state, self.now_us())

    def may_write(self, name: GroupName, epoch: int) -> str | None:
        """Return why a write of this epoch must not be sent now; None: it may."""
        group = self._groups.get(name)
        if group is None:
            return f"group {name} is no longer configured"
        if engine.may_write(group.policy, group.state, epoch):
            return None
        return "the group has a newer epoch, is paused or frozen, or may not write"

    # --- stepping -----------------------------------------------------------------------------------------

    def now_us(self) -> int:
        """Return the time that an event gets that enters now; never less than before."""
        self._last_us = max(self._last_us, self._clock.monotonic_us())
        return self._last_us

    def dispatch(self, name: GroupName, event: Event) -> None:
        """Step an event at once; one that comes out of a step follows when that is done."""
        self._events.append((name, event))
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events:
                self._step(*self._events.popleft())
        finally:
            self._stepping = False

    def _step(self, name: GroupName, event: Event) -> None:
        group = self._groups.get(name)
        if group is None:  # removed by a reload while the event was on its way
            return
        if event.at_us < self._last_us:
            event = replace(event, at_us=self._last_us)
        self._last_us = event.at_us
        try:
            made = engine.step(group.policy, group.state, event)
        except RefusedEvent as refused:
            self._notice(f"{name}: {type(event).__name__} refused: {refused}")
            return
        group.state = made.state
        self.steps += 1
        self._tell(name, event, made.decisions, partial(self._report, group))
        if not made.quiet:
            self._arm(group)
            self._hand_on(group, event, made.decisions)

    def _tell(
        self,
        name: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        report: Callable[[], GroupReport],
    ) -> None:
        """Tell the listeners; one that fails must not stop an escape."""
        for listener in self.listeners:
            try:
                listener.stepped(name, event, decisions, report)
            except Exception as error:  # noqa: BLE001 - telemetry never ends the daemon
                self._notice(f"bug: {type(listener).__name__}: {type(error).__name__}: {error}")

    # --- handing on ---------------------------------------------------------------------------------------

    def _hand_on(self, group: Group, event: Event, decisions: Sequence[Decision]) -> None:
        reads = [one for one in decisions if isinstance(one, Observe)]
        writes = [one for one in decisions if isinstance(one, Point)]
        switches = [one for one in decisions if isinstance(one, Switch)]
        if switches:
            self._store_first(group, switches[-1])
        elif isinstance(event, WriteEnded) or any(isinstance(one, LASTING) for one in decisions):
            self.save(group)
        if group.saving:
            group.held += writes
            writes = []
        if reads or writes:
            self._carry_out([*writes, *reads])

    def _carry_out(self, acts: Sequence[Point | Observe]) -> None:
        assert self.carrier is not None, "the runtime has nobody to carry out its decisions"
        self.carrier.submit(acts)

    def _store_first(self, group: Group, switch: Switch) -> None:
        """Withdraw what is older at once, and write the new intent down before anything is written."""
        if self.carrier is not None:
            self.carrier.supersede(group.policy.name, switch.epoch)
        group.saving += 1
        self._spawn(self._store_and_go_on(group), name=f"store {group.policy.name}")

    async def _store_and_go_on(self, group: Group) -> None:
        """Full and hung disks stop no escape: the store waits a bounded time, and alarms by itself."""
        group.saved = group.stored(self.now_us())
        await self._store.save_bounded(group.policy.name, group.saved)
        group.saving -= 1
        if not group.saving:
            held, group.held = group.held, []
            self._carry_out(held)

    def save(self, group: Group) -> None:
        """Have a group stored if it is another one than is stored."""
        stored = group.stored(self.now_us())
        if stored != group.saved:
            group.saved = stored
            self._store.save(group.policy.name, stored)

    def save_all(self) -> None:
        """Have every group stored whose timers went on; now and then, and at the end."""
        for group in self._groups.values():
            self.save(group)

    def store_told(self, what: str, healthy: bool, text: str) -> None:
        """Take note of how the state store or the journal is; voluntary moves wait for both."""
        if healthy:
            self._unwell.pop(what, None)
        else:
            self._unwell[what] = text
        for name in self._groups:
            self.dispatch(name, self._store_event())

    def _store_event(self) -> StoreChanged:
        return StoreChanged(self.now_us(), not self._unwell, "; ".join(self._unwell.values()))

    # --- time ---------------------------------------------------------------------------------------------

    def late_us(self) -> int:
        """Return by how much the earliest deadline has passed without its Tick; for the watchdog."""
        next_us = self._deadlines.next_us()
        return 0 if next_us is None else max(0, self._clock.monotonic_us() - next_us)

    def _arm(self, group: Group) -> None:
        at_us = engine.next_deadline_us(group.policy, group.state)
        if at_us is not None:
            at_us = max(at_us, group.ticked_us + RETICK_US)
            self._deadlines.arm(group.policy.name, group.order, at_us)

    def _stands(self, name: GroupName, now_us: int) -> bool:
        """Whether a group's deadline is still at such a time; arm it anew where it moved away."""
        group = self._groups.get(name)
        if group is None:
            return False
        due_us = engine.next_deadline_us(group.policy, group.state)
        if due_us is not None and max(due_us, group.ticked_us + RETICK_US) <= now_us:
            return True
        self._arm(group)
        return False

    def _due(self, names: Sequence[GroupName]) -> None:
        for name in names:
            group = self._groups.get(name)
            if group is not None:
                self._tick(name, group)

    def _tick(self, name: GroupName, group: Group) -> None:
        due_us = engine.next_deadline_us(group.policy, group.state)
        now_us = self.now_us()
        if due_us is None or due_us > now_us:
            self._arm(group)
        elif self.overdue(name, now_us) and now_us - due_us < GRACE_US:
            self._deadlines.arm(name, group.order, now_us + RETICK_US)
        else:
            group.ticked_us = now_us
            self.dispatch(name, Tick(now_us))
