"""The engine: one pure step from a group's state and an event to the next state and decisions.

    evidence -> detection -> judgement -> selection -> actuation -> alarms

It composes the five machines and passes values between them; every rule stands in one of them. A step has no
clock, no I/O and no randomness: the same policy and events give the same decisions, byte for byte (I12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wgfo.engine import actuation, alarms, damping, detection, judgement, requests, selection, start
from wgfo.engine import handshake as hs
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmName,
    AlarmRaised,
    Decision,
    Established,
    PathChanged,
    Rule,
    Switch,
)
from wgfo.engine.describe import report
from wgfo.engine.detection import PathEvidence
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    LayerReported,
    LeaseChanged,
    ObserveFailed,
    OperatorRequest,
    OverrideKind,
    ReferenceClosed,
    RoundClosed,
    ServiceClosed,
    SessionStarted,
    SetChanged,
    SetObserved,
    StoreChanged,
    StoredGroup,
    Tick,
    WriteEnded,
)
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.selection import Choice, Planned, Selection, Wait
from wgfo.engine.state import (
    Alarm,
    GroupState,
    Reference,
    ServiceTrack,
    goal_of,
    is_isolated,
    scene_of,
    situation_of,
)
from wgfo.model import PathName, PathState, RouteSetId

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


@dataclass(frozen=True, slots=True)
class Step:
    """The state after an event, and what is asked for."""

    state: GroupState
    decisions: tuple[Decision, ...]


def initial(policy: GroupPolicy) -> GroupState:
    """Return the state of a group before its first event, which must be ``SessionStarted``."""
    return GroupState(
        at_us=-1,
        started=False,
        evidence={path.name: detection.nothing_yet(policy, path) for path in policy.paths},
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
    taken = TAKERS[type(event)](policy, replace(state, at_us=event.at_us), event)
    return _settle(policy, taken, event)


def _check(policy: GroupPolicy, state: GroupState, event: Event) -> None:
    if event.at_us < state.at_us:
        raise RefusedEvent(f"event at {event.at_us} µs, but the group is at {state.at_us} µs already")
    if state.started == isinstance(event, SessionStarted):
        raise RefusedEvent("a session starts once, with its first event")
    if isinstance(event, RoundClosed | LayerReported | HandshakeRead) and event.path not in state.evidence:
        raise RefusedEvent(f"group {policy.name} has no path {event.path!r}")
    if isinstance(event, RoundClosed):
        _check_round(policy, event)
    if isinstance(event, LayerReported | HandshakeRead):
        place = event.source - len(policy.streams)
        if not 0 <= place < len(policy.sources):
            raise RefusedEvent(f"group {policy.name} has no source {event.source}")
    if isinstance(event, ServiceClosed) and not 0 <= event.service < len(policy.services):
        raise RefusedEvent(f"group {policy.name} has no service {event.service}")
    set_id = _set_id(event)
    if set_id is not None and all(one.id != set_id for one in policy.sets):
        raise RefusedEvent(f"group {policy.name} has no route set {set_id!r}")


def _check_round(policy: GroupPolicy, event: RoundClosed) -> None:
    if not 0 <= event.stream < len(policy.streams):
        raise RefusedEvent(f"group {policy.name} has no stream {event.stream}")
    expected = len(policy.streams[event.stream].targets)
    if len(event.results) != expected:
        raise RefusedEvent(
            f"stream {event.stream} has {expected} targets, the round has {len(event.results)}"
        )


def _set_id(event: Event) -> RouteSetId | None:
    if isinstance(event, SetObserved):
        return event.observation.set_id
    if isinstance(event, ObserveFailed | SetChanged | WriteEnded):
        return event.set_id
    return None


# --- what an event means by itself ------------------------------------------------------------------------


def _session_started(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, SessionStarted)
    stored = event.stored
    resumed_us = max(0, stored.restore_done_us - event.downtime_us)
    desired = stored.desired if stored.desired and policy.path(stored.desired) else None
    waits = {policy.preferred: Wait(resumed_us)} if desired != policy.preferred else {}
    chosen = Selection(
        epoch=stored.epoch,
        overrides=tuple(o for o in stored.overrides if o.path is None or policy.path(o.path)),
        waits=waits,
        latched=stored.service_latched,
        released=stored.released,
    )
    sets = tuple(
        replace(track, owned=track.policy.id in stored.owned, epoch=stored.epoch) for track in state.sets
    )
    state = replace(
        state,
        started=True,
        started_us=event.at_us,
        epoch_us=event.at_us,
        selection=chosen,
        damping=Damping(stored.penalty, event.at_us, stored.suppressed),
        sets=sets,
    )
    found = start.find(policy, state, desired)
    return _established(state, found, event.at_us) if found else Step(state, ())


def _tick(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    settled = damping.settled(policy.damping, state.damping, event.at_us)
    return Step(replace(state, damping=settled), ())


def _round_closed(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, RoundClosed)
    evidence = detection.round_closed(policy, state.evidence[event.path], event)
    return Step(_with_evidence(state, event.path, evidence), ())


def _layer_reported(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, LayerReported)
    evidence = detection.layer_reported(policy, state.evidence[event.path], event)
    return Step(_with_evidence(state, event.path, evidence), ())


def _handshake_read(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, HandshakeRead)
    evidence = detection.handshake_read(state.evidence[event.path], event)
    return Step(_with_evidence(state, event.path, evidence), ())


def _reference_closed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, ReferenceClosed)
    if event.alive is None:
        return Step(state, ())
    fails = 0 if event.alive else state.reference.fails + 1
    return Step(replace(state, reference=Reference(fails, heard=True)), ())


def _service_closed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, ServiceClosed)
    if event.alive is None:
        return Step(state, ())
    old = state.services[event.service]
    if event.alive:
        track = ServiceTrack(good=old.good + 1)
        chosen = replace(state.selection, escaped_from=None, latched=False)
        state = replace(state, selection=chosen)
    else:
        stands = all(actuation.in_step(one, state.selection.desired) for one in state.sets)
        on_new = old.fails_on_new + 1 if stands and event.sent_us > state.epoch_us else 0
        track = ServiceTrack(old.fails + 1, on_new)
    services = (*state.services[: event.service], track, *state.services[event.service + 1 :])
    return Step(replace(state, services=services), ())


def _set_observed(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, SetObserved)
    goal = goal_of(policy, state, event.at_us)
    track = _track(state, event.observation.set_id)
    return _with_set(state, actuation.observed(policy, track, event, goal))


def _observe_failed(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, ObserveFailed)
    track = _track(state, event.set_id)
    driven = actuation.observe_failed(policy, track, event)
    out_us = driven.track.out_since_us if driven.track.out_since_us is not None else event.at_us
    return _with_set(state, replace(driven, track=replace(driven.track, out_since_us=out_us)))


def _set_changed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, SetChanged)
    return _with_set(state, actuation.Driven(replace(_track(state, event.set_id), hint=True)))


def _write_ended(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, WriteEnded)
    return _with_set(state, actuation.write_ended(policy, _track(state, event.set_id), event))


def _operator_request(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, OperatorRequest)
    answer = requests.answer(situation_of(policy, state, event.at_us), state.selection, event)
    state = replace(state, selection=answer.selection)
    if answer.adopt is not None:
        sets = tuple(
            replace(one, adopted=answer.adopt, owned=answer.adopt and one.owned) for one in state.sets
        )
        state = replace(state, sets=sets)
    if answer.clear:
        sets = tuple(replace(one, hold=actuation.Hold.NONE, rewrites_us=()) for one in state.sets)
        state = replace(state, sets=sets)
    if answer.choice is None:
        return Step(state, answer.decisions)
    moved = _move(policy, state, answer.choice, event.at_us)
    return Step(moved.state, (*answer.decisions, *moved.decisions))


def _store_changed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, StoreChanged)
    text = "" if event.healthy else (event.text or "the state or the journal cannot be written")
    return Step(replace(state, store_text=text), ())


def _lease_changed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, LeaseChanged)
    text = "" if event.held else (event.text or "another process holds the lease")
    return Step(replace(state, lease_text=text), ())


EVIDENCE_ALONE: Final = (RoundClosed, ReferenceClosed)
"""Events that by themselves change neither routes, requests nor the time that is waited for."""

Taker = Callable[[GroupPolicy, GroupState, Event], Step]

TAKERS: Final[Mapping[type, Taker]] = {
    SessionStarted: _session_started,
    Tick: _tick,
    RoundClosed: _round_closed,
    LayerReported: _layer_reported,
    HandshakeRead: _handshake_read,
    ReferenceClosed: _reference_closed,
    ServiceClosed: _service_closed,
    SetObserved: _set_observed,
    ObserveFailed: _observe_failed,
    SetChanged: _set_changed,
    WriteEnded: _write_ended,
    OperatorRequest: _operator_request,
    StoreChanged: _store_changed,
    LeaseChanged: _lease_changed,
}


# --- what follows from it ---------------------------------------------------------------------------------


def _settle(policy: GroupPolicy, taken: Step, event: Event) -> Step:
    """Run the machines after an event was taken in, each once, in order."""
    state, decisions = taken.state, taken.decisions
    for machine in MACHINES:
        after = machine(policy, state, event)
        state = after.state
        decisions += after.decisions
    thawed = state.isolated is not taken.state.isolated
    evidence_alone = isinstance(event, EVIDENCE_ALONE) and not decisions and not thawed
    if not evidence_alone or _due(state, event.at_us):
        after = _drive(policy, state, event)
        state = after.state
        decisions += after.decisions
    if evidence_alone and not decisions and _untroubled(policy, state):
        return Step(state, decisions)
    after = _alarm(policy, state, event.at_us)
    return Step(after.state, decisions + after.decisions)


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


def _judge(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    closed = event if isinstance(event, RoundClosed) else None
    before = state.judgements
    alone = isinstance(event, EVIDENCE_ALONE)
    after = judgement.judge(scene_of(policy, state, event.at_us), before, closed, evidence_alone=alone)
    state = replace(state, judgements=after, isolated=is_isolated(policy, state))
    changed = tuple(
        _path_changed(event.at_us, name, before[name], judged)
        for name, judged in after.items()
        if judged.state is not before[name].state
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
    return _established(state, found, event.at_us) if found else Step(state, ())


def _established(state: GroupState, found: start.Found, at_us: int) -> Step:
    epoch = max(1, state.selection.epoch)
    chosen = replace(state.selection, desired=found.path, epoch=epoch, rule=Rule.START, reason=found.reason)
    decision = Established(at_us, epoch, found.path, found.found_in, found.reason)
    return Step(replace(state, selection=chosen, epoch_us=at_us), (decision,))


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
    return _move(policy, state, choice, now_us)


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


def _move(policy: GroupPolicy, state: GroupState, choice: Choice, now_us: int) -> Step:
    """Change the desired path: a new epoch."""
    old = state.selection
    target = choice.target
    assert target is not None
    assert target != old.desired
    kept, ended = _overrides_after(policy, state, choice, now_us)
    escape = choice.rule in selection.ESCAPES
    planned = None
    if choice.rule in selection.PLANNED and old.desired is not None and state.sets:
        planned = Planned(old.desired, now_us + selection.PLANNED_DEADLINE_US)
    chosen = replace(
        kept,
        desired=target,
        epoch=old.epoch + 1,
        rule=choice.rule,
        reason=choice.reason,
        rejected=choice.rejected,
        failing_since_us=None,
        waits={path: wait for path, wait in kept.waits.items() if path not in (target, old.desired)},
        planned=planned,
        escaped_from=old.desired if escape else None,
        latched=kept.latched or choice.rule is Rule.SERVICE_RETURN,
    )
    damped = state.damping
    if choice.rule in selection.AUTOMATIC:
        voluntary = choice.rule in selection.VOLUNTARY
        damped = damping.switched(policy.damping, damped, now_us, voluntary=voluntary)
    services = tuple(replace(track, fails_on_new=0) for track in state.services)
    after = replace(
        state, selection=chosen, damping=damped, services=services, epoch_us=now_us, urgent=escape
    )
    switch = Switch(
        now_us,
        chosen.epoch,
        old.desired,
        target,
        choice.rule,
        choice.reason,
        choice.fault.fault_us if choice.fault is not None else None,
        dict(choice.numbers),
        choice.rejected,
    )
    return Step(after, (*ended, switch))


def _overrides_after(
    policy: GroupPolicy, state: GroupState, choice: Choice, now_us: int
) -> tuple[Selection, tuple[Decision, ...]]:
    """End the overrides that the move puts an end to: a signal fail cancels a manual switch for good."""
    situation = situation_of(policy, state, now_us)
    if choice.rule in selection.ESCAPES:
        kinds: dict[OverrideKind, PathName | None] = {OverrideKind.MANUAL: None}
        return requests.end(situation, state.selection, kinds, f"cancelled: {choice.reason}")
    if choice.rule is Rule.PLANNED_FAILED:
        kinds = {OverrideKind.MANUAL: None, OverrideKind.LOCKOUT: choice.target}
        return requests.end(situation, state.selection, kinds, choice.reason)
    return state.selection, ()


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


def _with_evidence(state: GroupState, path: PathName, evidence: PathEvidence) -> GroupState:
    return replace(state, evidence={**state.evidence, path: evidence})


def _track(state: GroupState, set_id: RouteSetId) -> actuation.SetTrack:
    return next(track for track in state.sets if track.policy.id == set_id)


def _with_set(state: GroupState, driven: actuation.Driven) -> Step:
    sets = tuple(driven.track if track.policy.id == driven.track.policy.id else track for track in state.sets)
    return Step(replace(state, sets=sets), driven.decisions)


MACHINES: Final = (_judge, _expire, _find, _select)
"""The order in which an event is worked through; routes and alarms follow."""


# --- when something is due --------------------------------------------------------------------------------


def next_deadline_us(policy: GroupPolicy, state: GroupState) -> int | None:
    """Return when a ``Tick`` is due if no other event comes before; None where nothing waits."""
    if not state.started:
        return None
    times = [at for at in _deadlines(policy, state) if at is not None]
    return max(state.at_us, min(times)) if times else None


def _deadlines(policy: GroupPolicy, state: GroupState) -> Iterable[int | None]:
    now_us = state.at_us
    for path in policy.paths:
        evidence, judged = state.evidence[path.name], state.judgements[path.name]
        stall_us = detection.stall_deadline_us(policy, evidence)
        yield stall_us if stall_us is not None and stall_us > now_us else None
        expiry_us = hs.expiry_us(evidence.handshake)
        yield expiry_us if expiry_us is not None and expiry_us > now_us else None
        if judged.loss_since_us is not None:
            due_us = judged.loss_since_us + policy.loss.confirm_us
            yield due_us if due_us > now_us else None
    yield from _selection_deadlines(policy, state)
    grace_us = alarms.grace_us(policy)
    for track in state.sets:
        yield track.next_us
        if track.out_since_us is not None:
            late_us = track.out_since_us + grace_us + 1
            yield late_us if late_us > now_us else None


def _selection_deadlines(policy: GroupPolicy, state: GroupState) -> Iterable[int | None]:
    now_us, chosen = state.at_us, state.selection
    for override in chosen.overrides:
        yield override.expires_us
    if chosen.failing_since_us is not None:
        for wait_us in (policy.hold_off_us, 3 * alarms.grace_us(policy) + policy.hold_off_us):
            due_us = chosen.failing_since_us + wait_us
            yield due_us if due_us > now_us else None
    for wait in chosen.waits.values():
        if wait.since_us is not None:
            due_us = wait.since_us + policy.wait_to_restore_us - wait.done_us
            yield due_us if due_us > now_us else None
    for at_us in (
        damping.reuse_us(policy.damping, state.damping),
        damping.move_free_us(policy.damping, state.damping),
        chosen.planned.deadline_us if chosen.planned is not None else None,
    ):
        yield at_us if at_us is not None and at_us > now_us else None


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
