"""What a move changes in a group, and what the group's situation is made of."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.engine.unit.story import line, lines
from tests.engine.world import A, B, C, policy, seconds, set_policy
from wgfo.engine import engine, moving, start
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import Rejected, Rule
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.faults import Fault, FaultRule
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import DampingRule, GroupPolicy, PathPolicy, ServicePolicy
from wgfo.engine.selection import Choice, Planned, Selection, Wait
from wgfo.engine.state import (
    Alarm,
    GroupState,
    Reference,
    ServiceTrack,
    goal_of,
    is_isolated,
    scene_of,
    situation_of,
)
from wgfo.engine.window import Tally
from wgfo.model import PathState

GROUP = policy(
    paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)),
    services=(ServicePolicy(0, "http", ("x",), fall=2), ServicePolicy(1, "tcp", ("y",), fall=2)),
    damping=DampingRule(max_moves=5),
)
NOW = seconds(100)
STANDING = (
    Override(OverrideKind.MANUAL, A, "", "", ""),
    Override(OverrideKind.LOCKOUT, B, "", "", ""),
    Override(OverrideKind.LOCKOUT, C, "", "", ""),
)
FULL = Selection(
    desired=A,
    epoch=3,
    rule=Rule.STAY,
    reason="a is up",
    rejected=(Rejected(C, "old"),),
    overrides=STANDING,
    failing_since_us=5,
    waits={A: Wait(1), B: Wait(2), C: Wait(3)},
    planned=Planned(C, 7),
    escaped_from=C,
)
STATE = replace(
    engine.initial(GROUP),
    selection=FULL,
    services=(ServiceTrack(4, 3), ServiceTrack(5, 1)),
    epoch_us=9,
    damping=Damping(10, NOW),
)


def move(rule: Rule, rules: GroupPolicy = GROUP, before: GroupState = STATE, **more: object) -> list[str]:
    choice = Choice(rule, "why", B, rejected=(Rejected(A, "left"),), **more)
    done = moving.move(rules, before, choice, NOW)
    told = [line(one) for one in done.decisions]
    for old, new in ((before, done.state), (before.selection, done.state.selection)):
        told += [
            f"{one.name}: {value}"
            for one in fields(old)
            if one.name not in ("selection", "overrides")
            and (value := getattr(new, one.name)) != getattr(old, one.name)
        ]
    return told


def test_an_escape_ends_the_manual_switch_and_remembers_where_it_came_from() -> None:
    fault = Fault(FaultRule.BLACKOUT, "dead", seconds(90))
    assert move(Rule.SIGNAL_FAIL, fault=fault, numbers={"lost_rounds": 3}) == lines(
        """
        100.000 ended manual a: cancelled: why
        100.000 switch a -> b epoch 4, signal_fail: why fault 90.000 [lost_rounds=3]; not a: left
        damping: Damping(penalty=1010, at_us=100000000, suppressed=False, moves_us=())
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        urgent: True
        desired: b
        epoch: 4
        rule: signal_fail
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: None
        escaped_from: a
        """
    )
    assert move(Rule.SIGNAL_DEGRADE) == lines(
        """
        100.000 ended manual a: cancelled: why
        100.000 switch a -> b epoch 4, signal_degrade: why; not a: left
        damping: Damping(penalty=1010, at_us=100000000, suppressed=False, moves_us=(100000000,))
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        urgent: True
        desired: b
        epoch: 4
        rule: signal_degrade
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: None
        escaped_from: a
        """
    )


def test_a_planned_move_remembers_what_it_may_go_back_to() -> None:
    assert move(Rule.DRAIN) == lines(
        """
        100.000 switch a -> b epoch 4, drain: why; not a: left
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        desired: b
        epoch: 4
        rule: drain
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: Planned(source='a', deadline_us=130000000)
        escaped_from: None
        """
    )
    assert move(Rule.REVERT) == lines(
        """
        100.000 switch a -> b epoch 4, revert: why; not a: left
        damping: Damping(penalty=1010, at_us=100000000, suppressed=False, moves_us=(100000000,))
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        desired: b
        epoch: 4
        rule: revert
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: Planned(source='a', deadline_us=130000000)
        escaped_from: None
        """
    )
    without = replace(STATE, sets=())
    assert [one for one in move(Rule.DRAIN, replace(GROUP, sets=()), without) if "planned" in one] == [
        "planned: None"
    ]


def test_a_return_for_the_service_is_latched() -> None:
    assert move(Rule.SERVICE_RETURN) == lines(
        """
        100.000 switch a -> b epoch 4, service_return: why; not a: left
        damping: Damping(penalty=1010, at_us=100000000, suppressed=False, moves_us=())
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        desired: b
        epoch: 4
        rule: service_return
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: None
        escaped_from: None
        latched: True
        """
    )
    latched = replace(STATE, selection=replace(FULL, latched=True))
    assert "latched: False" not in move(Rule.DRAIN, before=latched)


def test_a_planned_move_that_failed_ends_the_lockout_of_where_it_goes_back_to() -> None:
    assert move(Rule.PLANNED_FAILED) == lines(
        """
        100.000 ended manual a: why
        100.000 ended lockout b: why
        100.000 switch a -> b epoch 4, planned_failed: why; not a: left
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        desired: b
        epoch: 4
        rule: planned_failed
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: None
        escaped_from: None
        """
    )


def test_a_forced_switch_is_not_counted() -> None:
    assert move(Rule.FORCED) == lines(
        """
        100.000 switch a -> b epoch 4, forced: why; not a: left
        services: (ServiceTrack(fails=4, fails_on_new=0), ServiceTrack(fails=5, fails_on_new=0))
        epoch_us: 100000000
        desired: b
        epoch: 4
        rule: forced
        reason: why
        rejected: (Rejected(path='a', why='left'),)
        failing_since_us: None
        waits: {'c': Wait(done_us=3, since_us=None)}
        planned: None
        escaped_from: None
        """
    )


def test_finding_the_first_path_is_no_switch() -> None:
    before = replace(STATE, selection=replace(FULL, desired=None, epoch=0))
    found = start.Found(B, "observed", "most observed routes point at b")
    done = moving.established(before, found, NOW)
    assert [line(one) for one in done.decisions] == [
        "100.000 established b epoch 1, observed: most observed routes point at b"
    ]
    chosen = done.state.selection
    assert (chosen.desired, chosen.epoch, chosen.rule, chosen.reason) == (B, 1, Rule.START, found.reason)
    assert done.state.epoch_us == NOW
    again = moving.established(replace(before, selection=replace(FULL, desired=None)), found, NOW)
    assert again.state.selection.epoch == 3


def test_after_a_move_every_path_is_judged_anew_for_a_return_is_measured_by_the_desired_one() -> None:
    judged = replace(STATE, judged_until_us=NOW + 9)
    assert moving.move(GROUP, judged, Choice(Rule.REVERT, "why", B), NOW).state.judged_until_us == -1
    first = replace(judged, selection=replace(FULL, desired=None))
    found = start.Found(B, "observed", "why")
    assert moving.established(first, found, NOW).state.judged_until_us == -1


# --- the state as the rules see it ------------------------------------------------------------------------


def test_a_situation_is_made_of_the_state() -> None:
    state = replace(STATE, services=(ServiceTrack(), ServiceTrack()))
    plain = situation_of(GROUP, state, NOW)
    assert (plain.policy, plain.now_us, plain.judgements, plain.damping) == (
        GROUP,
        NOW,
        state.judgements,
        state.damping,
    )
    assert (plain.isolated, plain.lease_held, plain.store_healthy) == (False, True, True)
    assert (plain.service_dead, plain.writes_hopeless) == (False, False)
    assert situation_of(GROUP, replace(state, isolated=True), NOW).isolated
    assert not situation_of(GROUP, replace(state, lease_text="gone"), NOW).lease_held
    assert not situation_of(GROUP, replace(state, store_text="full"), NOW).store_healthy
    for fails, dead in ((1, False), (2, True)):
        services = (ServiceTrack(), ServiceTrack(fails_on_new=fails))
        assert situation_of(GROUP, replace(state, services=services), NOW).service_dead is dead
    two = policy(sets=(set_policy("one"), set_policy("two")))
    sets = engine.initial(two).sets
    hopeless = replace(engine.initial(two), sets=(sets[0], replace(sets[1], permanent=True)))
    assert situation_of(two, hopeless, NOW).writes_hopeless
    assert scene_of(GROUP, STATE, NOW).now_us == NOW


def test_a_goal_is_made_of_the_state() -> None:
    plain = goal_of(GROUP, STATE, NOW)
    assert (plain.desired, plain.epoch, plain.writable, plain.blind) == (A, 3, True, True)
    assert (plain.urgent, plain.futile) == (False, False)
    assert not goal_of(GROUP, replace(STATE, lease_text="gone"), NOW).writable
    assert goal_of(GROUP, replace(STATE, urgent=True), NOW).urgent
    seeing = replace(STATE, judgements={**STATE.judgements, C: Judgement(PathState.UP)})
    assert not goal_of(GROUP, seeing, NOW).blind
    assert not goal_of(policy(streams=()), replace(STATE, services=()), NOW).blind


@pytest.mark.parametrize(
    ("rule", "live", "state", "futile"),
    [
        (FaultRule.INTERFACE, True, PathState.DOWN, True),
        (FaultRule.INTERFACE, False, PathState.DOWN, False),
        (FaultRule.INTERFACE, True, PathState.UP, False),
        (FaultRule.BLACKOUT, True, PathState.DOWN, False),
    ],
)
def test_writing_is_futile_while_the_interface_is_down(
    rule: FaultRule, live: bool, state: PathState, futile: bool
) -> None:
    judged = Judgement(state, fault=Fault(rule, "down", 1), live=live)
    assert goal_of(GROUP, replace(STATE, judgements={**STATE.judgements, A: judged}), NOW).futile is futile
    bare = replace(STATE, judgements={**STATE.judgements, A: replace(judged, fault=None)})
    assert not goal_of(GROUP, bare, NOW).futile
    nowhere = replace(STATE, selection=Selection(), judgements={**STATE.judgements, A: judged})
    assert not goal_of(GROUP, nowhere, NOW).futile


def test_a_controller_is_isolated_when_neither_a_path_nor_the_reference_answers() -> None:
    silent = replace(STATE, reference=Reference(fails=2))
    assert is_isolated(GROUP, silent)
    assert not is_isolated(GROUP, replace(STATE, reference=Reference(fails=1)))
    assert not is_isolated(replace(GROUP, has_reference=False), silent)
    evidence = silent.evidence[B]
    answering = replace(evidence.streams[0], targets=(Tally(good=1), Tally(), Tally()))
    alive = {**silent.evidence, B: replace(evidence, streams=(answering,))}
    assert not is_isolated(GROUP, replace(silent, evidence=alive))


def test_a_group_begins_with_nothing() -> None:
    fresh = engine.initial(
        policy(sets=(set_policy("one", adopt=True), set_policy("two")), services=GROUP.services)
    )
    assert (fresh.at_us, fresh.started, fresh.isolated, fresh.urgent, fresh.chosen) == (
        -1,
        False,
        False,
        False,
        False,
    )
    assert (fresh.epoch_us, fresh.store_text, fresh.lease_text) == (0, "", "")
    assert [one.adopted for one in fresh.sets] == [True, False]
    assert fresh.services == (ServiceTrack(0, 0),) * 2
    assert (fresh.reference, fresh.alarms, fresh.damping) == (Reference(0), {}, Damping())
    assert Alarm(1, "text", page=True).page
