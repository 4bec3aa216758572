"""Deadlines: when something is due by the mere passing of time. Decides nothing; a ``Tick`` then asks again."""

from __future__ import annotations

from typing import Final

from wgfo.engine import alarms, damping, detection, judgement, vouching
from wgfo.engine import handshake as hs
from wgfo.engine.faults import FaultRule
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import PathName

FOREVER_US: Final = 1 << 62
"""Where nothing waits."""
COUNTING: Final = frozenset({FaultRule.LOSS, FaultRule.LATENCY, FaultRule.HANDSHAKE})
"""Faults whose proof, reason or time is another one at another moment."""


def next_deadline_us(policy: GroupPolicy, state: GroupState) -> int | None:
    """Return when a ``Tick`` is due if no other event comes before; None where nothing waits."""
    if not state.started:
        return None
    now_us = state.at_us
    times = [track.next_us for track in state.sets if track.next_us is not None]
    times += _ends_us(state)
    times += [at_us for at_us in _evidence_us(policy, state) if at_us > now_us]
    times += _unasked_us(policy, state)
    times += [at_us for at_us in _choice_us(policy, state) if at_us > now_us]
    times += [at_us for at_us in _alarms_us(policy, state) if at_us > now_us]
    return max(now_us, min(times)) if times else None


def choice_is_due(policy: GroupPolicy, before: GroupState, now_us: int) -> bool:
    """Whether the mere passing of time, since the state before, may have changed which path is chosen."""
    times = [at_us for at_us in _choice_us(policy, before) if at_us > before.at_us]
    return any(at_us <= now_us for at_us in (*times, *_ends_us(before)))


def judged_until_us(policy: GroupPolicy, state: GroupState) -> int:
    """Return until when what was just judged to be as before is judged the same by the same evidence.

    -1 where the next moment may be another: while a fault holds whose proof or reason counts on, and where
    sources lead.
    """
    if policy.leading or any(one.live and _counts_on(one) for one in state.judgements.values()):
        return -1
    times = _evidence_us(policy, state)
    times += [hs.idle_us(one.handshake) for one in state.evidence.values()]
    times = [at_us for at_us in times if at_us > state.at_us] + _unasked_us(policy, state)
    return min(times, default=FOREVER_US)


def _unasked_us(policy: GroupPolicy, state: GroupState) -> list[int]:
    """Return when calm paths are called stalled, past or not: a calm path may not have been asked."""
    calm = [
        evidence
        for name, evidence in state.evidence.items()
        if judgement.calm(policy, evidence, state.judgements[name])
    ]
    times = (detection.stall_deadline_us(policy, evidence) for evidence in calm)
    return [at_us for at_us in times if at_us is not None]


def _counts_on(judged: Judgement) -> bool:
    return judged.fault is None or judged.fault.rule in COUNTING


def quiet_until_us(policy: GroupPolicy, state: GroupState) -> int:
    """Return until when neither routes, requests nor the choice change by the mere passing of time."""
    times = [track.next_us for track in state.sets if track.next_us is not None]
    times += _ends_us(state)
    times += [at_us for at_us in _choice_us(policy, state) if at_us > state.at_us]
    return min(times, default=FOREVER_US)


def _ends_us(state: GroupState) -> list[int]:
    """Return when operators' requests end: due until they are ended."""
    return [one.expires_us for one in state.selection.overrides if one.expires_us is not None]


# The others have had their effect once they are past.


def _evidence_us(policy: GroupPolicy, state: GroupState) -> list[int]:
    times: list[int] = []
    for path in policy.paths:
        evidence, judged = state.evidence[path.name], state.judgements[path.name]
        stall_us = detection.stall_deadline_us(policy, evidence)
        if stall_us is not None:
            times.append(stall_us)
        expiry_us = hs.expiry_us(evidence.handshake)
        if expiry_us is not None:
            times.append(expiry_us)
        if judged.loss_since_us is not None:
            times.append(judged.loss_since_us + policy.loss.confirm_us)
        if policy.leading:
            times += _vouching_us(policy, state, path.name)
    return times


def _vouching_us(policy: GroupPolicy, state: GroupState, name: PathName) -> tuple[int, ...]:
    desired = state.selection.desired
    failing = state.judgements[desired] if desired is not None and desired != name else None
    fault_us = failing.fault.fault_us if failing and failing.live and failing.fault else None
    clean = state.judgements[name].clean
    return vouching.deadlines_us(policy, state.evidence[name], clean, fault_us)


def _choice_us(policy: GroupPolicy, state: GroupState) -> list[int]:
    chosen = state.selection
    times = [
        wait.since_us + policy.wait_to_restore_us - wait.done_us
        for wait in chosen.waits.values()
        if wait.since_us is not None
    ]
    if chosen.failing_since_us is not None:
        held_us = chosen.failing_since_us + policy.hold_off_us
        times += [held_us, held_us + 3 * alarms.grace_us(policy)]
    if chosen.planned is not None:
        times.append(chosen.planned.deadline_us)
    reuse_us = damping.reuse_us(policy.damping, state.damping)
    free_us = damping.move_free_us(policy.damping, state.damping)
    return times + [at_us for at_us in (reuse_us, free_us) if at_us is not None]


def _alarms_us(policy: GroupPolicy, state: GroupState) -> list[int]:
    grace_us = alarms.grace_us(policy)
    return [one.out_since_us + grace_us + 1 for one in state.sets if one.out_since_us is not None]
