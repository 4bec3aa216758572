"""Groups and switches as the JSON objects of the API, key by key as the reference has them.

Seconds and ratios are the only fractions in wgfo; they exist from here on and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wgfo.config.setup import GroupSetup, Setup
from wgfo.daemon.control.flows import PathFlows, path_flows
from wgfo.engine.events import Override
from wgfo.engine.report import AlarmReport, GroupReport, GroupState, PathReport, SetReport, TargetReport
from wgfo.model import (
    Absent,
    Foreign,
    Observed,
    PathHop,
    PathName,
    RouteException,
    RouteSet,
    SetObservation,
)
from wgfo.telemetry.switches import SwitchRecord

API_VERSION: Final = 1
EXCEPTIONS_SHOWN: Final = 20
ABSENT: Final = "absent"
"""Stands where a hop would stand: there is no route."""

JsonObject = dict[str, object]
Wall = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class View:
    """What the reports are rendered with."""

    setup: Setup
    version: str
    rfc3339: Wall
    now_us: int
    flows: PathFlows = field(default_factory=dict)


def status(reports: Sequence[GroupReport], view: View, *, timers: bool = False) -> JsonObject:
    """Return the object of ``status --json``; ``timers`` adds what only the table for people shows."""
    setups = {group.name: group for group in view.setup.groups}
    return {
        "api_version": API_VERSION,
        "version": view.version,
        "site": view.setup.site,
        "state": worst(report.state for report in reports),
        "groups": [group_fields(report, setups.get(report.name), view, timers=timers) for report in reports],
    }


def worst(states: Iterable[GroupState]) -> GroupState:
    """Return the worst state; with no group at all nothing is wrong."""
    order = list(GroupState)
    return min(states, key=order.index, default=GroupState.OK)


def history(switches: Sequence[SwitchRecord]) -> JsonObject:
    """Return the object of ``history --json``, newest last."""
    return {"api_version": API_VERSION, "switches": [_switch(one) for one in switches]}


def _switch(one: SwitchRecord) -> JsonObject:
    return {
        "at": one.at,
        "group": one.group,
        "epoch": one.epoch,
        "from": one.source,
        "to": one.target,
        "rule": one.rule,
        "reason": one.reason,
        "detect_seconds": seconds(one.detect_us),
        "write_seconds": seconds(one.write_us),
        "verified_seconds": seconds(one.verified_us),
        "first_packet_seconds": seconds(one.first_packet_us),
        "prefixes": one.prefixes,
        "failed": one.failed,
    }


def seconds(us: int | None) -> float | None:
    """Return microseconds as seconds."""
    return None if us is None else us / 1_000_000


def ratio(lost: int, known: int) -> float | None:
    """Return the share that was lost; None where nothing is known."""
    return lost / known if known else None


# --- groups -------------------------------------------------------------------------------------------------


def group_fields(report: GroupReport, setup: GroupSetup | None, view: View, *, timers: bool) -> JsonObject:
    """Return a group as status shows it."""
    sets = {one.id: one for one in setup.sets} if setup else {}
    shown: JsonObject = {
        "name": report.name,
        "state": report.state,
        "active": report.active,
        "desired": report.desired,
        "epoch": report.epoch,
        "converged": report.converged,
        "mode": report.mode,
        "reason": report.reason,
        "overrides": [_override(one) for one in report.overrides],
        "alarms": [_alarm(one, view) for one in report.alarms],
        "paths": [_path(one) | path_flows(view.flows, report.name, one.name) for one in report.paths],
        "routes": [_route(one, sets.get(one.id), report.desired) for one in report.sets],
    }
    return shown | {"timers": _timers(report, view)} if timers else shown


def _override(one: Override) -> JsonObject:
    return {
        "kind": one.kind,
        "path": one.path,
        "reason": one.reason,
        "by": one.by,
        "since": one.since,
        "expires": one.expires,
    }


def _alarm(one: AlarmReport, view: View) -> JsonObject:
    return {"name": one.name, "since": view.rfc3339(one.since_us), "text": one.text}


def _timers(report: GroupReport, view: View) -> JsonObject:
    """Return seconds that are left; None where the timer does not run."""
    return {
        "restore_seconds": _left(report.restore_due_us, view),
        "damped_seconds": _left(report.damped_until_us, view),
        "hold_off_seconds": _left(report.hold_off_until_us, view),
        "penalty": report.penalty,
    }


def _left(until_us: int | None, view: View) -> float | None:
    return None if until_us is None else seconds(max(0, until_us - view.now_us))


# --- paths --------------------------------------------------------------------------------------------------


def _path(path: PathReport) -> JsonObject:
    return path_fields(path) | {"role": "active" if path.active else "standby"}


def path_fields(path: PathReport) -> JsonObject:
    """Return what probes say of a path; which one carries traffic, they cannot know."""
    return {
        "name": path.name,
        "state": path.state,
        "reason": path.reason,
        "layers": dict(path.layers),
        "classes": dict(path.classes),
        "targets": [_target(one) for one in path.targets],
        "loss_ratio": ratio(path.lost, path.known),
        "rtt_seconds": seconds(path.rtt_us),
        "handshake_age_seconds": seconds(path.handshake_age_us),
    }


def _target(target: TargetReport) -> JsonObject:
    return {
        "name": target.name,
        "class": target.probe_class,
        "state": target.state,
        "loss_ratio": ratio(target.lost, target.known),
    }


# --- routes -------------------------------------------------------------------------------------------------


def _route(report: SetReport, route_set: RouteSet | None, desired: PathName | None) -> JsonObject:
    hops: Mapping[PathName, str] = route_set.hops if route_set else {}
    observation = report.observation
    exceptions = observation.exceptions if observation else ()
    return {
        "provider": report.provider,
        "table": report.table,
        "prefixes": report.prefixes,
        "desired": hops.get(desired) if desired else None,
        "observed": observed_text(observation, hops),
        "in_sync": report.in_sync,
        "exceptions": [_exception(one, hops) for one in exceptions[:EXCEPTIONS_SHOWN]],
        "exceptions_total": len(exceptions),
        "error": report.error,
    }


def _exception(one: RouteException, hops: Mapping[PathName, str]) -> JsonObject:
    return {"prefix": one.prefix, "observed": hop_text(one.observed, hops), "error": one.error}


def observed_text(observation: SetObservation | None, hops: Mapping[PathName, str]) -> str | None:
    """Return where most prefixes of a set point, in the platform's words; None: it was never read."""
    if observation is None:
        return None
    return observation.text or hop_text(observation.majority, hops)


def hop_text(observed: Observed, hops: Mapping[PathName, str]) -> str:
    """Return where a prefix points, in the platform's words."""
    match observed:
        case PathHop(path):
            return hops.get(path, path)
        case Foreign(text):
            return text
        case Absent():
            return ABSENT
