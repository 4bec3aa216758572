from __future__ import annotations

import json

import pytest

from wgfo.lab.errors import LabError
from wgfo.lab.ledger import Ledger, Outage

MS = 1_000


def line(
    at_ms: int, sent: int, echoes: list[tuple[int, int, int]], requests: list[object] | None = None
) -> str:
    stamped = [(number, sent_ms * MS, received_ms * MS) for number, sent_ms, received_ms in echoes]
    return json.dumps({"at_us": at_ms * MS, "sent": sent, "echoes": stamped, "requests": requests or []})


def steady(numbers: range) -> list[tuple[int, int, int]]:
    """A packet each 10 ms, answered after 1 ms."""
    return [(number, number * 10, number * 10 + 1) for number in numbers]


def test_without_loss_nothing_is_lost_and_there_is_no_outage() -> None:
    ledger = Ledger()
    ledger.feed(line(5_000, 500, steady(range(500))))
    summary = ledger.summary()
    assert (summary.lost, summary.duplicates, summary.outages) == (0, 0, ())
    assert summary.sent == summary.received == 400  # the last second's packets may still be under way


def test_an_outage_lasts_from_the_last_echo_before_to_the_first_one_after() -> None:
    ledger = Ledger()
    ledger.feed(line(5_000, 500, steady(range(100)) + steady(range(200, 500))))
    assert ledger.outages() == (Outage(991 * MS, 2_001 * MS, 100),)
    assert ledger.summary().lost == 100


def test_an_outage_that_still_lasts_is_counted_to_now() -> None:
    ledger = Ledger()
    ledger.feed(line(1_000, 100, steady(range(100))))
    ledger.feed(line(3_000, 300, []))
    assert ledger.silent_us == 3_000 * MS - 991 * MS
    assert ledger.outages() == (Outage(991 * MS, 3_000 * MS, 200),)


def test_a_packet_lost_alone_is_no_outage() -> None:
    ledger = Ledger()
    ledger.feed(line(3_000, 300, steady(range(100)) + steady(range(101, 300))))
    assert ledger.outages() == ()
    assert ledger.summary().lost == 1


def test_an_echo_that_comes_twice_counts_once() -> None:
    ledger = Ledger()
    ledger.feed(line(3_000, 300, [*steady(range(300)), (7, 70, 90)]))
    assert ledger.summary().duplicates == 1
    assert ledger.summary().lost == 0


def test_the_first_good_packet_after_an_instant_was_sent_after_it() -> None:
    ledger = Ledger()
    ledger.feed(line(3_000, 300, [(1, 10, 500), (2, 200, 400), (3, 250, 300)]))
    assert ledger.first_good_after(100 * MS) == 300 * MS
    assert ledger.first_good_after(250 * MS) is None


def test_late_echoes_are_not_lost_and_do_not_disturb_the_order() -> None:
    ledger = Ledger()
    echoes = steady(range(100))
    ledger.feed(line(1_000, 100, echoes[50:]))
    ledger.feed(line(5_000, 100, echoes[:50]))
    assert ledger.summary().lost == 0


def test_losses_are_counted_between_two_instants() -> None:
    ledger = Ledger()
    for tenth in range(1, 51):
        numbers = range((tenth - 1) * 10, tenth * 10)
        ledger.feed(line(tenth * 100, tenth * 10, [] if 10 < tenth <= 20 else steady(numbers)))
    assert ledger.lost_between(0, 5_000 * MS) == 100
    assert ledger.lost_between(0, 1_000 * MS) == 0
    assert ledger.lost_between(1_500 * MS, 5_000 * MS) == 50


def test_packets_under_way_are_not_lost_yet() -> None:
    ledger = Ledger()
    for tenth in range(1, 31):
        numbers = range((tenth - 1) * 10, tenth * 10)
        ledger.feed(line(tenth * 100, tenth * 10, [] if tenth > 25 else steady(numbers)))
    assert ledger.lost_between(0, 3_000 * MS) == 0


def test_requests_are_counted_and_their_longest_silence_told() -> None:
    ledger = Ledger()
    requests = [[0, 10 * MS, True], [200 * MS, 1_200 * MS, False], [1_400 * MS, 1_410 * MS, True]]
    ledger.feed(line(2_000, 200, steady(range(200)), requests))
    summary = ledger.summary()
    assert (summary.requests, summary.requests_failed) == (3, 1)
    assert summary.longest_request_outage_us == 1_400 * MS


def test_a_line_that_is_none_is_refused_with_its_text() -> None:
    with pytest.raises(LabError, match="Traceback"):
        Ledger().feed("Traceback (most recent call last):")


def test_nothing_fed_nothing_told() -> None:
    summary = Ledger().summary()
    assert (summary.sent, summary.received, summary.lost) == (0, 0, 0)
