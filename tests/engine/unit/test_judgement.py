# ruff: noqa: E501 - a judgement is a line
"""What is believed of a path after the evidence of all, from rounds that are written out."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.engine.unit.story import lines
from tests.engine.unit.test_faults import evidence_of, long_scene
from tests.engine.unit.test_faults import scene as plain_scene
from tests.engine.world import A, B, C, policy, seconds, stream
from wgfo.engine import judgement
from wgfo.engine.detection import SourceTrack
from wgfo.engine.events import RoundClosed
from wgfo.engine.faults import Fault, FaultRule, Scene
from wgfo.engine.judgement import DEG, DOWN, TRANSITIONS, UP, Judgement, Restore, Signal, U
from wgfo.engine.policy import EvidenceSource, GroupPolicy, LatencyRule, LossRule, PathPolicy, RecoverRule
from wgfo.model import LARGE, Layer, LayerReport, Outcome, PathName, PathState, ProbeResult, Verdict

GROUP = policy(
    paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)),
    streams=(stream(targets=("t1", "t2")), stream(1, base=False, probe_class=LARGE, targets=("t1", "t2"))),
    sources=(),
    rise=3,
    class_fall=2,
    loss=LossRule(percent=20, window_us=seconds(10), margin=10, confirm_us=seconds(3)),
    recover=RecoverRule(percent=10, window_us=seconds(10)),
)
NOW = seconds(20)
GOOD = "oooooooooo oooooooooo oooooooooo oo oo"
DARK = "oxxoooo oxxoooo oxxoooo"
CUT = "ooooooxxxx ooooooxxxx ooooooxxxx oo oo"
WAS_UP = Judgement(PathState.UP, 5, clean=7, restore=Restore.GOOD)
OLD_CUT = Fault(FaultRule.BLACKOUT, "was dead", 3)
CALM = {A: WAS_UP, B: WAS_UP, C: WAS_UP}


def scene(
    a: str = GOOD, b: str = GOOD, c: str = GOOD, *, rules: GroupPolicy = GROUP, now_us: int = NOW
) -> Scene:
    """Return a scene in which every stream closed a round a second ago that told something."""
    bare = plain_scene(a, b, c, rules, now_us)
    heard = {}
    for name, evidence in bare.evidence.items():
        streams = tuple(replace(one, told=True, closed_us=now_us - seconds(1)) for one in evidence.streams)
        heard[name] = replace(evidence, streams=streams)
    return replace(bare, evidence=heard)


def judged(
    now: Scene, before: Judgement = WAS_UP, *, event: RoundClosed | None = None, **others: Judgement
) -> list[str]:
    """Return what is believed of A afterwards, where it differs from before."""
    all_before = {**CALM, A: before, **{PathName(name): one for name, one in others.items()}}
    after = judgement.judge(now, all_before, event, evidence_alone=False)[A]
    return [
        f"{one.name}: {_told(getattr(before, one.name))} -> {_told(getattr(after, one.name))}"
        for one in fields(Judgement)
        if getattr(before, one.name) != getattr(after, one.name)
    ]


def _told(value: object) -> str:
    if isinstance(value, Fault):
        return f"{value.rule} ({value.reason})"
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)


# --- states -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(PathState))
def test_from_every_state_the_strongest_signal_leads(state: PathState) -> None:
    for signal, after in (
        (Signal.CONDEMNED, DOWN),
        (Signal.BLIND, U),
        (Signal.DEGRADING, DEG),
        (Signal.RISEN, UP),
        (Signal.QUIET, state),
    ):
        assert TRANSITIONS[state, signal] is after


def test_the_strongest_signal_counts() -> None:
    fault = Fault(FaultRule.LOSS, "", 0)
    assert judgement._signal(fault, "blind", fault, risen=True) is Signal.CONDEMNED
    assert judgement._signal(None, "blind", fault, risen=True) is Signal.BLIND
    assert judgement._signal(None, "", fault, risen=True) is Signal.DEGRADING
    assert judgement._signal(None, "", None, risen=True) is Signal.RISEN
    assert judgement._signal(None, "", None, risen=False) is Signal.QUIET


def test_nothing_is_believed_at_first() -> None:
    first = Judgement()
    assert (first.state, first.since_us, first.live, first.clean, first.lossy) == (U, 0, False, 0, False)
    assert (first.remote_dark, first.restore, first.masked, first.loss_since_us) == (
        False,
        Restore.UNSURE,
        frozenset(),
        None,
    )


@pytest.mark.parametrize(
    ("state", "rule", "live", "usable", "failing"),
    [
        (UP, None, False, True, False),
        (DEG, FaultRule.CLASS, True, True, False),
        (DEG, FaultRule.LOSS, True, False, False),
        (DEG, None, False, False, False),
        (DOWN, FaultRule.CLASS, True, False, True),
        (DOWN, FaultRule.BLACKOUT, False, False, False),
        (U, None, False, False, False),
        (U, FaultRule.CLASS, True, False, False),
    ],
)
def test_what_may_be_escaped_to_and_what_is_failing(
    state: PathState, rule: FaultRule | None, live: bool, usable: bool, failing: bool
) -> None:
    one = Judgement(state, fault=Fault(rule, "", 0) if rule else None, live=live)
    assert (one.usable, one.failing) == (usable, failing)


def test_a_good_path_stays_as_it_is() -> None:
    assert judged(scene()) == []


def test_a_cut_path_goes_down_and_stays_while_it_holds() -> None:
    assert judged(scene(CUT)) == lines(
        """
        state: up -> down
        since_us: 5 -> 20000000
        fault: None -> blackout (data plane dead (2 of 2 targets silent for 4 rounds: why 9))
        live: False -> True
        proved: () -> ('b', 'c')
        clean: 7 -> 0
        lossy: False -> True
        restore: good -> bad
        """
    )
    down = Judgement(DOWN, 4, OLD_CUT, live=True, clean=2, loss_since_us=8, loss_versus=B)
    assert judged(scene(CUT, CUT), down) == lines(
        """
        fault: blackout (was dead) -> blackout (data plane dead (2 of 2 targets silent for 4 rounds: why 9))
        proved: () -> ('c',)
        clean: 2 -> 0
        loss_since_us: 8 -> None
        loss_versus: b -> None
        lossy: False -> True
        restore: unsure -> bad
        """
    )


def test_a_path_recovers_by_clean_rounds_and_little_loss() -> None:
    down = Judgement(DOWN, 4, OLD_CUT, clean=2)
    assert judged(scene(), down) == lines(
        """
        restore: unsure -> bad
        """
    )
    assert judged(scene(), replace(down, clean=3, lossy=True)) == lines(
        """
        state: down -> up
        since_us: 4 -> 20000000
        fault: blackout (was dead) -> None
        lossy: True -> False
        restore: unsure -> good
        """
    )
    assert judged(scene("oooxxxxooo oooooooooo o oo oo"), replace(down, clean=3)) == lines(
        """
        loss_since_us: None -> 20000000
        loss_versus: None -> b
        lossy: False -> True
        restore: unsure -> bad
        """
    )
    assert judged(scene("oooxoxxxxxooo oooooooooo o oo oo"), replace(down, clean=3)) == lines(
        """
        loss_since_us: None -> 20000000
        loss_versus: None -> b
        lossy: False -> True
        restore: unsure -> bad
        """
    )


def test_a_path_that_was_never_judged_rises_too() -> None:
    assert judged(scene(), Judgement(clean=3)) == lines(
        """
        state: unknown -> up
        since_us: 0 -> 20000000
        restore: unsure -> good
        """
    )
    assert judged(scene(), Judgement(clean=2, fault=OLD_CUT)) == lines(
        """
        fault: blackout (was dead) -> None
        """
    )


def test_a_path_is_unknown_while_nothing_can_be_said() -> None:
    late = scene(now_us=seconds(40))
    stale = {
        name: replace(one, streams=tuple(replace(track, closed_us=0) for track in one.streams))
        for name, one in late.evidence.items()
    }
    assert judged(replace(late, evidence=stale)) == lines(
        """
        state: up -> unknown
        since_us: 5 -> 40000000
        restore: good -> unsure
        blind:  -> no probe round of kind icmp has closed for five intervals
        """
    )
    unseen = replace(GROUP, paths=(PathPolicy(A, visible=False), PathPolicy(B), PathPolicy(C)))
    assert judged(scene(CUT, rules=unseen), Judgement()) == lines(
        """
        loss_since_us: None -> 20000000
        loss_versus: None -> b
        lossy: False -> True
        blind:  -> not seen from this site
        """
    )


def test_a_path_of_which_nothing_can_be_said_has_no_live_fault() -> None:
    late = scene(LOSING, now_us=seconds(40))
    old = {
        name: replace(one, streams=tuple(replace(track, closed_us=0) for track in one.streams))
        for name, one in late.evidence.items()
    }
    losing = replace(WAS_UP, loss_since_us=NOW, loss_versus=C, lossy=True)
    assert judged(replace(late, evidence=old), losing) == lines(
        """
        state: up -> unknown
        since_us: 5 -> 40000000
        restore: good -> unsure
        blind:  -> no probe round of kind icmp has closed for five intervals
        """
    )


# --- loss -------------------------------------------------------------------------------------------------

LOSING = "oxxooxxoxo ooooooxooo o oo oo"


def test_a_loss_is_timed_against_the_first_path_that_loses_less() -> None:
    assert judged(scene(LOSING)) == lines(
        """
        loss_since_us: None -> 20000000
        loss_versus: None -> b
        lossy: False -> True
        restore: good -> bad
        """
    )
    assert judged(scene(LOSING, LOSING)) == lines(
        """
        loss_since_us: None -> 20000000
        loss_versus: None -> c
        lossy: False -> True
        restore: good -> bad
        """
    )
    assert judged(scene(LOSING), b=replace(WAS_UP, lossy=True)) == lines(
        """
        loss_since_us: None -> 20000000
        loss_versus: None -> c
        lossy: False -> True
        restore: good -> bad
        """
    )
    assert judged(scene(LOSING), b=Judgement(DOWN, fault=OLD_CUT), c=Judgement(DEG)) == lines(
        """
        lossy: False -> True
        restore: good -> bad
        """
    )
    running = replace(WAS_UP, loss_since_us=NOW - 5, loss_versus=C)
    assert judged(scene(LOSING), running) == lines(
        """
        lossy: False -> True
        restore: good -> bad
        """
    )
    assert judged(scene(LOSING, GOOD, LOSING), running) == lines(
        """
        loss_since_us: 19999995 -> 20000000
        loss_versus: c -> b
        lossy: False -> True
        restore: good -> bad
        """
    )


def test_a_loss_degrades_when_it_lasted_for_the_confirm_time() -> None:
    running = replace(WAS_UP, loss_since_us=NOW - seconds(3) + 1, loss_versus=C, lossy=True)
    assert judged(scene(LOSING), running) == lines(
        """
        restore: good -> bad
        """
    )
    over = replace(running, loss_since_us=NOW - seconds(3))
    assert judged(scene(LOSING), over) == lines(
        """
        state: up -> degraded
        since_us: 5 -> 20000000
        fault: None -> loss (loss: 30 % over 10 s, 30 points worse than c (t1))
        live: False -> True
        restore: good -> bad
        """
    )
    assert judged(scene(LOSING), over, b=replace(WAS_UP, lossy=True)) == lines(
        """
        state: up -> degraded
        since_us: 5 -> 20000000
        fault: None -> loss (loss: 30 % over 10 s, 30 points worse than c (t1))
        live: False -> True
        restore: good -> bad
        """
    )


def test_a_loss_is_proved_by_paths_that_were_not_lossy_themselves() -> None:
    now = scene(LOSING, now_us=seconds(11))
    over = replace(WAS_UP, loss_since_us=seconds(7), loss_versus=C, lossy=True)
    assert "proved: () -> ('b', 'c')" in judged(now, over)
    assert "proved: () -> ('c',)" in judged(now, over, b=replace(WAS_UP, lossy=True))
    cut = scene(CUT, now_us=seconds(11))
    assert "proved: () -> ('b', 'c')" in judged(cut, b=replace(WAS_UP, lossy=True))


def test_a_path_that_rises_times_its_losses_anew() -> None:
    shared = "oooxoooooo oooooooooo o oo oo"
    now = scene("oooxxxxooo oooooooooo o oo oo", shared, shared)
    running = {"loss_since_us": NOW - seconds(1), "loss_versus": B, "lossy": True}
    assert judged(now, Judgement(DOWN, 4, OLD_CUT, clean=3, **running)) == lines(
        """
        state: down -> up
        since_us: 4 -> 20000000
        fault: blackout (was dead) -> None
        loss_since_us: 19000000 -> None
        loss_versus: b -> None
        restore: unsure -> good
        """
    )
    assert judged(now, replace(WAS_UP, **running)) == []


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        (("not permitted", ""), " (not permitted)"),
        (("no route", "not permitted"), " (no route, not permitted)"),
        (("", ""), ""),
    ],
)
def test_a_mute_path_is_unknown_and_says_what_its_probes_say(reasons: tuple[str, ...], why: str) -> None:
    plain = scene()
    base, *others = plain.evidence[A].streams
    targets = tuple(replace(one, reason=said) for one, said in zip(base.targets, reasons, strict=True))
    mute = replace(plain.evidence[A], streams=(replace(base, targets=targets, untold=5), *others))
    told = judged(replace(plain, evidence={**plain.evidence, A: mute}))
    assert "state: up -> unknown" in told
    expected = f"no probe of kind icmp was sent in time for five rounds{why}"
    assert f"blind:  -> {expected}" in told


ONE_DEAD = "oooxxxoooo oooooooooo oooooooooo oo oo"


@pytest.mark.parametrize(
    ("desired", "b", "c", "restore"),
    [
        (B, GOOD, GOOD, Restore.BAD),  # three of twenty lost here alone
        (B, "oooxoooooo oooooooooo oooooooooo oo oo", ONE_DEAD, Restore.GOOD),
        (B, ONE_DEAD, GOOD, Restore.GOOD),
        (B, GOOD, ONE_DEAD, Restore.BAD),
        (B, "ooo???oooo oooooooooo oooooooooo oo oo", ONE_DEAD, Restore.BAD),
        (B, CUT, ONE_DEAD, Restore.BAD),
        (C, GOOD, ONE_DEAD, Restore.GOOD),
        (A, ONE_DEAD, ONE_DEAD, Restore.GOOD),
        (A, ONE_DEAD, GOOD, Restore.BAD),
        (None, ONE_DEAD, ONE_DEAD, Restore.GOOD),
    ],
)
def test_a_return_is_measured_by_what_the_desired_path_lost_and_by_no_other(
    desired: PathName | None, b: str, c: str, restore: Restore
) -> None:
    now = replace(scene(ONE_DEAD, b, c), desired=desired)
    assert judgement._restore(now, A, UP, ()) is restore


def test_without_a_time_and_a_path_to_compare_with_no_loss_is_confirmed() -> None:
    assert judgement._confirmed_loss(scene(LOSING), A, None, B) is None
    assert judgement._confirmed_loss(scene(LOSING), A, 0, None) is None
    assert judgement._confirmed_loss(scene(LOSING), A, 0, B) is not None


@pytest.mark.parametrize(("lost", "below"), [(50, True), (51, False)])
def test_the_limit_on_a_paths_own_loss_is_exact_over_a_long_window(lost: int, below: bool) -> None:
    assert judgement._own_loss_below_trip(long_scene(lost, others="x x"), A) is below


def test_a_path_that_comes_out_of_an_outage_is_left_for_losses_that_go_on() -> None:
    for clean, expected in ((2, "degraded"), (3, None)):
        down = Judgement(DOWN, 4, OLD_CUT, clean=clean, loss_since_us=NOW - seconds(9), loss_versus=B)
        told = judged(scene(LOSING, rules=replace(GROUP, rise=9)), down)
        assert (f"state: down -> {expected}" in told) is (expected is not None)


# --- classes and latency ----------------------------------------------------------------------------------

BAD_LARGE = "oooooooooo oooooooooo oooooooooo oxx oxx"


def test_a_class_that_fails_degrades() -> None:
    assert judged(scene(BAD_LARGE)) == lines(
        """
        state: up -> degraded
        since_us: 5 -> 20000000
        fault: None -> class (class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass))
        live: False -> True
        bad_classes: () -> (1,)
        restore: good -> bad
        """
    )
    assert judged(scene(BAD_LARGE, BAD_LARGE)) == lines(
        """
        state: up -> degraded
        since_us: 5 -> 20000000
        fault: None -> class (class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass))
        live: False -> True
        bad_classes: () -> (1,)
        restore: good -> bad
        """
    )


def test_a_class_is_bad_until_it_passes_often_enough() -> None:
    before = replace(
        WAS_UP, state=DEG, fault=Fault(FaultRule.CLASS, "large", 1), bad_classes=(1,), restore=Restore.BAD
    )
    assert judged(scene("o o o oxxo oxxo"), before) == lines(
        """
        """
    )
    assert judged(scene("o o o oxxoo oxxoo"), before) == lines(
        """
        state: degraded -> up
        since_us: 5 -> 20000000
        fault: class (large) -> None
        bad_classes: (1,) -> ()
        restore: bad -> unsure
        """
    )
    assert judged(scene("o o o oxxoo oxxx", "o o o oo xx", "o o o oo xx"), before) == lines(
        """
        state: degraded -> up
        since_us: 5 -> 20000000
        fault: class (large) -> None
        bad_classes: (1,) -> ()
        restore: bad -> unsure
        """
    )
    assert judged(scene("o o o oxxoo oxxoox", "o o o oo ox", "o o o oo ox"), before) == lines(
        """
        state: degraded -> up
        since_us: 5 -> 20000000
        fault: class (large) -> None
        bad_classes: (1,) -> ()
        restore: bad -> unsure
        """
    )
    assert judged(scene("o o o oxxoo oxxx", "o o o oo xx", "o o o oo oo"), before) == lines(
        """
        """
    )
    assert judged(scene("o o o oxxoo ??", "o o o oo xx", "o o o oo xx"), before) == lines(
        """
        """
    )


def test_a_path_that_rises_with_a_bad_class_is_degraded() -> None:
    down = Judgement(DOWN, 4, OLD_CUT, clean=3)
    assert judged(scene(BAD_LARGE), down)[:2] == lines(
        """
        state: down -> degraded
        since_us: 4 -> 20000000
        """
    )
    assert judged(scene(BAD_LARGE), replace(down, clean=2))[:1] == lines(
        """
        bad_classes: () -> (1,)
        """
    )


def test_latency_degrades_where_it_may() -> None:
    for act, state in ((True, ["state: up -> degraded"]), (False, [])):
        slow = replace(GROUP, latency=LatencyRule(4, act=act))
        assert judged(scene(rules=slow))[:1] == state
    recovering = Judgement(DOWN, 4, OLD_CUT, clean=2, restore=Restore.BAD)
    assert judged(scene(rules=replace(GROUP, latency=LatencyRule(4, act=True))), recovering) == []


# --- calm paths -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"state": DEG},
        {"live": True},
        {"loss_since_us": 5},
        {"lossy": True},
        {"bad_classes": (1,)},
        {"remote_dark": True},
        {"masked": frozenset({"t1"})},
    ],
)
def test_a_path_is_calm_while_no_rule_waits(changes: dict[str, object]) -> None:
    evidence = evidence_of(GROUP, GOOD)
    assert judgement.calm(GROUP, evidence, WAS_UP)
    assert not judgement.calm(GROUP, evidence, replace(WAS_UP, **changes))
    assert not judgement.calm(GROUP, replace(evidence, flawless=False), WAS_UP)


@pytest.mark.parametrize(
    ("median_us", "act", "calm"),
    [(None, True, True), (7, False, True), (7, True, False), (None, False, True)],
)
def test_a_path_whose_latency_may_act_is_never_calm(median_us: int | None, act: bool, calm: bool) -> None:
    rules = replace(GROUP, latency=LatencyRule(median_us, act=act))
    assert judgement.calm(rules, evidence_of(GROUP, GOOD), WAS_UP) is calm


OK, LOST, UNKNOWN, BIG = Outcome.OK, Outcome.LOST, Outcome.UNKNOWN, Outcome.TOO_BIG


def round_of(
    *outcomes: Outcome, path: PathName = A, index: int = 0, anchor: Outcome | None = OK
) -> RoundClosed:
    results = tuple(ProbeResult(one, 0) for one in outcomes)
    return RoundClosed(NOW, path, index, 9, results, ProbeResult(anchor, 0) if anchor else None)


def test_a_calm_path_counts_its_rounds_alone() -> None:
    event = round_of(OK, OK)
    after = judgement.judge(scene(), CALM, event, evidence_alone=True)
    assert after == {**CALM, A: replace(WAS_UP, clean=8)}
    unsure = {**CALM, A: replace(WAS_UP, restore=Restore.UNSURE)}
    assert judgement.judge(scene(), unsure, event, evidence_alone=True)[A] == replace(WAS_UP, clean=8)
    silent = scene(a="ooo? ooo? o oo oo")
    after = judgement.judge(silent, CALM, round_of(UNKNOWN, UNKNOWN), evidence_alone=True)
    assert after[A] == replace(WAS_UP, restore=Restore.UNSURE)
    assert judgement.judge(silent, CALM, event, evidence_alone=True)[A] == replace(WAS_UP, clean=8)
    lost = scene(a=CUT)
    assert judgement.judge(lost, CALM, None, evidence_alone=True)[A].state is DOWN
    assert judgement.judge(scene(), CALM, None, evidence_alone=True) == CALM


# --- clean rounds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "elsewhere", "clean"),
    [
        ((OK, OK), "o o o", 8),
        ((OK, LOST), "o o o", 0),
        ((OK, LOST), "o x o", 8),  # a target that nobody reaches is left out
        ((LOST, LOST), "x x o", 7),
        ((OK, UNKNOWN), "o o o", 7),
        ((OK, BIG), "o o o", 7),
        ((UNKNOWN, UNKNOWN), "o o o", 7),
        ((LOST, UNKNOWN), "o o o", 0),
    ],
)
def test_a_round_is_clean_where_all_that_answer_anywhere_answered_here(
    outcomes: tuple[Outcome, ...], elsewhere: str, clean: int
) -> None:
    now = scene("o o o oo oo", f"{elsewhere} oo oo", f"{elsewhere} oo oo")
    assert judgement._clean_after(now, 7, round_of(*outcomes)) == clean


def test_only_rounds_of_the_first_base_stream_count_and_losses_of_any() -> None:
    two = replace(
        GROUP,
        streams=(stream(targets=("t1",)), stream(1, targets=("t1",)), stream(2, base=False, targets=("t1",))),
    )
    now = scene("o o o o o", "o o o o o", "o o o o o", rules=two)
    assert judgement._clean_after(now, 7, round_of(OK)) == 8
    assert judgement._clean_after(now, 7, round_of(OK, index=1)) == 7
    assert judgement._clean_after(now, 7, round_of(LOST, index=1)) == 0
    assert judgement._clean_after(now, 7, round_of(LOST, index=2)) == 7


@pytest.mark.parametrize(("anchor", "clean"), [(OK, 8), (LOST, 0), (UNKNOWN, 7), (None, 7)])
def test_a_lone_anchor_counts_for_its_path(anchor: Outcome | None, clean: int) -> None:
    alone = policy(streams=(stream(targets=()),), sources=())
    now = scene("o", "o", rules=alone)
    assert judgement._clean_after(now, 7, round_of(anchor=anchor)) == clean


@pytest.mark.parametrize(
    ("event", "discredits", "clean"),
    [
        (round_of(OK, LOST), True, 0),
        (round_of(LOST, LOST), True, 0),
        (round_of(OK, OK), True, 8),
        (round_of(UNKNOWN, UNKNOWN), True, 7),
        (round_of(OK, OK, anchor=LOST), True, 0),
        (round_of(LOST, LOST), False, 7),
    ],
)
def test_what_is_lost_under_strict_filtering_ends_the_clean_rounds_though_nobody_else_answers(
    event: RoundClosed, discredits: bool, clean: int
) -> None:
    rules = replace(GROUP, sources=(EvidenceSource(2, "interface", Layer.INTERFACE),))
    now = scene(GOOD, "xx xx x", "xx xx x", rules=rules)
    report = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "", "", discredits=discredits)
    filtered = replace(now.evidence[A], sources=(SourceTrack(report),))
    now = replace(now, evidence={**now.evidence, A: filtered})
    assert judgement._clean_after(now, 7, event) == clean


def test_a_lone_anchor_lost_under_strict_filtering_ends_the_clean_rounds() -> None:
    sources = (EvidenceSource(1, "interface", Layer.INTERFACE),)
    now = scene("o", "o", rules=policy(streams=(stream(targets=()),), sources=sources))
    report = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "", "", discredits=True)
    filtered = replace(now.evidence[A], sources=(SourceTrack(report),))
    now = replace(now, evidence={**now.evidence, A: filtered})
    for anchor, clean in ((OK, 8), (LOST, 0), (None, 7)):
        assert judgement._clean_after(now, 7, round_of(anchor=anchor)) == clean


# --- being returned to ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "others", "own"),
    [
        ("oxoxooo ooooooo o", "ooooooo ooooooo o", (2, 20)),
        ("oxoxooo ooooooo o", "oxoxooo ooooooo o", (0, 20)),
        ("oxoxooo ooooooo o", "xxxxxxx xxxxxxx x", (2, 20)),  # nobody else lives
        ("oxoxooooooooo ooooooo o", "ooooooo ooooooo o", (1, 20)),
    ],
)
def test_losses_that_every_living_path_shares_are_not_its_own(
    a: str, others: str, own: tuple[int, int]
) -> None:
    assert judgement.own_loss_over(scene(a, others, others), A, seconds(10)) == own


def test_of_several_paths_the_one_that_loses_least_is_compared_with() -> None:
    now = scene("oxoxooo ooooooo o", "oxoxooo ooooooo o", "ooooooo ooooooo o")
    assert judgement.own_loss_over(now, A, seconds(10)) == (2, 20)


@pytest.mark.parametrize(
    ("a", "b", "c", "lost"),
    [
        ("oxxoooo ooooooo o", "ooooooo ooooooo o", "ooooooo ooooooo o", 2),
        ("oxxoooo ooooooo o", "oxxoooo ooooooo o", "oxxoooo ooooooo o", 0),
        ("oxxoooo ooooooo o", DARK, DARK, 2),
        ("oxxoooo ooooooo o", "oxxoooo oxxoooo ooooooo", DARK, 0),  # its far gateway answered
        ("oxxoooo ooooooo o", DARK, "oxxoooo ooooooo ooooooo", 0),
        ("oxxoooo ooooooo o", "oxxoooo ooooooo ooooooo", "xxxxxxx xxxxxxx xxxxxxx", 0),
        ("oxxoooo oxxoooo o", "oxxoooo oxxoooo oxxooox", DARK, 4),  # that they live now is no excuse
        ("oxoxoox oxoxoox o", "???oxx? ???oxx? -", "? ? -", 6),
    ],
)
def test_to_rise_losses_are_excused_by_paths_that_lived_in_the_same_rounds(
    a: str, b: str, c: str, lost: int
) -> None:
    assert judgement.loss_to_rise(scene(a, b, c), A) == (lost, 20)


@pytest.mark.parametrize(
    ("desired", "lost"), [(None, 2), (A, 2), (B, 0), (C, 2)], ids=["none", "itself", "alike", "clean"]
)
def test_to_be_returned_to_losses_are_excused_by_the_desired_path_alone(
    desired: PathName | None, lost: int
) -> None:
    now = scene("oxxoooo ooooooo o", "oxxoooo ooooooo o", "ooooooo ooooooo o")
    assert judgement.loss_to_return(replace(now, desired=desired), A) == (lost, 20)


def test_the_two_losses_have_a_window_each() -> None:
    rules = replace(GROUP, recover=RecoverRule(percent=10, window_us=seconds(5)))
    now = scene("xoooooxooo oooooooooo o", rules=rules)
    assert judgement.loss_to_rise(now, A) == (2, 20)
    assert judgement.loss_to_return(now, A) == (1, 10)


def test_losses_of_every_base_stream_count_against_rising() -> None:
    two = replace(GROUP, streams=(stream(targets=("t1",)), stream(1, targets=("t1",))))
    now = scene("ooooo o oxxoo", "ooooo o ooooo", "ooooo o ooooo", rules=two)
    assert judgement.loss_to_rise(now, A) == (2, 20)
    assert judgement.loss_to_rise(scene(rules=policy(streams=(), sources=())), A) == (0, 1)


def test_a_lone_anchor_loses_for_its_path() -> None:
    alone = policy(streams=(stream(targets=()),), sources=())
    assert judgement.own_loss_over(scene("oxxo", "oooo", rules=alone), A, seconds(10)) == (2, 10)
    assert judgement.loss_to_rise(scene("oxxo", "oxxo", rules=alone), A) == (2, 20)
    assert judgement.own_loss_over(scene(rules=policy(streams=(), sources=())), A, seconds(10)) == (0, 1)


@pytest.mark.parametrize(
    ("state", "bad_classes", "a", "restore"),
    [
        (UP, (), GOOD, Restore.GOOD),
        (DOWN, (), GOOD, Restore.BAD),
        (DEG, (), GOOD, Restore.BAD),
        (UP, (1,), GOOD, Restore.BAD),
        (U, (), GOOD, Restore.UNSURE),
        (UP, (), "oooooooxxo oooooooooo o oo oo", Restore.GOOD),
        (UP, (), "ooooooxxxo oooooooooo o oo oo", Restore.BAD),
        (UP, (), "ooooooooox ooooooooox o oo oo", Restore.UNSURE),
        (UP, (), "?ooooooooo ?ooooooooo o oo oo", Restore.GOOD),
        (UP, (), "??oooooooo oooooooooo o oo oo", Restore.UNSURE),
    ],
)
def test_what_is_good_enough_to_be_returned_to(
    state: PathState, bad_classes: tuple[int, ...], a: str, restore: Restore
) -> None:
    assert judgement._restore(scene(a), A, state, bad_classes) is restore


def test_a_path_whose_newest_round_told_nothing_is_not_known_enough() -> None:
    now = scene()
    assert judgement._known_enough(now, A, seconds(10))
    evidence = now.evidence[A]
    deaf = replace(evidence, streams=(replace(evidence.streams[0], told=False), evidence.streams[1]))
    assert not judgement._known_enough(replace(now, evidence={**now.evidence, A: deaf}), A, seconds(10))
    for unknown, enough in ((2, True), (3, False)):
        rounds = "?" * unknown + "o" * (20 - unknown)
        assert judgement._known_enough(scene(f"{rounds} {rounds} o"), A, seconds(20)) is enough
    alone = policy(streams=(stream(targets=()),), sources=())
    assert judgement._known_enough(scene("ooooooooo", "o", rules=alone), A, seconds(10))
    assert not judgement._known_enough(scene("oooooooo", "o", rules=alone), A, seconds(10))


@pytest.mark.parametrize(
    ("a", "others", "dark"),
    [
        ("xxx xxx ooo", "xxx xxx ooo", True),
        ("xxx xxx xxx", "xxx xxx ooo", False),
        ("xxx xxx -", "xxx xxx ooo", False),
        ("xxx oxx ooo", "xxx xxx ooo", False),
        ("xxx xxx ooo", "xxx xxo ooo", False),
        ("xxx xxx ooo", "xxx xxx xxx", False),
    ],
)
def test_a_remote_site_is_dark_where_every_target_is_silent_behind_gateways_that_answer(
    a: str, others: str, dark: bool
) -> None:
    assert judgement._remote_dark(scene(a, others, others), A) is dark


def test_a_group_without_targets_has_no_dark_site() -> None:
    alone = policy(streams=(stream(targets=()),), sources=())
    assert not judgement._remote_dark(scene("o", "o", rules=alone), A)


def test_a_dark_site_is_told_and_masks_its_targets() -> None:
    dark = "oooxxx oooxxx oooooo oo oo"
    assert judged(scene(dark, dark, dark)) == lines(
        """
        lossy: False -> True
        remote_dark: False -> True
        masked:  -> t1, t2
        restore: good -> unsure
        """
    )
