"""Describe: the engine's state in the words that people read. Decides nothing.

``report`` makes the values that status, metrics, explain and the page are rendered from.
"""

from __future__ import annotations

from collections.abc import Mapping

from wgfo.engine import actuation, alarms, damping, detection, selection, vouching, window
from wgfo.engine import handshake as hs
from wgfo.engine.actuation import Phase, SetTrack
from wgfo.engine.decisions import AlarmName
from wgfo.engine.detection import PathEvidence
from wgfo.engine.events import OverrideKind
from wgfo.engine.judgement import Judgement, Restore
from wgfo.engine.policy import GroupPolicy, PathPolicy, StreamPolicy
from wgfo.engine.report import (
    AlarmReport,
    GroupReport,
    GroupState,
    Mode,
    PathReport,
    SetReport,
    TargetReport,
    TargetVerdict,
)
from wgfo.engine.selection import Wait
from wgfo.engine.state import GroupState as State
from wgfo.engine.state import situation_of
from wgfo.engine.window import Tally
from wgfo.model import ANCHOR_NAME, Layer, PathName, PathState, ProbeClass, Verdict


def report(policy: GroupPolicy, state: State, now_us: int) -> GroupReport:
    """Return what the group looks like now."""
    chosen = state.selection
    active = active_path(policy, state)
    return GroupReport(
        name=policy.name,
        state=group_state(policy, state, now_us),
        mode=mode(policy, state, now_us),
        active=active,
        desired=chosen.desired,
        epoch=chosen.epoch,
        converged=converged(state),
        rule=chosen.rule,
        reason=chosen.reason,
        rejected=chosen.rejected,
        paths=tuple(_path(policy, state, path, active, now_us) for path in policy.paths),
        sets=tuple(_set(track, chosen.desired) for track in state.sets),
        alarms=tuple(
            AlarmReport(name, alarm.since_us, alarm.text, alarm.page) for name, alarm in state.alarms.items()
        ),
        overrides=chosen.overrides,
        restore_due_us=_restore_due_us(policy, state, now_us),
        damped_until_us=damping.reuse_us(policy.damping, state.damping),
        hold_off_until_us=_hold_off_until_us(policy, state),
        penalty=damping.penalty_at(policy.damping, state.damping, now_us),
    )


def active_path(policy: GroupPolicy, state: State) -> PathName | None:
    """Return the path that the observed routes point at, where they agree; the desired one without routes."""
    if not policy.sets:
        return state.selection.desired
    seen = {actuation.observed_path(track) for track in state.sets}
    return seen.pop() if len(seen) == 1 else None


def converged(state: State) -> bool:
    """Whether every route set was read back equal to the desired path, settle time included."""
    chosen = state.selection
    return chosen.desired is not None and all(
        (track.converged_epoch == chosen.epoch and track.phase is Phase.SYNCED)
        or _resting(track, chosen.desired)
        for track in state.sets
    )


def _resting(track: SetTrack, desired: PathName) -> bool:
    """A set that is being read again, as every period, is still converged."""
    return track.phase is Phase.READING and track.written_us is None and actuation.in_step(track, desired)


def mode(policy: GroupPolicy, state: State, now_us: int) -> Mode:
    """Return who decides."""
    chosen = state.selection
    if chosen.override(OverrideKind.PAUSED) is not None or chosen.released:
        return Mode.PAUSED
    if selection.frozen_reason(situation_of(policy, state, now_us), chosen):
        return Mode.FROZEN
    if chosen.override(OverrideKind.FORCED) is not None:
        return Mode.FORCED
    return Mode.MANUAL if chosen.override(OverrideKind.MANUAL) is not None else Mode.AUTO


def group_state(policy: GroupPolicy, state: State, now_us: int) -> GroupState:
    """Return the worst thing that can be said of the group."""
    answers: tuple[tuple[bool, GroupState], ...] = (
        (state.isolated, GroupState.ISOLATED),
        (AlarmName.NO_USABLE_PATH in state.alarms, GroupState.NO_USABLE_PATH),
        (_starting(policy, state), GroupState.STARTING),
        (_out_of_step(policy, state, now_us), GroupState.PARTIAL),
        (AlarmName.REMOTE_DOWN in state.alarms, GroupState.REMOTE_DOWN),
        (mode(policy, state, now_us) in (Mode.PAUSED, Mode.FROZEN), GroupState.PAUSED),
        (state.selection.desired != policy.preferred, GroupState.ON_STANDBY),
        (_degraded(policy, state), GroupState.DEGRADED),
    )
    return next((name for holds, name in answers if holds), GroupState.OK)


def _starting(policy: GroupPolicy, state: State) -> bool:
    """Before the first verdicts: no path is desired, or nothing was judged yet of any path that is seen."""
    if state.selection.desired is None:
        return True
    seen = [state.judgements[path.name] for path in policy.paths if path.visible]
    return bool(seen) and all(one.state is PathState.UNKNOWN and not one.blind for one in seen)


def _out_of_step(policy: GroupPolicy, state: State, now_us: int) -> bool:
    return AlarmName.PARTIAL in state.alarms or any(
        alarms.out_of_step(policy, track, now_us) for track in state.sets
    )


def _degraded(policy: GroupPolicy, state: State) -> bool:
    return any(state.judgements[path.name].state is not PathState.UP for path in policy.paths if path.visible)


def _restore_due_us(policy: GroupPolicy, state: State, now_us: int) -> int | None:
    """Return when the first more preferred path will have been good for the wait-to-restore."""
    chosen = state.selection
    if not policy.revertive or chosen.desired is None or mode(policy, state, now_us) is not Mode.AUTO:
        return None
    due = [
        wait.since_us + policy.wait_to_restore_us - wait.done_us
        for path in policy.paths[: policy.rank(chosen.desired)]
        if (wait := chosen.waits.get(path.name, Wait())).since_us is not None
        and not chosen.locked_out(path.name)
    ]
    return min(due, default=None)


def _hold_off_until_us(policy: GroupPolicy, state: State) -> int | None:
    since_us = state.selection.failing_since_us
    if since_us is None or not policy.hold_off_us:
        return None
    return since_us + policy.hold_off_us


# --- a path -----------------------------------------------------------------------------------------------


def _path(
    policy: GroupPolicy, state: State, path: PathPolicy, active: PathName | None, now_us: int
) -> PathReport:
    evidence, judged = state.evidence[path.name], state.judgements[path.name]
    situation = situation_of(policy, state, now_us)
    old = detection.stalled(policy, evidence, now_us) is not None
    lost, known = (0, 0) if old else alarms.loss_over_window(policy, state, path.name)
    known_figures = evidence.handshake.first_us is not None
    return PathReport(
        name=path.name,
        state=judged.state,
        active=path.name == (active if active is not None else state.selection.desired),
        reason=_reason(policy, judged, evidence),
        since_us=judged.since_us,
        layers=_layers(policy, path, evidence, judged, now_us),
        classes=_classes(policy, path, evidence, judged, now_us),
        targets=_targets(policy, evidence, judged, now_us),
        lost=lost,
        known=known,
        rtt_us=None if old else detection.median_rtt_us(evidence, policy.base_streams),
        handshake_age_us=hs.age_us(evidence.handshake, now_us),
        handshake_churn=hs.churning(evidence.handshake),
        received_bytes=evidence.handshake.received_bytes if known_figures else None,
        sent_bytes=evidence.handshake.sent_bytes if known_figures else None,
        usable=not selection.unfit(situation, state.selection, path.name, None),
        restorable=judged.restore is Restore.GOOD,
        clean_rounds=judged.clean,
        layer_reasons=_layer_reasons(policy, evidence, now_us),
    )


def _reason(policy: GroupPolicy, judged: Judgement, evidence: PathEvidence) -> str:
    if judged.fault is not None:
        return judged.fault.reason if judged.live else f"recovering from: {judged.fault.reason}"
    if judged.blind:
        return judged.blind
    if judged.remote_dark:
        return "the far gateway answers, no target does on any path"
    if judged.state is PathState.UNKNOWN:
        return f"{judged.clean} clean rounds of {policy.rise}"
    if policy.leading:
        return vouching.word(policy, evidence)
    return (
        "all probes pass"
        if not judged.masked
        else f"passes, save what fails everywhere: {', '.join(sorted(judged.masked))}"
    )


def _layers(
    policy: GroupPolicy, path: PathPolicy, evidence: PathEvidence, judged: Judgement, now_us: int
) -> Mapping[Layer, Verdict]:
    layers = dict.fromkeys(Layer, Verdict.NOT_PROBED)
    if Layer.INTERFACE in path.layers:
        track = detection.interface(policy, evidence)
        layers[Layer.INTERFACE] = track.report.verdict if track and track.report else Verdict.UNKNOWN
    if Layer.HANDSHAKE in path.layers:
        layers[Layer.HANDSHAKE], _ = hs.verdict(evidence.handshake, now_us)
    if Layer.DATAPLANE in path.layers:
        layers[Layer.DATAPLANE] = _dataplane(policy, evidence, judged)
    return layers


def _dataplane(policy: GroupPolicy, evidence: PathEvidence, judged: Judgement) -> Verdict:
    verdicts = [_stream_verdict(policy, evidence, stream) for stream in policy.base_streams]
    verdicts += [
        track.report.verdict
        for track in detection.alone_sources(policy, evidence)
        if track.report is not None
    ]
    if detection.discredited(policy, evidence) or not verdicts or judged.remote_dark or judged.blind:
        return Verdict.UNKNOWN
    if Verdict.UP in verdicts and judged.state is not PathState.DOWN:
        return Verdict.UP
    if Verdict.DOWN in verdicts:
        return Verdict.DOWN
    return verdicts[0]


def _stream_verdict(policy: GroupPolicy, evidence: PathEvidence, stream: StreamPolicy) -> Verdict:
    """Return what a stream says through one path: down where every target (or two of a class) is condemned."""
    del policy
    heard = [tally for tally in detection.tallies(evidence, stream) if tally.good or tally.fails]
    if not heard:
        return Verdict.UNKNOWN
    if any(tally.good for tally in heard):
        return Verdict.UP
    condemned = all(window.condemned(tally, stream.fall, stream.interval_us) for tally in heard)
    return Verdict.DOWN if condemned else Verdict.UP


def _classes(
    policy: GroupPolicy, path: PathPolicy, evidence: PathEvidence, judged: Judgement, now_us: int
) -> Mapping[ProbeClass, Verdict]:
    classes: dict[ProbeClass, Verdict] = {}
    for stream in policy.streams:
        verdict = (
            Verdict.DOWN if stream.index in judged.bad_classes else _stream_verdict(policy, evidence, stream)
        )
        if not path.visible or detection.stale(stream, evidence, now_us):
            verdict = Verdict.UNKNOWN
        before = classes.get(stream.probe_class)
        worse = before is None or (before is Verdict.UP and verdict is not Verdict.UP)
        classes[stream.probe_class] = verdict if worse else before or verdict
    return classes


def _targets(
    policy: GroupPolicy, evidence: PathEvidence, judged: Judgement, now_us: int
) -> tuple[TargetReport, ...]:
    """Return what every target showed; of a stream whose rounds no longer close nothing is known any more."""
    found = []
    for stream in policy.streams:
        track = evidence.streams[stream.index]
        if detection.stale(stream, evidence, now_us):
            names = (*stream.targets, *((ANCHOR_NAME,) if track.anchor is not None else ()))
            found += [
                TargetReport(one, stream.probe_class, TargetVerdict.UNKNOWN, 0, 0, None) for one in names
            ]
            continue
        for name, tally in zip(stream.targets, track.targets, strict=True):
            masked = stream.base and name in judged.masked
            found.append(_target(policy, stream, name, tally, masked=masked))
        if track.anchor is not None:
            found.append(_target(policy, stream, ANCHOR_NAME, track.anchor, masked=False))
    return tuple(found)


def _target(
    policy: GroupPolicy, stream: StreamPolicy, name: str, tally: Tally, *, masked: bool
) -> TargetReport:
    rounds = detection.rounds_in(stream, policy.loss.window_us)
    fall = stream.fall if stream.base else policy.class_fall
    state = TargetVerdict.UNKNOWN
    if masked:
        state = TargetVerdict.MASKED
    elif tally.fails >= fall:
        state = TargetVerdict.DOWN
    elif tally.good or tally.fails:
        state = TargetVerdict.UP
    return TargetReport(
        name,
        stream.probe_class,
        state,
        window.recent(tally.lost, rounds).bit_count(),
        window.recent(tally.known, rounds).bit_count(),
        window.median_us([tally.rtts]),
    )


def _layer_reasons(policy: GroupPolicy, evidence: PathEvidence, now_us: int) -> Mapping[Layer, str]:
    reasons: dict[Layer, str] = {}
    track = detection.interface(policy, evidence)
    if track is not None and track.report is not None:
        reasons[Layer.INTERFACE] = track.report.reason
    if any(source.layer is Layer.HANDSHAKE for source in policy.sources):
        _, reasons[Layer.HANDSHAKE] = hs.verdict(evidence.handshake, now_us)
    return reasons


# --- a route set ------------------------------------------------------------------------------------------


def _set(track: SetTrack, desired: PathName | None) -> SetReport:
    return SetReport(
        id=track.policy.id,
        provider=track.policy.provider,
        table=track.policy.table,
        prefixes=track.policy.prefixes,
        phase=track.phase.value,
        in_sync=actuation.in_step(track, desired),
        observation=track.observation,
        observed_us=track.observed_us,
        error=track.error or None,
        attempt=track.attempt,
        next_try_us=track.next_us if track.phase is Phase.BACKOFF else None,
    )
