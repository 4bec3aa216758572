"""Pauses in microseconds, and failures in words."""

from __future__ import annotations

import pytest

from tests.engine.world import policy, set_policy
from wgfo.engine import retry
from wgfo.model import FailureKind, Prefix, SetOutcome, WriteFailure

SETS = (set_policy("one"), set_policy("two"))
GROUP = policy(sets=SETS)


def delay(
    failures: int, *, epoch: int = 1, place: int = 0, permanent: bool = False, asked: int | None = None
) -> int:
    return retry.delay_us(GROUP, SETS[place].id, epoch, failures, permanent=permanent, asked_us=asked)


@pytest.mark.parametrize(
    ("failures", "delay_us"),
    [
        (1, 923_828),
        (2, 1_849_609),
        (3, 3_703_125),
        (4, 7_414_062),
        (5, 14_843_750),
        (6, 27_861_328),
        (7, 27_890_625),
        (40, 28_857_421),
    ],
)
def test_pauses_double_up_to_thirty_seconds(failures: int, delay_us: int) -> None:
    assert delay(failures) == delay_us
    assert delay(failures, epoch=2) != delay_us
    assert delay(failures, place=1) != delay_us


def test_the_jitter_derives_from_epoch_place_and_tries() -> None:
    assert [delay(1, epoch=epoch) for epoch in (0, 1, 2, 9)] == [750_976, 923_828, 846_679, 806_640]
    assert [delay(1, place=place) for place in (0, 1)] == [923_828, 977_539]


@pytest.mark.parametrize(("failures", "delay_us"), [(1, 923_828), (2, 300_000_000), (3, 300_000_000)])
def test_a_permanent_failure_is_tried_again_once_and_then_rarely(failures: int, delay_us: int) -> None:
    assert delay(failures, permanent=True) == delay_us


def test_what_the_platform_asks_for_is_the_least() -> None:
    assert delay(1, asked=5_000_000) == 5_000_000
    assert delay(4, asked=5_000_000) == 7_414_062


def outcome(*failures: WriteFailure) -> SetOutcome:
    return SetOutcome(SETS[0].id, 0, failures=failures)


FIRST = WriteFailure(FailureKind.TRANSIENT, "503")
SECOND = WriteFailure(FailureKind.UNKNOWN, "reset", Prefix("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("ended", "unknown", "text"),
    [
        (outcome(), False, ""),
        (outcome(FIRST), False, "503"),
        (outcome(FIRST, SECOND), True, "503 (and 1 more)"),
        (outcome(SECOND, FIRST, FIRST), True, "10.0.0.0/8: reset (and 2 more)"),
    ],
)
def test_a_failed_write_in_words(ended: SetOutcome, unknown: bool, text: str) -> None:
    assert retry.unknown(ended) is unknown
    assert retry.first_text(ended) == text


def test_no_outcome_has_no_words() -> None:
    assert retry.first_text(None) == ""


def test_what_no_retry_helps() -> None:
    assert {FailureKind.DENIED, FailureKind.NOT_FOUND, FailureKind.UNSUPPORTED} == retry.PERMANENT
    assert (retry.BACKOFF_URGENT_US, retry.BACKOFF_MOST_US) == (6_000_000, 30_000_000)
