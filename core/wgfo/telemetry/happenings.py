"""What the event stream tells of: decisions, ends of writes and changes of a group, as JSON fields.

The names are those of ``status --json`` and ``history --json`` wherever they have one for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmRaised,
    Decision,
    Established,
    Observe,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    Point,
    RequestAnswered,
    SetConverged,
    Switch,
)
from wgfo.engine.events import Override, WriteEnded
from wgfo.model import GroupName
from wgfo.telemetry.changes import GroupChanged, Standing
from wgfo.telemetry.switches import SwitchRecord

_US = 1_000_000


class Kind(StrEnum):
    """The kinds of events; ``docs/reference/events.md`` explains each."""

    GROUP = "group"
    PATH = "path"
    ESTABLISHED = "established"
    SWITCH = "switch"
    PHASES = "phases"
    WRITE = "write"
    WRITE_ENDED = "write_ended"
    CONVERGED = "converged"
    ALARM = "alarm"
    OVERRIDE = "override"
    REQUEST = "request"


Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the stream, without number and time."""

    kind: Kind
    group: GroupName
    fields: Fields


def of_decision(group: GroupName, decision: Decision) -> Happening | None:  # noqa: C901, PLR0911 - a table
    """Return the event for a decision; reads are none."""
    match decision:
        case Switch():
            return Happening(Kind.SWITCH, group, _switch(decision))
        case Established(epoch=epoch, path=path, found_in=found_in, reason=reason):
            fields: Fields = {"epoch": epoch, "path": path, "found_in": found_in, "reason": reason}
            return Happening(Kind.ESTABLISHED, group, fields)
        case PathChanged():
            return Happening(Kind.PATH, group, _path(decision))
        case AlarmRaised(name=name, text=text, page=page):
            return Happening(Kind.ALARM, group, {"name": name, "active": True, "text": text, "page": page})
        case AlarmCleared(name=name):
            return Happening(Kind.ALARM, group, {"name": name, "active": False, "text": "", "page": False})
        case OverrideSet(override=override):
            return Happening(Kind.OVERRIDE, group, _override(override, active=True, why=""))
        case OverrideEnded(override=override, why=why):
            return Happening(Kind.OVERRIDE, group, _override(override, active=False, why=why))
        case RequestAnswered(accepted=accepted, text=text):
            return Happening(Kind.REQUEST, group, {"accepted": accepted, "text": text})
        case Point():
            return Happening(Kind.WRITE, group, _write(decision))
        case SetConverged(set_id=set_id, epoch=epoch, path=path):
            return Happening(Kind.CONVERGED, group, {"set": set_id, "epoch": epoch, "path": path})
        case Observe():
            return None


def _switch(one: Switch) -> Fields:
    detected_us = None if one.fault_us is None else one.at_us - one.fault_us
    return {
        "epoch": one.epoch,
        "from": one.source,
        "to": one.target,
        "rule": one.rule,
        "reason": one.reason,
        "detect_seconds": _seconds(detected_us),
        "numbers": dict(one.numbers),
        "rejected": [{"path": other.path, "why": other.why} for other in one.rejected],
    }


def _path(one: PathChanged) -> Fields:
    return {
        "path": one.path,
        "before": one.before,
        "after": one.after,
        "rule": one.rule,
        "reason": one.reason,
        "numbers": dict(one.numbers),
    }


def _override(one: Override, *, active: bool, why: str) -> Fields:
    return {
        "override": one.kind,
        "path": one.path,
        "reason": one.reason,
        "by": one.by,
        "expires": one.expires,
        "active": active,
        "why": why,
    }


def _write(one: Point) -> Fields:
    return {
        "set": one.set_id,
        "path": one.path,
        "epoch": one.epoch,
        "attempt": one.attempt,
        "cause": one.cause,
    }


def of_write(group: GroupName, event: WriteEnded) -> Happening:
    """Return the event for the end of a write; ``ok`` null: the outcome is unknown."""
    outcome = event.outcome
    first = outcome.failures[0].text if outcome is not None and outcome.failures else event.text
    fields = {
        "set": event.set_id,
        "epoch": event.epoch,
        "attempt": event.attempt,
        "ok": None if outcome is None else outcome.ok,
        "written": 0 if outcome is None else outcome.written,
        "failed": 0 if outcome is None else len(outcome.failures) + outcome.not_attempted,
        "text": first,
    }
    return Happening(Kind.WRITE_ENDED, group, fields)


def of_change(change: GroupChanged) -> Happening:
    """Return the event for a group that stands otherwise."""
    before = None if change.before is None else standing_fields(change.before)
    fields = {"before": before, "after": standing_fields(change.after), "reason": change.reason}
    return Happening(Kind.GROUP, change.group, fields)


def standing_fields(one: Standing) -> Fields:
    """Return how a group stands."""
    return {
        "state": one.state,
        "mode": one.mode,
        "active": one.active,
        "desired": one.desired,
        "converged": one.converged,
    }


def of_phases(record: SwitchRecord) -> Happening:
    """Return the event for a switch whose phases are known; null: it never came to that."""
    fields = {
        "epoch": record.epoch,
        "from": record.source,
        "to": record.target,
        "detect_seconds": _seconds(record.detect_us),
        "write_seconds": _seconds(record.write_us),
        "verified_seconds": _seconds(record.verified_us),
        "first_packet_seconds": _seconds(record.first_packet_us),
        "prefixes": record.prefixes,
        "failed": record.failed,
    }
    return Happening(Kind.PHASES, record.group, fields)


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / _US
