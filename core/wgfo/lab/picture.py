"""A demonstration as an SVG picture: the lanes over time, the instants that matter, the figures. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from wgfo.lab.render import times
from wgfo.lab.story import Lane, Phases, Story, Tone
from wgfo.lab.timeline import seconds

WIDTH: Final = 960
LEFT: Final = 170
RIGHT: Final = 20
TOP: Final = 96
LANE_HEIGHT: Final = 34
BAR_HEIGHT: Final = 20
LINE_HEIGHT: Final = 20
LABEL_ROOM: Final = 120
"""An instant closer than this to the right edge has its name on its left."""
TICK_EVERY_US: Final = 10_000_000

COLOURS: Final = {
    Tone.GOOD: "#2e9e5b",
    Tone.BAD: "#d64545",
    Tone.UNKNOWN: "#b8bec6",
    Tone.PRIMARY: "#3b6fd4",
    Tone.SECONDARY: "#e0992f",
}
FONT: Final = "font-family='system-ui, sans-serif'"


def svg(story: Story) -> str:
    """Return the picture; it refers to nothing outside of itself."""
    axis = TOP + LANE_HEIGHT * len(story.lanes)
    figures = list(_figures(story))
    height = axis + 50 + LINE_HEIGHT * len(figures) + 10
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {FONT} font-size='13'>",
        f"<title>wgfo: {escape(story.fault)} and what became of it</title>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(20, 30, f"{story.fault} on the primary path", size=18, weight="bold"),
        _text(20, 50, _subtitle(story), colour="#555f6b"),
        *_axis(story.end_us, axis),
        *(part for index, lane in enumerate(story.lanes) for part in _lane(lane, index, story.end_us)),
        *_instants(story, axis),
        *(_text(20, axis + 50 + LINE_HEIGHT * index, line) for index, line in enumerate(figures)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(at_us: int, end_us: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * at_us / max(1, end_us), 1)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: str = "normal",
    colour: str = "#1d232b",
    anchor: str = "start",
) -> str:
    return (
        f"<text x='{x}' y='{y}' font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(text)}</text>"
    )


def _subtitle(story: Story) -> str:
    if story.layers is None:
        return "wgfo made no decision"
    age = story.layers.handshake_age_s
    handshake = (
        "no handshake" if age is None else f"handshake {age} s old, renewed {times(story.renewals)} meanwhile"
    )
    link = "up" if story.layers.link_up else "down"
    return f"At the decision: interface {link}, {handshake}, data plane {story.layers.dataplane}"


def _axis(end_us: int, y: int) -> Iterator[str]:
    for at_us in range(0, end_us + 1, TICK_EVERY_US):
        x = _x(at_us, end_us)
        yield f"<line x1='{x}' y1='{TOP - 6}' x2='{x}' y2='{y}' stroke='#e6e9ed'/>"
        yield _text(x, y + 16, f"{at_us // 1_000_000} s", size=11, colour="#555f6b", anchor="middle")


def _lane(lane: Lane, index: int, end_us: int) -> Iterator[str]:
    y = TOP + LANE_HEIGHT * index
    yield _text(LEFT - 12, y + 15, lane.name, anchor="end")
    for span in lane.spans:
        x, to = _x(span.from_us, end_us), _x(span.to_us, end_us)
        width = round(max(1.0, to - x), 1)
        yield (
            f"<rect x='{x}' y='{y}' width='{width}' height='{BAR_HEIGHT}' fill='{COLOURS[span.tone]}'>"
            f"<title>{span.tone}</title></rect>"
        )
    for at_us in lane.marks_us:
        x = _x(at_us, end_us)
        yield f"<line x1='{x}' y1='{y}' x2='{x}' y2='{y + BAR_HEIGHT}' stroke='#ffffff' stroke-width='2'/>"


def _instants(story: Story, axis: int) -> Iterator[str]:
    instants = [("fault", story.broken_us, "#d64545"), ("healed", story.healed_us, "#2e9e5b")]
    for phases, cause_us in ((story.escape, story.broken_us), (story.restoration, story.healed_us)):
        if phases is not None and cause_us is not None:
            instants.append((f"→ {phases.path}", cause_us + phases.decided_us, "#1d232b"))
    for row, (name, at_us, colour) in enumerate(sorted(instants, key=lambda one: one[1] or 0)):
        if at_us is not None:
            x = _x(at_us, story.end_us)
            yield f"<line x1='{x}' y1='{TOP - 22}' x2='{x}' y2='{axis}' stroke='{colour}' stroke-dasharray='4 3'/>"
            late = x > WIDTH - LABEL_ROOM
            yield _text(
                x + (-3 if late else 3),
                TOP - 10 - 14 * (row % 2),
                name,
                size=12,
                weight="bold",
                colour=colour,
                anchor="end" if late else "start",
            )


def _figures(story: Story) -> Iterator[str]:
    for title, phases in (("since the fault", story.escape), ("since the healing", story.restoration)):
        if phases is not None:
            yield f"{title}: {' · '.join(_words(phases))}"
    longest = max((outage.length_us for outage in story.outages), default=0)
    yield (
        f"the client's traffic: {story.traffic.sent} packets, {story.traffic.lost} lost, "
        f"longest outage {seconds(longest)}; {story.traffic.requests_failed} of {story.traffic.requests} "
        "TCP requests failed"
    )


def _words(phases: Phases) -> Iterator[str]:
    timed = (
        ("decided", phases.decided_us),
        ("written", phases.written_us),
        ("verified", phases.verified_us),
        ("first packet", phases.first_packet_us),
    )
    for name, at_us in timed:
        if at_us is not None:
            yield f"{name} {seconds(at_us)}"
    yield f"{phases.lost} packets lost"
