"""Which way was it lost? Sequences written out, and worlds played at random."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.probes.stamp_ledger import FIRST, Directions, Fate, Ledger, Way

X = None
"""Not come back."""


def ledger(*reflected, length=1000, flows=1, by_port=False):
    """A ledger of probes, each with the reflector's number of it."""
    made = Ledger(length)
    for place, number in enumerate(reflected):
        end(made.sent(50_000 + place % flows, place), number)
    made.by_port = by_port
    return made


def end(entry, number):
    entry.reflected = number
    entry.fate = Fate.LOST if number is None else Fate.RETURNED
    return entry


@pytest.mark.parametrize(
    ("reflected", "forward", "back"),
    [
        ((), 0, 0),
        ((0, 1, 2, 3), 0, 0),
        ((0, X, 1), 1, 0),
        ((0, X, 2), 0, 1),
        ((0, X, X, X, 1), 3, 0),
        ((0, X, X, X, 4), 0, 3),
        ((0, X, X, X, 2), 2, 1),
        ((0, X, 1, X, 3, X, 4), 2, 1),
        ((X, X, 0), 2, 0),
        ((X, X, 2), 0, 2),
        ((0, X, X), 0, 0),
        ((X, X, X), 0, 0),
    ],
    ids=[
        "nothing was sent",
        "nothing was lost",
        "one towards the far side",
        "one on the way back",
        "three towards the far side",
        "three on the way back",
        "both in one gap",
        "one after the other",
        "before the first reply, towards the far side",
        "before the first reply, on the way back",
        "no later reply yet",
        "never a reply",
    ],
)
def test_losses_are_counted_by_their_way(reflected, forward, back):
    assert ledger(*reflected).directions() == Directions(forward, back)


@pytest.mark.parametrize(
    "reflected",
    [
        (0, 1, 2, X, X, 0, 1),
        (5, 6, X, 0, 1, 2),
        (3, X, 3, 4),
        (0, X, 9, 10),
        (1, 2, X, 4, 5),
        (1, X, X, 4),
    ],
    ids=[
        "the reflector was started anew",
        "the session was forgotten",
        "the same number twice",
        "more were reflected than sent",
        "a stateless reflector copies our numbers",
        "a stateless reflector from the beginning",
    ],
)
def test_nothing_is_claimed_of_numbers_that_cannot_be(reflected):
    assert ledger(*reflected).directions() == Directions(0, 0)


def test_a_reflector_started_anew_spoils_one_gap_and_no_other():
    assert ledger(0, X, 1, 2, X, 0, X, 1, 2).directions() == Directions(2, 0)


@pytest.mark.parametrize(
    ("reflected", "ways"),
    [
        ((0, X, 1), [Way.FORWARD]),
        ((0, X, 2), [Way.RETURN]),
        ((0, X, X, 2), [None, None]),
        ((0, X), [None]),
    ],
)
def test_a_probe_has_a_way_where_it_is_certain(reflected, ways):
    made = ledger(*reflected)
    assert [made.way(entry) for entry in made.entries if entry.reflected is None] == ways


def test_probes_still_under_way_are_not_counted_as_lost():
    made = ledger(0, X, X, 1)
    made.entries[2].fate = Fate.OPEN
    assert made.directions() == Directions(1, 0)


def test_a_late_reply_says_that_its_probe_was_lost_on_no_way():
    made = ledger(0, X, X, 3)
    made.entries[1].reflected, made.entries[1].fate = 1, Fate.LATE
    assert made.directions() == Directions(0, 1)


def test_a_flow_that_never_answers_has_its_direction_from_the_others():
    """Every fourth probe, all of one flow, is lost towards the far side."""
    made = ledger(0, 1, 2, X, 3, 4, 5, X, 6, flows=4)
    assert made.directions() == Directions(2, 0)


@pytest.mark.parametrize("told", [True, False], ids=["it knows no identifier", "found by its numbers"])
def test_a_reflector_that_counts_by_source_port_is_looked_at_flow_by_flow(told):
    """Four flows, each with a sequence of its own; the second loses its second probe on the way back."""
    numbers = (0, 0, 0, 0, 1, X, 1, 1, 2, 2, 2, 2)
    made = ledger(*numbers, flows=4, by_port=told)
    assert made.directions() == Directions(0, 1)
    assert made.way(made.entries[5]) is Way.RETURN


def test_what_is_forgotten_is_not_needed_for_the_rest():
    made = ledger(0, 1, X, 2, X, X, 3, length=4)
    assert len(made.entries) == 4
    assert made.directions() == Directions(2, 0)


def test_a_gap_that_is_partly_forgotten_counts_what_is_remembered():
    made = ledger(0, X, X, X, 1, length=3)
    assert made.directions() == Directions(2, 0)


def test_the_first_number_is_not_zero_so_that_a_copy_is_noticed():
    assert Ledger(10).number == FIRST == 1


fates = st.lists(st.sampled_from(["ok", "ok", "ok", "forward", "back"]), min_size=1, max_size=80)


def played(world, length=1000, flows=4):
    """A stateful reflector that counts what reaches it."""
    made, counted = Ledger(length), 0
    for place, fate in enumerate(world):
        entry = made.sent(50_000 + place % flows, place)
        end(entry, counted if fate == "ok" else None)
        counted += fate != "forward"
    return made


@given(fates)
def test_every_loss_before_the_last_reply_is_found_on_its_way(world):
    last = max((place for place, fate in enumerate(world) if fate == "ok"), default=0)
    truth = Counter(world[:last])
    assert played(world).directions() == Directions(truth["forward"], truth["back"])


@given(fates, st.integers(1, 20))
def test_a_probe_is_never_put_on_the_wrong_way(world, length):
    made = played(world, length)
    for entry in made.entries:
        way = made.way(entry)
        truth = {"forward": Way.FORWARD, "back": Way.RETURN}.get(world[entry.number - FIRST])
        assert way in {None, truth}


numbers = st.lists(st.one_of(st.none(), st.integers(0, 2**32 - 1)), max_size=60)


@given(numbers, st.integers(1, 70), st.integers(1, 8), st.booleans())
def test_whatever_a_reflector_says_no_more_is_counted_than_was_lost(reflected, length, flows, by_port):
    made = ledger(*reflected, length=length, flows=flows, by_port=by_port)
    found = made.directions()
    lost = sum(1 for entry in made.entries if entry.fate is Fate.LOST)
    assert found.forward >= 0 <= found.back
    assert found.forward + found.back <= lost
