"""Outlook: what each path lacks, in numbers, to be moved to or returned to; and what is under way against it.

Decides nothing. It asks the rules of ``judgement``, ``selection`` and ``damping`` for what they would answer, and
says it in words, for people who ask why nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wgfo.engine import damping, faults, selection
from wgfo.engine.events import OverrideKind
from wgfo.engine.judgement import Judgement, Restore, loss_to_return, loss_to_rise, own_loss_over
from wgfo.engine.policy import SECOND_US, Act, GroupPolicy
from wgfo.engine.selection import Situation, Wait
from wgfo.engine.state import GroupState, scene_of, situation_of
from wgfo.model import Layer, PathName, PathState, Verdict


@dataclass(frozen=True, slots=True)
class PathOutlook:
    """One path's prospects."""

    name: PathName
    escape: tuple[str, ...]
    """What keeps it from being moved to; empty: traffic could go there now."""
    restore: tuple[str, ...]
    """What keeps it from being returned to by choice; empty where it would be, or is not preferred."""
    threats: tuple[str, ...]
    """What is counting against it."""
    lost: int
    possible: int
    """Its own loss over the recovery window, in probes."""


def outlook(policy: GroupPolicy, state: GroupState, now_us: int) -> tuple[PathOutlook, ...]:
    """Return the prospects of all paths, in order of preference."""
    return tuple(_path(policy, state, path.name, now_us) for path in policy.paths)


def _path(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> PathOutlook:
    lost, possible = own_loss_over(scene_of(policy, state, now_us), name, policy.recover.window_us)
    desired = state.selection.desired
    here = name == desired
    preferred = desired is not None and policy.rank(name) < policy.rank(desired)
    return PathOutlook(
        name,
        escape=() if here else tuple(_escape(policy, state, name, now_us)),
        restore=tuple(_restore(policy, state, name, now_us)) if preferred else (),
        threats=tuple(_threats(policy, state, name, now_us)),
        lost=lost,
        possible=possible,
    )


# --- to be moved to ---------------------------------------------------------------------------------------


def _escape(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> Iterator[str]:
    judged = state.judgements[name]
    situation = situation_of(policy, state, now_us)
    desired = state.selection.desired
    leaving = state.judgements[desired] if desired is not None else None
    failing = leaving if leaving is not None and leaving.failing else None
    why = selection.unfit(situation, state.selection, name, failing)
    counting = judged.state is PathState.UNKNOWN and not judged.blind
    if why and not counting:
        yield why
    if not judged.usable and not judged.blind:
        yield from _rising(policy, state, name, judged, now_us)


def _rising(
    policy: GroupPolicy, state: GroupState, name: PathName, judged: Judgement, now_us: int
) -> Iterator[str]:
    if judged.clean < policy.rise:
        yield f"needs {policy.rise} clean rounds running, has {judged.clean}"
    lost, possible = loss_to_rise(scene_of(policy, state, now_us), name)
    if lost * 100 >= policy.loss.percent * possible:
        yield (
            f"lost {lost} of {possible} probes over {policy.loss.window_us // SECOND_US} s by itself, "
            f"must be below {policy.loss.percent} %"
        )
    yield from _classes(policy, judged)


def _classes(policy: GroupPolicy, judged: Judgement) -> Iterator[str]:
    for stream in policy.streams:
        if stream.index in judged.bad_classes:
            yield f"class {stream.probe_class} must pass {policy.class_fall} times running"


# --- to be returned to ------------------------------------------------------------------------------------


def _restore(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> Iterator[str]:
    situation = situation_of(policy, state, now_us)
    yield from _held(state, name)
    blocked = selection.revert_blocked(situation)
    if blocked:
        yield blocked + _until(situation, state)
    if not policy.revertive:
        return
    yield from _health(policy, state, name, now_us)
    wait = state.selection.waits.get(name, Wait())
    passed_us = wait.passed_us(now_us)
    if passed_us < policy.wait_to_restore_us:
        paused = "" if wait.since_us is not None else "; it does not run now"
        yield (
            f"wait-to-restore of {policy.wait_to_restore_us // SECOND_US} s: {passed_us // SECOND_US} s have "
            f"passed{paused}"
        )


def _held(state: GroupState, name: PathName) -> Iterator[str]:
    chosen = state.selection
    if chosen.locked_out(name):
        yield "locked out"
    for kind in (OverrideKind.FORCED, OverrideKind.MANUAL):
        override = chosen.override(kind)
        if override is not None and override.path != name:
            yield f"the {kind} switch to {override.path} holds until it is cleared or expires"


def _until(situation: Situation, state: GroupState) -> str:
    """Say when the damping, or the bound on moves, lets go."""
    rule = situation.policy.damping
    until_us = damping.reuse_us(rule, state.damping)
    if until_us is None and damping.exhausted(rule, state.damping, situation.now_us):
        until_us = damping.move_free_us(rule, state.damping)
    if until_us is None:
        return ""
    penalty = damping.penalty_at(rule, state.damping, situation.now_us)
    left_s = max(0, until_us - situation.now_us) // SECOND_US
    return f"; ends in {left_s} s (penalty {penalty}, reuse {rule.reuse})"


def _health(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> Iterator[str]:
    judged = state.judgements[name]
    if judged.restore is Restore.GOOD:
        return
    if judged.state is not PathState.UP:
        yield f"is {judged.state}"
    yield from _classes(policy, judged)
    lost, possible = loss_to_return(scene_of(policy, state, now_us), name)
    window_s = policy.recover.window_us // SECOND_US
    if lost * 100 > policy.recover.percent * possible:
        yield f"lost {lost} of {possible} probes over {window_s} s, at most {policy.recover.percent} % is asked for"
    elif judged.restore is Restore.UNSURE and judged.state is PathState.UP:
        yield f"too little is known yet of the last {window_s} s"


# --- against it -------------------------------------------------------------------------------------------


def _threats(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> Iterator[str]:
    judged = state.judgements[name]
    yield from _hints(policy, state, name)
    if judged.live:
        yield from _hold_off(policy, state, name, now_us)
        return
    silent = [
        tally.fails
        for stream in policy.base_streams
        for tally in state.evidence[name].streams[stream.index].targets
    ]
    fewest = min(silent, default=0)
    if fewest:
        yield f"every target silent for {fewest} rounds of {policy.base_streams[0].fall}"
    if judged.loss_since_us is not None:
        since_s = (now_us - judged.loss_since_us) // SECOND_US
        yield (
            f"loses more than {judged.loss_versus} for {since_s} s of "
            f"{policy.loss.confirm_us // SECOND_US}: degraded if that lasts"
        )
    slow = faults.latency_fault(scene_of(policy, state, now_us), name)
    if slow is not None:
        yield slow.reason


def _hints(policy: GroupPolicy, state: GroupState, name: PathName) -> Iterator[str]:
    """What evidence says that may not decide (``act = "corroborate"``)."""
    for source, track in zip(policy.sources, state.evidence[name].sources, strict=True):
        hint = source.layer is Layer.DATAPLANE and source.act is Act.CORROBORATE and track.report is not None
        if hint and track.report is not None and track.report.verdict is Verdict.DOWN:
            yield f"{source.kind} says down, as evidence only: {track.report.reason}"


def _hold_off(policy: GroupPolicy, state: GroupState, name: PathName, now_us: int) -> Iterator[str]:
    since_us = state.selection.failing_since_us
    if name == state.selection.desired and since_us is not None and policy.hold_off_us:
        passed_s = (now_us - since_us) // SECOND_US
        yield f"hold-off of {policy.hold_off_us // SECOND_US} s: {passed_s} s have passed"
