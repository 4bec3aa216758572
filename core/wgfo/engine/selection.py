"""Selection: path states + operator requests -> the desired path, and why.

Read this file first. Each rule below is one function, one question; the first that has an answer decides.
The order IS the priority, strongest first:

    frozen          isolated, lease lost, paused, released: decide and write nothing
    forced          a forced switch holds, whatever the path's state
    lockout         the desired path is locked out: leave it
    signal_fail     the desired path is down: escape to the most preferred usable path
    signal_degrade  the desired path is degraded: move to a path that is up, and better
    service_return  the escape did not help the service: go back once
    planned_failed  half of a planned move cannot be written: go back
    manual          a manual switch holds against revert
    revert          a more preferred path was good for the whole wait-to-restore
    stay            otherwise

An *escape* (from a path that is down) is never delayed by damping, the journal or the disk. Nothing is ever
moved onto a path that is unproven or down. May not be added here: how a path is judged, how routes are written.
Words: ITU-T G.808.1 and G.8031 (lockout, forced switch, signal fail, signal degrade, manual switch, WTR).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wgfo.engine import damping
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import Rejected, Rule
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.faults import Fault
from wgfo.engine.judgement import Judgement, Judgements, Restore
from wgfo.engine.policy import SECOND_US, GroupPolicy
from wgfo.model import PathName, PathState

PLANNED_DEADLINE_US: Final = 30 * SECOND_US
"""Both halves of a planned move stand by then, or it goes back."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait-to-restore of one path: what has passed, and since when it runs (None: paused)."""

    done_us: int = 0
    since_us: int | None = None

    def passed_us(self, now_us: int) -> int:
        """Return how much of the wait has passed."""
        return self.done_us + (now_us - self.since_us if self.since_us is not None else 0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned move whose halves do not all stand yet."""

    source: PathName
    deadline_us: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is desired, and what that rests on."""

    desired: PathName | None = None
    epoch: int = 0
    rule: Rule = Rule.START
    reason: str = "starting: no path is desired yet"
    rejected: tuple[Rejected, ...] = ()
    overrides: tuple[Override, ...] = ()
    failing_since_us: int | None = None
    """Since when the desired path fails: the hold-off counts from here."""
    waits: Mapping[PathName, Wait] = field(default_factory=dict)
    planned: Planned | None = None
    escaped_from: PathName | None = None
    """The source of the last escape, until the service answers or it was returned to."""
    latched: bool = False
    """The one return for a dead service was taken."""
    released: bool = False

    def override(self, kind: OverrideKind) -> Override | None:
        """Return the standing override of a kind (of lockouts: any one)."""
        return next((override for override in self.overrides if override.kind is kind), None)

    def locked_out(self, path: PathName) -> bool:
        """Whether the path may not be selected."""
        return any(o.kind is OverrideKind.LOCKOUT and o.path == path for o in self.overrides)


@dataclass(slots=True)
class Situation:
    """All that the rules may look at; made anew in every step, and kept by nobody."""

    policy: GroupPolicy
    now_us: int
    judgements: Judgements
    damping: Damping
    isolated: bool = False
    lease_held: bool = True
    store_healthy: bool = True
    service_dead: bool = False
    """A service has been silent for ``fall`` rounds since the routes stood."""
    writes_hopeless: bool = False
    """A route set failed for good: no retry will help."""

    @property
    def blind(self) -> bool:
        """Nothing is known of any path, or too few are seen to choose."""
        return all(judged.state is PathState.UNKNOWN for judged in self.judgements.values())

    @property
    def visible(self) -> int:
        """How many paths this site sees."""
        return sum(path.visible for path in self.policy.paths)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a rule answers: a target to move to, or None to stay where we are."""

    rule: Rule
    reason: str
    target: PathName | None = None
    fault: Fault | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()


Rule_ = Callable[[Situation, Selection, PathName], Choice | None]


def choose(situation: Situation, selection: Selection) -> Choice | None:
    """Return the answer of the strongest rule that has one; None before a path is established."""
    desired = selection.desired
    if desired is None:
        return None
    answers = (rule(situation, selection, desired) for rule in PRIORITY)
    return next(answer for answer in answers if answer is not None)


# --- the rules, in order ----------------------------------------------------------------------------------


def frozen(situation: Situation, selection: Selection, _desired: PathName) -> Choice | None:
    """Isolated, lease lost, paused or released: decide and write nothing."""
    why = frozen_reason(situation, selection)
    return Choice(Rule.STAY, why) if why else None


def forced(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Hold a forced switch, whatever the path's state."""
    override = selection.override(OverrideKind.FORCED)
    if override is None or override.path is None:
        return None
    reason = f"forced onto {override.path}" + (f": {override.reason}" if override.reason else "")
    target = override.path if override.path != desired else None
    return Choice(Rule.FORCED, reason, target, rejected=_others(situation, override.path, "forced elsewhere"))


def lockout(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Leave a desired path that is locked out."""
    if not selection.locked_out(desired):
        return None
    target, rejected = _usable(situation, selection, desired, None)
    if target is None:
        return Choice(
            Rule.LOCKOUT, f"{desired} is locked out, but no other path is usable", rejected=rejected
        )
    return Choice(Rule.LOCKOUT, f"{desired} is locked out", target, rejected=rejected)


def signal_fail(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Escape from a path that is down to the most preferred usable path with proof newer than the fault."""
    judged = situation.judgements[desired]
    if not judged.failing or judged.fault is None:
        return None
    target, rejected = _usable(situation, selection, desired, judged)
    if target is None:
        reason = f"{desired} is down ({judged.fault.reason}) and no other path is usable"
        return Choice(Rule.SIGNAL_FAIL, reason, fault=judged.fault, rejected=rejected)
    waited_us = situation.now_us - (selection.failing_since_us or situation.now_us)
    if waited_us < situation.policy.hold_off_us:
        return Choice(Rule.SIGNAL_FAIL, f"{desired} is down: hold-off", fault=judged.fault, rejected=rejected)
    reason = f"{desired} is down: {judged.fault.reason}"
    return Choice(Rule.SIGNAL_FAIL, reason, target, judged.fault, judged.fault.numbers, rejected)


def signal_degrade(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Move from a degraded path to one that is up for the same classes and targets, and better."""
    judged = situation.judgements[desired]
    fault = judged.fault
    if judged.state is not PathState.DEGRADED or not judged.live or fault is None:
        return None
    target, rejected = _better(situation, selection, desired, judged)
    if target is None:
        return None
    if damping.exhausted(situation.policy.damping, situation.damping, situation.now_us):
        return Choice(Rule.STAY, f"{desired} is degraded, but the moves of this window are used up")
    reason = f"{desired} is degraded: {fault.reason}"
    return Choice(Rule.SIGNAL_DEGRADE, reason, target, fault, fault.numbers, rejected)


def service_return(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Go back once where an escape did not help the service and the old path is up."""
    back = selection.escaped_from
    if not situation.service_dead or selection.latched or back is None or back == desired:
        return None
    if situation.judgements[back].state is not PathState.UP or selection.locked_out(back):
        return None
    reason = f"the service stayed dead after the move to {desired}; {back} is up: going back once"
    return Choice(
        Rule.SERVICE_RETURN, reason, back, rejected=_others(situation, back, "the service is dead here")
    )


def planned_failed(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Go back where half of a planned move cannot be written while the old path is up."""
    planned = selection.planned
    if planned is None or planned.source == desired:
        return None
    if not situation.writes_hopeless and situation.now_us < planned.deadline_us:
        return None
    if situation.judgements[planned.source].state is not PathState.UP:
        return None
    reason = f"a half of the planned move to {desired} could not be written: back to {planned.source}"
    return Choice(Rule.PLANNED_FAILED, reason, planned.source)


def manual(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Hold a manual switch against revert."""
    override = selection.override(OverrideKind.MANUAL)
    if override is None or override.path != desired:
        return None
    reason = f"manual switch to {desired}" + (f": {override.reason}" if override.reason else "")
    return Choice(Rule.MANUAL, reason, rejected=_others(situation, desired, "a manual switch holds"))


def revert(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Return to a more preferred path that was good for the whole wait-to-restore."""
    target = _restorable(situation, selection, desired)
    if target is None or revert_blocked(situation):
        return None
    waited_s = situation.policy.wait_to_restore_us // SECOND_US
    reason = f"{target} was good for the wait-to-restore of {waited_s} s"
    rejected = _others(situation, target, "less preferred")
    return Choice(Rule.REVERT, reason, target, numbers={"waited_s": waited_s}, rejected=rejected)


def stay(situation: Situation, selection: Selection, desired: PathName) -> Choice | None:
    """Nothing asks for a move."""
    del selection
    judged = situation.judgements[desired]
    if judged.remote_dark:
        return Choice(
            Rule.STAY, "remote site down: targets are silent on every path, the far gateways answer"
        )
    if judged.state is PathState.DOWN:
        return Choice(Rule.STAY, f"{desired} is recovering")
    if judged.state is PathState.DEGRADED and judged.fault is not None:
        return Choice(
            Rule.STAY, f"{desired} is degraded ({judged.fault.reason}), but no other path is better"
        )
    return Choice(Rule.STAY, f"{desired} is {judged.state}" + (f": {judged.blind}" if judged.blind else ""))


PRIORITY: Final[tuple[Rule_, ...]] = (
    frozen,
    forced,
    lockout,
    signal_fail,
    signal_degrade,
    service_return,
    planned_failed,
    manual,
    revert,
    stay,
)

VOLUNTARY: Final = frozenset({Rule.SIGNAL_DEGRADE, Rule.REVERT})
"""Automatic moves that are bounded per window (I6)."""
PLANNED: Final = frozenset({Rule.LOCKOUT, Rule.MANUAL, Rule.DRAIN, Rule.REVERT})
"""Moves whose old path works: when a half of one fails, it goes back."""
ESCAPES: Final = frozenset({Rule.SIGNAL_FAIL, Rule.SIGNAL_DEGRADE})
AUTOMATIC: Final = ESCAPES | {Rule.REVERT, Rule.SERVICE_RETURN}
"""Moves that add to the damping penalty."""


# --- what the rules ask -----------------------------------------------------------------------------------


def frozen_reason(situation: Situation, selection: Selection) -> str:
    """Return why nothing may be decided or written; empty if it may."""
    if situation.isolated:
        return "isolated: nothing answers, the local reference neither"
    if not situation.lease_held:
        return "the lease is not held"
    if selection.released:
        return "released: the routes are no longer managed"
    paused = selection.override(OverrideKind.PAUSED)
    if paused is not None:
        return "paused" + (f": {paused.reason}" if paused.reason else "")
    return ""


def revert_blocked(situation: Situation) -> str:
    """Return why no return may happen now; empty if it may."""
    rule = situation.policy.damping
    if not situation.policy.revertive:
        return "not revertive"
    if situation.damping.suppressed:
        return "damped: too many switches lately"
    if damping.exhausted(rule, situation.damping, situation.now_us):
        return "the voluntary moves of this window are used up"
    if not situation.store_healthy:
        return "the state cannot be stored"
    if situation.visible < 2:  # noqa: PLR2004 - semantics.md: fewer than two paths, no voluntary move
        return "this site sees fewer than two paths"
    return ""


def unfit(situation: Situation, selection: Selection, path: PathName, failing: Judgement | None) -> str:
    """Return why a path may not be moved to (``failing``: the judgement of the path that is left)."""
    judged = situation.judgements[path]
    if selection.locked_out(path):
        return "locked out"
    if judged.state is PathState.DOWN:
        return f"down: {judged.fault.reason}" if judged.live and judged.fault else "down, recovering"
    if judged.state is PathState.UNKNOWN:
        return judged.blind or f"unproven: {judged.clean} clean rounds of {situation.policy.rise}"
    if not judged.usable:
        return f"degraded: {judged.fault.reason}" if judged.fault else "degraded"
    if failing is not None and path not in failing.proved:
        return "no answer newer than the fault"
    return ""


def _usable(
    situation: Situation, selection: Selection, leaving: PathName, failing: Judgement | None
) -> tuple[PathName | None, tuple[Rejected, ...]]:
    """Return the most preferred usable path, those that are up before those with a failing class."""
    rejected, fit = _sift(situation, selection, leaving, failing)
    up_first = sorted(fit, key=lambda path: situation.judgements[path].state is not PathState.UP)
    return (up_first[0] if up_first else None), rejected


def _better(
    situation: Situation, selection: Selection, leaving: PathName, failing: Judgement
) -> tuple[PathName | None, tuple[Rejected, ...]]:
    """Return the most preferred path that is up and proved better than a degraded one."""
    rejected, fit = _sift(situation, selection, leaving, failing)
    up = [path for path in fit if situation.judgements[path].state is PathState.UP]
    return (up[0] if up else None), rejected


def _sift(
    situation: Situation, selection: Selection, leaving: PathName, failing: Judgement | None
) -> tuple[tuple[Rejected, ...], list[PathName]]:
    rejected = []
    fit = []
    for path in situation.policy.paths:
        if path.name == leaving:
            continue
        why = unfit(situation, selection, path.name, failing)
        if why:
            rejected.append(Rejected(path.name, why))
        else:
            fit.append(path.name)
    return tuple(rejected), fit


def _restorable(situation: Situation, selection: Selection, desired: PathName) -> PathName | None:
    """Return the most preferred path, before the desired one, whose wait-to-restore is over."""
    for path in situation.policy.paths:
        if path.name == desired:
            return None
        wait = selection.waits.get(path.name, Wait())
        over = (
            wait.since_us is not None
            and wait.passed_us(situation.now_us) >= situation.policy.wait_to_restore_us
        )
        good = situation.judgements[path.name].restore is Restore.GOOD
        if over and good and not selection.locked_out(path.name):
            return path.name
    return None


def _others(situation: Situation, chosen: PathName, why: str) -> tuple[Rejected, ...]:
    return tuple(Rejected(path.name, why) for path in situation.policy.paths if path.name != chosen)


def waits_after(situation: Situation, selection: Selection) -> Mapping[PathName, Wait]:
    """Return the waits-to-restore after this moment: running while good, kept while unsure, gone while bad."""
    return {
        path.name: _wait_after(
            selection.waits.get(path.name, Wait()), situation.judgements[path.name].restore, situation.now_us
        )
        for path in situation.policy.paths
        if path.name != selection.desired
    }


def _wait_after(wait: Wait, restore: Restore, now_us: int) -> Wait:
    if restore is Restore.BAD:
        return Wait()
    if restore is Restore.UNSURE:
        return Wait(wait.passed_us(now_us)) if wait.since_us is not None else wait
    return wait if wait.since_us is not None else Wait(wait.done_us, now_us)
