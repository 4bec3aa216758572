"""The checks of one group: what went in and what came out, held against the invariants."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from wgfo.config.setup import GroupSetup
from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmName,
    AlarmRaised,
    Decision,
    Established,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    Point,
    Rule,
    Switch,
)
from wgfo.engine.events import (
    Event,
    LayerReported,
    LeaseChanged,
    ObserveFailed,
    OverrideKind,
    ReferenceClosed,
    RoundClosed,
    SessionStarted,
    SetObserved,
    WriteEnded,
)
from wgfo.engine.policy import Drift, GroupPolicy
from wgfo.model import (
    Absent,
    Outcome,
    PathHop,
    PathName,
    PathState,
    SetChange,
    SetObservation,
)
from wgfo.simulate.memory import Memory, PathWatch, SetWatch
from wgfo.simulate.outages import SLACK_US, Outages
from wgfo.simulate.proof import unproved
from wgfo.simulate.truth import OUTAGES, Truth

_S: Final = 1_000_000
STORED_US: Final = 50_000
"""A switch is stored before it is written; who dies this soon after it may not have come to that."""
AUTOMATIC: Final = frozenset({Rule.SIGNAL_FAIL, Rule.SIGNAL_DEGRADE, Rule.REVERT})
VOLUNTARY: Final = frozenset({Rule.SIGNAL_DEGRADE, Rule.REVERT})
OUT_OF_STEP: Final = frozenset(
    {
        AlarmName.PARTIAL,
        AlarmName.DRIFT,
        AlarmName.CONTENDED,
        AlarmName.FOREIGN_ROUTE,
        AlarmName.ASYMMETRIC,
    }
)

Broken = Callable[[str, str], None]


class GroupWatch:
    """One group.

    Args:
        setup: as it runs.
        truth: what the world really is.
        broken: called with the invariant's name and what broke it.
    """

    def __init__(self, setup: GroupSetup, truth: Truth, broken: Broken) -> None:
        self.name = setup.name
        self._policy: GroupPolicy = setup.policy
        self._truth = truth
        self._broken = broken
        self._interval_us = min((one.interval_us for one in setup.policy.base_streams), default=_S)
        self._fall = max((one.fall for one in setup.policy.base_streams), default=3)
        self._outages = Outages(setup.policy, truth)
        self._moves_us: deque[int] = deque(maxlen=256)
        self._left: tuple[PathName | None, PathName | None] = (None, None)
        """What was desired when the last life ended, and what before where the switch may not be stored yet."""
        self._now_us = 0
        self._moved_us = 0
        self._settled_us = 0
        self.memory_is_sure = True
        self._m = self._nothing()

    def _nothing(self) -> Memory:
        return Memory(
            {path.name: PathWatch() for path in self._policy.paths},
            {one.id: SetWatch() for one in self._policy.sets},
        )

    def born(self) -> None:
        """A life begins."""
        self._forget()

    def _forget(self) -> None:
        """Everything that was heard is forgotten; what was desired is remembered, for it was stored."""
        if self._m.desired is not None:
            unstored = self.moved_within(STORED_US)
            self._left = (self._m.desired, self._m.came_from if unstored else None)
        self._m = self._nothing()
        self._outages.forget()

    def moved_within(self, span_us: int) -> bool:
        """Whether the desired path changed lately, or a session began: it brings the routes to what is stored."""
        return self._now_us - self._moved_us < span_us

    def settled_within(self, span_us: int) -> bool:
        """Whether a set was out of step until lately: the last writes had a reason, however slow they were."""
        return self._now_us - self._settled_us < span_us

    def excused(self) -> bool:
        """Whether the routes need not be equal to the desired path: nobody may write, or it would be wrong to."""
        held = {AlarmName.CONTENDED, AlarmName.FOREIGN_ROUTE} & self._m.alarms
        reported = self._policy.drift is Drift.REPORT and AlarmName.DRIFT in self._m.alarms
        return bool(self._may_be_frozen() or held or reported or self._blind())

    # --- a step -------------------------------------------------------------------------------------------

    def stepped(self, event: Event, decisions: Sequence[Decision]) -> None:
        """Check one step."""
        self._now_us = event.at_us
        taker = TAKERS.get(type(event))
        if taker is not None:
            taker(self, event)
        for decision in decisions:
            check = CHECKS.get(type(decision))
            if check is not None:
                check(self, decision)
        self._check_standing()

    def _check_standing(self) -> None:
        """Check what must hold after every step."""
        if self._m.overrides:
            self._check_forced()
        if self._m.desired is not None:
            self._check_alarmed()
        if self._outages:
            for text in self._outages.overdue(self._m, self._now_us, excused=self._held):
                self._broken("I17", text)

    # --- what goes in -------------------------------------------------------------------------------------

    def _session(self, event: Event) -> None:
        assert isinstance(event, SessionStarted)
        self._forget()
        self._m.begun_us = event.at_us
        self._m.overrides = list(event.stored.overrides)
        self._m.restored_us = event.stored.restore_done_us
        self._m.released = event.stored.released
        self._m.epoch = event.stored.epoch

    def _round(self, event: Event) -> None:
        assert isinstance(event, RoundClosed)
        path = self._m.paths[event.path]
        stream = self._policy.streams[event.stream]
        known = alive = False
        for target, result in zip(stream.targets, event.results, strict=True):
            if result.outcome is Outcome.OK:
                known = alive = True
                path.answered[event.stream, target] = True
                path.good_us[event.stream] = max(path.good_us.get(event.stream, -1), result.sent_us)
            elif result.outcome is Outcome.LOST:
                known = True
                path.answered[event.stream, target] = False
        anchor = event.anchor
        if anchor is not None and anchor.outcome in (Outcome.OK, Outcome.LOST):
            path.answered[event.stream, ""] = anchor.outcome is Outcome.OK
            if not stream.targets:
                known, alive = True, anchor.outcome is Outcome.OK
                if alive:
                    path.good_us[event.stream] = anchor.sent_us
        if known and stream.base:
            path.rounds.append(alive)
            path.risen += alive

    def _reported(self, event: Event) -> None:
        assert isinstance(event, LayerReported)
        if any(one.index == event.source for one in self._policy.leading):
            self._m.paths[event.path].hear(event.report.verdict, self._now_us)

    def _reference(self, event: Event) -> None:
        assert isinstance(event, ReferenceClosed)
        if event.alive is not None:
            self._m.reference_fails = 0 if event.alive else self._m.reference_fails + 1

    def _lease(self, event: Event) -> None:
        assert isinstance(event, LeaseChanged)
        self._m.lease_held = event.held

    def _observed(self, event: Event) -> None:
        assert isinstance(event, SetObserved)
        one = self._m.sets[event.observation.set_id]
        one.seen, one.fresh = event.observation, not one.writing
        self._stand(one)

    def _unobserved(self, event: Event) -> None:
        assert isinstance(event, ObserveFailed)
        self._m.sets[event.set_id].fresh = False

    def _written(self, event: Event) -> None:
        assert isinstance(event, WriteEnded)
        one = self._m.sets[event.set_id]
        one.fresh = one.writing = False

    def _stand(self, one: SetWatch) -> None:
        """Note since when a set is out of step with the desired path."""
        if one.seen is None or self._m.desired is None:
            return
        if one.seen.in_sync_with(self._m.desired):
            if one.out_us is not None:
                self._settled_us = self._now_us
            one.out_us = None
        elif one.out_us is None:
            one.out_us = self._now_us

    # --- what comes out -----------------------------------------------------------------------------------

    def _established(self, decision: Decision) -> None:
        assert isinstance(decision, Established)
        self._desire(decision.path, decision.epoch)
        self._moved_us = self._now_us
        sure = decision.found_in == "stored" and self.memory_is_sure and any(self._left)
        if sure and decision.path not in self._left:
            self._broken("I11", f"a restart found {decision.path} stored, but {self._left[0]} was desired")
        for one in self._m.sets.values():
            self._stand(one)

    def _desire(self, path: PathName, epoch: int) -> None:
        self._m.desired, self._m.epoch = path, epoch
        self._m.epochs[epoch] = path

    def _switched(self, decision: Decision) -> None:
        assert isinstance(decision, Switch)
        self._check_switch(decision)
        self._m.came_from = decision.source
        self._desire(decision.target, decision.epoch)
        self._moved_us = self._now_us
        for one in self._m.sets.values():
            one.out_us = None
            self._stand(one)

    def _check_switch(self, switch: Switch) -> None:
        name = f"{switch.source} -> {switch.target} by {switch.rule}"
        if switch.epoch <= self._m.epoch or switch.source != self._m.desired:
            self._broken("I1", f"{name}: epoch {switch.epoch} from {switch.source} follows epoch "
                               f"{self._m.epoch} with {self._m.desired}")  # fmt: skip
        why = self._frozen()
        if why:
            self._broken("I5", f"{name} while {why}")
        if switch.rule in AUTOMATIC and self._blind():
            self._broken("I5", f"{name} while nothing is known of any path")
        if switch.rule in AUTOMATIC:
            for text in unproved(self._policy, self._m.paths[switch.target], switch, self._now_us):
                self._broken("I3", f"{name}{text}")
        if switch.rule in VOLUNTARY:
            self._check_moves(switch, name)
        if switch.rule is Rule.REVERT:
            self._check_wait(switch, name)
        if switch.rule in (Rule.SIGNAL_FAIL, Rule.SIGNAL_DEGRADE):
            self._check_difference(switch, name)
        self._check_told(switch, name)

    def _check_moves(self, switch: Switch, name: str) -> None:
        """I6: voluntary moves are bounded per window."""
        del switch
        rule = self._policy.damping
        if self._moves_us and self._moves_us[-1] < self._m.begun_us:
            self._moves_us.clear()
        self._moves_us.append(self._now_us)
        inside = [at_us for at_us in self._moves_us if self._now_us - at_us < rule.max_moves_window_us]
        if len(inside) > rule.max_moves:
            self._broken(
                "I6", f"{name} is voluntary move {len(inside)} of the window, {rule.max_moves} may be"
            )

    def _check_wait(self, switch: Switch, name: str) -> None:
        """I4: a return only after the wait-to-restore of good health."""
        path = self._m.paths[switch.target]
        since_us = max(path.bad_us or 0, self._m.begun_us)
        passed_us = self._now_us - since_us
        if path.bad_us is None:
            passed_us += self._m.restored_us
        if passed_us < self._policy.wait_to_restore_us:
            waited_s, due_s = passed_us / _S, self._policy.wait_to_restore_us // _S
            self._broken("I4", f"{name} after {waited_s:.1f} s of good health, {due_s} s are due")

    def _check_difference(self, switch: Switch, name: str) -> None:
        """I14: what fails alike on every path moves nothing: something must have been worse on the source."""
        span_us = 60 * _S if switch.rule is Rule.SIGNAL_DEGRADE else 15 * _S
        if switch.source is None or not self._known_for(span_us):
            return
        faults = self._truth.recent(switch.source, self._now_us, span_us)
        own = [one for one in faults if switch.target not in one.paths or one.percent < 100]  # noqa: PLR2004
        if not own:
            alike = ", ".join(dict.fromkeys(one.kind.value for one in faults)) or "nothing"
            self._broken(
                "I14", f"{name}, but all that befell {switch.source} alone is nothing (on both: {alike})"
            )

    def _check_told(self, switch: Switch, name: str) -> None:
        """I22: rule, numbers, rejected alternatives."""
        if not switch.reason:
            self._broken("I22", f"{name} gives no reason")
        measured = any(word in switch.reason for word in ("silent", "loss:", "class "))
        if measured and not switch.numbers:
            self._broken("I22", f"{name} names no numbers: {switch.reason}")
        if switch.rule not in (Rule.SIGNAL_FAIL, Rule.SIGNAL_DEGRADE):
            return
        told = {one.path for one in switch.rejected}
        for path in self._policy.paths:
            if path.name == switch.target:
                return
            if path.name not in told and path.name != switch.source:
                passable = self._m.paths[path.name].state is PathState.DEGRADED
                if not passable:
                    self._broken("I22", f"{name} does not say why not {path.name}")

    def _path(self, decision: Decision) -> None:
        assert isinstance(decision, PathChanged)
        path = self._m.paths[decision.path]
        path.state = decision.after
        if decision.after in (PathState.DOWN, PathState.DEGRADED):
            path.bad_us = self._now_us
        if decision.after is PathState.DOWN:
            path.risen = 0
        if decision.rule in ("blackout", "not_forwarding"):
            self._check_blackout(decision)

    def _check_blackout(self, decision: PathChanged) -> None:
        """I18: no blackout by an interruption that was too short, or by none."""
        if not self._known_for(30 * _S):
            return
        faults = self._truth.recent(decision.path, self._now_us, 30 * _S)
        shortest_us = (self._fall - 1) * self._interval_us
        if not faults:
            self._broken("I18", f"{decision.path} is called dead, and nothing was wrong with it")
        if len(faults) == 1 and faults[0].kind in OUTAGES:
            lasted_us = self._truth.lasted_us(faults[0], self._now_us)
            if lasted_us < shortest_us:
                self._broken("I18", f"{decision.path} is called dead after {lasted_us / _S:.3f} s")

    def _point(self, decision: Decision) -> None:
        assert isinstance(decision, Point)
        one = self._m.sets[decision.set_id]
        name = f"{decision.set_id} -> {decision.path} (epoch {decision.epoch})"
        if self._m.epochs.get(decision.epoch) != decision.path or decision.epoch != self._m.epoch:
            self._broken("I1", f"{name}, but epoch {self._m.epoch} desires {self._m.desired}")
        why = self._frozen()
        if why:
            self._broken("I5", f"{name} while {why}")
        if one.fresh and one.seen is not None and one.seen.in_sync_with(decision.path):
            self._broken("I10", f"{name}, which is in place already")
        if self._blind() and one.seen is not None and not _only_absent(one.seen, decision.path):
            self._broken("I5", f"{name} while nothing is known of any path")
        one.fresh, one.writing = False, True

    def check_write(self, text: str, change: SetChange) -> None:
        """Check a request that leaves now."""
        del change
        why = self._frozen()
        if why:
            self._broken("I5", f"{text} is sent while {why}")

    def _alarm(self, decision: Decision) -> None:
        assert isinstance(decision, AlarmRaised)
        self._m.alarms.add(decision.name)

    def _clear(self, decision: Decision) -> None:
        assert isinstance(decision, AlarmCleared)
        self._m.alarms.discard(decision.name)

    def _override(self, decision: Decision) -> None:
        assert isinstance(decision, OverrideSet)
        self._m.overrides.append(decision.override)

    def _override_ended(self, decision: Decision) -> None:
        assert isinstance(decision, OverrideEnded)
        if decision.override in self._m.overrides:
            self._m.overrides.remove(decision.override)

    # --- what must hold all the time ----------------------------------------------------------------------

    def _frozen(self) -> str:
        """Return why nothing may be decided or written, for certain; empty if it may."""
        return self._frozen_by([stream.index for stream in self._policy.streams])

    def _held(self) -> bool:
        return bool(self._m.overrides) or self._may_be_frozen()

    def _may_be_frozen(self) -> bool:
        """Whether it would be right to decide nothing: no other class speaks for the base class."""
        return bool(self._frozen_by([stream.index for stream in self._policy.base_streams]))

    def _frozen_by(self, streams: Sequence[int]) -> str:
        if any(override.kind is OverrideKind.PAUSED for override in self._m.overrides):
            return "paused"
        if not self._m.lease_held:
            return "the lease is not held"
        dark = all(path.silent(streams) for path in self._m.paths.values())
        heard = any(path.heard for path in self._m.paths.values())
        if dark and heard and self._m.reference_fails >= self._policy.reference_fall:
            return "isolated: nothing answers, the reference neither"
        return ""

    def _blind(self) -> bool:
        return bool(self._policy.streams or self._policy.leading) and all(
            path.state is PathState.UNKNOWN for path in self._m.paths.values()
        )

    def _known_for(self, span_us: int) -> bool:
        return self._now_us - self._m.begun_us > span_us

    def _check_forced(self) -> None:
        """I21: a forced switch holds."""
        forced = [one for one in self._m.overrides if one.kind is OverrideKind.FORCED]
        if forced and self._m.desired not in (None, forced[-1].path) and not self._may_be_frozen():
            self._broken("I21", f"forced onto {forced[-1].path}, but desired is {self._m.desired}")

    def _check_alarmed(self) -> None:
        """I8: a set out of step for more than a round has an alarm."""
        limit_us = self._interval_us + SLACK_US
        for set_id, one in self._m.sets.items():
            if one.out_us is None or self._now_us - one.out_us <= limit_us:
                continue
            if not self._m.alarms & OUT_OF_STEP and not self._may_be_frozen() and not self._m.released:
                self._broken(
                    "I8", f"{set_id} is out of step since {self._now_us - one.out_us} us, without alarm"
                )
                one.out_us = None


TAKERS: Final[Mapping[type, Callable[[GroupWatch, Event], None]]] = {
    SessionStarted: GroupWatch._session,  # noqa: SLF001 - the tables stand beside the class
    RoundClosed: GroupWatch._round,  # noqa: SLF001
    LayerReported: GroupWatch._reported,  # noqa: SLF001
    ReferenceClosed: GroupWatch._reference,  # noqa: SLF001
    LeaseChanged: GroupWatch._lease,  # noqa: SLF001
    SetObserved: GroupWatch._observed,  # noqa: SLF001
    ObserveFailed: GroupWatch._unobserved,  # noqa: SLF001
    WriteEnded: GroupWatch._written,  # noqa: SLF001
}

CHECKS: Final[Mapping[type, Callable[[GroupWatch, Decision], None]]] = {
    Established: GroupWatch._established,  # noqa: SLF001
    Switch: GroupWatch._switched,  # noqa: SLF001
    PathChanged: GroupWatch._path,  # noqa: SLF001
    Point: GroupWatch._point,  # noqa: SLF001
    AlarmRaised: GroupWatch._alarm,  # noqa: SLF001
    AlarmCleared: GroupWatch._clear,  # noqa: SLF001
    OverrideSet: GroupWatch._override,  # noqa: SLF001
    OverrideEnded: GroupWatch._override_ended,  # noqa: SLF001
}


def _only_absent(seen: SetObservation, path: PathName) -> bool:
    hops = [seen.majority, *(one.observed for one in seen.exceptions)]
    return all(isinstance(hop, Absent) or hop == PathHop(path) for hop in hops)
