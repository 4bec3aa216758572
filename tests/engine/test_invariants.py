"""The invariants that concern one process, over random sequences of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.world import TARGETS, A, B, C, Fault, World, policy, seconds, set_policy, stream
from wgfo.engine import engine, judgement
from wgfo.engine.actuation import in_step
from wgfo.engine.decisions import Decision, Observe, Point, Rule, Switch
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    LayerReported,
    LeaseChanged,
    ObserveFailed,
    OperatorRequest,
    OverrideKind,
    ReferenceClosed,
    RequestKind,
    RoundClosed,
    SessionStarted,
    SetObserved,
    StoreChanged,
    StoredGroup,
    Tick,
    WriteEnded,
)
from wgfo.engine.policy import GroupPolicy, PathPolicy
from wgfo.engine.selection import AUTOMATIC, ESCAPES, VOLUNTARY, frozen_reason
from wgfo.engine.state import GroupState, situation_of
from wgfo.model import (
    Absent,
    FailureKind,
    Foreign,
    HandshakeReport,
    Layer,
    LayerReport,
    Observed,
    Outcome,
    PathHop,
    PathName,
    PathState,
    ProbeResult,
    SetObservation,
    SetOutcome,
    Verdict,
    WriteFailure,
)

PATHS = (A, B, C)
OUTCOMES = {"g": Outcome.OK, "l": Outcome.LOST, "u": Outcome.UNKNOWN}


def group_policy() -> GroupPolicy:
    """Short rises and waits, so that random sequences reach every corner."""
    plain = policy(
        paths=tuple(PathPolicy(name) for name in PATHS),
        sets=(set_policy("one"), set_policy("two", provider="aws", settle_us=seconds(2))),
        revertive=True,
        rise=3,
        wait_to_restore_us=seconds(8),
        reconcile_us=seconds(5),
    )
    loss = replace(plain.loss, window_us=seconds(6), confirm_us=seconds(3))
    recover = replace(plain.recover, window_us=seconds(8))
    return replace(plain, loss=loss, recover=recover)


class Machine(RuleBasedStateMachine):
    """Any event in any order; what the invariants forbid must never come out."""

    @initialize(stored=st.sampled_from([None, A, B]))
    def begin(self, stored: PathName | None) -> None:
        self.policy = group_policy()
        self.state = engine.initial(self.policy)
        self.now = 0
        self.number = 0
        self.timely = True
        self.asked: dict[str, Point | Observe] = {}
        self.events: list[Event] = []
        self.decisions: list[Decision] = []
        self.step(SessionStarted(0, StoredGroup(desired=stored, epoch=3 if stored else 0)))

    def step(self, event: Event) -> None:
        before = self.state
        done = engine.step(self.policy, self.state, event)
        self.events.append(event)
        self.state = done.state
        self.decisions += done.decisions
        for decision in done.decisions:
            if isinstance(decision, Point | Observe):
                self.asked[decision.set_id] = decision
        check(self.policy, before, done.state, event, done.decisions)
        if done.quiet:
            due = engine.next_deadline_us(self.policy, done.state)
            assert due is not None
            assert due >= (engine.next_deadline_us(self.policy, before) or 0)

    # --- what can happen -------------------------------------------------------------------------------

    @rule(
        patterns=st.tuples(*[st.sampled_from(["ggg", "lll", "lgg", "llg", "uuu", "ggl"])] * 3),
        anchors=st.tuples(*[st.sampled_from("glu")] * 3),
        times=st.integers(1, 5),
    )
    def rounds(self, patterns: tuple[str, ...], anchors: tuple[str, ...], times: int) -> None:
        for _ in range(times):
            sent = self.now
            for path, pattern, anchor in zip(PATHS, patterns, anchors, strict=True):
                results = tuple(ProbeResult(OUTCOMES[one], sent, 900) for one in pattern)
                gateway = ProbeResult(OUTCOMES[anchor], sent, 900)
                self.step(RoundClosed(sent + 800_000, path, 0, self.number, results, gateway))
            self.number += 1
            self.now += seconds(1)
            self.tick()

    @rule()
    def tick(self) -> None:
        due = engine.next_deadline_us(self.policy, self.state)
        if due is not None and due <= self.now:
            self.step(Tick(max(self.now, self.state.at_us)))

    @rule(far=st.integers(1, 60), ticked=st.booleans())
    def time_passes(self, far: int, ticked: bool) -> None:
        """The Tick of a deadline may come after other events: a calm path is called stalled by it alone."""
        self.now += seconds(far)
        self.timely &= ticked
        if ticked:
            self.tick()

    @rule(path=st.sampled_from(PATHS), verdict=st.sampled_from([Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN]))
    def link(self, path: PathName, verdict: Verdict) -> None:
        report = LayerReport(
            Layer.INTERFACE, verdict, "for the test", "code", discredits=verdict is Verdict.UNKNOWN
        )
        self.step(LayerReported(self.at, path, 1, report))

    @rule(path=st.sampled_from(PATHS), stamp=st.integers(0, 3), sent=st.integers(0, 3))
    def handshake(self, path: PathName, stamp: int, sent: int) -> None:
        read = HandshakeReport(stamp, received_bytes=100 * stamp, sent_bytes=100 * sent)
        self.step(HandshakeRead(self.at, path, 2, read))

    @rule(alive=st.sampled_from([True, False, None]))
    def reference(self, alive: bool | None) -> None:
        self.step(ReferenceClosed(self.at, alive))

    @rule(kind=st.sampled_from(RequestKind), path=st.sampled_from([None, *PATHS]), expires=st.integers(0, 40))
    def request(self, kind: RequestKind, path: PathName | None, expires: int) -> None:
        expires_us = self.at + seconds(expires) if expires else None
        self.step(OperatorRequest(self.at, "r", kind, path, expires_us=expires_us))

    @rule(held=st.booleans(), store=st.booleans())
    def controller(self, held: bool, store: bool) -> None:
        self.step(LeaseChanged(self.at, held))
        self.step(StoreChanged(self.at, store))

    @rule(seen=st.sampled_from([None, "fail", "asked", PathHop(A), PathHop(B), Absent(), Foreign("x")]))
    def answers(self, seen: Observed | str | None) -> None:
        """Answer what was asked for: honestly (None), with a failure, or with anything."""
        for set_id, asked in list(self.asked.items()):
            del self.asked[set_id]
            if isinstance(asked, Observe):
                if seen == "fail":
                    self.step(ObserveFailed(self.at, asked.set_id, "for the test"))
                    continue
                desired = self.state.selection.desired
                honest = PathHop(desired) if desired else Absent()
                hop = seen if isinstance(seen, PathHop | Absent | Foreign) else honest
                self.step(SetObserved(self.at, SetObservation(asked.set_id, hop)))
            else:
                self.step(self.write_end(asked, seen))

    def write_end(self, asked: Point, seen: Observed | str | None) -> WriteEnded:
        outcome: SetOutcome | None = SetOutcome(asked.set_id, 1)
        if seen == "fail":
            outcome = None
        elif isinstance(seen, Foreign):
            kind = FailureKind.TRANSIENT if self.now % 2 else FailureKind.DENIED
            outcome = SetOutcome(asked.set_id, 0, failures=(WriteFailure(kind, "for the test"),))
        return WriteEnded(self.at, asked.set_id, asked.epoch, asked.attempt, outcome)

    @property
    def at(self) -> int:
        self.now = max(self.now, self.state.at_us)
        return self.now

    @invariant()
    def told_in_words(self) -> None:
        report = engine.report(self.policy, self.state, self.state.at_us)
        assert report.reason
        assert len([path for path in report.paths if path.name == report.desired]) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "events"):
            return
        assert replayed(self.policy, self.events) == self.decisions, "I12"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "judged_until_us", lambda *_: -1)
            patch.setattr(engine, "quiet_until_us", lambda *_: -1)
            assert replayed(self.policy, self.events) == self.decisions, "a short cut changed a decision"
            if self.timely:
                patch.setattr(judgement, "calm", lambda *_: False)
                assert replayed(self.policy, self.events) == self.decisions, "calm changed a decision"


def replayed(group: GroupPolicy, events: list[Event]) -> list[Decision]:
    state, decisions = engine.initial(group), []
    for event in events:
        done = engine.step(group, state, event)
        state = done.state
        decisions += done.decisions
    return decisions


def check(
    group: GroupPolicy, before: GroupState, after: GroupState, event: Event, decisions: tuple[Decision, ...]
) -> None:
    """Check what one step may bring."""
    now = event.at_us
    situation = situation_of(group, after, now)
    frozen = frozen_reason(situation, after.selection)
    switches = [one for one in decisions if isinstance(one, Switch)]
    assert len(switches) <= 1
    assert after.selection.epoch - before.selection.epoch == len(switches) or before.selection.desired is None
    for point in (one for one in decisions if isinstance(one, Point)):
        assert (point.path, point.epoch) == (after.selection.desired, after.selection.epoch), "I1, I2"
        assert not frozen, "I5"
        [track] = [one for one in after.sets if one.policy.id == point.set_id]
        overtakes = point.cause == "newer epoch"  # a write under way is newer than what was read
        assert overtakes or not in_step(track, after.selection.desired), "I10"
        blind = all(one.state is PathState.UNKNOWN for one in after.judgements.values())
        observation = track.observation
        assert observation is not None
        assert not blind or isinstance(observation.majority, Absent), "I5"
    for switch in switches:
        check_switch(group, before, after, switch, frozen)
    forced = after.selection.override(OverrideKind.FORCED)
    if forced is not None and not frozen:
        assert after.selection.desired == forced.path or after.selection.desired is None, "I21"


def check_switch(
    group: GroupPolicy, before: GroupState, after: GroupState, switch: Switch, frozen: str
) -> None:
    assert switch.reason, "I22"
    assert switch.source != switch.target
    if switch.rule in AUTOMATIC:
        assert not frozen, "I5"
        assert switch.target not in {
            one.path for one in after.selection.overrides if one.kind is OverrideKind.LOCKOUT
        }
    if switch.rule in ESCAPES:
        assert switch.source is not None
        source, target = after.judgements[switch.source], after.judgements[switch.target]
        assert target.usable, "I3"
        assert switch.target in source.proved, "I3"
        assert {switch.target, switch.source} | {one.path for one in switch.rejected} <= set(PATHS)
    if switch.rule is Rule.REVERT:
        wait = before.selection.waits[switch.target]
        assert wait.passed_us(switch.at_us) >= group.wait_to_restore_us, "I4"
        assert not after.store_text, "I6"
        assert before.damping.suppressed is False or after.damping.penalty, "I6"
    if switch.rule in VOLUNTARY:
        recent = [
            at for at in after.damping.moves_us if switch.at_us - at < group.damping.max_moves_window_us
        ]
        assert len(recent) <= group.damping.max_moves, "I6"


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=settings.default.max_examples // 4,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


# --- properties of whole runs ---------------------------------------------------------------------------

FAULTS = st.lists(
    st.builds(
        Fault,
        paths=st.sampled_from([(A,), (B,), (A, B)]),
        start=st.integers(20, 80).map(float),
        end=st.integers(81, 120).map(float),
        loss=st.sampled_from([1.0, 1.0, 0.5]),
        targets=st.sampled_from([None, TARGETS, ("t1",)]),
        anchor=st.sampled_from([None, False]),
    ),
    max_size=3,
)
RUNS = settings(max_examples=settings.default.max_examples // 5, deadline=None)
"""A run is minutes of a world: dear. ``--hypothesis-profile=deep`` tries ten times as many."""


@given(FAULTS, st.integers(0, 9))
@RUNS
def test_i12_a_replay_gives_the_same_decisions(faults: list[Fault], seed: int) -> None:
    world = World(policy(revertive=True, wait_to_restore_us=seconds(20)), seed=seed, faults=faults).run(150)
    assert replayed(world.policy, world.events) == world.log


@given(FAULTS, st.integers(0, 9))
@RUNS
def test_i15_other_names_make_no_other_decisions(faults: list[Fault], seed: int) -> None:
    other = {A: PathName("zulu"), B: PathName("alpha")}
    renamed = [replace(one, paths=tuple(other[path] for path in one.paths)) for one in faults]
    group = policy(paths=(PathPolicy(other[A]), PathPolicy(other[B])))
    plain = World(seed=seed, faults=faults)
    changed = World(group, seed=seed, faults=renamed)
    for world in (plain, changed):
        table = next(iter(world.tables.values()))
        table.hop = PathHop(world.policy.preferred)
    told = [(at, other[target], why) for at, target, why in plain.run(150).switches]
    assert told == changed.run(150).switches


@given(
    st.floats(20, 60),
    st.floats(0.5, 40),
    st.floats(-0.04, 0.04),
    st.sampled_from([TARGETS, ("t1",), ("t1", "t2")]),
    st.booleans(),
)
@RUNS
def test_i14_what_fails_alike_on_every_path_moves_nothing(
    start: float, lasts: float, phase: float, targets: tuple[str, ...], anchor: bool
) -> None:
    faults = [Fault((A, B), start, start + lasts, targets=targets, anchor=anchor)]
    world = World(faults=faults, phase={B: phase}).run(start + lasts + 60)
    assert world.switches == []


@given(st.integers(0, 999), st.integers(2, 5), st.sampled_from([0.5, 1.0, 2.0]))
@RUNS
def test_i17_a_blackout_is_decided_by_the_deadline(phase: int, fall: int, interval: float) -> None:
    one = stream(fall=fall, interval_us=seconds(interval), timeout_us=seconds(interval * 0.8))
    start = 80 + phase * interval / 1000
    world = World(policy(streams=(one,), sources=()), faults=[Fault((A,), start)]).run(start + 40)
    [(at, target, _)] = world.switches
    assert target == B
    assert at - start <= interval * (fall + 0.8) + interval / 20


@given(st.integers(0, 999), st.integers(2, 5), st.floats(0.1, 0.999))
@RUNS
def test_i18_a_shorter_interruption_is_no_blackout(phase: int, fall: int, part: float) -> None:
    start = 60 + phase / 1000
    faults = [Fault((A,), start, start + (fall - 1) * part)]
    world = World(policy(streams=(stream(fall=fall),), sources=()), faults=faults).run(90)
    assert [rule for _, _, rule in world.switches if rule == "signal_fail"] == []


@given(FAULTS, st.integers(0, 9), st.integers(30, 110), st.integers(0, 3))
@RUNS
def test_i16_one_more_loss_on_the_standby_is_never_a_reason_to_move(
    faults: list[Fault], seed: int, at: int, place: int
) -> None:
    plain = World(seed=seed, faults=faults).run(150)
    worse = [changed(one, B, at, place, Outcome.LOST) for one in plain.events]
    assert count(plain.policy, worse, A) <= count(plain.policy, plain.events, A)


def changed(event: Event, path: PathName, number: int, place: int, outcome: Outcome) -> Event:
    """Return the event with one probe of one round ended otherwise."""
    if not isinstance(event, RoundClosed) or event.path != path or event.round != number or place > 2:
        return event
    results = list(event.results)
    results[place] = replace(results[place], outcome=outcome)
    return replace(event, results=tuple(results))


def count(group: GroupPolicy, events: list[Event], leaving: PathName) -> int:
    """Count the automatic moves away from a path while it is the first that is desired."""
    for one in replayed(
        group, [event for event in events if not isinstance(event, WriteEnded | SetObserved)]
    ):
        if isinstance(one, Switch) and one.rule in ESCAPES:
            return int(one.source == leaving)
    return 0
