"""The report of a demonstration, from recorded data."""

from __future__ import annotations

import json

import pytest

from tests.lab.recording import (
    BEGAN_US,
    BROKEN_US,
    END_US,
    ESCAPE,
    ESCAPED_US,
    HEALED_US,
    RESTORED_US,
    WALL_US,
    S,
    looks,
    recorded,
    status,
    traffic,
)
from wgfo.lab.story import Span, Story, Tone, spans, tell
from wgfo.lab.timeline import Kind, Timeline


@pytest.fixture(scope="module")
def story() -> Story:
    return tell(recorded(), "silent-drop", END_US)


def test_a_whole_demonstration_is_complete(story: Story) -> None:
    assert story.complete


def test_the_phases_of_the_escape_count_from_the_fault(story: Story) -> None:
    assert story.escape is not None
    assert story.escape.first_lost_us == 100_000
    assert story.escape.decided_us == 3_500_000
    assert story.escape.written_us == 3_520_000
    assert story.escape.verified_us == 3_550_000


def test_the_first_packet_is_the_clients_own_not_the_daemons(story: Story) -> None:
    assert story.escape is not None
    assert story.escape.first_packet_us == ESCAPED_US + 40_000 + 2_000 - BROKEN_US


def test_packets_lost_to_the_fault_are_counted(story: Story) -> None:
    assert story.escape is not None
    assert story.escape.lost == (ESCAPED_US + 40_000 - BROKEN_US) // 10_000


def test_the_way_back_counts_from_the_healing_and_loses_nothing(story: Story) -> None:
    assert story.restoration is not None
    assert story.restoration.decided_us == RESTORED_US - HEALED_US
    assert story.restoration.first_lost_us is None
    assert story.restoration.lost == 0


def test_each_layer_is_told_as_it_was_at_the_decision(story: Story) -> None:
    layers = story.layers
    assert layers is not None
    assert (layers.interface, layers.handshake, layers.dataplane) == ("up", "up", "down")
    assert layers.link_up
    assert layers.handshake_age_s == 13


def test_only_handshakes_during_the_fault_count_as_renewals(story: Story) -> None:
    assert story.renewals == 1


def test_the_data_is_plain_json(story: Story) -> None:
    told = json.loads(json.dumps(story.as_json()))
    assert told["api_version"] == 1
    assert told["complete"] is True
    assert told["escape"]["path"] == "secondary"
    assert told["outages"] == [{"from_us": 9_992_000, "to_us": 13_542_000, "lost": 354}]


def test_events_stand_in_order_of_time(story: Story) -> None:
    times = [event.at_us for event in story.events]
    assert times == sorted(times)
    texts = [event.text for event in story.events]
    assert "primary: dataplane is down" in texts
    assert "wg show: the primary's handshake was just renewed, though no data passes" in texts
    assert "client and server: packets again, after 3.55 s" in texts
    assert any(text.startswith("wgfo decides: primary → secondary (signal_fail)") for text in texts)


def test_without_a_switch_the_story_is_incomplete_and_still_told() -> None:
    timeline = Timeline(BEGAN_US, WALL_US)
    timeline.broken(BROKEN_US, "silent-drop")
    traffic(timeline, 20 * S)
    story = tell(timeline, "silent-drop", 20 * S)
    assert not story.complete
    assert (story.escape, story.restoration, story.layers) == (None, None, None)


def test_a_switch_whose_phases_are_unknown_is_told_without_them() -> None:
    timeline = Timeline(BEGAN_US, WALL_US)
    timeline.broken(BROKEN_US, "silent-drop")
    timeline.status(ESCAPED_US, status("secondary", "down"))
    timeline.history({"switches": [ESCAPE | {"write_seconds": None, "first_packet_seconds": None}]})
    looks(timeline)
    story = tell(timeline, "silent-drop", END_US)
    assert story.escape is not None
    assert story.escape.written_us is None
    assert story.escape.first_packet_us is None
    assert timeline.escape is not None
    assert not timeline.escape.complete
    assert not story.escape.complete


def test_a_switch_from_before_the_fault_is_not_the_escape() -> None:
    timeline = Timeline(BEGAN_US, WALL_US)
    timeline.history({"switches": [ESCAPE]})
    timeline.broken(ESCAPED_US + 1, "silent-drop")
    assert timeline.escape is None


def test_a_switch_is_noted_once() -> None:
    timeline = Timeline(BEGAN_US, WALL_US)
    for _ in range(3):
        timeline.history({"switches": [ESCAPE]})
    assert [event.kind for event in timeline.events] == [Kind.ROUTE]


def test_points_of_one_tone_are_one_span() -> None:
    points = [(0, Tone.GOOD), (5, Tone.GOOD), (7, Tone.BAD), (9, Tone.GOOD)]
    assert spans(points, 12) == (Span(0, 7, Tone.GOOD), Span(7, 9, Tone.BAD), Span(9, 12, Tone.GOOD))


def test_lanes_show_a_healthy_tunnel_without_packets(story: Story) -> None:
    lanes = {lane.name: lane for lane in story.lanes}
    assert {span.tone for span in lanes["interface up"].spans} == {Tone.GOOD}
    assert {span.tone for span in lanes["handshake fresh"].spans} == {Tone.GOOD}
    assert lanes["handshake fresh"].marks_us == (25 * S, 41 * S)
    assert [span.tone for span in lanes["primary: packets"].spans] == [Tone.GOOD, Tone.BAD, Tone.GOOD]
    assert [span.tone for span in lanes["routes"].spans] == [Tone.PRIMARY, Tone.SECONDARY, Tone.PRIMARY]
    assert [span.tone for span in lanes["client's traffic"].spans] == [Tone.GOOD, Tone.BAD, Tone.GOOD]
