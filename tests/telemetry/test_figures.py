"""The figures agree with the engine: with what it does in thousands of runs, and with known closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from tests.telemetry.replayed import Bench, policy_of, times_to_switch

from wgfo.engine.policy import SECOND_US, LatencyRule, LossRule, StreamPolicy
from wgfo.model import LARGE
from wgfo.telemetry.figures.detector import detector_of
from wgfo.telemetry.figures.false_alarms import (
    NEVER_S,
    YEAR_S,
    blackout_by_bursts_s,
    bursty_s,
    independent_s,
)
from wgfo.telemetry.figures.figures import figures_of, loss_warning, warnings_of
from wgfo.telemetry.figures.gray import confirming, found
from wgfo.telemetry.figures.lanes import Chance, Counter, summed
from wgfo.telemetry.figures.outage import blackout, class_fault, handshake_by_loss

RUNS = 2_000


def large(*targets: str) -> StreamPolicy:
    return StreamPolicy(1, "icmp", LARGE, 2 * SECOND_US, 1_600_000, targets)


def at(times: list[float], share: float) -> float:
    return times[math.ceil(share * len(times)) - 1]


# --- against the engine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [(), ("x",), ("x", "y", "z")])
def test_an_outage_is_found_as_fast_as_computed(targets):
    policy = policy_of(*targets)
    span = blackout(detector_of(policy))
    times = times_to_switch(policy, 1.0, RUNS // 4, within_s=10, seed=1)
    assert sum(times) / len(times) == pytest.approx(span.mean_us / SECOND_US, rel=0.05)
    assert times[-1] == pytest.approx(span.worst_us / SECOND_US, rel=0.01)
    assert times[-1] <= span.worst_us / SECOND_US + 1e-6


def test_half_of_the_packets_lost_are_found_as_fast_as_computed_in_2000_runs():
    policy = policy_of("x", "y")
    figures = found(detector_of(policy), 0.5)
    times = times_to_switch(policy, 0.5, RUNS, within_s=100, seed=2)
    assert at(times, 0.5) == pytest.approx(figures.median_us / SECOND_US, rel=0.05)
    assert at(times, 0.99) == pytest.approx(figures.p99_us / SECOND_US, rel=0.05)


@pytest.mark.parametrize(
    ("targets", "rules"),
    [
        (("x", "y"), {}),
        ((), {"loss": LossRule(confirm_us=SECOND_US)}),
        (("x",), {"loss": LossRule(10, 15 * SECOND_US, 30, 4_500_000), "hold_off_us": SECOND_US}),
    ],
)
def test_a_third_of_the_packets_lost_is_found_as_fast_as_computed(targets, rules):
    policy = policy_of(*targets, **rules)
    figures = found(detector_of(policy), 0.3)
    times = times_to_switch(policy, 0.3, 250, within_s=50, seed=3)
    assert at(times, 0.5) == pytest.approx(figures.median_us / SECOND_US, rel=0.1)
    assert times[0] < figures.median_us / SECOND_US < figures.p99_us / SECOND_US


def test_a_class_that_fails_is_found_as_fast_as_computed():
    base = policy_of("x", "y")
    policy = replace(base, streams=(*base.streams, large("x", "y", "z")))
    span = class_fault(detector_of(policy).classes[0])
    random, bench, times = Random(4), Bench(policy), []
    for _ in range(150):
        since_us = bench.start_us + random.randrange(2 * SECOND_US)

        def lost(target, at_us, since_us=since_us):
            return at_us >= since_us and target.startswith("large")

        took = bench.seconds_to_switch(lost, 20 * SECOND_US)
        times.append(took - (since_us - bench.start_us) / SECOND_US)
    assert sum(times) / len(times) == pytest.approx(span.mean_us / SECOND_US, rel=0.05)
    assert max(times) == pytest.approx(span.worst_us / SECOND_US, rel=0.02)


def test_false_failovers_come_as_rarely_as_computed():
    for rules, loss in (({}, 0.05), ({"loss": LossRule(8, 30 * SECOND_US, 5)}, 0.04)):
        detector = detector_of(policy_of("x", anchor=False, **rules))
        replayed = found(detector, loss)
        mean_s = -replayed.horizon_us / SECOND_US / math.log(1 - replayed.share)
        assert independent_s(detector, loss) == pytest.approx(mean_s, rel=0.2)


# --- against closed forms -----------------------------------------------------------------------------------


def test_without_a_loss_rule_that_trips_independent_loss_costs_what_the_closed_form_says():
    detector = detector_of(policy_of("x", anchor=False, loss=LossRule(100, 100 * SECOND_US)))
    assert independent_s(detector, 0.01) == pytest.approx(11.7 * 86_400, rel=0.01)
    assert independent_s(detector, 0.05) == pytest.approx(2.3 * 3_600, rel=0.03)


def test_two_probes_a_round_silence_a_path_far_more_rarely_than_one():
    one, two = (detector_of(policy_of(*names, anchor=False)) for names in ("x", "xy"))
    assert independent_s(two, 0.02) > 1000 * independent_s(one, 0.02)


@pytest.mark.parametrize("loss", [0.001, 0.01, 0.05])
def test_bursts_cost_what_their_closed_form_says(loss):
    detector = detector_of(policy_of("x", "y"))
    assert bursty_s(detector, loss) == pytest.approx(blackout_by_bursts_s(detector, loss), rel=0.08)
    assert blackout_by_bursts_s(detector, 0.01) == pytest.approx(11.5 * 60, rel=0.05)


def test_bursts_that_are_too_short_for_a_blackout_trip_the_loss_rule():
    plain = policy_of("x", "y")
    patient = replace(plain, streams=(replace(plain.streams[0], fall=60),))
    sensitive = replace(patient, loss=LossRule(5, 20 * SECOND_US, 0, SECOND_US))
    assert bursty_s(detector_of(sensitive), 0.05) < 0.01 * blackout_by_bursts_s(detector_of(patient), 0.05)


def test_what_never_happens_is_said_as_never():
    ten = policy_of(*"abcdefghij")
    assert independent_s(detector_of(ten), 0.01) == NEVER_S


def test_a_background_above_the_limit_trips_again_and_again():
    detector = detector_of(policy_of("x", "y", loss=LossRule(5, 20 * SECOND_US, 0, SECOND_US)))
    assert independent_s(detector, 0.05) < 60


def test_the_handshake_alone_is_blind_to_gray_loss():
    assert handshake_by_loss(0.5) > 2 * 86_400
    assert handshake_by_loss(0.3) > YEAR_S
    assert handshake_by_loss(0.75) / 3600 == pytest.approx(48 / 60 / math.log(2), rel=0.2)


# --- as a whole ---------------------------------------------------------------------------------------------


def test_the_figures_of_the_defaults_are_those_of_the_documentation():
    figures = figures_of(policy_of("x", "y"))
    assert [gray.found.p99_us is None for gray in figures.losses] == [True, False, False, False]
    assert any("10% loss" in text for text in figures.unseen)
    assert any("no probe of class large" in text for text in figures.unseen)
    assert figures.bears == 0.02


@pytest.mark.parametrize("interval_us", [20_000, 10 * SECOND_US])
def test_figures_are_found_for_the_shortest_and_the_longest_interval(interval_us):
    plain = policy_of(*"abcdefgh")
    stream = replace(plain.streams[0], interval_us=interval_us, timeout_us=interval_us * 4 // 5)
    figures = figures_of(replace(plain, streams=(stream,)))
    assert figures is not None
    assert 0 < figures.outage.mean_us <= figures.outage.worst_us


def test_several_base_streams_are_pooled_and_all_must_fall_silent():
    plain = policy_of("x", "y")
    second = replace(plain.streams[0], index=1, interval_us=2 * SECOND_US, timeout_us=SECOND_US)
    both = detector_of(replace(plain, streams=(*plain.streams, second)))
    slow = detector_of(replace(plain, streams=(replace(second, index=0),)))
    assert both.possible == 60
    assert blackout(both).worst_us == blackout(slow).worst_us
    assert blackout(both).mean_us >= blackout(slow).mean_us
    assert found(both, 0.3).p99_us is not None


def test_without_a_probe_there_are_no_figures():
    policy = replace(policy_of("x"), streams=())
    assert figures_of(policy) is None
    assert any("no data-plane probe" in text for text in warnings_of(policy))


def test_the_same_policy_has_the_same_figures():
    found.cache_clear()
    first = figures_of(policy_of("x", "y"))
    found.cache_clear()
    assert figures_of(policy_of("x", "y")) == first


@pytest.mark.parametrize(
    ("policy", "trusted", "said"),
    [
        (policy_of(), (), "forwarding is unproven"),
        (policy_of("x"), (), "isolation cannot be told"),
        (policy_of("x", has_reference=True), ("a",), "a: the address alone chooses the path"),
    ],
)
def test_what_the_operator_should_know(policy, trusted, said):
    assert any(said in text for text in warnings_of(policy, trusted))


def test_a_sound_configuration_gives_no_warning():
    assert warnings_of(policy_of("x", has_reference=True)) == ()


def test_a_measured_loss_above_what_the_limits_stand_is_a_warning():
    figures = figures_of(policy_of("x", "y"))
    assert loss_warning(figures, "a", 3, 200, 100 * SECOND_US) is None
    assert "a lost 12 of 200 probes (0.06 of 1) over 100 s" in loss_warning(
        figures, "a", 12, 200, 100 * SECOND_US
    )


def test_latency_that_acts_is_not_named_as_unseen():
    policy = policy_of("x", latency=LatencyRule(150_000, act=True))
    assert not any("slow answers" in text for text in figures_of(policy).unseen)


# --- arithmetic of many runs at once ------------------------------------------------------------------------


def test_a_counter_of_many_runs_adds_subtracts_and_compares_like_integers():
    random, runs = Random(5), 64
    counter, plain = Counter(), [0] * runs
    history = []
    for _ in range(200):
        masks = [random.getrandbits(runs) for _ in range(random.randrange(1, 6))]
        number = summed(masks)
        history.append((number, masks))
        counter.add(number)
        plain = [value + sum(mask >> run & 1 for mask in masks) for run, value in enumerate(plain)]
        if len(history) > 9:
            number, masks = history.pop(0)
            counter.subtract(number)
            plain = [value - sum(mask >> run & 1 for mask in masks) for run, value in enumerate(plain)]
        limit = random.randrange(40)
        mask = counter.at_least(limit, (1 << runs) - 1)
        assert [mask >> run & 1 for run in range(runs)] == [value >= limit for value in plain]


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_a_chance_is_as_likely_as_it_says(probability):
    mask = Chance(Random(6), 100_000, probability).draw()
    assert mask.bit_count() / 100_000 == pytest.approx(probability, abs=0.005)


@pytest.mark.parametrize(
    ("confirm_us", "rounds"),
    [(0, (0, 0)), (10 * SECOND_US, (9, 1)), (10_500_000, (10, 1)), (100_000, (0, 0))],
)
def test_rounds_that_close_while_the_loss_is_confirmed(confirm_us, rounds):
    assert confirming(detector_of(policy_of("x", loss=LossRule(confirm_us=confirm_us)))) == rounds
