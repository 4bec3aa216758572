"""A small world for the engine alone: scripted paths, an honest or lying route table, virtual time, no asyncio.

One heap of happenings drives the pure engine exactly as the daemon would: rounds go out on all paths under one
number, results come back after the round trip or at the timeout, writes and reads take a while.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from wgfo.engine import engine
from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmRaised,
    Decision,
    Observe,
    PathChanged,
    Point,
    RequestAnswered,
    Switch,
)
from wgfo.engine.events import (
    Event,
    ObserveFailed,
    OperatorRequest,
    ReferenceClosed,
    RequestKind,
    RoundClosed,
    SessionStarted,
    SetObserved,
    StoredGroup,
    Tick,
    WriteEnded,
)
from wgfo.engine.policy import (
    SECOND_US,
    EvidenceSource,
    GroupPolicy,
    PathPolicy,
    SetPolicy,
    StreamPolicy,
)
from wgfo.model import (
    SMALL,
    Absent,
    GroupName,
    Layer,
    Observed,
    Outcome,
    PathHop,
    PathName,
    ProbeClass,
    ProbeResult,
    ProviderName,
    RouteSetId,
    SetObservation,
    SetOutcome,
    TableName,
)

A, B, C = PathName("a"), PathName("b"), PathName("c")
RTT_US = 3_000
TARGETS = ("t1", "t2", "t3")


def seconds(value: float) -> int:
    """Return seconds as microseconds."""
    return round(value * SECOND_US)


def stream(index: int = 0, **changes: object) -> StreamPolicy:
    """Return a base ICMP stream of three targets, one round a second."""
    plain = StreamPolicy(index, "icmp", SMALL, SECOND_US, 800_000, TARGETS, base=True)
    return replace(plain, **changes)  # type: ignore[arg-type]


def set_policy(name: str = "main", provider: str = "linux", **changes: object) -> SetPolicy:
    """Return a route set of one prefix."""
    plain = SetPolicy(
        RouteSetId(f"{provider}/{name}/g"), ProviderName(provider), TableName(name), deadline_us=5 * SECOND_US
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def policy(**changes: object) -> GroupPolicy:
    """Return two paths, one stream, one route set, not revertive: the scenarios' defaults."""
    plain = GroupPolicy(
        GroupName("g"),
        paths=(PathPolicy(A), PathPolicy(B)),
        streams=(stream(),),
        sources=(
            EvidenceSource(1, "interface", Layer.INTERFACE),
            EvidenceSource(2, "handshake", Layer.HANDSHAKE),
        ),
        sets=(set_policy(),),
        revertive=False,
        has_reference=True,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@dataclass
class Fault:
    """What is lost through some paths, from ``start`` until ``end`` (seconds)."""

    paths: tuple[PathName, ...]
    start: float
    end: float = 1e9
    loss: float = 1.0
    targets: tuple[str, ...] | None = None
    """None: all targets and the anchor."""
    anchor: bool | None = None
    """None: with all targets; else whether the anchor is hit."""
    classes: tuple[ProbeClass, ...] | None = None

    def hits(self, path: PathName, target: str, probe_class: ProbeClass, at: float) -> bool:
        """Whether a probe sent at a moment may be lost to this fault."""
        if path not in self.paths or not self.start <= at < self.end:
            return False
        if self.classes is not None and probe_class not in self.classes:
            return False
        if target == "peer":
            return self.anchor if self.anchor is not None else self.targets is None
        return self.targets is None or target in self.targets


@dataclass
class Table:
    """A route table that answers after a while, and may lie."""

    hop: Observed = field(default_factory=lambda: PathHop(A))
    write_us: int = 20_000
    read_us: int = 5_000
    failing: Callable[[float], str] = lambda _at: ""
    fail_write: Callable[[float, Point], WriteEnded | None] = lambda _at, _point: None
    writes: list[tuple[float, PathName, int]] = field(default_factory=list)
    text: str = ""


class World:
    """Drives one group. Times given and told are seconds; the engine's are microseconds."""

    def __init__(
        self,
        group: GroupPolicy | None = None,
        *,
        seed: int = 0,
        faults: list[Fault] | None = None,
        tables: dict[RouteSetId, Table] | None = None,
        stored: StoredGroup | None = None,
        phase: dict[PathName, float] | None = None,
        reference_dead: tuple[float, float] = (1e9, 1e9),
    ) -> None:
        self.policy = group or policy()
        self.random = random.Random(seed)
        self.faults = faults or []
        self.tables = tables or {one.id: Table() for one in self.policy.sets}
        self.phase = phase or {}
        self.reference_dead = reference_dead
        self.state = engine.initial(self.policy)
        self.events: list[Event] = []
        self.log: list[Decision] = []
        self.queue: list[tuple[int, int, Callable[[int], None]]] = []
        self.order = 0
        self.armed: int | None = None
        self.now = 0
        self.muted: tuple[float, float] = (1e9, 1e9)
        self.watchers: list[Callable[[World, Event, tuple[Decision, ...]], None]] = []
        self.dispatch(SessionStarted(0, stored or StoredGroup()))
        for one in self.policy.streams:
            self.at_us(0, lambda _now, one=one: self._round(one, 0))
        if self.policy.has_reference:
            self.at_us(0, lambda _now: self._reference())

    # --- running -------------------------------------------------------------------------------------

    def at_us(self, when_us: int, what: Callable[[int], None]) -> None:
        """Do something later."""
        self.order += 1
        heapq.heappush(self.queue, (max(when_us, self.now), self.order, what))

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at a second."""
        self.at_us(seconds(when), lambda _now: what())

    def run(self, until: float) -> World:
        """Run to a second."""
        end_us = seconds(until)
        while self.queue and self.queue[0][0] <= end_us:
            self.now, _, what = heapq.heappop(self.queue)
            what(self.now)
        self.now = end_us
        return self

    def dispatch(self, event: Event) -> tuple[Decision, ...]:
        """Step the engine and do what it asks for."""
        self.events.append(event)
        done = engine.step(self.policy, self.state, event)
        self.state = done.state
        self.log += done.decisions
        for decision in done.decisions:
            if isinstance(decision, Point):
                self._point(decision)
            elif isinstance(decision, Observe):
                self._observe(decision)
        for watcher in self.watchers:
            watcher(self, event, done.decisions)
        self._arm()
        return done.decisions

    def _arm(self) -> None:
        due = engine.next_deadline_us(self.policy, self.state)
        if due is not None and (self.armed is None or due < self.armed):
            self.armed = due
            self.at_us(due, self._tick)

    def _tick(self, now: int) -> None:
        self.armed = None
        due = engine.next_deadline_us(self.policy, self.state)
        if due is not None and due <= now:
            self.dispatch(Tick(now))
        else:
            self._arm()

    # --- probes --------------------------------------------------------------------------------------

    def _round(self, one: StreamPolicy, number: int) -> None:
        start_us = self.now
        self.at_us(start_us + one.interval_us, lambda _now: self._round(one, number + 1))
        if self.muted[0] <= start_us / SECOND_US < self.muted[1]:
            return
        for path in self.policy.paths:
            if path.visible:
                offset = seconds(self.phase.get(path.name, 0))
                self._send(one, number, path, start_us + offset)

    def _send(self, one: StreamPolicy, number: int, path: PathPolicy, sent_us: int) -> None:
        step_us = one.interval_us // 20 // max(1, len(one.targets) + 1)
        names = list(one.targets) + (["peer"] if one.base and path.anchor else [])
        results = [
            self.probe(path.name, name, one, sent_us + place * step_us) for place, name in enumerate(names)
        ]
        ends = [
            result.sent_us + (result.rtt_us if result.outcome is Outcome.OK else one.timeout_us)
            for result in results
        ]
        anchor = results.pop() if one.base and path.anchor else None
        self.at_us(
            max(ends),
            lambda now: self._close(RoundClosed(now, path.name, one.index, number, tuple(results), anchor)),
        )

    def _close(self, event: RoundClosed) -> None:
        self.dispatch(event)

    def probe(self, path: PathName, target: str, one: StreamPolicy, sent_us: int) -> ProbeResult:
        """Return how one probe ends."""
        for fault in self.faults:
            if fault.hits(path, target, one.probe_class, sent_us / SECOND_US) and (
                fault.loss >= 1 or self.random.random() < fault.loss
            ):
                return ProbeResult(Outcome.LOST, sent_us)
        return ProbeResult(Outcome.OK, sent_us, RTT_US)

    def _reference(self) -> None:
        self.at_us(self.now + SECOND_US, lambda _now: self._reference())
        dead = self.reference_dead[0] <= self.now / SECOND_US < self.reference_dead[1]
        self.dispatch(ReferenceClosed(self.now, not dead))

    # --- routes --------------------------------------------------------------------------------------

    def _observe(self, asked: Observe) -> None:
        table = self.tables[asked.set_id]

        def answer(now: int) -> None:
            text = table.failing(now / SECOND_US)
            if text:
                self.dispatch(ObserveFailed(now, asked.set_id, text))
            else:
                self.dispatch(SetObserved(now, SetObservation(asked.set_id, table.hop)))

        self.at_us(self.now + table.read_us, answer)

    def _point(self, asked: Point) -> None:
        table = self.tables[asked.set_id]

        def answer(now: int) -> None:
            failed = table.fail_write(now / SECOND_US, asked)
            if failed is not None:
                self.dispatch(failed)
                return
            if not engine.may_write(self.policy, self.state, asked.epoch):
                return
            table.hop = PathHop(asked.path)
            table.writes.append((now / SECOND_US, asked.path, asked.epoch))
            self.dispatch(
                WriteEnded(now, asked.set_id, asked.epoch, asked.attempt, SetOutcome(asked.set_id, 1))
            )

        self.at_us(self.now + table.write_us, answer)

    # --- what a test asks ----------------------------------------------------------------------------

    def request(self, kind: RequestKind, path: PathName | None = None, **more: object) -> RequestAnswered:
        """Send an operator request now."""
        event = OperatorRequest(self.now, f"r{len(self.events)}", kind, path, **more)  # type: ignore[arg-type]
        decisions = self.dispatch(event)
        return next(one for one in decisions if isinstance(one, RequestAnswered))

    @property
    def switches(self) -> list[tuple[float, PathName, str]]:
        """(second, target, rule) of every switch."""
        return [(s.at_us / SECOND_US, s.target, s.rule.value) for s in self.log if isinstance(s, Switch)]

    @property
    def writes(self) -> list[tuple[float, PathName, int]]:
        """All writes of all tables."""
        return sorted(write for table in self.tables.values() for write in table.writes)

    @property
    def alarms(self) -> set[str]:
        """The names of the alarms that hold now."""
        return {name.value for name in self.state.alarms}

    def raised(self, name: str) -> list[float]:
        """The seconds at which an alarm was raised."""
        return [d.at_us / SECOND_US for d in self.log if isinstance(d, AlarmRaised) and d.name == name]

    def cleared(self, name: str) -> list[float]:
        """The seconds at which an alarm ended."""
        return [d.at_us / SECOND_US for d in self.log if isinstance(d, AlarmCleared) and d.name == name]

    def states(self, path: PathName) -> list[tuple[float, str, str]]:
        """(second, state, rule) of every change of a path's state."""
        return [
            (d.at_us / SECOND_US, d.after.value, d.rule)
            for d in self.log
            if isinstance(d, PathChanged) and d.path == path
        ]

    @property
    def desired(self) -> PathName | None:
        """The desired path."""
        return self.state.selection.desired


ABSENT = Absent()
