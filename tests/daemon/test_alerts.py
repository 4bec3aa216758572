"""The board of alerts: words that come twice, late and out of order do no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.daemon.alerts import KEPT_US, LATE_US, MOST, AlertBoard, Heard, TooManyAlerts, Word
from wgfo.plugin.alerts import AlertState

LABELS = {"alertname": "PathDown", "path": "primary"}
SECOND_US = 1_000_000


class Clock:
    now_us = 10 * SECOND_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def board(clock):
    board = AlertBoard(clock)
    board.subscribe(lambda labels: labels.get("alertname") == "PathDown", lambda: None)
    return board


def fires(start: int = 1, labels=LABELS) -> Word:
    return Word(labels, firing=True, starts_us=start)


def ends(start: int = 1) -> Word:
    return Word(LABELS, firing=False, starts_us=start)


def state(board) -> AlertState | None:
    return next((alert.state for alert in board.alerts()), None)


def test_an_alert_fires_and_ends(board):
    assert board.hear([fires()]) == [Heard.CHANGED]
    assert state(board) is AlertState.FIRING
    assert board.hear([ends()]) == [Heard.CHANGED]
    assert state(board) is AlertState.RESOLVED


def test_a_repeat_changes_nothing_but_how_fresh_it_is(board, clock):
    board.hear([fires()])
    clock.now_us += 5 * SECOND_US
    assert board.hear([fires(), fires()]) == [Heard.REPEATED, Heard.REPEATED]
    assert [alert.heard_us for alert in board.alerts()] == [clock.now_us]


def test_the_end_of_an_older_alert_does_not_end_the_one_that_fires(board):
    board.hear([fires(2)])
    assert board.hear([ends(1)]) == [Heard.STALE]
    assert state(board) is AlertState.FIRING


def test_an_alert_that_is_resolved_before_it_fires_is_in_doubt(board):
    board.hear([ends()])
    board.hear([fires()])
    assert state(board) is AlertState.DOUBTFUL


def test_a_twin_of_a_word_in_doubt_leaves_it_in_doubt(board, clock):
    board.hear([ends()])
    for _ in range(3):
        clock.now_us += SECOND_US
        board.hear([fires()])
    assert state(board) is AlertState.DOUBTFUL


def test_an_alert_that_still_fires_long_after_its_end_is_believed(board, clock):
    """Prometheus was away, Alertmanager ended the alert by itself; the same one fires on."""
    board.hear([fires()])
    board.hear([ends()])
    clock.now_us += LATE_US
    board.hear([fires()])
    assert state(board) is AlertState.FIRING
    board.hear([fires()])
    assert state(board) is AlertState.FIRING


def test_a_new_alert_right_after_the_end_of_the_old_one_is_believed(board):
    board.hear([fires(1)])
    board.hear([ends(1)])
    board.hear([fires(2)])
    board.hear([fires(2)])
    assert state(board) is AlertState.FIRING


def test_alerts_that_nobody_wants_are_not_kept(board):
    assert board.hear([fires(labels={"alertname": "DiskFull"})]) == [Heard.UNMATCHED]
    assert list(board.alerts()) == []


def test_subscribers_are_woken_by_words_that_say_something(clock):
    board, woken = AlertBoard(clock), []
    end = board.subscribe(lambda _labels: True, lambda: woken.append(1))
    board.hear([fires(2)])
    board.hear([ends(1)])
    assert woken == [1]
    end()
    board.hear([ends(2)])
    assert woken == [1]


def test_more_alerts_than_are_kept_are_refused_and_change_nothing(board):
    words = [fires(labels={"alertname": "PathDown", "n": str(n)}) for n in range(MOST + 1)]
    with pytest.raises(TooManyAlerts, match="narrow match"):
        board.hear(words)
    assert list(board.alerts()) == []
    assert len(board.hear(words[:MOST])) == MOST


def test_what_ended_long_ago_is_forgotten_and_what_fires_is_not(board, clock):
    other = {"alertname": "PathDown", "path": "secondary"}
    board.hear([fires(), ends(), fires(labels=other)])
    clock.now_us += KEPT_US + 1
    board.hear([])
    assert [alert.labels for alert in board.alerts()] == [other]


def test_a_machine_that_slept_knows_nothing(board):
    board.hear([fires()])
    board.forget()
    assert list(board.alerts()) == []


@st.composite
def stories(draw, *, over: bool):
    """What happened to an alert, as it arrives: every word at least once, in any order, some twice."""
    last = draw(st.integers(1, 4))
    told = [word for start in range(1, last + 1) for word in (fires(start), ends(start))]
    told = told if over else told[:-1]
    return draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=6))))


def told(words) -> AlertState | None:
    board = AlertBoard(Clock())
    board.subscribe(lambda _labels: True, lambda: None)
    for word in words:
        board.hear([word])
    return state(board)


@given(stories(over=True))
def test_an_alert_that_is_over_never_seems_to_fire_whatever_the_order(words):
    assert told(words) in {AlertState.RESOLVED, AlertState.DOUBTFUL}


@given(stories(over=False))
def test_an_alert_that_fires_seems_to_fire_whatever_the_order(words):
    assert told(words) is AlertState.FIRING
