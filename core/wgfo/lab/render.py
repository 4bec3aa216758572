"""A demonstration on a terminal: the lanes while it runs, and the report at its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wgfo.lab.story import Lane, LayersAtDecision, Phases, Story, Tone
from wgfo.lab.timeline import Event, Kind, seconds

STYLES: Final = {
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.UNKNOWN: "bright_black",
    Tone.PRIMARY: "blue",
    Tone.SECONDARY: "yellow",
}
BLOCKS: Final = {
    Tone.GOOD: "█",
    Tone.BAD: "░",
    Tone.UNKNOWN: "·",
    Tone.PRIMARY: "█",
    Tone.SECONDARY: "▓",
}
"""Told apart without colour as well."""
EVENT_STYLES: Final = {
    Kind.FAULT: "bold red",
    Kind.ROUTE: "bold yellow",
    Kind.TRAFFIC: "cyan",
    Kind.STAGE: "dim",
}
LABEL_WIDTH: Final = 20
SHOWN_EVENTS: Final = 9


def live(
    lanes: Sequence[Lane], events: Sequence[Event], stage: str, now_us: int, width: int
) -> RenderableType:
    """Return the screen while it runs: lanes, the latest events, what is waited for."""
    lines: list[RenderableType] = [lane_line(lane, now_us, width - LABEL_WIDTH) for lane in lanes]
    shown = sorted(events, key=lambda event: event.at_us)[-SHOWN_EVENTS:]
    lines += [Text(""), *(event_line(event) for event in shown), Text(""), Text(stage, style="bold")]
    return Group(*lines)


def lane_line(lane: Lane, now_us: int, columns: int) -> Text:
    """Return one lane, a character per column."""
    text = Text(f"{lane.name:<{LABEL_WIDTH}}", no_wrap=True)
    tones = (_tone_at(lane, now_us * (2 * column + 1) // (2 * columns)) for column in range(columns))
    for tone, same in groupby(tones):
        length = sum(1 for _ in same)
        text.append((BLOCKS[tone] if tone else " ") * length, style=STYLES[tone] if tone else "")
    return text


def _tone_at(lane: Lane, at_us: int) -> Tone | None:
    return next((span.tone for span in lane.spans if span.from_us <= at_us < span.to_us), None)


def event_line(event: Event) -> Text:
    """Return an event with its time."""
    return Text(plain(event), style=EVENT_STYLES.get(event.kind, ""))


def plain(event: Event) -> str:
    """Return an event as a line without colour."""
    return f"[{event.at_us / 1_000_000:6.1f} s] {event.text}"


def report(story: Story) -> RenderableType:
    """Return the report."""
    parts: list[RenderableType] = [
        Text(""),
        Text(f"What failed: {story.fault} on the primary path", style="bold"),
    ]
    parts += [_layers(story.layers, story.renewals), Text("")] if story.layers else []
    parts += (
        [_table("Away from the fault", "since the fault", story.escape), Text("")] if story.escape else []
    )
    parts += (
        [_table("Back again", "since the healing", story.restoration), Text("")] if story.restoration else []
    )
    return Group(*parts, _traffic(story))


def _layers(layers: LayersAtDecision, renewals: int) -> RenderableType:
    table = Table(
        "layer of the primary", "wgfo", "what a script sees", box=None, pad_edge=False, header_style="bold"
    )
    link = "up" if layers.link_up else "down"
    age = "never" if layers.handshake_age_s is None else f"{layers.handshake_age_s} s old"
    table.add_row("interface", _verdict(layers.interface), f"ip link: {link}")
    table.add_row(
        "handshake", _verdict(layers.handshake), f"wg show: {age}; renewed {times(renewals)} during the fault"
    )
    table.add_row("data plane", _verdict(layers.dataplane), "-")
    return table


def times(count: int) -> str:
    """Return how often, in words."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _verdict(text: str) -> Text:
    return Text(text.replace("_", " "), style={"up": "green", "down": "bold red"}.get(text, ""))


def _table(title: str, since: str, phases: Phases) -> RenderableType:
    table = Table(title, since, box=None, pad_edge=False, header_style="bold")
    for name, value in rows(phases):
        table.add_row(name, value)
    return Group(table, Text(f"why: {phases.reason}", style="dim"))


def rows(phases: Phases) -> list[tuple[str, str]]:
    """Return the phases for people, those that were seen."""
    timed = (
        ("first lost probe sent", phases.first_lost_us),
        (f"decided: to {phases.path} ({phases.rule})", phases.decided_us),
        ("routes written", phases.written_us),
        ("routes read back and right", phases.verified_us),
        ("first good packet of the client", phases.first_packet_us),
    )
    shown = [(name, seconds(us)) for name, us in timed if us is not None]
    return [*shown, ("packets lost", str(phases.lost))]


def _traffic(story: Story) -> Text:
    traffic = story.traffic
    longest = max((outage.length_us for outage in story.outages), default=0)
    return Text(
        f"Traffic: {traffic.sent} packets sent, {traffic.lost} lost, {traffic.duplicates} twice; "
        f"{len(story.outages)} outage(s), the longest {seconds(longest)}; "
        f"{traffic.requests} TCP requests, {traffic.requests_failed} failed"
    )
