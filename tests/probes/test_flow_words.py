"""The words for losses, as a table."""

from __future__ import annotations

import pytest

from wgfo.model import FlowTally
from wgfo.probes.flow_words import Losses, describe

HERE, THERE = "10.20.1.10:862", "10.20.2.10:862"


def flows(count=16, *, sent=8, dead=(), target=HERE, lost=0, running=0):
    """Flows from port 50000 on; those in ``dead`` lose everything, the others ``lost`` each."""
    return [
        FlowTally(target, 50_000 + n, sent, sent, sent)
        if n in dead
        else FlowTally(target, 50_000 + n, sent, lost, running)
        for n in range(count)
    ]


def said(tallies, forward=0, back=0):
    losses = Losses(sum(one.sent for one in tallies), sum(one.lost for one in tallies), forward, back)
    return describe(tallies, losses)


def pattern(tallies):
    return said(tallies).rpartition(": ")[0]


def direction(lost, forward, back):
    return describe(flows(lost=1), Losses(128, lost, forward, back)).partition(": ")[2]


def test_nothing_lost_needs_no_word():
    assert said(flows()) == ""


@pytest.mark.parametrize(
    ("tallies", "words"),
    [
        (flows(lost=1), "12 % of the probes, on all flows, some of the time"),
        (flows(lost=4, running=2), "50 % of the probes, on all flows, some of the time"),
        (
            flows(dead=(0, 4, 8, 12)),
            "a quarter of the flows, all of the time (source ports 50000, 50004, 50008, 50012)",
        ),
        (flows(dead=(3,)), "1 of 16 flows, all of the time (source port 50003)"),
        (flows(dead=(1, 2)), "an eighth of the flows, all of the time (source ports 50001, 50002)"),
        (flows(4, dead=(0, 1)), "half of the flows, all of the time (source ports 50000, 50001)"),
        (
            flows(4, sent=10, dead=(2,), lost=1),
            "a quarter of the flows, all of the time (source port 50002; the others lose 10 %)",
        ),
        (flows(dead=range(16)), "all flows, all of the time"),
        (
            [*flows(4, dead=(0,)), *flows(4, target=THERE)],
            f"an eighth of the flows, all of the time (source port 50000 to {HERE})",
        ),
        (
            [*flows(4, dead=(0,)), *flows(4, dead=(0,), target=THERE)],
            "a quarter of the flows, all of the time (source port 50000)",
        ),
    ],
)
def test_the_pattern_of_losses(tallies, words):
    assert pattern(tallies) == words


def test_a_long_list_of_ports_is_cut():
    assert pattern(flows(64, dead=range(32))).endswith("50014, 50015 and 16 more)")


def test_two_losses_in_a_row_make_no_dead_flow():
    tallies = [*flows(15), FlowTally(HERE, 50_015, 8, 2, 2)]
    assert "some of the time" in pattern(tallies)


def test_three_losses_in_a_row_do_not_either_where_chance_explains_them():
    """Every flow loses two fifths: of 16 flows, one with three in a row is to be expected."""
    tallies = [*flows(15, sent=10, lost=4, running=1), FlowTally(HERE, 50_015, 10, 4, 3)]
    assert "some of the time" in pattern(tallies)


def test_a_flow_that_died_lately_counts_although_it_lived_before():
    tallies = [*flows(15), FlowTally(HERE, 50_015, 8, 3, 3)]
    assert pattern(tallies) == "1 of 16 flows, all of the time (source port 50015)"


def test_flows_that_are_no_more_count_for_how_much_and_which_way_alone():
    assert describe(flows(), Losses(256, 64, 64, 0)) == (
        "25 % of the probes, on all flows, some of the time: lost towards the far side"
    )
    assert describe([], Losses(30, 30, 0, 0)) == "all flows, all of the time: on which way is not known"


@pytest.mark.parametrize(
    ("forward", "back", "words"),
    [
        (8, 0, "lost towards the far side"),
        (0, 8, "lost on the way back"),
        (5, 3, "lost on both ways (5 towards the far side, 3 on the way back)"),
        (0, 0, "on which way is not known"),
        (6, 0, "6 lost towards the far side, 2 on a way not known"),
        (0, 7, "7 lost on the way back, 1 on a way not known"),
        (4, 2, "lost on both ways (4 towards the far side, 2 on the way back, 2 on a way not known)"),
    ],
)
def test_the_direction_of_losses(forward, back, words):
    assert direction(8, forward, back) == words
