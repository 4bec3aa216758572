"""What another configuration would have done with recorded evidence.

Each group runs anew under the new policy: probe rounds, layers, handshakes, the reference and operators' requests
are those that were recorded, in their order and at their times; deadlines are the new policy's own; a route that
is asked for stands at once, since what was written then is not what would have been. A service probe follows the
routes, and says something only as long as both are on the same path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wgfo.daemon import codec
from wgfo.daemon.matching import Matching, match
from wgfo.daemon.records import Gap, Opened, Record, SessionHeader, Stepped
from wgfo.engine import engine
from wgfo.engine.decisions import Established, Observe, Point, Switch
from wgfo.engine.engine import RefusedEvent
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    LayerReported,
    LeaseChanged,
    OperatorRequest,
    ReferenceClosed,
    RoundClosed,
    ServiceClosed,
    SessionStarted,
    SetObserved,
    StoreChanged,
    Tick,
    WriteEnded,
)
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import (
    Absent,
    Foreign,
    GroupName,
    Observed,
    PathHop,
    PathName,
    RouteSetId,
    SetObservation,
    SetOutcome,
)

RETICK_US: Final = 1_000
"""A deadline that its own Tick did not move is not run more often, as in the daemon."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A switch, recorded or made by the new policy."""

    at_us: int
    source: PathName | None
    target: PathName
    rule: str
    reason: str


@dataclass(slots=True)
class Span:
    """A stretch of one group without a break: what was done, and what would have been."""

    group: GroupName
    header: SessionHeader
    from_us: int
    to_us: int
    missing: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    recorded: list[Moved] = field(default_factory=list)
    supposed: list[Moved] = field(default_factory=list)
    recorded_path: PathName | None = None
    """Desired in the recording at the end of the span."""
    supposed_path: PathName | None = None
    """Desired under the new policy at the end of the span."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Everything that came of it."""

    spans: tuple[Span, ...]
    gaps: tuple[str, ...]
    absent: tuple[GroupName, ...]
    """Groups of the new configuration that the recording has nothing of."""
    dropped: tuple[GroupName, ...]
    """Recorded groups that the new configuration does not have."""


def suppose(records: Iterable[Record], policies: Mapping[GroupName, GroupPolicy]) -> WhatIf:
    """Run the recorded evidence under other policies."""
    trial = _Trial(policies)
    for record in records:
        match record:
            case Opened():
                trial.opened(record)
            case Gap():
                trial.gap(record)
            case Stepped():
                trial.stepped(record)
    return trial.result()


class _Trial:
    """Goes through a journal, a :class:`_Run` for each group."""

    def __init__(self, policies: Mapping[GroupName, GroupPolicy]) -> None:
        self._policies = policies
        self._header: SessionHeader | None = None
        self._runs: dict[GroupName, _Run] = {}
        self._broken = True
        """Nothing is known of the recorded states, until the next beginning or checkpoint."""
        self._spans: list[Span] = []
        self._gaps: list[str] = []
        self._recorded: dict[GroupName, None] = {}

    def opened(self, opened: Opened) -> None:
        """Begin a session, or take up the thread after a gap; a checkpoint within is nothing new."""
        if opened.checkpoint and not self._broken:
            return
        header = opened.header
        going_on = (
            set(opened.states) & set(self._runs) if not opened.checkpoint and not self._broken else set()
        )
        self._header, self._broken = header, False
        self._runs = {name: run for name, run in self._runs.items() if name in header.policies}
        self._recorded |= dict.fromkeys(header.policies)
        for name, old in header.policies.items():
            if name in going_on:
                self._runs[name].rematch(old)
            elif name in self._policies and name in opened.states:  # what stood before is not known
                state = codec.decode(opened.states[name], GroupState, f"state of {name}")
                self._begin(name, old, header.at_us).resume(old, state, header.at_us)

    def gap(self, gap: Gap) -> None:
        """What follows cannot be tied to what was before."""
        self._gaps.append(f"{gap.dropped} steps are missing: {gap.text}" if gap.dropped else gap.text)
        self._runs, self._broken = {}, True

    def stepped(self, step: Stepped) -> None:
        """Feed one recorded step."""
        if self._broken or self._header is None or step.group not in self._policies:
            return
        old = self._header.policies.get(step.group)
        if old is None:
            return
        run = self._runs.get(step.group)
        if isinstance(step.event, SessionStarted):
            before, run = run, self._begin(step.group, old, step.event.at_us)
            if before is not None:
                step = replace(step, event=run.restart(step.event, before))
        if run is not None:
            run.feed(step)

    def _begin(self, name: GroupName, old: GroupPolicy, at_us: int) -> _Run:
        assert self._header is not None
        run = _Run(self._policies[name], old, Span(name, self._header, at_us, at_us, ()))
        self._runs[name] = run
        self._spans.append(run.span)
        return run

    def result(self) -> WhatIf:
        """Return what came of it."""
        return WhatIf(
            tuple(self._spans),
            tuple(self._gaps),
            tuple(name for name in self._policies if name not in self._recorded),
            tuple(name for name in self._recorded if name not in self._policies),
        )


class _Run:
    """One group under the new policy, from a beginning to a break."""

    def __init__(self, new: GroupPolicy, old: GroupPolicy, span: Span) -> None:
        sets = tuple(replace(one, settle_us=0, late_write_us=0) for one in new.sets)
        self._policy = replace(new, sets=sets)
        self._state = engine.initial(self._policy)
        self._matching = match(old, new)
        self._recorded_sets = {one.id for one in old.sets}
        self._hops: dict[RouteSetId, Observed] = {}
        self._waiting: set[RouteSetId] = set()
        """Sets that were asked for before it is known how they stood."""
        self._ticked_us = -RETICK_US
        self.span = span
        span.missing = self._matching.missing

    def rematch(self, old: GroupPolicy) -> None:
        """Go on after a reload that left the group alone; indices are the same, the numbers may not be."""
        self._matching = match(old, self._policy)
        self._recorded_sets = {one.id for one in old.sets}

    def resume(self, old: GroupPolicy, state: GroupState, at_us: int) -> None:
        """Begin at a checkpoint with what would have survived a restart there."""
        self.span.notes.append("begins within the recording: what the windows held before is not known")
        self.span.recorded_path = state.selection.desired
        for track in state.sets:
            if track.observation is not None:
                self._hops[track.policy.id] = self._seen(track.observation)
        self._step(SessionStarted(at_us, engine.stored(old, state, at_us)))

    def restart(self, event: SessionStarted, before: _Run) -> SessionStarted:
        """Begin a new session where the last one would have left off, under the operator's recorded wishes."""
        self._hops = dict(before._hops)
        kept = engine.stored(before._policy, before._state, before._state.at_us)
        wishes = event.stored
        stored = replace(kept, overrides=wishes.overrides, owned=wishes.owned, released=wishes.released)
        return replace(event, stored=stored)

    # --- recorded steps -----------------------------------------------------------------------------------

    def feed(self, step: Stepped) -> None:
        """Take in a recorded event, the deadlines before it first."""
        event = step.event
        self.span.to_us = max(self.span.to_us, event.at_us)
        if self._state.started:
            self._pass(event.at_us)
        self._note(step)
        if isinstance(event, SetObserved):
            self._first_seen(event)
        for one in _translated(self._matching, event, same_path=self._same_path()):
            self._step(one)
        self.span.supposed_path = self._state.selection.desired

    def _note(self, step: Stepped) -> None:
        for one in step.decisions:
            if isinstance(one, Switch):
                self.span.recorded.append(_moved(one))
                self.span.recorded_path = one.target
            elif isinstance(one, Established):
                self.span.recorded_path = one.path

    def _same_path(self) -> bool:
        return self._state.selection.desired == self.span.recorded_path

    def _pass(self, until_us: int) -> None:
        """Run the new policy's own deadlines up to a moment."""
        while (due_us := engine.next_deadline_us(self._policy, self._state)) is not None:
            at_us = max(due_us, self._ticked_us + RETICK_US)
            if at_us >= until_us:
                return
            self._ticked_us = at_us
            self._step(Tick(at_us))

    # --- the new policy's steps ---------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        """Step an event, and let routes answer at once."""
        events = deque([event])
        while events:
            one = events.popleft()
            try:
                made = engine.step(self._policy, self._state, one)
            except RefusedEvent as refused:
                self.span.notes.append(f"{type(one).__name__} does not fit: {refused}")
                continue
            self._state = made.state
            for decision in made.decisions:
                if isinstance(decision, Switch):
                    self.span.supposed.append(_moved(decision))
                elif isinstance(decision, Point):
                    events.append(self._written(decision))
                elif isinstance(decision, Observe):
                    events.extend(self._read(decision.at_us, decision.set_id))
        self.span.supposed_path = self._state.selection.desired

    def _written(self, point: Point) -> Event:
        self._hops[point.set_id] = PathHop(point.path)
        prefixes = next(one.prefixes for one in self._policy.sets if one.id == point.set_id)
        outcome = SetOutcome(point.set_id, prefixes)
        return WriteEnded(point.at_us, point.set_id, point.epoch, point.attempt, outcome)

    def _read(self, at_us: int, set_id: RouteSetId) -> list[Event]:
        """Answer a read, once it is known how the set stood in the beginning; an unrecorded one was empty."""
        if set_id not in self._hops and set_id in self._recorded_sets:
            self._waiting.add(set_id)
            return []
        return [SetObserved(at_us, SetObservation(set_id, self._hops.get(set_id, Absent())))]

    def _first_seen(self, event: SetObserved) -> None:
        """Let a set begin as it was first read in the recording."""
        set_id = event.observation.set_id
        if set_id in self._hops:
            return
        self._hops[set_id] = self._seen(event.observation)
        if set_id in self._waiting:
            self._waiting.remove(set_id)
            self._step(SetObserved(event.at_us, SetObservation(set_id, self._hops[set_id])))

    def _seen(self, observation: SetObservation) -> Observed:
        seen = observation.majority
        if isinstance(seen, PathHop) and self._policy.path(seen.path) is None:
            return Foreign(observation.text or seen.path, written_by_us=True)
        return seen


def _moved(switch: Switch) -> Moved:
    return Moved(switch.at_us, switch.source, switch.target, switch.rule, switch.reason)


def _translated(matching: Matching, event: Event, *, same_path: bool) -> list[Event]:
    """Return a recorded event as the new policy would have had it."""
    match event:
        case RoundClosed() if event.path in matching.paths:
            return [one.round(event) for one in matching.streams.get(event.stream, ())]
        case LayerReported() | HandshakeRead() if event.path in matching.paths:
            source = matching.sources.get(event.source)
            return [] if source is None else [replace(event, source=source)]
        case ServiceClosed() if same_path and event.service in matching.services:
            return [replace(event, service=matching.services[event.service])]
        case SessionStarted() | OperatorRequest() | ReferenceClosed() | StoreChanged() | LeaseChanged():
            return [event]
        case _:
            return []
