"""What a demonstration saw, in order of time. Pure: it is fed and asked, and knows no clock.

Three witnesses speak here: the daemon (its status and history), the traffic meter, and a plain look at the
interface and at ``wg show`` on-prem, which is what a health-check script would see. All times are microseconds
since the recording began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from wgfo.lab.ledger import Ledger, Outage
from wgfo.lab.topology import PathLabel

Json = Mapping[str, Any]
UNKNOWN: Final = "unknown"
SILENT_US: Final = 300_000
"""The client's traffic stands still: so many packets in a row are missing."""


class Kind(StrEnum):
    """What an event is about."""

    STAGE = "stage"
    FAULT = "fault"
    LAYER = "layer"
    ROUTE = "route"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a line."""

    at_us: int
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon's status at one moment; of the lab's one group."""

    at_us: int
    state: str
    active: str | None
    layers: Mapping[str, Mapping[str, str]]
    """Path to layer to verdict."""
    paths: Mapping[str, str]
    """Path to its state."""
    reasons: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(at_us: int, status: Json) -> Sample:
        """Take what matters from the object of ``status --json``."""
        group = status["groups"][0]
        return Sample(
            at_us=at_us,
            state=str(status["state"]),
            active=group["active"],
            layers={path["name"]: dict(path["layers"]) for path in group["paths"]},
            paths={path["name"]: path["state"] for path in group["paths"]},
            reasons={path["name"]: path["reason"] for path in group["paths"]},
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What ``ip link`` and ``wg show`` say on-prem of the primary's tunnel."""

    at_us: int
    link_up: bool
    handshake_age_s: int | None
    """None: there never was one."""


@dataclass(frozen=True, slots=True)
class Move:
    """A switch from the daemon's history. The phases count from ``at_us``, detection leads up to it."""

    at_us: int
    source: str | None
    target: str
    rule: str
    reason: str
    detect_us: int | None
    write_us: int | None
    verified_us: int | None
    first_packet_us: int | None

    @property
    def complete(self) -> bool:
        """Whether all its phases have ended."""
        return None not in (self.write_us, self.verified_us, self.first_packet_us)

    @staticmethod
    def read(switch: Json, wall_began_us: int) -> Move:
        """Take what matters from one switch of ``history --json``."""
        at = datetime.fromisoformat(switch["at"])
        return Move(
            at_us=round(at.timestamp() * 1_000_000) - wall_began_us,
            source=switch["from"],
            target=str(switch["to"]),
            rule=str(switch["rule"]),
            reason=str(switch["reason"]),
            detect_us=_us(switch["detect_seconds"]),
            write_us=_us(switch["write_seconds"]),
            verified_us=_us(switch["verified_seconds"]),
            first_packet_us=_us(switch["first_packet_seconds"]),
        )


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)


class Timeline:
    """Collects what the witnesses say and notes what changed.

    Args:
        began_us: monotonic time at which the recording began.
        wall_began_us: the same moment on the wall clock, for the daemon's history.
    """

    def __init__(self, began_us: int, wall_began_us: int) -> None:
        self.began_us = began_us
        self._wall_began_us = wall_began_us
        self.events: list[Event] = []
        self.samples: list[Sample] = []
        self.looks: list[Look] = []
        self.moves: tuple[Move, ...] = ()
        self.ledger = Ledger()
        self.broken_us: int | None = None
        self.healed_us: int | None = None
        self.traffic_began_us: int | None = None
        self._silent = False

    def note(self, at_us: int, kind: Kind, text: str) -> None:
        """Note an event."""
        self.events.append(Event(at_us, kind, text))

    def broken(self, at_us: int, text: str) -> None:
        """The fault is there."""
        self.broken_us = at_us
        self.note(at_us, Kind.FAULT, text)

    def healed(self, at_us: int, text: str) -> None:
        """The fault is gone."""
        self.healed_us = at_us
        self.note(at_us, Kind.FAULT, text)

    def status(self, at_us: int, status: Json) -> None:
        """Take an answer of the daemon and note what changed; while it opens, it knows no group yet."""
        if not status["groups"]:
            return
        sample = Sample.read(at_us, status)
        if self.samples:
            for kind, text in _changes(self.samples[-1], sample):
                self.note(at_us, kind, text)
        self.samples.append(sample)

    def history(self, history: Json) -> None:
        """Take the daemon's switches and note the new ones."""
        known = len(self.moves)
        self.moves = tuple(Move.read(switch, self._wall_began_us) for switch in history["switches"])
        for move in self.moves[known:]:
            self.note(
                move.at_us,
                Kind.ROUTE,
                f"wgfo decides: {move.source} → {move.target} ({move.rule}): {move.reason}",
            )

    def look(self, at_us: int, *, link_up: bool, handshake_age_s: int | None) -> None:
        """Take a look at the primary's tunnel and note a new handshake while the fault lasts."""
        look = Look(at_us, link_up, handshake_age_s)
        if self.looks and self.during_fault(at_us) and renewed(self.looks[-1], look):
            self.note(
                at_us, Kind.LAYER, "wg show: the primary's handshake was just renewed, though no data passes"
            )
        self.looks.append(look)

    def traffic(self, line: str | bytes) -> None:
        """Take a line of the traffic meter and note where an outage begins and ends."""
        self.ledger.feed(line)
        at_us = self.ledger.at_us - self.began_us
        self.traffic_began_us = at_us if self.traffic_began_us is None else self.traffic_began_us
        silent = self.ledger.silent_us > SILENT_US
        if silent and not self._silent:
            self.note(at_us, Kind.TRAFFIC, "client and server: no packet for 0.3 s")
        if self._silent and not silent:
            last = self.outages()[-1]
            self.note(
                last.to_us, Kind.TRAFFIC, f"client and server: packets again, after {seconds(last.length_us)}"
            )
        self._silent = silent

    def during_fault(self, at_us: int) -> bool:
        """Whether the fault was there at a moment."""
        return self.broken_us is not None and self.broken_us <= at_us and self.healed_us is None

    def outages(self) -> tuple[Outage, ...]:
        """Return the meter's outages, since the recording began."""
        return tuple(
            Outage(outage.from_us - self.began_us, outage.to_us - self.began_us, outage.lost)
            for outage in self.ledger.outages()
        )

    def move_to(self, target: PathLabel, after_us: int | None) -> Move | None:
        """Return the first switch to a path after a moment."""
        if after_us is None:
            return None
        return next((move for move in self.moves if move.target == target and move.at_us >= after_us), None)

    @property
    def escape(self) -> Move | None:
        """The switch away from the broken primary."""
        return self.move_to(PathLabel.SECONDARY, self.broken_us)

    @property
    def restoration(self) -> Move | None:
        """The switch back to the healed primary."""
        return self.move_to(PathLabel.PRIMARY, self.healed_us)

    @property
    def renewed_at_us(self) -> tuple[int, ...]:
        """When the primary's handshake was renewed, to the next look."""
        return tuple(after.at_us for before, after in pairwise(self.looks) if renewed(before, after))

    @property
    def renewals(self) -> int:
        """How often the primary's handshake was renewed while the fault lasted."""
        if self.broken_us is None:
            return 0
        broken = [at_us for at_us in self.renewed_at_us if at_us >= self.broken_us]
        return sum(self.healed_us is None or at_us < self.healed_us for at_us in broken)


def renewed(before: Look, after: Look) -> bool:
    """Whether there was a handshake between two looks."""
    if after.handshake_age_s is None:
        return False
    return before.handshake_age_s is None or after.handshake_age_s < before.handshake_age_s


def seconds(us: int) -> str:
    """Return a time for people."""
    return f"{us / 1_000_000:.2f} s"


def _changes(before: Sample, after: Sample) -> Sequence[tuple[Kind, str]]:
    found: list[tuple[Kind, str]] = []
    for path, layers in after.layers.items():
        for layer, verdict in layers.items():
            if before.layers.get(path, {}).get(layer, UNKNOWN) != verdict:
                found.append((Kind.LAYER, f"{path}: {layer} is {verdict}"))
    found += [
        (Kind.LAYER, f"{path} is {state}: {after.reasons.get(path, '')}")
        for path, state in after.paths.items()
        if before.paths.get(path) != state
    ]
    if before.active != after.active:
        found.append((Kind.ROUTE, f"routes: {after.active or 'between two paths'}"))
    return found
