"""What is kept for those who look on: the feed, the changes of groups, measured switches, trends."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace

import pytest
from tests.support.example import RECORDS, example_report, example_setup

from wgfo.engine.decisions import AlarmCleared, AlarmName, AlarmRaised, Observe
from wgfo.engine.events import RoundClosed, SetChanged, Tick
from wgfo.engine.report import GroupState, Mode
from wgfo.model import Outcome, ProbeResult
from wgfo.telemetry.changes import Changes
from wgfo.telemetry.feed import Feed, Missed
from wgfo.telemetry.happenings import Kind
from wgfo.telemetry.log import LogListener
from wgfo.telemetry.measured import Measured
from wgfo.telemetry.trends import SLICE_US, SLICES, Trends


def raised(text="x"):
    return AlarmRaised(1, AlarmName.DRIFT, text)


def step(listener, *decisions, event=None, report=None):
    listener.stepped("cloud", event or Tick(1), decisions, report)


# --- feed ---------------------------------------------------------------------------------------------------


def test_what_came_after_a_number_is_handed_out_in_order():
    feed = Feed("s", str)
    step(feed, raised("a"), raised("b"))
    step(feed, AlarmCleared(2, AlarmName.DRIFT))
    assert [one.number for one in feed.after(1)] == [2, 3]
    assert json.loads(feed.after(2)[0].as_json())["active"] is False


def test_reads_of_routes_are_no_events():
    feed = Feed("s", str)
    step(feed, Observe(1, "linux/main/cloud", urgent=False, cause="reconcile"))
    assert feed.last == 0


def test_what_has_left_the_ring_or_never_was_is_missed():
    feed = Feed("s", str, kept=2)
    step(feed, *(raised(str(number)) for number in range(5)))
    assert len(feed.after(3)) == 2
    for number in (2, 6):
        with pytest.raises(Missed):
            feed.after(number)


def test_the_latest_of_some_kinds_come_newest_first():
    feed = Feed("s", str)
    step(feed, *(raised(str(number)) for number in range(5)))
    assert [one.number for one in feed.latest(frozenset({Kind.ALARM}), 2)] == [5, 4]
    assert feed.latest(frozenset({Kind.SWITCH}), 2) == []


async def test_who_waits_is_woken_by_the_next_event_or_by_the_end():
    feed = Feed("s", str)
    waiting = asyncio.ensure_future(feed.wait(0, 30))
    await asyncio.sleep(0)
    step(feed, raised())
    assert await waiting
    waiting = asyncio.ensure_future(feed.wait(1, 30))
    await asyncio.sleep(0)
    feed.close()
    assert not await waiting
    assert not await feed.wait(1, 30)


# --- changes ------------------------------------------------------------------------------------------------


class Later:
    """Callbacks that run when the test says so."""

    def __init__(self):
        self.due = []

    def __call__(self, work):
        self.due.append(work)

    def run(self):
        due, self.due = self.due, []
        for work in due:
            work()


@pytest.fixture
def later():
    return Later()


def test_a_group_that_stands_otherwise_is_told_once_and_after_the_step(later):
    told = []
    changes = Changes(later, (told.append,))
    for state in (GroupState.OK, GroupState.OK, GroupState.PARTIAL):
        step(changes, raised(), report=lambda state=state: example_report(state=state))
        count = len(told)
        later.run()
    assert count == 1
    assert [(one.before and one.before.state, one.after.state) for one in told] == [
        (None, GroupState.OK),
        (GroupState.OK, GroupState.PARTIAL),
    ]


def test_many_steps_in_one_turn_cost_one_report(later):
    made = []
    changes = Changes(later)
    for _ in range(100):
        step(changes, raised(), report=lambda: made.append(1) or example_report())
    later.run()
    assert len(made) == 1


def test_very_many_groups_are_compared_in_several_turns(later):
    told = []
    changes = Changes(later, (told.append,))
    for number in range(25):
        changes.stepped(f"g{number}", Tick(1), (raised(),), example_report)
    counts = []
    while later.due:
        later.run()
        counts.append(len(told))
    assert counts == [10, 20, 25]


def test_a_round_that_decides_nothing_costs_no_report(later):
    changes = Changes(later)
    step(changes, event=RoundClosed(1, "primary", 0, 1, ()), report=lambda: pytest.fail("not now"))
    assert later.due == []
    step(changes, event=SetChanged(1, "x"), report=example_report)
    assert len(later.due) == 1


def test_groups_that_are_gone_are_forgotten(later):
    told = []
    changes = Changes(later, (told.append,))
    step(changes, raised(), report=example_report)
    changes.configure([])
    later.run()
    assert told == []


# --- switches -----------------------------------------------------------------------------------------------

WHOLE = replace(RECORDS[0], write_us=1, verified_us=2, first_packet_us=3)


def test_a_switch_is_told_once_when_its_last_phase_has_ended():
    told = []
    measured = Measured((told.append,))
    measured.switch_changed(replace(WHOLE, first_packet_us=None))
    assert told == []
    measured.switch_changed(WHOLE)
    measured.switch_changed(replace(WHOLE, failed=1))
    assert told == [WHOLE]


def test_a_switch_that_is_cut_short_is_told_with_what_is_known():
    told = []
    measured = Measured((told.append,))
    short = replace(WHOLE, verified_us=None, first_packet_us=None)
    measured.switch_changed(short)
    measured.switch_changed(replace(WHOLE, epoch=WHOLE.epoch + 1))
    assert [one.verified_us for one in told] == [None, 2]


def test_the_log_has_the_phases_of_a_switch(caplog):
    with caplog.at_level(logging.INFO):
        LogListener().switch_measured(replace(WHOLE, detect_us=3_800_000, write_us=5_000))
    assert caplog.messages == [
        (
            "group cloud: switch to secondary took its course: detected in 3.800 s, written after 0.005 s, "
            "verified after 0.000 s, first packet after 0.000 s"
        )
    ]


def test_the_log_says_loudly_that_a_phase_never_ended(caplog):
    LogListener().switch_measured(replace(WHOLE, verified_us=None, failed=2, prefixes=5))
    assert "verified after (never)" in caplog.text
    assert "2 of 5 not written" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


def test_the_log_says_how_a_group_stands(later, caplog):
    changes = Changes(later, (LogListener().group_changed,))
    with caplog.at_level(logging.INFO):
        for changed in ({}, {"mode": Mode.FROZEN, "state": GroupState.ISOLATED, "active": None}):
            step(changes, raised(), report=lambda changed=changed: example_report(**changed))
            later.run()
    assert caplog.messages == [
        "group cloud: state ok, active primary: primary is up and preferred",
        (
            "group cloud: state isolated (frozen), active unclear, desired primary, was ok, active primary: "
            "primary is up and preferred"
        ),
    ]
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING]


# --- trends -------------------------------------------------------------------------------------------------


@pytest.fixture
def trends():
    made = Trends()
    made.configure({"cloud": example_setup().groups[0].policy})
    return made


def closed(at_us, *outcomes, stream=0, path="primary"):
    results = tuple(ProbeResult(outcome, at_us, 500 if outcome is Outcome.OK else 0) for outcome in outcomes)
    return RoundClosed(at_us, path, stream, 1, results)


def test_rounds_of_the_base_class_are_counted_by_half_minutes(trends):
    step(trends, event=closed(1, Outcome.OK, Outcome.LOST))
    step(trends, event=closed(2, Outcome.OK, Outcome.UNKNOWN))
    step(trends, event=closed(SLICE_US, Outcome.OK))
    step(trends, event=closed(SLICE_US, Outcome.LOST, stream=1))
    first, second = trends.of("cloud", "primary")
    assert (first.number, first.known, first.lost, first.replies, first.rtt_sum_us) == (0, 3, 1, 2, 1000)
    assert (second.number, second.known, second.lost) == (1, 1, 0)
    assert trends.of("cloud", "secondary") == ()


def test_the_rings_are_of_fixed_size_and_go_with_their_groups(trends):
    for number in range(3 * SLICES):
        step(trends, event=closed(number * SLICE_US, Outcome.OK))
    assert len(trends.of("cloud", "primary")) == SLICES
    trends.configure({})
    step(trends, event=closed(1, Outcome.OK))
    assert trends.of("cloud", "primary") == ()
