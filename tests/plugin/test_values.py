"""Durations: text in, microseconds inside, the same length out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.plugin.values import Duration

UNITS = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert Duration.parse(f"{number}{unit}").us == number * UNITS[unit]


@given(st.integers(0, 10**12))
def test_a_duration_written_and_read_is_the_same(us: int) -> None:
    assert Duration.parse(str(Duration(us))).us == us


@given(st.text(max_size=12))
def test_any_other_text_is_refused_with_what_is_accepted(text: str) -> None:
    if text[:-1].isascii() and text.rstrip("usmhd").isdigit():
        return
    with pytest.raises(ValueError, match=r'accepted: a whole number and a unit: .*"800ms"'):
        Duration.parse(text)


@pytest.mark.parametrize("found", ["", "5", "s", "-1s", "1.5s", "1 s", "1S", "1s ", "\u0661s", 5, None, True])
def test_what_looks_like_a_duration_is_refused(found: object) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        Duration.parse(found)


def test_it_is_written_in_the_largest_unit_that_is_whole() -> None:
    assert [str(Duration(us)) for us in (0, 800_000, 90_000_000, 300_000_000)] == ["0s", "800ms", "90s", "5m"]
