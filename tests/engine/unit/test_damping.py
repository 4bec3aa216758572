"""Penalties in numbers: how they grow, decay, suppress and are forgiven."""

from __future__ import annotations

import pytest

from wgfo.engine import damping
from wgfo.engine.damping import Damping
from wgfo.engine.policy import DampingRule

HALF_US = 64_000
RULE = DampingRule(half_life_us=HALF_US, suppress=2000, reuse=750, max_moves=2, max_moves_window_us=10_000)


def test_at_first_there_is_no_penalty() -> None:
    assert Damping() == Damping(penalty=0, at_us=0, suppressed=False, moves_us=())


@pytest.mark.parametrize(
    ("penalty", "after_us", "left"),
    [
        (1000, 0, 1000),
        (1000, -5, 1000),
        (1000, 999, 1000),
        (1000, 1000, 989),
        (1000, 32_000, 707),
        (1000, 63_000, 505),
        (1000, HALF_US, 500),
        (1000, HALF_US + 32_000, 353),
        (1000, 2 * HALF_US, 250),
        (1 << 40, 10 * HALF_US, 1 << 30),
        (1 << 40, 40 * HALF_US, 1 << 8),  # no more than 32 halvings are made
    ],
)
def test_a_penalty_halves_in_steps(penalty: int, after_us: int, left: int) -> None:
    assert damping.penalty_at(RULE, Damping(penalty, 500), 500 + after_us) == left


def test_a_switch_adds_a_thousand_to_what_is_left() -> None:
    first = damping.switched(RULE, Damping(), 100, voluntary=False)
    assert first == Damping(1000, 100, suppressed=False, moves_us=())
    assert damping.switched(RULE, first, 100 + HALF_US, voluntary=False).penalty == 1500


@pytest.mark.parametrize(("penalty", "suppressed"), [(999, False), (1000, True), (1001, True)])
def test_returns_are_suppressed_from_the_threshold_on(penalty: int, suppressed: bool) -> None:
    assert damping.switched(RULE, Damping(penalty, 100), 100, voluntary=False).suppressed is suppressed


def test_a_suppression_outlives_another_switch() -> None:
    assert damping.switched(RULE, Damping(0, 0, suppressed=True), 100, voluntary=False).suppressed


def test_voluntary_moves_are_remembered_for_their_window() -> None:
    one = damping.switched(RULE, Damping(), 100, voluntary=True)
    two = damping.switched(RULE, one, 200, voluntary=True)
    assert two.moves_us == (100, 200)
    assert damping.switched(RULE, two, 300, voluntary=True).moves_us == (200, 300)
    assert damping.switched(RULE, two, 300, voluntary=False).moves_us == (100, 200)
    assert damping.switched(RULE, two, 10_099, voluntary=False).moves_us == (100, 200)
    assert damping.switched(RULE, two, 10_100, voluntary=True).moves_us == (200, 10_100)


def test_moves_that_left_the_window_are_forgotten() -> None:
    rule = DampingRule(max_moves=9, max_moves_window_us=10_000)
    old = Damping(moves_us=(100, 101, 200))
    assert damping.switched(rule, old, 10_100, voluntary=False).moves_us == (101, 200)
    assert damping.switched(rule, old, 10_100, voluntary=True).moves_us == (101, 200, 10_100)


@pytest.mark.parametrize(("now_us", "exhausted"), [(200, True), (10_099, True), (10_100, False)])
def test_moves_are_used_up_while_all_are_in_the_window(now_us: int, exhausted: bool) -> None:
    assert damping.exhausted(RULE, Damping(moves_us=(100, 200)), now_us) is exhausted
    assert not damping.exhausted(RULE, Damping(moves_us=(200,)), now_us)


def test_the_next_move_is_free_when_the_oldest_leaves_the_window() -> None:
    assert damping.move_free_us(RULE, Damping(moves_us=(100, 200))) == 10_100
    assert damping.move_free_us(RULE, Damping()) is None


@pytest.mark.parametrize(
    ("penalty", "free_us"), [(1500, 500 + HALF_US), (750, 500), (751, 1500), (3000, 500 + 2 * HALF_US)]
)
def test_a_suppression_ends_where_the_penalty_reaches_reuse(penalty: int, free_us: int) -> None:
    state = Damping(penalty, 500, suppressed=True, moves_us=(7,))
    assert damping.reuse_us(RULE, state) == free_us
    assert damping.settled(RULE, state, free_us) == Damping(penalty, 500, suppressed=False, moves_us=(7,))
    if free_us > 500:
        assert damping.settled(RULE, state, free_us - 1).suppressed


def test_a_half_life_that_is_no_whole_number_of_steps_is_rounded_up() -> None:
    rule = DampingRule(half_life_us=100, reuse=500)
    state = Damping(1000, 0, suppressed=True)
    free_us = damping.reuse_us(rule, state)
    assert free_us == 100
    assert not damping.settled(rule, state, free_us).suppressed


def test_without_suppression_nothing_ends() -> None:
    assert damping.reuse_us(RULE, Damping(5000, 500)) is None
    assert damping.settled(RULE, Damping(1, 0), 5) == Damping(1, 0)
