"""Windows to the bit: what a closed round leaves, how long a series must be, what two windows share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wgfo.engine import window
from wgfo.engine.window import Tally
from wgfo.model import Outcome, ProbeResult

OK, LOST, UNKNOWN, TOO_BIG = Outcome.OK, Outcome.LOST, Outcome.UNKNOWN, Outcome.TOO_BIG
WORDS = {"o": OK, "x": LOST, "?": UNKNOWN, "b": TOO_BIG}


def after(
    rounds: str, tally: Tally | None = None, *, capacity: int = 8, rtts: int = 4, start: int = 0
) -> Tally:
    """Return the tally after rounds written as o (answered), x (lost), ? (unknown), one a second."""
    tally = tally or Tally()
    for number, word in enumerate(rounds, start):
        result = ProbeResult(WORDS[word], number * 1_000_000, 5, f"why {number}")
        tally = window.closed(tally, number, result, capacity, rtts)
    return tally


def test_before_the_first_round_nothing_is_known() -> None:
    assert Tally() == Tally(
        head=-1,
        lost=0,
        known=0,
        fails=0,
        good=0,
        first_lost_us=0,
        last_lost_us=0,
        first_lost_round=0,
        last_good_us=-1,
        reason="",
        rtts=b"",
    )


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ("o", Tally(head=0, known=1, good=1, last_good_us=0, rtts=b"\5")),
        ("oo", Tally(head=1, known=3, good=2, last_good_us=1_000_000, rtts=b"\5\5")),
        ("x", Tally(head=0, known=1, lost=1, fails=1, reason="why 0", rtts=b"\xff")),
        (
            "oxx",
            Tally(
                head=2,
                known=7,
                lost=3,
                fails=2,
                first_lost_us=1_000_000,
                last_lost_us=2_000_000,
                first_lost_round=1,
                last_good_us=0,
                reason="why 2",
                rtts=b"\5\xff\xff",
            ),
        ),
        ("oxo", Tally(head=2, known=7, lost=2, good=1, last_good_us=2_000_000, rtts=b"\5\xff\5")),
        ("xo", Tally(head=1, known=3, lost=2, good=1, last_good_us=1_000_000, rtts=b"\xff\5")),
        (
            "ox?",
            Tally(
                head=2,
                known=6,
                lost=2,
                fails=1,
                first_lost_us=1_000_000,
                last_lost_us=1_000_000,
                first_lost_round=1,
                last_good_us=0,
                reason="why 2",
                rtts=b"\5\xff",
            ),
        ),
        ("ob", Tally(head=1, known=2, good=1, last_good_us=0, reason="why 1", rtts=b"\5")),
        ("ooooooooooo", Tally(head=10, known=255, good=11, last_good_us=10_000_000, rtts=b"\5" * 4)),
    ],
)
def test_a_round_leaves_its_mark(rounds: str, expected: Tally) -> None:
    assert after(rounds) == expected


def test_losses_beyond_the_windows_are_forgotten_and_the_series_is_not() -> None:
    tally = after("x" * 12)
    assert (tally.lost, tally.known, tally.fails, tally.rtts) == (255, 255, 12, b"\xff" * 4)
    assert (tally.first_lost_us, tally.first_lost_round, tally.last_lost_us) == (0, 0, 11_000_000)


def test_rounds_that_were_never_closed_are_unknown() -> None:
    tally = window.closed(after("ox"), 4, ProbeResult(OK, 4_000_000, 5), 8, 4)
    assert (tally.head, bin(tally.known), bin(tally.lost)) == (4, "0b11001", "0b1000")


def test_the_first_round_may_bear_any_number() -> None:
    assert after("o", start=70).known == 1
    assert after("oo", start=0).known == 3


def test_an_older_round_changes_nothing_and_the_newest_may_come_twice() -> None:
    tally = after("oxo")
    assert window.closed(tally, 1, ProbeResult(LOST, 9), 8, 4) is tally
    again = window.closed(tally, 2, ProbeResult(UNKNOWN, 9), 8, 4)
    assert (again.head, again.known, again.lost) == (2, 0b111, 0b010)
    assert window.closed(tally, 2, ProbeResult(LOST, 9), 8, 4).lost == 0b011


@pytest.mark.parametrize(
    ("fails", "span_us", "condemns"),
    [
        (2, 5_000_000, False),
        (3, 2_000_000, True),
        (4, 2_000_000, True),
        (3, 1_950_000, True),  # a twentieth of an interval is the stagger's
        (3, 1_949_999, False),
        (3, 2_050_000, True),
    ],
)
def test_a_series_condemns_in_probes_and_in_time(fails: int, span_us: int, condemns: bool) -> None:
    tally = Tally(fails=fails, first_lost_us=7_000_000, last_lost_us=7_000_000 + span_us)
    assert window.condemned(tally, 3, 1_000_000) is condemns


@pytest.mark.parametrize(
    ("bits", "rounds", "expected"), [(0b1011, 2, 0b11), (0b1011, 3, 0b011), (0b1011, 9, 0b1011)]
)
def test_the_newest_bits_are_the_lowest(bits: int, rounds: int, expected: int) -> None:
    assert window.recent(bits, rounds) == expected


@pytest.mark.parametrize(("head", "onto", "expected"), [(5, 5, 0b101), (5, 7, 0b10100), (7, 5, 0b1)])
def test_windows_are_aligned_by_their_heads(head: int, onto: int, expected: int) -> None:
    assert window.aligned(0b101, head, onto) == expected


@pytest.mark.parametrize(
    ("failing", "other", "rounds"),
    [
        ("oxxx", "ooxo", 0b101),
        ("oxxx", "o", 0),
        ("oxxx", "oxxx", 0),
        ("xx", "oo", 0b11),
        ("oxo", "ooo", 0),
        ("xoxx", "oooo", 0b11),  # the older series is over
        ("x", "o", 1),
        ("oxx", "o??", 0),
        ("oxx", "ooo?", 0b11),
        ("oxxx", "ooo", 0b110),
    ],
)
def test_answers_count_as_proof_in_the_rounds_of_the_series_alone(
    failing: str, other: str, rounds: int
) -> None:
    assert window.answered_while_failing(after(failing), after(other)) == rounds


@pytest.mark.parametrize(
    ("since_round", "rounds"), [(0, 0b111), (1, 0b111), (2, 0b11), (3, 0b1), (4, 0), (9, 0)]
)
def test_rounds_before_a_given_one_prove_nothing(since_round: int, rounds: int) -> None:
    assert window.answered_while_failing(after("oxxx"), after("oooo"), since_round) == rounds


def test_a_path_that_closed_no_round_proves_nothing() -> None:
    assert window.answered_while_failing(after("x"), Tally()) == 0
    assert window.answered_while_failing(after("x"), replace(Tally(), known=1)) == 0
    assert window.answered_while_failing(after("x"), after("o")) == 1


@pytest.mark.parametrize(
    ("here", "there", "rounds", "more"),
    [
        ("oooooo", "oooooo", 8, 0),
        ("oxooxo", "oooooo", 8, 2),
        ("oxooxo", "oxoooo", 8, 1),
        ("oxooxo", "ooxooo", 8, 1),  # a neighbouring round shares the loss
        ("ooxooo", "oxoooo", 8, 0),
        ("oxoooo", "oooxoo", 8, 0),  # as many lost there: no difference
        ("xooxoo", "oooooo", 3, 1),
        ("ooooox", "oooooo", 8, 0),  # its later neighbour is still to come
        ("oooxox", "oooooo", 8, 1),
        ("oxxxxo", "oooo?o", 8, 3),
        ("oxxxxo", "oooooo", 8, 4),
        ("oxxxxo", "ooxxoo", 8, 0),
        ("oooooo", "oxxxoo", 8, 0),
        ("oxooo", "oooooo", 8, 1),
        ("oxoooo", "ooooo", 8, 1),
        ("oooxo", "ooxooo", 8, 0),
        ("xooooo", "oooooo", 8, 1),
        ("xoxoooo", "oooooxo", 8, 1),
    ],
)
def test_losses_that_the_other_path_shares_are_not_its_own(
    here: str, there: str, rounds: int, more: int
) -> None:
    assert window.own_losses(after(here), after(there), rounds) == more


@pytest.mark.parametrize(
    ("rtt_us", "bucket", "told_us"),
    [
        (-3, 0, 0),
        (0, 0, 0),
        (7, 7, 7),
        (8, 8, 8),
        (9, 9, 9),
        (15, 15, 15),
        (16, 16, 17),
        (17, 16, 17),
        (18, 17, 19),
        (31, 23, 31),
        (32, 24, 34),
        (1_000, 63, 992),
        (1_000_000, 143, 1_015_808),
        (10**12, 254, 0),
    ],
)
def test_a_round_trip_falls_into_one_of_eight_buckets_of_its_octave(
    rtt_us: int, bucket: int, told_us: int
) -> None:
    tally = window.closed(Tally(), 0, ProbeResult(OK, 0, rtt_us), 8, 4)
    assert tally.rtts == bytes((bucket,))
    if told_us or not rtt_us:
        assert window.median_us([tally.rtts]) == told_us


@pytest.mark.parametrize(
    ("series", "median"),
    [
        ([], None),
        ([b"\xff\xff"], None),
        ([b"\5"], 5),
        ([b"\1\2\3"], 2),
        ([b"\1\2\3\4"], 2),
        ([b"\1\2", b"\xff\7"], 2),
        ([b"\7\3\xff\xff\xff"], 3),
    ],
)
def test_the_median_is_that_of_the_answers(series: list[bytes], median: int | None) -> None:
    assert window.median_us(series) == median


@pytest.mark.parametrize(
    ("here", "others", "more"),
    [
        ("oxxoo", "", 2),
        ("oxxoo", "ooooo", 2),
        ("oxxoo", "oxxoo", 0),
        ("oxxoo", "o??oo", 2),
        ("oxxoo", "o?xoo", 1),
        ("ooooo", "", 0),
        ("ooooo", "oxxoo", 0),
        ("xoooooooo", "ooooooooo", 0),
        ("oxxoo", "oxxoo ooooo", 2),
        ("oxxoo", "o?xoo oxxoo", 0),
        ("oxxoo", "o?xoo ox?oo", 0),
        ("oxxoo", "o??oo o?xoo", 1),
    ],
)
def test_lost_beyond_other_paths_is_what_one_did_not_lose_or_none_knows(
    here: str, others: str, more: int
) -> None:
    measures = [(after(there, capacity=20), -1) for there in others.split()]
    assert window.lost_beyond(after(here, capacity=20), measures, 6) == more


@pytest.mark.parametrize(
    ("alive", "more"), [("ooooo", 0), ("xxxxx", 3), ("ooxxx", 2), ("oooxx", 1), ("oxoox", 1), ("oooox", 0)]
)
def test_what_another_path_lost_while_it_was_dark_excuses_nothing(alive: str, more: int) -> None:
    rounds = window.answered(after(alive, capacity=20))
    dark = [(after("oxxxo", capacity=20), rounds)]
    assert window.lost_beyond(after("oxxxo", capacity=20), dark, 6) == more


def test_a_round_is_answered_that_is_known_and_not_lost() -> None:
    assert window.answered(after("ox?o", capacity=20)) == 0b1001
