"""The small machines by themselves: windows, handshakes, damping, the path table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.world import policy, stream
from wgfo.engine import damping, detection, window
from wgfo.engine import handshake as hs
from wgfo.engine.damping import Damping
from wgfo.engine.events import RoundClosed
from wgfo.engine.handshake import Handshake
from wgfo.engine.judgement import TRANSITIONS, Signal
from wgfo.engine.policy import SECOND_US, DampingRule
from wgfo.engine.window import Tally
from wgfo.model import HandshakeReport, Outcome, PathState, ProbeResult, Verdict

OUTCOMES = st.sampled_from([Outcome.OK, Outcome.LOST, Outcome.UNKNOWN])


def tally_of(outcomes: list[Outcome], *, start: int = 0, capacity: int = 100) -> Tally:
    tally = Tally()
    for number, outcome in enumerate(outcomes, start):
        result = ProbeResult(outcome, number * SECOND_US, 1000 if outcome is Outcome.OK else 0)
        tally = window.closed(tally, number, result, capacity, 20)
    return tally


# --- windows --------------------------------------------------------------------------------------------


@given(st.lists(OUTCOMES, max_size=60))
def test_a_tally_counts_what_happened(outcomes: list[Outcome]) -> None:
    tally = tally_of(outcomes)
    assert tally.lost.bit_count() == outcomes.count(Outcome.LOST)
    assert tally.known.bit_count() == len(outcomes) - outcomes.count(Outcome.UNKNOWN)
    assert tally.lost & ~tally.known == 0
    assert not (tally.fails and tally.good)


@given(st.lists(OUTCOMES, max_size=60))
def test_the_running_series_ignores_what_is_unknown(outcomes: list[Outcome]) -> None:
    told = [one for one in outcomes if one is not Outcome.UNKNOWN]
    series = 0
    for one in reversed(told):
        if one is not told[-1]:
            break
        series += 1
    tally = tally_of(outcomes)
    assert max(tally.fails, tally.good) == series


@given(st.lists(OUTCOMES, min_size=1, max_size=200), st.integers(1, 40))
def test_a_window_is_bounded(outcomes: list[Outcome], capacity: int) -> None:
    assert tally_of(outcomes, capacity=capacity).known.bit_length() <= capacity


@given(st.lists(OUTCOMES, min_size=1, max_size=40))
def test_a_path_loses_nothing_more_than_itself(outcomes: list[Outcome]) -> None:
    tally = tally_of(outcomes)
    assert window.own_losses(tally, tally, 40) == 0


@given(st.lists(st.booleans(), min_size=4, max_size=40))
def test_one_round_of_phase_is_no_difference(dark: list[bool]) -> None:
    here = tally_of([Outcome.LOST if one else Outcome.OK for one in dark])
    later = tally_of([Outcome.LOST if one else Outcome.OK for one in [False, *dark[:-1]]])
    assert window.own_losses(here, later, 40) == 0


@given(st.lists(OUTCOMES, min_size=1, max_size=40), st.lists(OUTCOMES, min_size=1, max_size=40), st.data())
def test_a_success_here_turned_loss_there_never_adds_to_the_margin(
    here: list[Outcome], there: list[Outcome], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(there) - 1))
    worse = [*there[:place], Outcome.LOST, *there[place + 1 :]]
    before = window.own_losses(tally_of(here), tally_of(there), 40)
    if there[place] is Outcome.OK:
        assert window.own_losses(tally_of(here), tally_of(worse), 40) <= before


def test_rounds_bunched_together_do_not_condemn() -> None:
    tally = Tally()
    for number, sent_us in enumerate((0, 600_000, 1_100_000)):
        tally = window.closed(tally, number, ProbeResult(Outcome.LOST, sent_us), 100, 20)
    assert not window.condemned(tally, 3, SECOND_US)
    tally = window.closed(tally, 3, ProbeResult(Outcome.LOST, 2_000_000), 100, 20)
    assert window.condemned(tally, 3, SECOND_US)


def test_only_answers_in_the_same_rounds_count_as_proof() -> None:
    failing = tally_of([Outcome.OK, Outcome.LOST, Outcome.LOST, Outcome.LOST])
    other = tally_of([Outcome.OK, Outcome.LOST, Outcome.LOST, Outcome.OK])
    assert window.answered_while_failing(failing, other).bit_count() == 1
    assert window.answered_while_failing(failing, tally_of([Outcome.OK])).bit_count() == 0


@given(st.integers(0, 60_000_000))
def test_the_median_is_exact_to_an_eighth(rtt_us: int) -> None:
    tally = window.closed(Tally(), 0, ProbeResult(Outcome.OK, 0, rtt_us), 10, 10)
    median = window.median_us([tally.rtts])
    assert median is not None
    assert abs(median - rtt_us) <= rtt_us // 8 + 1


# --- handshakes -----------------------------------------------------------------------------------------


def read_all(*reports: tuple[float, int, int, int]) -> Handshake:
    """Read (second, stamp, received, sent)."""
    handshake = Handshake()
    for at, stamp, received, sent in reports:
        handshake = hs.read(handshake, HandshakeReport(stamp, received, sent), int(at * SECOND_US))
    return handshake


def test_zero_is_never_not_1970() -> None:
    never = read_all((0, 0, 0, 0), (2, 0, 0, 0))
    assert hs.verdict(never, 2 * SECOND_US) == (Verdict.UNKNOWN, "there never was a handshake")
    assert hs.age_us(never, 2 * SECOND_US) is None


def test_never_while_sending_is_down() -> None:
    trying = read_all(*((at, 0, 0, 148 * at) for at in range(0, 22, 2)))
    assert hs.verdict(trying, 20 * SECOND_US)[0] is Verdict.DOWN


def test_old_while_sending_is_down_and_old_while_idle_is_unknown() -> None:
    sending = read_all(*((at, 1, 0, at) for at in range(0, 184, 2)))
    idle = read_all(*((at, 1, 0, 5) for at in range(0, 184, 2)))
    assert hs.verdict(sending, 182 * SECOND_US)[0] is Verdict.DOWN
    assert hs.verdict(idle, 182 * SECOND_US)[0] is Verdict.UNKNOWN


@given(st.integers(-(10**18), 10**18))
def test_the_stamp_itself_decides_nothing(step: int) -> None:
    """A wall clock that steps shifts every stamp; only that it changed counts (I13)."""
    plain = read_all((0, 10**12, 0, 0), (2, 10**12, 9, 9), (4, 10**12 + 5, 12, 12))
    shifted = read_all((0, 10**19 + step, 0, 0), (2, 10**19 + step, 9, 9), (4, 10**19 + step + 5, 12, 12))
    for second in (5, 100, 183, 185, 400):
        assert hs.verdict(plain, second * SECOND_US) == hs.verdict(shifted, second * SECOND_US)


def test_renewals_every_fifteen_seconds_with_nothing_received_are_churn() -> None:
    dead = read_all(*((15 * turn, turn + 1, 92 * turn, 1000 * turn) for turn in range(5)))
    alive = read_all(*((15 * turn, turn + 1, 9000 * turn, 1000 * turn) for turn in range(5)))
    slow = read_all(*((120 * turn, turn + 1, 92 * turn, 1000 * turn) for turn in range(5)))
    assert hs.churning(dead)
    assert not hs.churning(alive)
    assert not hs.churning(slow)
    assert "data plane is dead" in hs.verdict(dead, 61 * SECOND_US)[1]


def test_an_error_keeps_the_figures_and_says_so() -> None:
    handshake = hs.read(read_all((0, 1, 2, 3)), HandshakeReport(0, 0, 0, "not permitted"), SECOND_US)
    assert hs.verdict(handshake, SECOND_US) == (Verdict.UNKNOWN, "not permitted")
    assert handshake.received_bytes == 2


# --- damping --------------------------------------------------------------------------------------------


def test_the_penalty_halves_in_a_half_life() -> None:
    rule = DampingRule()
    assert damping.penalty_at(rule, Damping(1000, 0), rule.half_life_us) == 500
    assert damping.penalty_at(rule, Damping(1000, 0), rule.half_life_us // 2) in (706, 707)


@given(st.integers(0, 20_000), st.integers(0, 10**11), st.integers(0, 10**11))
def test_the_penalty_only_falls(penalty: int, first: int, second: int) -> None:
    rule = DampingRule()
    early, late = sorted((first, second))
    assert damping.penalty_at(rule, Damping(penalty), early) >= damping.penalty_at(
        rule, Damping(penalty), late
    )


def test_suppression_ends_at_the_time_that_was_told() -> None:
    rule = DampingRule()
    state = Damping()
    for at in (0, 60, 120):
        state = damping.switched(rule, state, at * SECOND_US, voluntary=False)
    assert state.suppressed
    free_us = damping.reuse_us(rule, state)
    assert free_us is not None
    assert damping.settled(rule, state, free_us - rule.half_life_us // 32).suppressed
    assert not damping.settled(rule, state, free_us).suppressed


def test_voluntary_moves_are_bounded_per_window() -> None:
    rule = DampingRule(max_moves=2)
    state = Damping()
    for at in (0, 10):
        state = damping.switched(rule, state, at * SECOND_US, voluntary=True)
    assert damping.exhausted(rule, state, 20 * SECOND_US)
    assert not damping.exhausted(rule, state, rule.max_moves_window_us + SECOND_US)


# --- the path table -------------------------------------------------------------------------------------


def test_the_path_table_is_complete() -> None:
    assert set(TRANSITIONS) == {(state, signal) for state in PathState for signal in Signal}


def test_a_path_rises_only_by_rising() -> None:
    ups = {key for key, after in TRANSITIONS.items() if after is PathState.UP and key[0] is not PathState.UP}
    assert {signal for _, signal in ups} == {Signal.RISEN}


# --- anchors --------------------------------------------------------------------------------------------


def test_the_anchor_is_that_of_the_first_base_stream_that_can_reach_one() -> None:
    rules = policy(streams=(stream(0, anchored=False), stream(1)), sources=())
    evidence = detection.nothing_yet(rules, rules.paths[0])
    assert [track.anchor is None for track in evidence.streams] == [True, False]
    good = ProbeResult(Outcome.OK, SECOND_US, 1000)
    closed = RoundClosed(2 * SECOND_US, rules.paths[0].name, 1, 0, (good,) * 3, good)
    assert detection.anchor_alive(rules, evidence) is None
    assert detection.anchor_alive(rules, detection.round_closed(rules, evidence, closed))
