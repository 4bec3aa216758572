"""Intake: what each event means by itself, before anything is concluded from it.

One function an event, in a table. What follows - judging, choosing, driving the routes, alarms - is the
engine's, and the same for every event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wgfo.engine import actuation, damping, detection, requests, start
from wgfo.engine.damping import Damping
from wgfo.engine.detection import PathEvidence
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    LayerReported,
    LeaseChanged,
    ObserveFailed,
    OperatorRequest,
    ReferenceClosed,
    RoundClosed,
    ServiceClosed,
    SessionStarted,
    SetChanged,
    SetObserved,
    StoreChanged,
    Tick,
    WriteEnded,
)
from wgfo.engine.moving import Step, established, move
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.selection import Selection, Wait
from wgfo.engine.state import GroupState, Reference, ServiceTrack, goal_of, situation_of
from wgfo.engine.values import replace
from wgfo.model import PathName, RouteSetId


def _session_started(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, SessionStarted)
    stored = event.stored
    resumed_us = max(0, stored.restore_done_us - event.downtime_us)
    waits = {policy.preferred: Wait(resumed_us)} if stored.desired != policy.preferred else {}
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
        at_us=event.at_us,
        started=True,
        selection=chosen,
        damping=Damping(stored.penalty, event.at_us, stored.suppressed),
        sets=sets,
    )
    found = start.find(policy, state, stored.desired)
    return established(state, found, event.at_us) if found else Step(state, ())


def _tick(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    settled = damping.settled(policy.damping, state.damping, event.at_us)
    return Step(state if settled == state.damping else replace(state, damping=settled), ())


def _round_closed(policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, RoundClosed)
    before = state.evidence[event.path]
    count = detection.round_doubted if detection.doubtful(policy, before, event) else detection.round_closed
    return Step(_with_evidence(state, event.path, count(policy, before, event)), ())


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
    told = Reference(0 if event.alive else state.reference.fails + 1)
    return Step(state if told == state.reference else replace(state, reference=told), ())


def _service_closed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, ServiceClosed)
    if event.alive is None:
        return Step(state, ())
    old = state.services[event.service]
    if event.alive:
        track = ServiceTrack()
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
    moved = move(policy, state, answer.choice, event.at_us)
    return Step(moved.state, (*answer.decisions, *moved.decisions))


def _store_changed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, StoreChanged)
    text = "" if event.healthy else (event.text or "the state or the journal cannot be written")
    return Step(replace(state, store_text=text), ())


def _lease_changed(_policy: GroupPolicy, state: GroupState, event: Event) -> Step:
    assert isinstance(event, LeaseChanged)
    text = "" if event.held else (event.text or "another process holds the lease")
    return Step(replace(state, lease_text=text), ())


def _with_evidence(state: GroupState, path: PathName, evidence: PathEvidence) -> GroupState:
    return replace(state, evidence={**state.evidence, path: evidence})


def _track(state: GroupState, set_id: RouteSetId) -> actuation.SetTrack:
    return next(track for track in state.sets if track.policy.id == set_id)


def _with_set(state: GroupState, driven: actuation.Driven) -> Step:
    sets = tuple(driven.track if track.policy.id == driven.track.policy.id else track for track in state.sets)
    return Step(replace(state, sets=sets), driven.decisions)


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
