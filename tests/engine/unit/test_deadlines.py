"""When a group must be asked again by the mere passing of time, to the microsecond."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.world import A, B, C, policy, seconds, set_policy, stream
from wgfo.engine import deadlines, engine
from wgfo.engine.actuation import SetTrack
from wgfo.engine.damping import Damping
from wgfo.engine.detection import SourceTrack, StreamTrack
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.faults import Fault, FaultRule
from wgfo.engine.handshake import Handshake
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import Act, DampingRule, EvidenceSource, GroupPolicy, LossRule, PathPolicy
from wgfo.engine.selection import Planned, Selection, Wait
from wgfo.engine.state import GroupState
from wgfo.model import Layer, LayerReport, PathState, Verdict

GROUP = policy(
    streams=(stream(interval_us=seconds(2)),),
    sets=(set_policy("one"), set_policy("two")),
    loss=LossRule(confirm_us=seconds(7)),
    hold_off_us=seconds(3),
    wait_to_restore_us=seconds(40),
    damping=DampingRule(half_life_us=seconds(64), reuse=500, max_moves_window_us=seconds(50)),
)
NOW = seconds(100)
IDLE = replace(engine.initial(GROUP), started=True, at_us=NOW)


def due(state: GroupState, rules: GroupPolicy = GROUP) -> int | None:
    return deadlines.next_deadline_us(rules, state)


def choosing(**changes: object) -> GroupState:
    return replace(IDLE, selection=replace(Selection(desired=A), **changes))


def tracks(*changes: dict[str, int | None]) -> GroupState:
    sets = tuple(SetTrack(one, **more) for one, more in zip(GROUP.sets, changes, strict=True))
    return replace(IDLE, sets=sets)


def closed(at_us: int, path: str = "b") -> GroupState:
    name = A if path == "a" else B
    evidence = replace(IDLE.evidence[name], streams=(StreamTrack(closed_us=at_us),))
    return replace(IDLE, evidence={**IDLE.evidence, name: evidence})


def lossy(since_us: int) -> GroupState:
    return replace(IDLE, judgements={**IDLE.judgements, B: Judgement(PathState.UP, loss_since_us=since_us)})


def shaken(first_us: int) -> GroupState:
    evidence = replace(IDLE.evidence[B], handshake=Handshake(first_us=first_us, stamp=1))
    return replace(IDLE, evidence={**IDLE.evidence, B: evidence})


def overridden(*expires_us: int | None) -> GroupState:
    overrides = tuple(Override(OverrideKind.FORCED, A, "", "", "", expires_us=at) for at in expires_us)
    return choosing(overrides=overrides)


@pytest.mark.parametrize(
    ("state", "at_us"),
    [
        (IDLE, None),
        (replace(IDLE, started=False, sets=(SetTrack(GROUP.sets[0], next_us=7),)), None),
        (tracks({"next_us": NOW + 9}, {"next_us": NOW + 4}), NOW + 4),
        (tracks({"next_us": None}, {"next_us": NOW - 5}), NOW),
        (tracks({"out_since_us": NOW}, {}), NOW + seconds(2) + 1),
        (tracks({"out_since_us": NOW - seconds(2)}, {}), NOW + 1),
        (tracks({"out_since_us": NOW - seconds(2) - 1}, {}), None),
        (overridden(None, NOW + 8), NOW + 8),
        (overridden(NOW - 8), NOW),
        (closed(NOW - 3), NOW - 3 + seconds(10) + 1),
        (closed(NOW - seconds(10)), NOW + 1),
        (closed(NOW - seconds(10) - 1), None),
        (shaken(NOW - seconds(180)), NOW + 1),
        (shaken(NOW - seconds(180) - 1), None),
        (lossy(NOW - seconds(7) + 1), NOW + 1),
        (lossy(NOW - seconds(7)), None),
        (choosing(waits={B: Wait(seconds(10), NOW - seconds(29))}), NOW + seconds(1)),
        (choosing(waits={B: Wait(seconds(10), NOW - seconds(30))}), None),
        (choosing(waits={B: Wait(seconds(10))}), None),
        (choosing(failing_since_us=NOW - 1), NOW - 1 + seconds(3)),
        (choosing(failing_since_us=NOW - seconds(3)), NOW + seconds(6)),
        (choosing(failing_since_us=NOW - seconds(9)), None),
        (choosing(planned=Planned(B, NOW + 6)), NOW + 6),
        (choosing(planned=Planned(B, NOW)), None),
        (replace(IDLE, damping=Damping(1000, NOW - 5, suppressed=True)), NOW - 5 + seconds(64)),
        (replace(IDLE, damping=Damping(moves_us=(NOW - 5,))), NOW - 5 + seconds(50)),
        (replace(IDLE, damping=Damping(moves_us=(NOW - seconds(50),))), None),
    ],
)
def test_the_next_deadline_is_that_of_whatever_ends_first(state: GroupState, at_us: int | None) -> None:
    assert due(state) == at_us


@pytest.mark.parametrize(
    ("state", "since_us", "until_us"),
    [
        (overridden(NOW + 8), NOW + 8, None),
        (overridden(NOW - 8), NOW - 8, None),
        (choosing(planned=Planned(B, NOW + 6)), NOW + 6, None),
        (choosing(planned=Planned(B, NOW)), None, NOW + seconds(100)),
        (
            choosing(failing_since_us=NOW - 1, planned=Planned(B, NOW + seconds(60))),
            NOW - 1 + seconds(3),
            None,
        ),
        (IDLE, None, NOW + seconds(100)),
    ],
)
def test_a_choice_is_due_from_the_end_of_what_it_waits_for(
    state: GroupState, since_us: int | None, until_us: int | None
) -> None:
    if since_us is not None:
        assert not deadlines.choice_is_due(GROUP, state, since_us - 1)
        assert deadlines.choice_is_due(GROUP, state, since_us)
    if until_us is not None:
        assert not deadlines.choice_is_due(GROUP, state, until_us)


@pytest.mark.parametrize(
    ("state", "until_us"),
    [
        (IDLE, deadlines.FOREVER_US),
        (tracks({"next_us": NOW + 9}, {"next_us": NOW + 4}), NOW + 4),
        (tracks({"next_us": NOW - 4}, {}), NOW - 4),
        (overridden(None, NOW - 8), NOW - 8),
        (choosing(planned=Planned(B, NOW + 6)), NOW + 6),
        (choosing(planned=Planned(B, NOW)), deadlines.FOREVER_US),
        (closed(NOW - 3), deadlines.FOREVER_US),
    ],
)
def test_a_group_is_quiet_until_routes_requests_or_the_choice_are_due(
    state: GroupState, until_us: int
) -> None:
    assert deadlines.quiet_until_us(GROUP, state) == until_us


def test_forever_is_later_than_any_session_lives() -> None:
    assert seconds(1000 * 365 * 86_400) < deadlines.FOREVER_US


def faulty(rule: FaultRule | None, *, live: bool = True) -> GroupState:
    fault = None if rule is None else Fault(rule, "why", 7)
    return replace(IDLE, judgements={**IDLE.judgements, B: Judgement(live=live, fault=fault)})


def calm(state: GroupState) -> GroupState:
    return replace(state, judgements={**state.judgements, B: Judgement(PathState.UP)})


def sent(grew_us: int) -> GroupState:
    evidence = replace(IDLE.evidence[B], handshake=Handshake(sent_grew_us=grew_us))
    return replace(IDLE, evidence={**IDLE.evidence, B: evidence})


@pytest.mark.parametrize(
    ("state", "until_us"),
    [
        (IDLE, deadlines.FOREVER_US),
        (closed(NOW - 3), NOW - 3 + seconds(10) + 1),
        (closed(NOW - seconds(10) - 1), deadlines.FOREVER_US),
        (calm(closed(NOW - seconds(10) - 1)), NOW),
        (lossy(NOW - 5), NOW - 5 + seconds(7)),
        (sent(NOW - 4), NOW - 4 + seconds(30) + 1),
        (sent(NOW - seconds(30) - 1), deadlines.FOREVER_US),
        (faulty(FaultRule.BLACKOUT), deadlines.FOREVER_US),
        (faulty(FaultRule.LOSS), -1),
        (faulty(FaultRule.LATENCY), -1),
        (faulty(FaultRule.HANDSHAKE), -1),
        (faulty(FaultRule.LOSS, live=False), deadlines.FOREVER_US),
        (faulty(None), -1),
    ],
)
def test_the_same_evidence_is_judged_the_same_until_something_in_it_ends(
    state: GroupState, until_us: int
) -> None:
    assert deadlines.judged_until_us(GROUP, state) == until_us


ALERTS = EvidenceSource(0, "alerts", Layer.DATAPLANE, Act.ALONE, interval_us=seconds(4))
LED = policy(paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)), streams=(), sources=(ALERTS,), rise=3)


def test_where_sources_lead_every_moment_is_judged_anew() -> None:
    assert deadlines.judged_until_us(LED, replace(engine.initial(LED), started=True)) == -1


def led(since: int, clean: int = 0, *, live: bool = False, desired: bool = True) -> GroupState:
    """Return a group whose path b is vouched for since a second, while the desired a failed at 98."""
    state = replace(engine.initial(LED), started=True, at_us=NOW)
    up = LayerReport(Layer.DATAPLANE, Verdict.UP, "up")
    vouched = replace(state.evidence[B], sources=(SourceTrack(up, seconds(since)),))
    fault = Fault(FaultRule.EVIDENCE, "fires", seconds(98))
    judgements = {A: Judgement(PathState.DOWN, fault=fault, live=live), B: Judgement(clean=clean)}
    return replace(
        state,
        evidence={**state.evidence, B: vouched},
        judgements={**state.judgements, **judgements},
        selection=Selection(desired=A if desired else None),
    )


@pytest.mark.parametrize(
    ("state", "at"),
    [
        (led(99), 111),
        (led(99, live=True), 102),
        (led(80, 3, live=True), 102),
        (led(80, 3), None),
        (led(80, 3, live=True, desired=False), None),
    ],
)
def test_where_sources_lead_time_makes_paths_rise_and_proves_them(state: GroupState, at: int | None) -> None:
    assert due(state, LED) == (None if at is None else seconds(at))


def test_the_desired_path_itself_needs_no_proof() -> None:
    state = led(80, 3, live=True)
    assert due(replace(state, selection=Selection(desired=B)), LED) is None
