"""The terminal and the picture show what the story tells."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from tests.lab.recording import BROKEN_US, END_US, recorded
from wgfo.lab import picture, render
from wgfo.lab.demo import Printer
from wgfo.lab.story import Lane, Span, Story, Tone, tell
from wgfo.lab.timeline import Event, Kind, Timeline

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def story() -> Story:
    return tell(recorded(), "silent-drop", END_US)


def drawn(renderable: object, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_lane_has_a_block_per_column_and_tells_tones_apart_without_colour() -> None:
    lane = Lane("traffic", (Span(0, 50, Tone.GOOD), Span(50, 100, Tone.BAD)))
    assert render.lane_line(lane, 100, 10).plain.endswith("█████░░░░░")


def test_a_lane_is_empty_where_nothing_was_seen() -> None:
    lane = Lane("traffic", (Span(50, 100, Tone.GOOD),))
    assert render.lane_line(lane, 100, 4).plain.endswith("  ██")


def test_the_screen_shows_lanes_the_latest_events_and_what_is_waited_for(story: Story) -> None:
    events = [Event(second * 1_000_000, Kind.LAYER, f"event {second}") for second in range(20)]
    screen = drawn(render.live(story.lanes, events, "waiting for wgfo", END_US, 100))
    assert "event 19" in screen
    assert "event 2\n" not in screen
    assert "waiting for wgfo" in screen
    assert "handshake fresh" in screen


def test_an_event_is_a_plain_line_with_its_time() -> None:
    assert render.plain(Event(13_540_000, Kind.TRAFFIC, "packets again")) == "[  13.5 s] packets again"


def test_the_report_tells_layers_phases_and_losses(story: Story) -> None:
    said = drawn(render.report(story))
    assert "What failed: silent-drop on the primary path" in said
    assert re.search(r"handshake\s+up\s+wg show: 13 s old; renewed once during the fault", said)
    assert re.search(r"data plane\s+down", said)
    assert re.search(r"decided: to secondary \(signal_fail\)\s+3\.50 s", said)
    assert re.search(r"first good packet of the client\s+3\.54 s", said)
    assert re.search(r"packets lost\s+354", said)
    assert re.search(r"decided: to primary \(revert\)\s+20\.00 s", said)


def test_the_picture_is_well_formed_and_refers_to_nothing_outside(story: Story) -> None:
    text = picture.svg(story)
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert "href" not in text
    assert re.findall(r"https?://\S+?['\"]", text) == ["http://www.w3.org/2000/svg'"]


def test_the_picture_draws_every_span_and_the_fault(story: Story) -> None:
    root = ET.fromstring(picture.svg(story))
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    assert len(bars) == sum(len(lane.spans) for lane in story.lanes)
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"fault", "healed", "→ secondary", "→ primary"} <= set(words)
    line = next(one for one in root.iter(f"{SVG}line") if one.get("stroke") == "#d64545")
    expected = picture.LEFT + (picture.WIDTH - picture.LEFT - picture.RIGHT) * BROKEN_US / END_US
    assert float(line.get("x1", "0")) == pytest.approx(expected, abs=0.1)


def test_the_picture_escapes_what_it_is_told() -> None:
    story = tell(recorded(), "<silent & drop>", END_US)
    ET.fromstring(picture.svg(story))


class Stage:
    """A stage whose clock is set by hand."""

    def __init__(self) -> None:
        self.timeline = Timeline(0, 0)
        self.text = "waiting for wgfo"
        self.at_us = 0

    def now_us(self) -> int:
        return self.at_us


def test_without_a_terminal_each_event_is_one_line_and_long_waits_are_not_silent() -> None:
    stage, out = Stage(), io.StringIO()
    printer = Printer(stage, Console(file=out, width=40, color_system=None))  # type: ignore[arg-type]
    stage.timeline.note(0, Kind.FAULT, "a long line that is not wrapped where it does not fit")
    for second in range(12):
        stage.at_us = second * 1_000_000
        printer.print_new()
    assert out.getvalue().splitlines() == [
        "[   0.0 s] a long line that is not wrapped where it does not fit",
        "             waiting for wgfo",
    ]
