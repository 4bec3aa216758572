"""Deadlines: when something is due by the mere passing of time. Decides nothing; a ``Tick`` then asks again."""

from __future__ import annotations

from collections.abc import Iterable

from wgfo.engine import alarms, damping, detection, vouching
from wgfo.engine import handshake as hs
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import PathName


def next_deadline_us(policy: GroupPolicy, state: GroupState) -> int | None:
    """Return when a ``Tick`` is due if no other event comes before; None where nothing waits."""
    if not state.started:
        return None
    times = [at for at in _deadlines(policy, state) if at is not None]
    return max(state.at_us, min(times)) if times else None


def choice_is_due(policy: GroupPolicy, before: GroupState, now_us: int) -> bool:
    """Whether the mere passing of time, since the state before, may have changed which path is chosen."""
    return any(at_us is not None and at_us <= now_us for at_us in _selection_deadlines(policy, before))


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
        if policy.leading:
            yield from _vouching_deadlines(policy, state, path.name)
    yield from _selection_deadlines(policy, state)
    grace_us = alarms.grace_us(policy)
    for track in state.sets:
        yield track.next_us
        if track.out_since_us is not None:
            late_us = track.out_since_us + grace_us + 1
            yield late_us if late_us > now_us else None


def _vouching_deadlines(policy: GroupPolicy, state: GroupState, name: PathName) -> Iterable[int]:
    desired = state.selection.desired
    failing = state.judgements[desired] if desired is not None and desired != name else None
    fault_us = failing.fault.fault_us if failing and failing.live and failing.fault else None
    clean = state.judgements[name].clean
    due = vouching.deadlines_us(policy, state.evidence[name], clean, fault_us)
    return (at_us for at_us in due if at_us > state.at_us)


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
