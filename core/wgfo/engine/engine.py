"""The engine: one pure step from a group's state and an event to the next state and decisions.

    evidence -> detection -> judgement -> selection -> actuation -> alarms

It composes the five machines and passes values between them; every rule stands in one of them. A step has no
clock, no I/O and no randomness: the same policy and events give the same decisions, byte for byte (I12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wgfo.engine import actuation, alarms, damping, judgement, requests, selection, start
from wgfo.engine import handshake as hs
from wgfo.engine.damping import Damping
from wgfo.engine.deadlines import choice_is_due, judged_until_us, next_deadline_us, quiet_until_us
from wgfo.engine.decisions import AlarmCleared, AlarmName, AlarmRaised, Decision, PathChanged
from wgfo.engine.describe import report
from wgfo.engine.detection import nothing_yet
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    LayerReported,
    ObserveFailed,
    ReferenceClosed,
    RoundClosed,
    ServiceClosed,
    SessionStarted,
    SetChanged,
    SetObserved,
    StoredGroup,
    WriteEnded,
)
from wgfo.engine.intake import TAKERS
from wgfo.engine.judgement import Judgement
from wgfo.engine.moving import Step, established, move
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.selection import Selection, Wait
from wgfo.engine.state import (
    Alarm,
    GroupState,
    ServiceTrack,
    goal_of,
    is_isolated,
    scene_of,
    situation_of,
)
from wgfo.engine.values import replace
from wgfo.model import PathName, PathState

__all__ = [
    "GroupState",
    "RefusedEvent",
    "Step",
    "initial",
    "may_write",
    "next_deadline_us",
    "report",
    "step",
    "stored",
]


class RefusedEvent(Exception):
    """The event cannot have happened to this group; the state is unchanged."""


def initial(policy: GroupPolicy) -> GroupState:
    """Return the state of a group before its first event, which must be ``SessionStarted``."""
    return GroupState(
        at_us=-1,
        started=False,
        evidence={path.name: nothing_yet(policy, path) for path in policy.paths},
        judgements={path.name: Judgement() for path in policy.paths},
        selection=Selection(),
        damping=Damping(),
        sets=tuple(actuation.SetTrack(policy=one, adopted=one.adopt) for one in policy.sets),
        services=tuple(ServiceTrack() for _ in policy.services),
    )


def step(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    """Return the next state and the decisions.

    Raises:
        RefusedEvent: the event names something that the group does not have, comes before the session started
            or goes back in time.
    """
    _check(policy, state, event)
    taken = TAKERS[type(event)](policy, state, event)
    if event.at_us < state.quiet_until_us and isinstance(event, EVIDENCE_ALONE):
        quiet = _quiet(policy, state, taken.state, event)
        if quiet is not None:
            return quiet
    return _settle(policy, state, taken, event)


def _check(policy: GroupPolicy, state: GroupState, event: Event) -> None:
    if event.at_us < state.at_us:
        raise RefusedEvent(f"event at {event.at_us} µs, but the group is at {state.at_us} µs already")
    if state.started == isinstance(event, SessionStarted):
        raise RefusedEvent("a session starts once, with its first event")
    check = NAMES_CHECKED.get(type(event))
    if check is not None:
        check(policy, event)
    if isinstance(event, NAMING_A_PATH) and event.path not in state.evidence:
        raise RefusedEvent(f"group {policy.name} has no path {event.path!r}")


def _check_round(policy: GroupPolicy, event: Event) -> None:
    assert isinstance(event, RoundClosed)
    if not 0 <= event.stream < len(policy.streams):
        raise RefusedEvent(f"group {policy.name} has no stream {event.stream}")
    expected = len(policy.streams[event.stream].targets)
    if len(event.results) != expected:
        raise RefusedEvent(
            f"stream {event.stream} has {expected} targets, the round has {len(event.results)}"
        )


def _check_report(policy: GroupPolicy, event: Event) -> None:
    assert isinstance(event, LayerReported | HandshakeRead)
    place = event.source - len(policy.streams)
    if not 0 <= place < len(policy.sources):
        raise RefusedEvent(f"group {policy.name} has no source {event.source}")


def _check_service(policy: GroupPolicy, event: Event) -> None:
    assert isinstance(event, ServiceClosed)
    if not 0 <= event.service < len(policy.services):
        raise RefusedEvent(f"group {policy.name} has no service {event.service}")


def _check_set(policy: GroupPolicy, event: Event) -> None:
    assert isinstance(event, SetObserved | ObserveFailed | SetChanged | WriteEnded)
    set_id = event.observation.set_id if isinstance(event, SetObserved) else event.set_id
    if all(one.id != set_id for one in policy.sets):
        raise RefusedEvent(f"group {policy.name} has no route set {set_id!r}")


NAMES_CHECKED: Final[Mapping[type, Callable[[GroupPolicy, Event], None]]] = {
    RoundClosed: _check_round,
    LayerReported: _check_report,
    HandshakeRead: _check_report,
    ServiceClosed: _check_service,
    SetObserved: _check_set,
    ObserveFailed: _check_set,
    SetChanged: _check_set,
    WriteEnded: _check_set,
}
"""Events that name something which the group must have."""
NAMING_A_PATH: Final = (RoundClosed, LayerReported, HandshakeRead)
EVIDENCE_ALONE: Final = (RoundClosed, ReferenceClosed, HandshakeRead)
"""Events that by themselves change neither routes, requests nor the time that is waited for."""
CALM_KEEPING: Final = (*EVIDENCE_ALONE, SetObserved, ObserveFailed, SetChanged, WriteEnded, ServiceClosed)
"""Events that tell nothing new of a path that is calm."""

# --- what follows from it ---------------------------------------------------------------------------------


def _quiet(policy: GroupPolicy, before: GroupState, state: GroupState, event: Event) -> Step | None:
    """Return the step of evidence from which nothing follows; None where something may.

    Nearly every event of a healthy group is of this kind. It changes the cost of a step, never its result: what
    ``_settle`` would ask is known to be as it was, until ``quiet_until_us``.
    """
    if isinstance(event, ReferenceClosed):
        same = state.reference is before.reference
        return Step(replace(state, at_us=event.at_us), (), quiet=True) if same else None
    assert isinstance(event, RoundClosed | HandshakeRead)
    old = before.judgements[event.path]
    if not judgement.calm(policy, state.evidence[event.path], old):
        return None
    if isinstance(event, HandshakeRead):
        known, told = (one.evidence[event.path].handshake for one in (before, state))
        return Step(replace(state, at_us=event.at_us), (), quiet=hs.lasts(known, told))
    judged = judgement.calm_after(scene_of(policy, state, event.at_us), old, event)
    first = before.evidence[event.path].streams[event.stream].closed_us < 0
    if first or judged.restore is not old.restore:
        return None
    judgements = {**before.judgements, event.path: judged}
    return Step(replace(state, at_us=event.at_us, judgements=judgements), (), quiet=True)


def _settle(policy: GroupPolicy, before: GroupState, taken: Step, event: Event) -> Step:
    """Run the machines after an event was taken in, each once, in order."""
    judged = _judge(policy, before, taken.state, event)
    state, decisions = judged.state, taken.decisions + judged.decisions
    thawed = state.isolated is not taken.state.isolated
    alone = isinstance(event, EVIDENCE_ALONE)
    same = alone and before.chosen and not thawed and _nothing_new(taken.state, state)
    if not same or choice_is_due(policy, before, event.at_us):
        chosen = _choose(policy, state, event)
        state, decisions = chosen.state, decisions + chosen.decisions
    evidence_alone = alone and not decisions and not thawed
    if not evidence_alone or _due(state, event.at_us):
        after = _drive(policy, state, event)
        state = after.state
        decisions += after.decisions
    if evidence_alone and not decisions and _untroubled(policy, state):
        return Step(_resting(policy, state), decisions)
    after = _alarm(policy, state, event.at_us)
    return Step(after.state, decisions + after.decisions)


def _choose(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    """Choose anew, and remember whether that led to a move: its timers begin with the next choice."""
    decisions: tuple[Decision, ...] = ()
    epoch = state.selection.epoch
    for machine in CHOOSING:
        after = machine(policy, state, event)
        state = after.state
        decisions += after.decisions
    chosen = epoch == state.selection.epoch and isinstance(event, EVIDENCE_ALONE)
    return Step(replace(state, chosen=chosen) if chosen is not state.chosen else state, decisions)


def _nothing_new(before: GroupState, after: GroupState) -> bool:
    """Whether every path is judged as before, so that only time could change the choice.

    Nearly every round of a healthy group is of this kind; it changes the cost of a step, never its result.
    """
    return after.selection.desired is not None and all(
        (judged.state, judged.restore, judged.live, judged.proved, judged.fault, judged.remote_dark)
        == (old.state, old.restore, old.live, old.proved, old.fault, old.remote_dark)
        for judged, old in zip(after.judgements.values(), before.judgements.values(), strict=True)
        if judged is not old
    )


def _due(state: GroupState, now_us: int) -> bool:
    return any(track.next_us is not None and track.next_us <= now_us for track in state.sets)


def _untroubled(policy: GroupPolicy, state: GroupState) -> bool:
    """Whether no alarm can have begun or ended by evidence alone: nothing is wrong anywhere."""
    return (
        not state.alarms
        and not state.reference.fails
        and policy.latency.median_us is None
        and all(track.out_since_us is None for track in state.sets)
        and all(
            judgement.calm(policy, state.evidence[name], judged) for name, judged in state.judgements.items()
        )
    )


def _resting(policy: GroupPolicy, state: GroupState) -> GroupState:
    """Note until when an untroubled group is quiet."""
    if not state.chosen or policy.leading:
        return state
    return replace(state, quiet_until_us=quiet_until_us(policy, state))


def _judge(policy: GroupPolicy, before: GroupState, state: GroupState, event: Event) -> Step:
    """Judge every path, or leave it where nothing is new: the cost is another one, never the result."""
    old = state.judgements
    isolated = is_isolated(policy, state)
    if state.evidence is before.evidence and event.at_us < before.judged_until_us:
        return Step(replace(state, at_us=event.at_us, isolated=isolated, quiet_until_us=-1), ())
    closed = event if isinstance(event, RoundClosed) else None
    alone = isinstance(event, CALM_KEEPING)
    after = judgement.judge(scene_of(policy, state, event.at_us), old, closed, evidence_alone=alone)
    state = replace(
        state, at_us=event.at_us, judgements=after, isolated=isolated, judged_until_us=-1, quiet_until_us=-1
    )
    if after == old:
        return Step(replace(state, judgements=old, judged_until_us=judged_until_us(policy, state)), ())
    changed = tuple(
        _path_changed(event.at_us, name, old[name], judged)
        for name, judged in after.items()
        if judged.state is not old[name].state
    )
    return Step(state, changed)


def _path_changed(at_us: int, name: PathName, before: Judgement, after: Judgement) -> PathChanged:
    fault = after.fault
    if fault is not None:
        return PathChanged(at_us, name, before.state, after.state, fault.rule, fault.reason, fault.numbers)
    if after.state is PathState.UNKNOWN:
        return PathChanged(at_us, name, before.state, after.state, "blind", after.blind)
    reason = f"{after.clean} clean rounds"
    return PathChanged(at_us, name, before.state, after.state, "rise", reason, {"clean": after.clean})


def _expire(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    if not state.selection.overrides:
        return Step(state, ())
    chosen, ended = requests.expire(situation_of(policy, state, event.at_us), state.selection)
    return Step(replace(state, selection=chosen) if ended else state, ended)


def _find(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    if state.selection.desired is not None:
        return Step(state, ())
    found = start.find(policy, state, None)
    return established(state, found, event.at_us) if found else Step(state, ())


def _select(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    now_us = event.at_us
    timed = _timed(policy, state, now_us)
    if timed is not state.selection:
        state = replace(state, selection=timed)
    choice = selection.choose(situation_of(policy, state, now_us), state.selection)
    if choice is None:
        return Step(state, ())
    if choice.target is None:
        chosen = state.selection
        if (choice.rule, choice.reason) == (chosen.rule, chosen.reason):
            return Step(state, ())
        chosen = replace(chosen, rule=choice.rule, reason=choice.reason, rejected=choice.rejected)
        return Step(replace(state, selection=chosen), ())
    return move(policy, state, choice, now_us)


def _timed(policy: GroupPolicy, state: GroupState, now_us: int) -> Selection:
    """Bring the selection's timers up to now: hold-off, wait-to-restore, the end of a planned move."""
    chosen = state.selection
    if chosen.desired is None:
        return chosen
    failing = state.judgements[chosen.desired].failing
    since = (chosen.failing_since_us if chosen.failing_since_us is not None else now_us) if failing else None
    stands = chosen.planned is not None and all(
        one.converged_epoch == chosen.epoch and actuation.in_step(one, chosen.desired) for one in state.sets
    )
    waits = selection.waits_after(situation_of(policy, state, now_us), chosen)
    if since == chosen.failing_since_us and waits == chosen.waits and not stands:
        return chosen
    planned = None if stands else chosen.planned
    return replace(chosen, failing_since_us=since, waits=waits, planned=planned)


def _drive(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    goal = goal_of(policy, state, event.at_us)
    driven = [actuation.drive(policy, track, goal, event.at_us) for track in state.sets]
    decisions = tuple(decision for one in driven for decision in one.decisions)
    return Step(replace(state, sets=tuple(one.track for one in driven)), decisions)


def _alarm(policy: GroupPolicy, state: GroupState, now_us: int) -> Step:
    """Announce alarms that begin, get worse or end; a text that only counts on is kept up to date quietly."""
    held = alarms.holding(policy, state, now_us)
    if not held and not state.alarms:
        return Step(state, ())
    decisions: list[Decision] = []
    after: dict[AlarmName, Alarm] = {}
    for name, alarm in held.items():
        old = state.alarms.get(name)
        after[name] = Alarm(old.since_us if old else now_us, alarm.text, alarm.page)
        if old is None or (alarm.page and not old.page):
            decisions.append(AlarmRaised(now_us, name, alarm.text, alarm.page))
    decisions += [AlarmCleared(now_us, name) for name in state.alarms if name not in held]
    return Step(replace(state, alarms=after), tuple(decisions))


CHOOSING: Final = (_expire, _find, _select)
"""The order in which an event is worked through once the paths are judged; routes and alarms follow."""


# --- what survives and what is shown ----------------------------------------------------------------------


def stored(policy: GroupPolicy, state: GroupState, now_us: int) -> StoredGroup:
    """Return what must survive a restart."""
    chosen = state.selection
    wait = chosen.waits.get(policy.preferred, Wait())
    return StoredGroup(
        desired=chosen.desired,
        epoch=chosen.epoch,
        overrides=chosen.overrides,
        owned=tuple(track.policy.id for track in state.sets if track.owned),
        restore_done_us=min(policy.wait_to_restore_us, wait.passed_us(now_us)),
        penalty=damping.penalty_at(policy.damping, state.damping, now_us),
        suppressed=state.damping.suppressed,
        service_latched=chosen.latched,
        released=chosen.released,
    )


def may_write(policy: GroupPolicy, state: GroupState, epoch: int) -> bool:
    """Whether a write of an epoch may be sent now; asked by every permit before every request (I2, I5)."""
    return epoch == state.selection.epoch and goal_of(policy, state, state.at_us).writable
