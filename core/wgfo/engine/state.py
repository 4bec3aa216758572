"""The state of one group: what the five machines remember, as frozen values. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wgfo.engine.actuation import Goal, SetTrack
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import AlarmName
from wgfo.engine.detection import PathEvidence
from wgfo.engine.faults import FaultRule, Scene, lives
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.selection import Selection, Situation, frozen_reason
from wgfo.model import PathName


@dataclass(frozen=True, slots=True)
class Alarm:
    """An active alarm."""

    since_us: int
    text: str
    page: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """The local hosts that tell a failed path from an isolated controller."""

    fails: int = 0
    """Rounds running without any answer."""


@dataclass(frozen=True, slots=True)
class ServiceTrack:
    """One service probe: it follows the real route and judges no path."""

    fails: int = 0
    """Rounds running that were lost."""
    fails_on_new: int = 0
    """Of these, rounds sent after the routes of the present epoch stood."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """Everything that is remembered of a group. Made by ``engine.initial``, changed only by ``engine.step``."""

    at_us: int
    started: bool
    evidence: Mapping[PathName, PathEvidence]
    judgements: Mapping[PathName, Judgement]
    selection: Selection
    damping: Damping
    sets: tuple[SetTrack, ...]
    services: tuple[ServiceTrack, ...]
    alarms: Mapping[AlarmName, Alarm] = field(default_factory=dict)
    reference: Reference = field(default_factory=Reference)
    isolated: bool = False
    store_text: str = ""
    """Why nothing can be stored; empty while it can."""
    lease_text: str = ""
    """Why the lease is not held; empty while it is, or where there is none."""
    epoch_us: int = 0
    """When the present epoch began."""
    urgent: bool = False
    """The present epoch began with an escape."""
    chosen: bool = False
    """The choice was made once more since the last move, so that all its timers run."""
    judged_until_us: int = -1
    """Before then the same evidence is judged the same once more, unless a move came between; in the past: anew."""
    quiet_until_us: int = -1
    """Before then evidence that leaves a path calm changes nothing else; in the past: ask every rule."""


def scene_of(policy: GroupPolicy, state: GroupState, now_us: int) -> Scene:
    """Return the evidence of all paths at a moment."""
    return Scene(policy, state.evidence, now_us, state.selection.desired)


def situation_of(policy: GroupPolicy, state: GroupState, now_us: int) -> Situation:
    """Return what the selection's rules may look at."""
    return Situation(
        policy=policy,
        now_us=now_us,
        judgements=state.judgements,
        damping=state.damping,
        isolated=state.isolated,
        lease_held=not state.lease_text,
        store_healthy=not state.store_text,
        service_dead=any(
            track.fails_on_new >= service.fall
            for service, track in zip(policy.services, state.services, strict=True)
        ),
        writes_hopeless=any(track.permanent for track in state.sets),
    )


def goal_of(policy: GroupPolicy, state: GroupState, now_us: int) -> Goal:
    """Return what the route sets are driven towards."""
    situation = situation_of(policy, state, now_us)
    return Goal(
        desired=state.selection.desired,
        epoch=state.selection.epoch,
        writable=not frozen_reason(situation, state.selection),
        blind=situation.blind and bool(policy.streams or policy.leading),
        urgent=state.urgent,
        futile=_interface_down(state),
    )


def _interface_down(state: GroupState) -> bool:
    desired = state.selection.desired
    if desired is None or not state.judgements[desired].failing:
        return False
    fault = state.judgements[desired].fault
    return fault is not None and fault.rule is FaultRule.INTERFACE


def is_isolated(policy: GroupPolicy, state: GroupState) -> bool:
    """Whether nothing answers at all: no path lives, and the reference is dead (verdict table, last row)."""
    if not policy.has_reference or state.reference.fails < policy.reference_fall:
        return False
    return not any(lives(policy, evidence) for evidence in state.evidence.values())
