"""The end of a demonstration: what failed, who noticed, how long it took. Pure, from a timeline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from wgfo.lab.ledger import Outage, Summary
from wgfo.lab.timeline import Event, Look, Move, Sample, Timeline
from wgfo.lab.topology import PathLabel

API_VERSION: Final = 1
AROUND_US: Final = 2_000_000
"""Packets lost this long before and after a switch are put down to it."""


class Tone(StrEnum):
    """How a span of a lane is drawn."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    PRIMARY = "primary"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a lane had one tone."""

    from_us: int
    to_us: int
    tone: Tone


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the picture."""

    name: str
    spans: tuple[Span, ...]
    marks_us: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Phases:
    """One switch, in microseconds since its cause (the fault, the healing); None where it was not seen."""

    path: str
    rule: str
    reason: str
    first_lost_us: int | None
    """When the first of the probes was sent whose loss decided it."""
    decided_us: int
    written_us: int | None
    verified_us: int | None
    first_packet_us: int | None
    """Of the client's own traffic."""
    lost: int
    """Packets of the client that were lost around it."""

    @property
    def complete(self) -> bool:
        """Whether the routes were written and read back, and traffic flowed."""
        return None not in (self.written_us, self.verified_us, self.first_packet_us)


@dataclass(frozen=True, slots=True)
class LayersAtDecision:
    """What each layer of the primary said when wgfo decided to leave it."""

    interface: str
    handshake: str
    dataplane: str
    link_up: bool
    """What ``ip link`` said."""
    handshake_age_s: int | None
    """What ``wg show`` said."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that the report, the picture and the data file tell."""

    fault: str
    broken_us: int | None
    healed_us: int | None
    end_us: int
    layers: LayersAtDecision | None
    renewals: int
    """Handshakes that succeeded while no data passed."""
    escape: Phases | None
    restoration: Phases | None
    traffic: Summary
    outages: tuple[Outage, ...]
    lanes: tuple[Lane, ...]
    events: tuple[Event, ...]

    @property
    def complete(self) -> bool:
        """Whether every part of the story was seen."""
        moves = (self.escape, self.restoration)
        moved = all(phases is not None and phases.complete for phases in moves)
        return moved and self.layers is not None and self.renewals > 0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"api_version": API_VERSION, "complete": self.complete, **asdict(self)}


def tell(timeline: Timeline, fault: str, end_us: int) -> Story:
    """Make the story of a timeline that ended at ``end_us``."""
    escape, restoration = timeline.escape, timeline.restoration
    return Story(
        fault=fault,
        broken_us=timeline.broken_us,
        healed_us=timeline.healed_us,
        end_us=end_us,
        layers=_layers_at(timeline, escape),
        renewals=timeline.renewals,
        escape=_phases(timeline, escape, timeline.broken_us),
        restoration=_phases(timeline, restoration, timeline.healed_us),
        traffic=timeline.ledger.summary(),
        outages=timeline.outages(),
        lanes=lanes(timeline, end_us),
        events=tuple(sorted(timeline.events, key=lambda event: event.at_us)),
    )


def _phases(timeline: Timeline, move: Move | None, cause_us: int | None) -> Phases | None:
    if move is None or cause_us is None:
        return None
    decided_us = move.at_us - cause_us
    return Phases(
        path=move.target,
        rule=move.rule,
        reason=move.reason,
        first_lost_us=None if move.detect_us is None else decided_us - move.detect_us,
        decided_us=decided_us,
        written_us=_later(decided_us, move.write_us),
        verified_us=_later(decided_us, move.verified_us),
        first_packet_us=_first_packet(timeline, move, cause_us),
        lost=_lost(timeline, move, cause_us),
    )


def _later(decided_us: int, phase_us: int | None) -> int | None:
    return None if phase_us is None else decided_us + phase_us


def _first_packet(timeline: Timeline, move: Move, cause_us: int) -> int | None:
    """Return when the first packet came back that was sent after the decision."""
    found_us = timeline.ledger.first_good_after(timeline.began_us + move.at_us)
    return None if found_us is None else found_us - timeline.began_us - cause_us


def _lost(timeline: Timeline, move: Move, cause_us: int) -> int:
    """Count the packets lost because of the cause: from it, or from shortly before a later move, to its end."""
    began_us = timeline.began_us
    from_us = cause_us if move.detect_us is not None else move.at_us - AROUND_US
    return timeline.ledger.lost_between(began_us + from_us, began_us + move.at_us + AROUND_US)


def _layers_at(timeline: Timeline, escape: Move | None) -> LayersAtDecision | None:
    sample = _first_after(timeline.samples, escape.at_us) if escape else None
    if sample is None or escape is None:
        return None
    said = sample.layers.get(PathLabel.PRIMARY, {})
    look = _last_before(timeline.looks, escape.at_us)
    return LayersAtDecision(
        interface=said.get("interface", "not_probed"),
        handshake=said.get("handshake", "not_probed"),
        dataplane=said.get("dataplane", "not_probed"),
        link_up=look.link_up if look else False,
        handshake_age_s=look.handshake_age_s if look else None,
    )


def _first_after(samples: list[Sample], at_us: int) -> Sample | None:
    return next((sample for sample in samples if sample.at_us >= at_us), None)


def _last_before(looks: list[Look], at_us: int) -> Look | None:
    return next((look for look in reversed(looks) if look.at_us <= at_us), None)


# --- lanes --------------------------------------------------------------------------------------------------

_TONES: Final = {
    "up": Tone.GOOD,
    "down": Tone.BAD,
    PathLabel.PRIMARY: Tone.PRIMARY,
    PathLabel.SECONDARY: Tone.SECONDARY,
}


def lanes(timeline: Timeline, end_us: int) -> tuple[Lane, ...]:
    """Return what is drawn: the primary's layers as a script and as wgfo see them, the route, the traffic."""
    looks, samples = timeline.looks, timeline.samples
    links = [(look.at_us, Tone.GOOD if look.link_up else Tone.BAD) for look in looks]
    shakes = [(look.at_us, _age_tone(look)) for look in looks]
    return (
        Lane("interface up", spans(links, end_us)),
        Lane("handshake fresh", spans(shakes, end_us), timeline.renewed_at_us),
        Lane("primary: packets", spans(_dataplane(samples, PathLabel.PRIMARY), end_us)),
        Lane("secondary: packets", spans(_dataplane(samples, PathLabel.SECONDARY), end_us)),
        Lane(
            "routes",
            spans([(one.at_us, _TONES.get(one.active or "", Tone.UNKNOWN)) for one in samples], end_us),
        ),
        Lane("client's traffic", _traffic(timeline, end_us)),
    )


def spans(points: list[tuple[int, Tone]], end_us: int) -> tuple[Span, ...]:
    """Join points of one tone; each holds until the next one."""
    found: list[Span] = []
    for index, (at_us, tone) in enumerate(points):
        to_us = points[index + 1][0] if index + 1 < len(points) else end_us
        if found and found[-1].tone is tone:
            found[-1] = Span(found[-1].from_us, to_us, tone)
        else:
            found.append(Span(at_us, to_us, tone))
    return tuple(found)


def _age_tone(look: Look) -> Tone:
    fresh = look.handshake_age_s is not None and look.handshake_age_s <= 180  # noqa: PLR2004 - semantics.md
    return Tone.GOOD if fresh else Tone.BAD


def _dataplane(samples: list[Sample], path: PathLabel) -> list[tuple[int, Tone]]:
    return [
        (one.at_us, _TONES.get(one.layers.get(path, {}).get("dataplane", ""), Tone.UNKNOWN))
        for one in samples
    ]


def _traffic(timeline: Timeline, end_us: int) -> tuple[Span, ...]:
    began_us = timeline.traffic_began_us
    if began_us is None:
        return ()
    points = [(began_us, Tone.GOOD)]
    for outage in timeline.outages():
        points += [(outage.from_us, Tone.BAD), (outage.to_us, Tone.GOOD)]
    return spans(points, end_us)
