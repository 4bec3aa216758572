"""Handshakes over time: what each reading leaves, and what is said of it at every edge."""

from __future__ import annotations

import pytest

from wgfo.engine import handshake as hs
from wgfo.engine.handshake import Handshake, Renewal
from wgfo.engine.policy import SECOND_US
from wgfo.model import HandshakeReport, Verdict

S = SECOND_US
EXPIRED_US = 180 * S


def read(before: Handshake, at: int, stamp: int, received: int = 0, sent: int = 0) -> Handshake:
    return hs.read(before, HandshakeReport(stamp, received, sent), at)


def test_before_the_first_reading_there_are_no_figures() -> None:
    assert Handshake() == Handshake(
        first_us=None,
        stamp=0,
        changed_us=None,
        sent_grew_us=None,
        received_bytes=0,
        sent_bytes=0,
        renewals=(),
        error="",
    )


FIRST = Handshake(first_us=100, stamp=7, received_bytes=20, sent_bytes=30)


@pytest.mark.parametrize(
    ("stamp", "received", "sent", "expected"),
    [
        (7, 25, 30, Handshake(100, 7, None, None, 25, 30)),
        (7, 25, 31, Handshake(100, 7, None, 200, 25, 31)),
        (8, 25, 30, Handshake(100, 8, 200, None, 25, 30, (Renewal(200, 25),))),
        (0, 25, 29, Handshake(100, 0, 200, None, 25, 29)),
    ],
)
def test_a_reading_tells_what_changed(stamp: int, received: int, sent: int, expected: Handshake) -> None:
    assert read(Handshake(), 100, 7, 20, 30) == FIRST
    assert read(FIRST, 200, stamp, received, sent) == expected


def test_what_changed_earlier_is_kept_and_renewals_are_bounded() -> None:
    handshake = read(FIRST, 200, 8, 25, 40)
    assert (handshake.changed_us, handshake.sent_grew_us) == (200, 200)
    later = read(handshake, 300, 8, 25, 40)
    assert (later.changed_us, later.sent_grew_us, later.renewals) == (200, 200, (Renewal(200, 25),))
    for at in (400, 500, 600):
        later = read(later, at, at)
    assert [one.at_us for one in later.renewals] == [400, 500, 600]


def test_an_error_keeps_the_figures_until_something_is_read() -> None:
    failed = hs.read(FIRST, HandshakeReport(0, 0, 0, "not permitted"), 200)
    assert failed == Handshake(100, 7, None, None, 20, 30, (), "not permitted")
    assert read(failed, 300, 7, 20, 30).error == ""


@pytest.mark.parametrize(
    ("handshake", "age_us"),
    [
        (Handshake(), None),
        (Handshake(first_us=100), None),
        (Handshake(first_us=100, stamp=7), 900),
        (Handshake(first_us=100, stamp=7, changed_us=400), 600),
    ],
)
def test_the_age_counts_from_the_change_that_was_seen(handshake: Handshake, age_us: int | None) -> None:
    assert hs.age_us(handshake, 1000) == age_us


@pytest.mark.parametrize(("grew_us", "sending"), [(None, False), (70 * S, True), (70 * S - 1, False)])
def test_sending_is_thirty_seconds_long(grew_us: int | None, sending: bool) -> None:
    assert hs.sending(Handshake(sent_grew_us=grew_us), 100 * S) is sending


def churn(*renewals: tuple[int, int]) -> bool:
    return hs.churning(Handshake(renewals=tuple(Renewal(at * S, received) for at, received in renewals)))


@pytest.mark.parametrize(
    ("renewals", "churning"),
    [
        ([(0, 0), (30, 0), (60, 512)], True),
        ([(0, 0), (30, 0), (60, 513)], False),
        ([(0, 0), (30, 0), (61, 0)], False),
        ([(0, 5), (30, 5), (60, 5)], True),
        ([(0, 5), (30, 5), (60, 4)], False),  # counted from zero again: nothing can be said
        ([(0, 0), (60, 0)], False),
        ([(40, 600), (70, 600), (99, 600)], True),
        ([(0, 0), (30, 300), (60, 513)], False),
    ],
)
def test_three_renewals_in_a_minute_with_nothing_received_are_churn(
    renewals: list[tuple[int, int]], churning: bool
) -> None:
    assert churn(*renewals) is churning


def at_age(age_us: int, *, sending: bool) -> tuple[Verdict, str]:
    now_us = 10_000 * S
    grew_us = now_us if sending else None
    return hs.verdict(Handshake(1, 7, now_us - age_us, grew_us), now_us)


@pytest.mark.parametrize(
    ("age_us", "sending", "verdict"),
    [
        (0, False, (Verdict.UP, "fresh, 0 s")),
        (2 * S - 1, True, (Verdict.UP, "fresh, 1 s")),
        (EXPIRED_US, True, (Verdict.UP, "fresh, 180 s")),
        (EXPIRED_US + 1, True, (Verdict.DOWN, "handshake older than 180 s while sending")),
        (200 * S, False, (Verdict.UNKNOWN, "handshake older than 200 s, but nothing was sent: idle")),
    ],
)
def test_a_handshake_expires_while_sending(age_us: int, sending: bool, verdict: tuple[Verdict, str]) -> None:
    assert at_age(age_us, sending=sending) == verdict


@pytest.mark.parametrize(
    ("watched_us", "sending", "verdict"),
    [
        (15 * S, True, (Verdict.UNKNOWN, "there never was a handshake")),
        (15 * S + 1, True, (Verdict.DOWN, "there never was a handshake, while sending")),
        (15 * S + 1, False, (Verdict.UNKNOWN, "there never was a handshake")),
    ],
)
def test_never_is_down_when_it_was_tried_long_enough(
    watched_us: int, sending: bool, verdict: tuple[Verdict, str]
) -> None:
    now_us = 1000 * S
    handshake = Handshake(now_us - watched_us, sent_grew_us=now_us if sending else None)
    assert hs.verdict(handshake, now_us) == verdict


def test_the_time_base_may_begin_at_zero() -> None:
    now_us = 15 * S + 1
    assert hs.verdict(Handshake(0, sent_grew_us=now_us), now_us)[0] is Verdict.DOWN


def test_nothing_is_said_before_a_reading_or_of_an_error() -> None:
    assert hs.verdict(Handshake(), 5) == (Verdict.UNKNOWN, "not read yet")
    assert hs.verdict(Handshake(1, 7, error="gone"), 5) == (Verdict.UNKNOWN, "gone")


@pytest.mark.parametrize(
    ("handshake", "expires_us"),
    [
        (Handshake(), None),
        (Handshake(100, 7, error="gone"), None),
        (Handshake(100, 7), 100 + EXPIRED_US + 1),
        (Handshake(100, 7, 400), 400 + EXPIRED_US + 1),
        (Handshake(100, 0), 100 + 15 * S + 1),
    ],
)
def test_a_verdict_changes_by_time_at_its_expiry(handshake: Handshake, expires_us: int | None) -> None:
    assert hs.expiry_us(handshake) == expires_us


def test_a_churning_handshake_is_fresh_and_says_what_that_means() -> None:
    handshake = Handshake(0, 3, 30 * S, 30 * S, renewals=tuple(Renewal(at * S, 0) for at in (0, 15, 30)))
    assert hs.verdict(handshake, 31 * S) == (
        Verdict.UP,
        "fresh, but renewed every few seconds with almost nothing received: the data plane is dead",
    )


@pytest.mark.parametrize(("grew_us", "idle_us"), [(None, -1), (0, 30 * S + 1), (7, 30 * S + 8)])
def test_sending_ends_half_a_minute_after_the_last_byte(grew_us: int | None, idle_us: int) -> None:
    handshake = Handshake(first_us=0, stamp=7, sent_grew_us=grew_us)
    assert hs.idle_us(handshake) == idle_us
    if grew_us is not None:
        assert hs.sending(handshake, idle_us - 1)
        assert not hs.sending(handshake, idle_us)


@pytest.mark.parametrize(
    ("known", "told", "lasts"),
    [
        (FIRST, FIRST, True),
        (FIRST, Handshake(first_us=101, stamp=7), True),
        (FIRST, Handshake(first_us=99, stamp=7), False),
        (FIRST, Handshake(first_us=100, stamp=0), False),
        (FIRST, Handshake(first_us=100, stamp=7, error="not permitted"), False),
        (Handshake(), FIRST, False),
    ],
)
def test_a_verdict_lasts_where_its_end_is_no_nearer(known: Handshake, told: Handshake, lasts: bool) -> None:
    assert hs.lasts(known, told) is lasts
