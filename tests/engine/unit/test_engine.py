# ruff: noqa: E501 - an alarm is a line
"""The order of a step: what is asked anew, what may be skipped, which timers run, which alarms are announced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.unit.story import line
from tests.engine.world import A, B, PathName, policy, seconds, set_policy
from wgfo.engine import detection, engine
from wgfo.engine.actuation import Phase
from wgfo.engine.decisions import AlarmName, Rule
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    ObserveFailed,
    ReferenceClosed,
    RoundClosed,
    ServiceClosed,
    SessionStarted,
    SetChanged,
    SetObserved,
    StoredGroup,
    Tick,
    WriteEnded,
)
from wgfo.engine.faults import Fault, FaultRule
from wgfo.engine.handshake import Handshake
from wgfo.engine.judgement import Judgement, Restore
from wgfo.engine.moving import Step
from wgfo.engine.policy import Act, EvidenceSource, LatencyRule, PathPolicy, ServicePolicy
from wgfo.engine.selection import Planned, Selection, Wait
from wgfo.engine.state import Alarm, GroupState, Reference, ServiceTrack
from wgfo.model import HandshakeReport, Layer, Outcome, PathHop, PathState, ProbeResult, SetObservation

NOW = seconds(100)
GROUP = policy(sets=(set_policy("one"), set_policy("two")), has_reference=False)
UP = Judgement(PathState.UP, 5, clean=7, restore=Restore.GOOD)
CUT = Fault(FaultRule.BLACKOUT, "dead", 7, numbers={"lost_rounds": 3})


def settled(**changes: object) -> GroupState:
    """Return a group that stands well: both paths up, both sets on A."""
    fresh = engine.initial(GROUP)
    sets = tuple(
        replace(
            track,
            phase=Phase.SYNCED,
            observation=SetObservation(track.policy.id, PathHop(A)),
            observed_us=NOW,
            next_us=NOW + 50,
            epoch=1,
            converged_epoch=1,
        )
        for track in fresh.sets
    )
    plain = replace(
        fresh,
        at_us=NOW,
        started=True,
        judgements={A: UP, B: UP},
        selection=Selection(desired=A, epoch=1),
        sets=sets,
        chosen=True,
    )
    return replace(plain, **changes)


# --- what may be skipped ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({}, False),
        ({"clean": 8}, False),
        ({"since_us": 9}, False),
        ({"state": PathState.DOWN}, True),
        ({"restore": Restore.BAD}, True),
        ({"live": True}, True),
        ({"proved": (A,)}, True),
        ({"fault": CUT}, True),
        ({"remote_dark": True}, True),
    ],
)
def test_a_choice_is_asked_anew_where_a_path_is_judged_otherwise(
    changes: dict[str, object], new: bool
) -> None:
    before = settled()
    after = settled(judgements={A: replace(UP), B: replace(UP, **changes)})
    assert engine._nothing_new(before, after) is not new
    assert engine._nothing_new(before, before)


def test_a_choice_is_asked_anew_while_there_is_none() -> None:
    nowhere = settled(selection=Selection())
    assert not engine._nothing_new(nowhere, nowhere)


@pytest.mark.parametrize(
    ("times", "due"),
    [((None, None), False), ((NOW + 1, None), False), ((NOW + 9, NOW), True), ((None, NOW - 1), True)],
)
def test_routes_are_driven_when_a_time_of_theirs_has_come(times: tuple[int | None, ...], due: bool) -> None:
    plain = settled()
    sets = tuple(replace(track, next_us=at_us) for track, at_us in zip(plain.sets, times, strict=True))
    assert engine._due(replace(plain, sets=sets), NOW) is due


def test_alarms_are_asked_anew_unless_nothing_is_wrong_anywhere() -> None:
    plain = settled()
    assert engine._untroubled(GROUP, plain)
    first, second = plain.sets
    for trouble in (
        {"alarms": {AlarmName.DRIFT: Alarm(1, "text", page=False)}},
        {"reference": Reference(1)},
        {"sets": (first, replace(second, out_since_us=5))},
        {"judgements": {A: UP, B: replace(UP, lossy=True)}},
    ):
        assert not engine._untroubled(GROUP, replace(plain, **trouble))
    assert not engine._untroubled(replace(GROUP, latency=LatencyRule(7)), plain)


# --- what nothing follows from ----------------------------------------------------------------------------

RESTING = settled(quiet_until_us=NOW + 50, judged_until_us=NOW + 50)
"""A group of which a round was heard already, at rest."""
GOOD = ProbeResult(Outcome.OK, NOW, 900)


def heard(path: PathName = A) -> GroupState:
    """Return the resting group with one answered round of a path."""
    round_ = RoundClosed(NOW, path, 0, 1, (GOOD,) * 3, GOOD)
    evidence = detection.round_closed(GROUP, RESTING.evidence[path], round_)
    return replace(RESTING, evidence={**RESTING.evidence, path: evidence})


def round_of(answered: str = "ggg", at_us: int = NOW + 5, path: PathName = A) -> RoundClosed:
    words = {"g": GOOD, "l": replace(GOOD, outcome=Outcome.LOST), "u": replace(GOOD, outcome=Outcome.UNKNOWN)}
    return RoundClosed(at_us, path, 0, 2, tuple(words[one] for one in answered), GOOD)


def test_from_a_good_round_of_a_calm_path_nothing_follows_but_its_count() -> None:
    done = engine.step(GROUP, heard(), round_of())
    assert (done.quiet, done.decisions, done.state.at_us) == (True, (), NOW + 5)
    assert done.state.judgements == {A: replace(UP, clean=8), B: UP}
    assert done.state.evidence[A].streams[0].targets[0].good == 2
    assert done.state.quiet_until_us == NOW + 50


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (heard(), round_of("lgg")),
        (heard(), round_of(at_us=NOW + 50)),
        (heard(B), round_of()),
        (replace(heard(), judgements={A: replace(UP, restore=Restore.BAD), B: UP}), round_of()),
        (replace(heard(), judgements={A: replace(UP, lossy=True), B: UP}), round_of()),
        (heard(), Tick(NOW + 5)),
        (heard(), ReferenceClosed(NOW + 5, alive=False)),
    ],
)
def test_every_rule_is_asked_where_anything_may_follow(state: GroupState, event: Event) -> None:
    assert not engine.step(GROUP, state, event).quiet


@pytest.mark.parametrize(("closed_us", "quiet"), [(-1, False), (0, True), (NOW, True)])
def test_something_may_follow_from_the_first_round_of_a_stream(closed_us: int, quiet: bool) -> None:
    evidence = heard().evidence[A]
    [track] = evidence.streams
    older = replace(evidence, streams=(replace(track, closed_us=closed_us),))
    state = replace(heard(), evidence={**heard().evidence, A: older})
    assert engine.step(GROUP, state, round_of()).quiet is quiet


@pytest.mark.parametrize("alive", [True, None])
def test_from_a_reference_that_answers_as_before_nothing_follows(alive: bool | None) -> None:
    done = engine.step(GROUP, heard(), ReferenceClosed(NOW + 5, alive))
    assert done == Step(replace(heard(), at_us=NOW + 5), (), quiet=True)


@pytest.mark.parametrize(
    ("known", "stamp", "quiet"),
    [
        (Handshake(first_us=NOW - 9, stamp=7), 7, True),
        (Handshake(first_us=NOW - 9, stamp=7), 8, True),
        (Handshake(first_us=NOW - 9, stamp=7), 0, False),
        (Handshake(), 7, False),
    ],
)
def test_a_handshake_brings_no_deadline_nearer_unless_its_end_does(
    known: Handshake, stamp: int, quiet: bool
) -> None:
    evidence = replace(heard().evidence[A], handshake=known)
    state = replace(heard(), evidence={**heard().evidence, A: evidence})
    done = engine.step(GROUP, state, HandshakeRead(NOW + 5, A, 2, HandshakeReport(stamp, 1, 1)))
    assert (done.quiet, done.decisions, done.state.at_us) == (quiet, (), NOW + 5)
    assert done.state.evidence[A].handshake.stamp == stamp


def test_an_untroubled_group_rests_until_the_next_deadline_that_is_not_of_evidence() -> None:
    tired = replace(heard(), quiet_until_us=-1, judged_until_us=-1)
    done = engine.step(GROUP, tired, ReferenceClosed(NOW + 5, alive=True))
    assert not done.quiet
    assert done.state.quiet_until_us == NOW + 50
    first = replace(tired, chosen=False, selection=replace(tired.selection, rule=Rule.REVERT))
    assert engine._resting(GROUP, first) is first
    led = replace(GROUP, streams=(), sources=(EvidenceSource(0, "a", Layer.DATAPLANE, Act.ALONE),))
    assert engine._resting(led, tired) is tired


@pytest.mark.parametrize("event", [Tick(NOW + 5), round_of("lgg"), SetChanged(NOW + 5, GROUP.sets[0].id)])
def test_what_is_no_quiet_evidence_ends_the_rest(event: Event) -> None:
    assert engine.step(GROUP, heard(), event).state.quiet_until_us == -1


def test_the_same_evidence_is_not_judged_again_until_something_in_it_ends() -> None:
    def judged(event: Event, until_us: int = NOW + 50) -> PathState:
        wrong = {A: replace(UP, state=PathState.DEGRADED, fault=CUT, clean=12), B: UP}
        state = replace(heard(), judgements=wrong, judged_until_us=until_us)
        return engine.step(GROUP, state, event).state.judgements[A].state

    assert judged(Tick(NOW + 5)) is PathState.DEGRADED
    assert judged(Tick(NOW + 50)) is PathState.UP
    assert judged(Tick(NOW + 5), -1) is PathState.UP
    assert judged(round_of("ggg")) is PathState.UP


def test_what_was_judged_as_before_stands_until_something_in_it_ends() -> None:
    event = SetChanged(NOW + 5, GROUP.sets[0].id)
    done = engine.step(GROUP, replace(heard(), judged_until_us=-1), event)
    assert done.state.judged_until_us == NOW + 5 * seconds(1) + 1
    lost = engine.step(GROUP, heard(), round_of("lgg"))
    assert lost.state.judged_until_us == -1
    turned = replace(heard(), judged_until_us=-1, judgements={A: replace(UP, lossy=True), B: UP})
    assert engine.step(GROUP, turned, event).state.judged_until_us == -1


def test_a_stall_is_told_though_a_round_of_another_path_comes_before_its_tick() -> None:
    state = replace(heard(), sets=tuple(replace(one, next_us=NOW + seconds(30)) for one in heard().sets))
    for number in range(1, 6):
        state = engine.step(GROUP, state, round_of(at_us=NOW + seconds(number), path=B)).state
    stall_us = engine.next_deadline_us(GROUP, state)
    assert stall_us == NOW + seconds(5) + 1
    late = engine.step(GROUP, state, round_of(at_us=stall_us + 100, path=B)).state
    assert late.judgements[A].state is PathState.UP
    assert engine.next_deadline_us(GROUP, late) == stall_us + 100
    ticked = engine.step(GROUP, late, Tick(stall_us + 200))
    assert ticked.state.judgements[A].state is PathState.UNKNOWN
    assert AlarmName.CONTACT_LOST in ticked.state.alarms


# --- timers -----------------------------------------------------------------------------------------------


def timed(state: GroupState) -> Selection:
    return engine._timed(GROUP, state, NOW)


def test_timers_that_do_not_change_leave_the_selection_as_it_is() -> None:
    waiting = Selection(desired=A, epoch=1, waits={B: Wait(0, 7)})
    assert timed(settled(selection=waiting)) is waiting
    nowhere = Selection()
    assert timed(settled(selection=nowhere)) is nowhere


def test_the_hold_off_runs_from_when_the_path_failed_until_it_does_not() -> None:
    failing = {A: Judgement(PathState.DOWN, fault=CUT, live=True), B: UP}
    plain = Selection(desired=A, epoch=1, waits={B: Wait(0, 7)})
    assert timed(settled(selection=plain, judgements=failing)).failing_since_us == NOW
    running = replace(plain, failing_since_us=9)
    assert timed(settled(selection=running, judgements=failing)) is running
    assert timed(settled(selection=running)).failing_since_us is None


def test_waits_are_brought_up_to_now() -> None:
    assert timed(settled()).waits == {B: Wait(0, NOW)}


def test_a_planned_move_is_over_when_every_set_stands() -> None:
    planned = Selection(desired=A, epoch=1, waits={B: Wait(0, 7)}, planned=Planned(B, NOW + 9))
    plain = settled(selection=planned)
    assert timed(plain).planned is None
    first, second = plain.sets
    for worse in (
        replace(second, converged_epoch=0),
        replace(second, observation=SetObservation(second.policy.id, PathHop(B))),
    ):
        assert timed(replace(plain, sets=(first, worse))) is planned


# --- what is announced ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (Judgement(PathState.DOWN, fault=CUT), "b up -> down, blackout: dead [lost_rounds=3]"),
        (Judgement(PathState.UNKNOWN, blind="not seen"), "b up -> unknown, blind: not seen"),
        (Judgement(PathState.UP, clean=12), "b up -> up, rise: 12 clean rounds [clean=12]"),
    ],
)
def test_a_change_of_state_tells_its_rule(after: Judgement, told: str) -> None:
    assert line(engine._path_changed(NOW, B, UP, after)) == f"100.000 {told}"


def announced(
    state: GroupState, *, drifted: bool = False, suppressed: bool = False
) -> tuple[GroupState, list[str]]:
    first, second = state.sets
    damped = replace(state.damping, suppressed=suppressed)
    changed = replace(state, sets=(replace(first, drift_us=5 if drifted else None), second), damping=damped)
    done = engine._alarm(GROUP, changed, NOW)
    return done.state, [line(one).split(" ", 1)[1] for one in done.decisions]


def test_an_alarm_is_announced_when_it_begins_and_when_it_ends() -> None:
    drift = "alarm drift: changed by others: linux/one/g"
    state, told = announced(settled(), drifted=True)
    assert told == [drift]
    assert state.alarms == {AlarmName.DRIFT: Alarm(NOW, "changed by others: linux/one/g", page=False)}
    again, told = announced(state, drifted=True, suppressed=True)
    assert told == ["alarm flapping: too many switches lately: returns are suppressed, escapes are not"]
    over, told = announced(again)
    assert (over.alarms, told) == ({}, ["alarm drift over", "alarm flapping over"])
    assert announced(settled())[1] == []


def test_an_alarm_that_goes_on_keeps_its_time_and_tells_when_it_pages() -> None:
    old = {AlarmName.FORCED_PATH_DOWN: Alarm(7, "older", page=False)}
    down = settled(alarms=old, isolated=True)
    done = engine._alarm(GROUP, down, NOW)
    assert [line(one) for one in done.decisions] == [
        "100.000 alarm isolated (page): this controller is isolated: no path answers and the local reference hosts are silent too",
        "100.000 alarm forced_path_down over",
    ]
    mild = settled(alarms={AlarmName.ISOLATED: Alarm(7, "older", page=False)}, isolated=True)
    worse = engine._alarm(GROUP, mild, NOW)
    assert [line(one)[:30] for one in worse.decisions] == ["100.000 alarm isolated (page):"]
    assert worse.state.alarms[AlarmName.ISOLATED].since_us == 7
    same = engine._alarm(GROUP, replace(mild, alarms=worse.state.alarms), NOW + 1)
    assert same.decisions == ()


# --- a step -----------------------------------------------------------------------------------------------


def test_a_round_of_the_reference_that_changes_nothing_asks_for_nothing() -> None:
    done = engine.step(GROUP, settled(), ReferenceClosed(NOW, alive=True))
    assert done.decisions == ()


def test_whatever_waits_for_a_time_is_done_by_the_next_event_too() -> None:
    planned = Selection(desired=A, epoch=1, waits={B: Wait(0, 7)}, planned=Planned(B, NOW + 9))
    plain = settled(selection=planned)
    first, second = plain.sets
    state = replace(plain, sets=(first, replace(second, converged_epoch=0, next_us=NOW + 5)))
    done = engine.step(GROUP, state, ReferenceClosed(NOW + 5, alive=True))
    assert [line(one).split(" ", 1)[1] for one in done.decisions] == ["converged linux/two/g on a epoch 1"]


def on(state: GroupState, path: PathName) -> GroupState:
    """Return the group with all its routes on a path."""
    sets = tuple(replace(one, observation=SetObservation(one.policy.id, PathHop(path))) for one in state.sets)
    return replace(state, sets=sets)


FIRST_SET = GROUP.sets[0].id


@pytest.mark.parametrize(
    "event",
    [
        ReferenceClosed(NOW + 1, alive=True),
        HandshakeRead(NOW + 1, A, 2, HandshakeReport(7, 1, 1)),
        SetObserved(NOW + 1, SetObservation(FIRST_SET, PathHop(A))),
        ObserveFailed(NOW + 1, FIRST_SET, "unreachable"),
        SetChanged(NOW + 1, FIRST_SET),
        WriteEnded(NOW + 1, FIRST_SET, 1, 1, None),
        ServiceClosed(NOW + 1, 0, alive=True),
    ],
)
def test_what_tells_nothing_new_of_a_calm_path_leaves_it_as_it_was_judged(event: Event) -> None:
    rules = replace(GROUP, services=(ServicePolicy(0, "http", ("x",)),))
    state = settled(services=(ServiceTrack(),))
    assert engine.step(rules, state, event).state.judgements == {A: UP, B: UP}
    assert engine.step(rules, state, Tick(NOW + 1)).state.judgements[A].restore is Restore.UNSURE


REVERTIVE = replace(GROUP, revertive=True, wait_to_restore_us=seconds(60))
RETURNING = Selection(desired=B, epoch=1, waits={A: Wait(0, NOW + 5 - seconds(60))})


def test_a_wait_that_is_over_is_noticed_by_a_round_that_brings_no_news() -> None:
    state = on(settled(selection=RETURNING), B)
    early = engine.step(REVERTIVE, state, ReferenceClosed(NOW + 4, alive=True))
    assert early.state.selection.desired == B
    done = engine.step(REVERTIVE, state, ReferenceClosed(NOW + 5, alive=True))
    assert (done.state.selection.desired, done.state.selection.rule) == (A, Rule.REVERT)


def test_timers_run_from_the_first_round_after_a_move() -> None:
    state = on(settled(selection=RETURNING), B)
    moved = engine.step(REVERTIVE, state, ReferenceClosed(NOW + 5, alive=True)).state
    after = engine.step(REVERTIVE, moved, ReferenceClosed(NOW + 6, alive=True)).state
    assert after.selection.waits == {B: Wait(0, NOW + 6)}


def test_timers_run_from_the_first_round_of_a_session() -> None:
    after = engine.step(GROUP, settled(chosen=False), ReferenceClosed(NOW + 1, alive=True)).state
    assert after.selection.waits == {B: Wait(0, NOW + 1)}


def test_what_a_tick_brought_about_is_weighed_by_the_next_round() -> None:
    planned = Selection(desired=A, epoch=1, waits={B: Wait(0, 7)}, planned=Planned(B, NOW + 9))
    plain = settled(selection=planned)
    first, second = plain.sets
    late = replace(plain, sets=(first, replace(second, converged_epoch=0, next_us=NOW + 5)))
    written = engine.step(GROUP, late, Tick(NOW + 5))
    assert [line(one).split(" ", 1)[1] for one in written.decisions] == ["converged linux/two/g on a epoch 1"]
    after = engine.step(GROUP, written.state, ReferenceClosed(NOW + 6, alive=True)).state
    assert after.selection.planned is None


def test_isolation_is_told_with_the_round_of_the_reference_that_shows_it() -> None:
    rules = replace(GROUP, has_reference=True)
    state = settled(reference=Reference(1))
    dead = engine.step(rules, state, ReferenceClosed(NOW + 1, alive=False)).state
    assert dead.isolated
    assert dead.selection.reason == "isolated: nothing answers, the local reference neither"
    back = engine.step(rules, dead, ReferenceClosed(NOW + 2, alive=True)).state
    assert not back.isolated
    assert back.selection.reason == "a is up"


def test_a_session_that_begins_at_time_zero_judges_at_once() -> None:
    rules = replace(GROUP, paths=(PathPolicy(A), PathPolicy(B, visible=False)))
    state = engine.step(rules, engine.initial(rules), SessionStarted(0)).state
    assert [one.blind for one in state.judgements.values()] == ["", "not seen from this site"]


@pytest.mark.parametrize("path", [A, B])
def test_a_session_without_news_of_its_paths_decides_nothing(path: PathName) -> None:
    state = engine.step(GROUP, engine.initial(GROUP), SessionStarted(0, StoredGroup(path, 3))).state
    done = engine.step(GROUP, state, Tick(1))
    assert done.decisions == ()
    assert done.state.selection.desired == path
