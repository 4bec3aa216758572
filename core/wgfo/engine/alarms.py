"""Alarms: what somebody should know, as a function of the group's state at a moment.

Decides which alarms hold; the engine compares them with those that held and announces the difference. Alarms
never decide anything. Their names are fixed: operators' rules and pagers know them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wgfo.engine import actuation, detection, faults
from wgfo.engine.actuation import Hold, SetTrack
from wgfo.engine.decisions import AlarmName
from wgfo.engine.events import OverrideKind
from wgfo.engine.faults import FaultRule
from wgfo.engine.judgement import own_loss_over
from wgfo.engine.policy import SECOND_US, GroupPolicy
from wgfo.engine.selection import unfit
from wgfo.engine.state import GroupState, scene_of, situation_of
from wgfo.model import PathName, PathState


@dataclass(frozen=True, slots=True)
class Holding:
    """An alarm that holds now."""

    text: str
    page: bool = False


def holding(policy: GroupPolicy, state: GroupState, now_us: int) -> dict[AlarmName, Holding]:
    """Return the alarms that hold."""
    checks = CHECKS if any(map(_untidy, state.sets)) else NOT_OF_ROUTES
    found = [(name, check(policy, state, now_us)) for name, check in checks.items()]
    return {name: alarm for name, alarm in found if alarm is not None}


def _untidy(track: SetTrack) -> bool:
    """Whether any alarm of the routes could be about this set; it changes the cost of a step, never its result."""
    shadowed = track.observation is not None and track.observation.shadows
    return bool(
        track.out_since_us is not None
        or track.drift_us is not None
        or track.hold is not Hold.NONE
        or shadowed
    )


def grace_us(policy: GroupPolicy) -> int:
    """Return how long something may be out of step without an alarm: one round."""
    return min((stream.interval_us for stream in policy.base_streams), default=policy.vouch_us)


def _no_usable_path(policy: GroupPolicy, state: GroupState, now_us: int) -> Holding | None:
    """Nothing to escape to. A path that only lacks an answer newer than the fault gets three rounds to prove."""
    desired = state.selection.desired
    if desired is None:
        return _none_to_start_with(policy, state)
    if not state.judgements[desired].failing or state.isolated:
        return None
    situation = situation_of(policy, state, now_us)
    why = {
        path.name: unfit(situation, state.selection, path.name, None)
        for path in policy.paths
        if path.name != desired
    }
    since_us = state.selection.failing_since_us
    waited = since_us is not None and now_us - since_us >= 3 * grace_us(policy) + policy.hold_off_us
    if not all(why.values()) and not waited:
        return None
    others = "; ".join(f"{name}: {text or 'no answer newer than the fault'}" for name, text in why.items())
    fault = state.judgements[desired].fault
    return Holding(
        f"{desired} is down ({fault.reason if fault else ''}); {others or 'no other path'}", page=True
    )


def _none_to_start_with(policy: GroupPolicy, state: GroupState) -> Holding | None:
    """Say that no path was ever desired because every one that is seen is down."""
    seen = {path.name: state.judgements[path.name] for path in policy.paths if path.visible}
    if not seen or any(judged.state is not PathState.DOWN for judged in seen.values()):
        return None
    why = "; ".join(f"{name}: {judged.fault.reason if judged.fault else ''}" for name, judged in seen.items())
    return Holding(f"no path is up ({why})", page=True)


def _remote_down(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    desired = state.selection.desired
    if desired is None or not state.judgements[desired].remote_dark:
        return None
    text = "remote site down: every target is silent on every path while the far gateways answer"
    return Holding(text, page=True)


def _isolated(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    text = "this controller is isolated: no path answers and the local reference hosts are silent too"
    return Holding(text, page=True) if state.isolated else None


def _partial(policy: GroupPolicy, state: GroupState, now_us: int) -> Holding | None:
    late = [track for track in state.sets if out_of_step(policy, track, now_us)]
    if not late or state.selection.desired is None or state.selection.released:
        return None
    names = "; ".join(f"{track.policy.id}{_why(track)}" for track in late)
    return Holding(
        f"{len(late)} of {len(state.sets)} route sets are not on {state.selection.desired}: {names}"
    )


def out_of_step(policy: GroupPolicy, track: SetTrack, now_us: int) -> bool:
    """Whether the set differs from the desired path, or cannot be read, for more than one round (I8)."""
    return track.out_since_us is not None and now_us - track.out_since_us > grace_us(policy)


def _why(track: SetTrack) -> str:
    why = track.error or track.hold.value
    return f" ({'permanent: ' if track.permanent else ''}{why})" if why else ""


def _drift(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    drifted = [str(track.policy.id) for track in state.sets if track.drift_us is not None]
    return Holding("changed by others: " + ", ".join(drifted)) if drifted else None


def _contended(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    sets = [str(track.policy.id) for track in state.sets if track.hold is Hold.CONTENDED]
    if not sets:
        return None
    return Holding(
        f"somebody keeps rewriting {', '.join(sets)}: repair stopped; find who, then clear", page=True
    )


def _foreign_route(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    sets = [f"{track.policy.id}: {_seen(track)}" for track in state.sets if track.hold is Hold.FOREIGN]
    text = "routes that are not ours stand in our place (adopt them, or remove them): " + "; ".join(sets)
    return Holding(text) if sets else None


def _seen(track: SetTrack) -> str:
    return track.observation.text if track.observation is not None else track.error


def _shadowed(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    shadows = [
        f"{track.policy.id}: {', '.join(track.observation.shadows[:5])}"
        for track in state.sets
        if track.observation is not None and track.observation.shadows
    ]
    return Holding("routes of others win over ours: " + "; ".join(shadows)) if shadows else None


def _asymmetric(policy: GroupPolicy, state: GroupState, now_us: int) -> Holding | None:
    """The halves of a group point at different paths for more than one round."""
    late = any(out_of_step(policy, track, now_us) for track in state.sets)
    seen = [(track.policy.provider, actuation.observed_path(track)) for track in state.sets]
    halves = dict.fromkeys((provider, path) for provider, path in seen if path is not None)
    paths = {path for _, path in halves}
    providers = {provider for provider, _ in seen}
    if not late or len(paths) < 2 or len(providers) < 2:  # noqa: PLR2004 - two halves on two paths
        return None
    told = ", ".join(f"{provider} on {path}" for provider, path in halves)
    return Holding(f"traffic leaves by one path and returns by another: {told}")


def _flapping(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    text = "too many switches lately: returns are suppressed, escapes are not"
    return Holding(text) if state.damping.suppressed else None


def _forced_path_down(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    override = state.selection.override(OverrideKind.FORCED)
    if override is None or override.path is None:
        return None
    judged = state.judgements[override.path]
    if judged.state is not PathState.DOWN:
        return None
    return Holding(f"{override.path} is down, but a forced switch holds traffic on it: clear it", page=True)


def _background_loss(policy: GroupPolicy, state: GroupState, now_us: int) -> Holding | None:
    """Quality that no switch can mend, or that is not bad enough for one."""
    notes = [note for path in policy.paths for note in _quality(policy, state, path.name, now_us)]
    every = bool(notes) and all(_lossy(policy, state, path.name) for path in policy.paths if path.visible)
    return Holding("; ".join(notes), page=every) if notes else None


def _lossy(policy: GroupPolicy, state: GroupState, name: PathName) -> bool:
    lost, known = loss_over_window(policy, state, name)
    return known > 0 and lost * 100 >= policy.loss.percent * known and state.judgements[name].usable


def _quality(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> list[str]:
    judged = state.judgements[name]
    if judged.state in (PathState.DOWN, PathState.UNKNOWN) or judged.remote_dark:
        return []
    losing = detection.losing(policy, state.evidence[name])
    if not judged.live and not losing and policy.latency.median_us is None:
        return []
    scene = scene_of(policy, state, now_us)
    notes = []
    if judged.live and judged.fault is not None and judged.fault.rule is not FaultRule.LATENCY:
        notes.append(f"{name}: {judged.fault.reason}")
    slow = faults.latency_fault(scene, name)
    if slow is not None:
        notes.append(f"{name}: {slow.reason}")
    if not losing:
        return notes
    unreachable = _unreachable(policy, state, name)
    if unreachable:
        notes.append(f"{name}: {', '.join(unreachable)} out of reach")
    lost, known = loss_over_window(policy, state, name)
    own, possible = own_loss_over(scene, name, policy.recover.window_us)
    background = own * 100 > 2 * policy.recover.percent * possible
    if lost * 100 >= policy.loss.percent * max(1, known) or background:
        notes.append(f"{name}: {lost} of {known} probes lost over {policy.loss.window_us // SECOND_US} s")
    return notes


def _unreachable(policy: GroupPolicy, state: GroupState, name: PathName) -> list[str]:
    evidence = state.evidence[name]
    return [
        target
        for stream in policy.base_streams
        for target, tally in zip(stream.targets, evidence.streams[stream.index].targets, strict=True)
        if tally.fails >= stream.fall
    ]


def loss_over_window(policy: GroupPolicy, state: GroupState, name: PathName) -> tuple[int, int]:
    """Return probes lost and known of the base class over the loss window."""
    lost = known = 0
    for stream in policy.base_streams:
        mask = (1 << detection.rounds_in(stream, policy.loss.window_us)) - 1
        for tally in detection.tallies(state.evidence[name], stream):
            lost += (tally.lost & mask).bit_count()
            known += (tally.known & mask).bit_count()
    return lost, known


def _journal(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    return Holding(f"{state.store_text}: voluntary moves wait, escapes do not") if state.store_text else None


def _lease(_policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    return Holding(state.lease_text) if state.lease_text else None


def _service_down(policy: GroupPolicy, state: GroupState, _now_us: int) -> Holding | None:
    dead = [
        f"{service.kind} {', '.join(service.targets)}"
        for service, track in zip(policy.services, state.services, strict=True)
        if track.fails >= service.fall
    ]
    return Holding("no answer over the real route: " + "; ".join(dead), page=True) if dead else None


def _contact_lost(policy: GroupPolicy, state: GroupState, now_us: int) -> Holding | None:
    seen = {path.name: state.evidence[path.name] for path in policy.paths if path.visible}
    stalled = [name for name, one in seen.items() if detection.stalled(policy, one, now_us) is not None]
    muted = [name for name, one in seen.items() if detection.mute(policy, one) is not None]
    notes = [f"no probe round closes through {', '.join(stalled)}"] if stalled else []
    notes += [f"no probe is sent in time through {', '.join(muted)}"] if muted else []
    return Holding("; ".join(notes)) if notes else None


Check = Callable[[GroupPolicy, GroupState, int], Holding | None]

CHECKS: Final[Mapping[AlarmName, Check]] = {
    AlarmName.NO_USABLE_PATH: _no_usable_path,
    AlarmName.REMOTE_DOWN: _remote_down,
    AlarmName.ISOLATED: _isolated,
    AlarmName.PARTIAL: _partial,
    AlarmName.DRIFT: _drift,
    AlarmName.CONTENDED: _contended,
    AlarmName.SHADOWED: _shadowed,
    AlarmName.FOREIGN_ROUTE: _foreign_route,
    AlarmName.ASYMMETRIC: _asymmetric,
    AlarmName.FLAPPING: _flapping,
    AlarmName.FORCED_PATH_DOWN: _forced_path_down,
    AlarmName.BACKGROUND_LOSS: _background_loss,
    AlarmName.JOURNAL: _journal,
    AlarmName.LEASE: _lease,
    AlarmName.SERVICE_DOWN: _service_down,
    AlarmName.CONTACT_LOST: _contact_lost,
}

OF_ROUTES: Final = frozenset(
    {
        AlarmName.PARTIAL,
        AlarmName.DRIFT,
        AlarmName.CONTENDED,
        AlarmName.SHADOWED,
        AlarmName.FOREIGN_ROUTE,
        AlarmName.ASYMMETRIC,
    }
)
NOT_OF_ROUTES: Final = {name: check for name, check in CHECKS.items() if name not in OF_ROUTES}
