"""Moving: what a change of the desired path does to everything that rests on it.

Decides nothing new: it carries out a choice of ``selection``, or the path that ``start`` found. A move is a new
epoch; it ends the overrides that it contradicts, counts towards damping, and remembers what it may go back to.
"""

from __future__ import annotations

from typing import NamedTuple

from wgfo.engine import damping, requests, selection, start
from wgfo.engine.decisions import Decision, Established, Rule, Switch
from wgfo.engine.events import OverrideKind
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.selection import Choice, Planned, Selection
from wgfo.engine.state import GroupState, situation_of
from wgfo.engine.values import replace
from wgfo.model import PathName


class Step(NamedTuple):
    """The state after an event, and what is asked for."""

    state: GroupState
    decisions: tuple[Decision, ...]
    quiet: bool = False
    """Nothing followed from the event, and no deadline came nearer by it."""


def established(state: GroupState, found: start.Found, at_us: int) -> Step:
    """Make the path that was found the desired one: no switch."""
    epoch = max(1, state.selection.epoch)
    chosen = replace(state.selection, desired=found.path, epoch=epoch, rule=Rule.START, reason=found.reason)
    decision = Established(at_us, epoch, found.path, found.found_in, found.reason)
    return Step(replace(state, selection=chosen, epoch_us=at_us, judged_until_us=-1), (decision,))


def move(policy: GroupPolicy, state: GroupState, choice: Choice, now_us: int) -> Step:
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
        state,
        selection=chosen,
        damping=damped,
        services=services,
        epoch_us=now_us,
        urgent=escape,
        judged_until_us=-1,
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
