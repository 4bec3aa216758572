"""Each rule of the selection by itself: its answer, whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.unit.story import lines
from tests.engine.world import A, B, C, policy, seconds
from wgfo.engine import selection as rules
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import Rule
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.faults import Fault, FaultRule
from wgfo.engine.judgement import Judgement, Restore
from wgfo.engine.policy import DampingRule, PathPolicy
from wgfo.engine.selection import Choice, Planned, Selection, Situation, Wait
from wgfo.model import PathName, PathState

NOW = seconds(100)
GROUP = policy(
    paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)),
    revertive=True,
    wait_to_restore_us=seconds(60),
    hold_off_us=seconds(2),
    damping=DampingRule(max_moves=1),
)
CUT = Fault(FaultRule.BLACKOUT, "dead", 7, numbers={"lost_rounds": 3})
LARGE_DIES = Fault(FaultRule.CLASS, "class large fails", 8, numbers={"targets": 2})
LOSES = Fault(FaultRule.LOSS, "loss", 9)
UP = Judgement(PathState.UP, restore=Restore.GOOD)
UNPROVEN = Judgement(clean=4)
DEAD = Judgement(PathState.DOWN, fault=CUT, live=True, proved=(B, C))
RECOVERING = Judgement(PathState.DOWN, fault=CUT)
BAD_CLASS = Judgement(PathState.DEGRADED, fault=LARGE_DIES, live=True, proved=(B, C))
LOSSY = Judgement(PathState.DEGRADED, fault=LOSES, live=True, proved=(B, C))
ON_A = Selection(desired=A, epoch=3, failing_since_us=NOW - seconds(2))
ON_B = Selection(desired=B, epoch=3)


def situation(a: Judgement = UP, b: Judgement = UP, c: Judgement = UP, **changes: object) -> Situation:
    plain = Situation(GROUP, NOW, {A: a, B: b, C: c}, Damping())
    return replace(plain, **changes)


def override(kind: OverrideKind, path: PathName | None = None, reason: str = "") -> Override:
    return Override(kind, path, reason, "", "")


def chosen(choice: Choice | None) -> list[str]:
    if choice is None:
        return ["no answer"]
    told = [f"{choice.rule} -> {choice.target}: {choice.reason}"]
    if choice.fault is not None:
        told.append(f"fault {choice.fault.rule}")
    told += [f"number {name}={value}" for name, value in choice.numbers.items()]
    return told + [f"not {one.path}: {one.why}" for one in choice.rejected]


# --- escapes ----------------------------------------------------------------------------------------------


def test_signal_fail_escapes_to_the_most_preferred_with_proof() -> None:
    assert chosen(rules.signal_fail(situation(DEAD), ON_A, A)) == lines(
        """
        signal_fail -> b: a is down: dead
        fault blackout
        number lost_rounds=3
        """
    )
    no_proof = replace(DEAD, proved=(C,))
    assert chosen(rules.signal_fail(situation(no_proof), ON_A, A)) == lines(
        """
        signal_fail -> c: a is down: dead
        fault blackout
        number lost_rounds=3
        not b: no answer newer than the fault
        """
    )
    assert chosen(rules.signal_fail(situation(DEAD, BAD_CLASS), ON_A, A)) == lines(
        """
        signal_fail -> c: a is down: dead
        fault blackout
        number lost_rounds=3
        """
    )
    assert chosen(rules.signal_fail(situation(DEAD, BAD_CLASS, RECOVERING), ON_A, A)) == lines(
        """
        signal_fail -> b: a is down: dead
        fault blackout
        number lost_rounds=3
        not c: down, recovering
        """
    )


def test_signal_fail_holds_off_and_stays_where_nothing_is_usable() -> None:
    early = replace(ON_A, failing_since_us=NOW - seconds(2) + 1)
    assert chosen(rules.signal_fail(situation(DEAD, UNPROVEN), early, A)) == lines(
        """
        signal_fail -> None: a is down: hold-off
        fault blackout
        not b: unproven: 4 clean rounds of 10
        """
    )
    fresh = replace(ON_A, failing_since_us=None)
    assert chosen(rules.signal_fail(situation(DEAD), fresh, A)) == lines(
        """
        signal_fail -> None: a is down: hold-off
        fault blackout
        """
    )
    assert chosen(rules.signal_fail(situation(DEAD, UNPROVEN, RECOVERING), ON_A, A)) == lines(
        """
        signal_fail -> None: a is down (dead) and no other path is usable
        fault blackout
        not b: unproven: 4 clean rounds of 10
        not c: down, recovering
        """
    )


def test_signal_fail_has_no_answer_for_a_path_that_does_not_fail() -> None:
    for judged in (UP, UNPROVEN, RECOVERING, BAD_CLASS, replace(DEAD, fault=None)):
        assert rules.signal_fail(situation(judged), ON_A, A) is None


def test_signal_degrade_moves_to_a_path_that_is_up() -> None:
    assert chosen(rules.signal_degrade(situation(BAD_CLASS), ON_A, A)) == lines(
        """
        signal_degrade -> b: a is degraded: class large fails
        fault class
        number targets=2
        """
    )
    assert chosen(rules.signal_degrade(situation(LOSSY, BAD_CLASS), ON_A, A)) == lines(
        """
        signal_degrade -> c: a is degraded: loss
        fault loss
        """
    )
    assert chosen(rules.signal_degrade(situation(LOSSY, RECOVERING), ON_A, A)) == lines(
        """
        signal_degrade -> c: a is degraded: loss
        fault loss
        not b: down, recovering
        """
    )
    used_up = Damping(moves_us=(NOW,))
    assert chosen(rules.signal_degrade(situation(LOSSY, damping=used_up), ON_A, A)) == lines(
        """
        stay -> None: a is degraded, but the moves of this window are used up
        """
    )


def test_signal_degrade_has_no_answer_where_nothing_is_better() -> None:
    for a, b, c in (
        (UP, UP, UP),
        (DEAD, UP, UP),
        (replace(LOSSY, live=False), UP, UP),
        (replace(LOSSY, fault=None), UP, UP),
        (replace(UP, live=True, fault=LOSES), UP, UP),
        (LOSSY, BAD_CLASS, UNPROVEN),
        (replace(LOSSY, proved=()), UP, UP),
    ):
        assert rules.signal_degrade(situation(a, b, c), ON_A, A) is None


# --- why not ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        (UP, ""),
        (BAD_CLASS, ""),
        (DEAD, "down: dead"),
        (RECOVERING, "down, recovering"),
        (replace(DEAD, fault=None), "down, recovering"),
        (UNPROVEN, "unproven: 4 clean rounds of 10"),
        (Judgement(blind="not seen from this site"), "not seen from this site"),
        (LOSSY, "degraded: loss"),
        (replace(LOSSY, fault=None), "degraded"),
    ],
)
def test_why_a_path_may_not_be_moved_to(judged: Judgement, why: str) -> None:
    assert rules.unfit(situation(b=judged), ON_A, B, None) == why
    assert rules.unfit(situation(b=judged), ON_A, B, DEAD) == why
    assert rules.unfit(situation(b=judged), ON_A, B, replace(DEAD, proved=(C,))) == (
        why or "no answer newer than the fault"
    )
    locked = replace(ON_A, overrides=(override(OverrideKind.LOCKOUT, B),))
    assert rules.unfit(situation(b=judged), locked, B, None) == "locked out"
    assert rules.unfit(situation(b=judged), locked, C, None) == ""


FROZEN = (
    ({"isolated": True}, "isolated: nothing answers, the local reference neither"),
    ({"lease_held": False}, "the lease is not held"),
)


@pytest.mark.parametrize(("changes", "why"), FROZEN)
def test_what_freezes_a_group(changes: dict[str, bool], why: str) -> None:
    assert rules.frozen_reason(situation(**changes), ON_A) == why
    assert chosen(rules.frozen(situation(**changes), ON_A, A)) == [f"stay -> None: {why}"]


def test_a_release_or_a_pause_freezes_a_group() -> None:
    assert rules.frozen(situation(), ON_A, A) is None
    released = replace(ON_A, released=True)
    assert rules.frozen_reason(situation(), released) == "released: the routes are no longer managed"
    for reason, told in (("", "paused"), ("works", "paused: works")):
        paused = replace(ON_A, overrides=(override(OverrideKind.PAUSED, None, reason),))
        assert rules.frozen_reason(situation(), paused) == told


def test_what_blocks_a_return() -> None:
    site = replace(GROUP, paths=(PathPolicy(A), PathPolicy(B, visible=False), PathPolicy(C, visible=False)))
    two = replace(GROUP, paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C, visible=False)))
    for changes, why in (
        ({}, ""),
        ({"policy": replace(GROUP, revertive=False)}, "not revertive"),
        ({"damping": Damping(suppressed=True)}, "damped: too many switches lately"),
        ({"damping": Damping(moves_us=(NOW,))}, "the voluntary moves of this window are used up"),
        ({"store_healthy": False}, "the state cannot be stored"),
        ({"policy": site}, "this site sees fewer than two paths"),
        ({"policy": two}, ""),
    ):
        assert rules.revert_blocked(situation(**changes)) == why


# --- operators --------------------------------------------------------------------------------------------


def test_forced_holds_and_moves() -> None:
    forced = replace(ON_A, overrides=(override(OverrideKind.FORCED, B, "drill"),))
    assert chosen(rules.forced(situation(), forced, A)) == lines(
        """
        forced -> b: forced onto b: drill
        not a: forced elsewhere
        not c: forced elsewhere
        """
    )
    assert chosen(rules.forced(situation(), forced, B)) == lines(
        """
        forced -> None: forced onto b: drill
        not a: forced elsewhere
        not c: forced elsewhere
        """
    )
    assert rules.forced(situation(), ON_A, A) is None
    assert rules.forced(situation(), replace(ON_A, overrides=(override(OverrideKind.FORCED),)), A) is None


def test_lockout_leaves_the_path() -> None:
    locked = replace(ON_A, overrides=(override(OverrideKind.LOCKOUT, A),))
    assert chosen(rules.lockout(situation(b=DEAD), locked, A)) == lines(
        """
        lockout -> c: a is locked out
        not b: down: dead
        """
    )
    assert chosen(rules.lockout(situation(b=DEAD, c=UNPROVEN), locked, A)) == lines(
        """
        lockout -> None: a is locked out, but no other path is usable
        not b: down: dead
        not c: unproven: 4 clean rounds of 10
        """
    )
    assert rules.lockout(situation(), locked, B) is None


def test_manual_holds() -> None:
    for reason in ("", "works"):
        held = replace(ON_B, overrides=(override(OverrideKind.MANUAL, B, reason),))
        told = "manual switch to b: works" if reason else "manual switch to b"
        assert chosen(rules.manual(situation(), held, B)) == [
            f"manual -> None: {told}",
            "not a: a manual switch holds",
            "not c: a manual switch holds",
        ]
        assert rules.manual(situation(), held, A) is None
    assert rules.manual(situation(), ON_B, B) is None


# --- returns ----------------------------------------------------------------------------------------------

WAITED = replace(ON_B, waits={A: Wait(seconds(10), NOW - seconds(50))})


def test_revert_returns_after_the_whole_wait() -> None:
    assert chosen(rules.revert(situation(), WAITED, B)) == lines(
        """
        revert -> a: a was good for the wait-to-restore of 60 s
        number waited_s=60
        not b: less preferred
        not c: less preferred
        """
    )
    for waits in (
        {},
        {A: Wait(seconds(10), NOW - seconds(50) + 1)},
        {A: Wait(seconds(70), None)},
        {B: Wait(seconds(70), NOW)},
        {C: Wait(seconds(70), NOW)},
    ):
        assert rules.revert(situation(), replace(WAITED, waits=waits), B) is None
    for restore in (Restore.BAD, Restore.UNSURE):
        assert rules.revert(situation(replace(UP, restore=restore)), WAITED, B) is None
    assert rules.revert(situation(store_healthy=False), WAITED, B) is None
    locked = replace(WAITED, overrides=(override(OverrideKind.LOCKOUT, A),))
    assert rules.revert(situation(), locked, B) is None


def test_revert_takes_the_most_preferred_that_waited() -> None:
    waits = {A: Wait(0, NOW - seconds(60)), B: Wait(0, NOW - seconds(60))}
    on_c = Selection(desired=C, waits=waits)
    assert chosen(rules.revert(situation(), on_c, C))[:1] == lines(
        """
        revert -> a: a was good for the wait-to-restore of 60 s
        """
    )
    assert chosen(rules.revert(situation(a=DEAD), replace(on_c, waits={B: waits[B]}), C))[:1] == lines(
        """
        revert -> b: b was good for the wait-to-restore of 60 s
        """
    )


@pytest.mark.parametrize(
    ("wait", "restore", "after"),
    [
        (Wait(5, 40), Restore.BAD, Wait()),
        (Wait(5, 40), Restore.UNSURE, Wait(65)),
        (Wait(5), Restore.UNSURE, Wait(5)),
        (Wait(5, 40), Restore.GOOD, Wait(5, 40)),
        (Wait(5), Restore.GOOD, Wait(5, 100)),
    ],
)
def test_a_wait_runs_while_good_pauses_while_unsure_and_goes_while_bad(
    wait: Wait, restore: Restore, after: Wait
) -> None:
    now = situation(replace(UP, restore=restore), now_us=100)
    assert rules.waits_after(now, replace(ON_B, waits={A: wait}))[A] == after
    assert wait.passed_us(100) == wait.done_us + (60 if wait.since_us == 40 else 0)


def test_the_desired_path_waits_for_nothing() -> None:
    assert set(rules.waits_after(situation(), ON_B)) == {A, C}


def test_a_dead_service_brings_one_return_to_a_path_that_is_up() -> None:
    escaped = replace(ON_B, escaped_from=A)
    dead = situation(service_dead=True)
    assert chosen(rules.service_return(dead, escaped, B)) == lines(
        """
        service_return -> a: the service stayed dead after the move to b; a is up: going back once
        not b: the service is dead here
        not c: the service is dead here
        """
    )
    locked = replace(escaped, overrides=(override(OverrideKind.LOCKOUT, A),))
    for now, before, desired in (
        (situation(), escaped, B),
        (dead, replace(escaped, latched=True), B),
        (dead, ON_B, B),
        (dead, escaped, A),
        (situation(BAD_CLASS, service_dead=True), escaped, B),
        (dead, locked, B),
    ):
        assert rules.service_return(now, before, desired) is None


def test_a_planned_move_that_cannot_be_written_goes_back() -> None:
    planned = replace(ON_B, planned=Planned(A, NOW + 1))
    over = replace(planned, planned=Planned(A, NOW))
    assert chosen(rules.planned_failed(situation(writes_hopeless=True), planned, B)) == lines(
        """
        planned_failed -> a: a half of the planned move to b could not be written: back to a
        """
    )
    assert chosen(rules.planned_failed(situation(), over, B)) == lines(
        """
        planned_failed -> a: a half of the planned move to b could not be written: back to a
        """
    )
    for now, before, desired in (
        (situation(), planned, B),
        (situation(), ON_B, B),
        (situation(), over, A),
        (situation(DEAD), over, B),
    ):
        assert rules.planned_failed(now, before, desired) is None


# --- staying, and the order -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judged", "told"),
    [
        (UP, "a is up"),
        (UNPROVEN, "a is unknown"),
        (Judgement(blind="filtered"), "a is unknown: filtered"),
        (RECOVERING, "a is recovering"),
        (LOSSY, "a is degraded (loss), but no other path is better"),
        (replace(LOSSY, fault=None), "a is degraded"),
        (
            replace(UP, remote_dark=True),
            "remote site down: targets are silent on every path, the far gateways answer",
        ),
    ],
)
def test_staying_says_how_the_path_is(judged: Judgement, told: str) -> None:
    assert chosen(rules.stay(situation(judged), ON_A, A)) == [f"stay -> None: {told}"]


def test_the_strongest_rule_decides() -> None:
    assert rules.choose(situation(), Selection()) is None
    everything = Selection(
        desired=A,
        failing_since_us=0,
        overrides=(
            override(OverrideKind.FORCED, C),
            override(OverrideKind.LOCKOUT, A),
            override(OverrideKind.PAUSED),
        ),
    )
    told = []
    for left in range(4):
        now = situation(DEAD)
        before = replace(everything, overrides=everything.overrides[: 3 - left])
        if left == 2:
            before = replace(everything, overrides=everything.overrides[1:2])
        choice = rules.choose(now, before)
        assert choice is not None
        told.append(choice.rule)
    assert told == [Rule.STAY, Rule.FORCED, Rule.LOCKOUT, Rule.SIGNAL_FAIL]
    names = [rule.__name__ for rule in rules.PRIORITY]
    assert names == lines(
        """
        frozen
        forced
        lockout
        signal_fail
        signal_degrade
        service_return
        planned_failed
        manual
        revert
        stay
        """
    )


def test_the_kinds_of_moves() -> None:
    assert {Rule.SIGNAL_DEGRADE, Rule.REVERT} == rules.VOLUNTARY
    assert {Rule.LOCKOUT, Rule.MANUAL, Rule.DRAIN, Rule.REVERT} == rules.PLANNED
    assert {Rule.SIGNAL_FAIL, Rule.SIGNAL_DEGRADE} == rules.ESCAPES
    assert {Rule.SIGNAL_FAIL, Rule.SIGNAL_DEGRADE, Rule.REVERT, Rule.SERVICE_RETURN} == rules.AUTOMATIC
    assert rules.PLANNED_DEADLINE_US == 30_000_000


def test_defaults() -> None:
    assert Wait() == Wait(0, None)
    assert (situation().isolated, situation().lease_held, situation().store_healthy) == (False, True, True)
    assert (situation().service_dead, situation().writes_hopeless) == (False, False)
    fresh = Selection()
    assert (fresh.epoch, fresh.latched, fresh.released, fresh.rule) == (0, False, False, Rule.START)


@pytest.mark.parametrize(
    ("states", "blind"), [((UP, UNPROVEN, UNPROVEN), False), ((UNPROVEN, UNPROVEN, UNPROVEN), True)]
)
def test_a_group_is_blind_while_nothing_is_known(states: tuple[Judgement, ...], blind: bool) -> None:
    assert situation(*states).blind is blind
    assert situation(*states).visible == 3
