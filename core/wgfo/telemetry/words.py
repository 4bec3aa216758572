"""What the engine did, in one line for a person and a level for the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

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
from wgfo.engine.report import GroupState, Mode
from wgfo.model import PathState
from wgfo.telemetry.changes import GroupChanged, Standing
from wgfo.telemetry.switches import SwitchRecord

_LOUD: Final = frozenset(
    {GroupState.ISOLATED, GroupState.NO_USABLE_PATH, GroupState.PARTIAL, GroupState.REMOTE_DOWN}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log, without the group."""

    level: int
    text: str


def decision_line(decision: Decision) -> Line:  # noqa: C901, PLR0911 - a table: one sentence a decision
    """Return the sentence for a decision; reads are for debugging."""
    match decision:
        case Switch():
            return Line(logging.WARNING, _switch(decision))
        case Established(path=path, found_in=found, reason=reason):
            return Line(logging.INFO, f"desired path is {path} ({found}): {reason}")
        case PathChanged():
            return Line(_path_level(decision), _path(decision))
        case AlarmRaised(name=name, text=text, page=page):
            return Line(logging.ERROR if page else logging.WARNING, f"alarm {name}: {text}")
        case AlarmCleared(name=name):
            return Line(logging.INFO, f"alarm {name} is over")
        case OverrideSet(override=override):
            return Line(logging.WARNING, f"{_override(override)} begins")
        case OverrideEnded(override=override, why=why):
            return Line(logging.WARNING, f"{_override(override)} ends: {why}")
        case RequestAnswered(accepted=accepted, text=text):
            word = "accepted" if accepted else "refused"
            return Line(logging.INFO if accepted else logging.WARNING, f"request {word}: {text}")
        case Point(set_id=set_id, path=path, cause=cause):
            return Line(logging.INFO, f"writes {set_id} towards {path}: {cause}")
        case SetConverged(set_id=set_id, path=path):
            return Line(logging.INFO, f"{set_id} points at {path}")
        case Observe(set_id=set_id, cause=cause):
            return Line(logging.DEBUG, f"reads {set_id}: {cause}")


def write_line(event: WriteEnded) -> Line | None:
    """Return the sentence for a write that ended badly; None for one that went well."""
    if event.outcome is None:
        return Line(logging.WARNING, f"write of {event.set_id}: outcome unknown: {event.text or 'no answer'}")
    if event.outcome.ok:
        return None
    failures = event.outcome.failures
    lost = len(failures) + event.outcome.not_attempted
    first = f"{failures[0].kind}: {failures[0].text}" if failures else event.text or "not attempted"
    return Line(logging.WARNING, f"write of {event.set_id}: {lost} not written, first: {first}")


def change_line(change: GroupChanged) -> Line:
    """Return the sentence for a group that stands otherwise."""
    before, after = change.before, change.after
    was = f", was {_standing(before)}" if before is not None else ""
    level = logging.WARNING if after.state in _LOUD or after.mode is Mode.FROZEN else logging.INFO
    return Line(level, f"state {_standing(after)}{was}: {change.reason or 'nothing is decided yet'}")


def _standing(one: Standing) -> str:
    mode = "" if one.mode is Mode.AUTO else f" ({one.mode})"
    active = one.active or "unclear"
    desired = "" if one.desired == one.active else f", desired {one.desired or 'unclear'}"
    return f"{one.state}{mode}, active {active}{desired}{'' if one.converged else ', not converged'}"


def phases_line(record: SwitchRecord) -> Line:
    """Return the sentence for the phases of a switch; what never ended is said so."""
    phases = {
        "detected in": record.detect_us,
        "written after": record.write_us,
        "verified after": record.verified_us,
        "first packet after": record.first_packet_us,
    }
    if record.detect_us is None:
        del phases["detected in"]
    text = ", ".join(f"{name} {_seconds(took_us)}" for name, took_us in phases.items())
    lost = f", {record.failed} of {record.prefixes} not written" if record.failed else ""
    whole = not record.failed and None not in (record.write_us, record.verified_us)
    return Line(
        logging.INFO if whole else logging.WARNING, f"switch to {record.target} took its course: {text}{lost}"
    )


def _seconds(us: int | None) -> str:
    return "(never)" if us is None else f"{us / 1_000_000:.3f} s"


def _switch(switch: Switch) -> str:
    source = f"from {switch.source} " if switch.source else ""
    return f"switches {source}to {switch.target} by {switch.rule}: {switch.reason}"


def _path(change: PathChanged) -> str:
    return f"path {change.path} is {change.after}, was {change.before}: {change.reason}"


def _path_level(change: PathChanged) -> int:
    return logging.WARNING if change.after in {PathState.DOWN, PathState.DEGRADED} else logging.INFO


def _override(override: Override) -> str:
    of = f" of {override.path}" if override.path else ""
    until = f" until {override.expires}" if override.expires else ""
    reason = f" ({override.reason})" if override.reason else ""
    return f"override {override.kind}{of}{until} by {override.by or 'unknown'}{reason}"
