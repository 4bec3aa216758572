"""Judgement: facts of all paths -> the state of each path.

States: ``unknown``, ``up``, ``degraded``, ``down``. The transitions are the table below: a signal in a state is
in the table or refused. A path leaves ``down`` and ``degraded`` only by rising: ``rise`` clean rounds and a loss
below the trip threshold; being *returned to* asks for more (``Restore``). Faults come from ``faults``.

May not be added here: which path to use (selection), routes (actuation), anything about one packet (detection).
Words: semantics.md, "Health" and "Recovery".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wgfo.engine import detection, faults, vouching, window
from wgfo.engine.detection import PathEvidence
from wgfo.engine.events import RoundClosed
from wgfo.engine.faults import Comparison, Fault, FaultRule, Scene
from wgfo.engine.policy import GroupPolicy, PathPolicy, StreamPolicy
from wgfo.engine.values import replace
from wgfo.model import Outcome, PathName, PathState, ProbeResult


class Signal(StrEnum):
    """What the facts of this moment say of a path; the strongest one counts."""

    CONDEMNED = "condemned"
    """A fault holds that puts the path down."""
    BLIND = "blind"
    """Nothing can be said: not seen from here, no rounds close, or what returns is filtered."""
    DEGRADING = "degrading"
    """A fault holds that degrades the path, which otherwise stands."""
    RISEN = "risen"
    """Enough clean rounds, and a loss below the trip threshold."""
    QUIET = "quiet"
    """None of these: the state stays."""


class Restore(StrEnum):
    """Whether the path is good enough to be returned to by choice, wait-to-restore aside."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"
    """Too little is known: the wait pauses, it does not start anew."""


U, UP, DEG, DOWN = PathState.UNKNOWN, PathState.UP, PathState.DEGRADED, PathState.DOWN

TRANSITIONS: Final[Mapping[tuple[PathState, Signal], PathState]] = {
    (U, Signal.CONDEMNED): DOWN,
    (U, Signal.BLIND): U,
    (U, Signal.DEGRADING): DEG,
    (U, Signal.RISEN): UP,
    (U, Signal.QUIET): U,
    (UP, Signal.CONDEMNED): DOWN,
    (UP, Signal.BLIND): U,
    (UP, Signal.DEGRADING): DEG,
    (UP, Signal.RISEN): UP,
    (UP, Signal.QUIET): UP,
    (DEG, Signal.CONDEMNED): DOWN,
    (DEG, Signal.BLIND): U,
    (DEG, Signal.DEGRADING): DEG,
    (DEG, Signal.RISEN): UP,
    (DEG, Signal.QUIET): DEG,
    (DOWN, Signal.CONDEMNED): DOWN,
    (DOWN, Signal.BLIND): U,
    (DOWN, Signal.DEGRADING): DEG,
    (DOWN, Signal.RISEN): UP,
    (DOWN, Signal.QUIET): DOWN,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is believed of one path."""

    state: PathState = PathState.UNKNOWN
    since_us: int = 0
    fault: Fault | None = None
    """The fault that holds now (``live``), or else the one that the path has not yet recovered from."""
    live: bool = False
    proved: tuple[PathName, ...] = ()
    """Paths with proof newer than the live fault, in order of preference."""
    clean: int = 0
    """Clean rounds running."""
    loss_since_us: int | None = None
    """Since when the loss is above both limits, against ``loss_versus``."""
    loss_versus: PathName | None = None
    lossy: bool = False
    """Its own loss reached the trip threshold, whoever else loses too, and it has not risen since: no remedy
    for another path's loss."""
    bad_classes: tuple[int, ...] = ()
    """Streams whose class failed and has not passed often enough since."""
    remote_dark: bool = False
    """The far gateway answers; no target does, here or on any other path that lives."""
    masked: frozenset[str] = frozenset()
    restore: Restore = Restore.UNSURE
    blind: str = ""
    """Why nothing can be said; empty otherwise."""

    @property
    def usable(self) -> bool:
        """May be escaped to: it rose, and no loss condemns it (a failing larger class does not forbid)."""
        by_class = self.fault is not None and self.fault.rule is FaultRule.CLASS
        return self.state is PathState.UP or (self.state is PathState.DEGRADED and by_class)

    @property
    def failing(self) -> bool:
        """Down, and the fault still holds: not merely recovering."""
        return self.state is PathState.DOWN and self.live


Judgements = Mapping[PathName, Judgement]


def judge(
    scene: Scene, before: Judgements, event: RoundClosed | None, *, evidence_alone: bool
) -> dict[PathName, Judgement]:
    """Return what is believed of every path after the evidence of ``scene``.

    ``evidence_alone``: the event was a round or told nothing of any path, so that calm paths stay as they are.
    """
    after = {}
    for path in scene.policy.paths:
        closed = event if event is not None and event.path == path.name else None
        old = before[path.name]
        if evidence_alone and calm(scene.policy, scene.evidence[path.name], old):
            after[path.name] = old if closed is None else calm_after(scene, old, closed)
        else:
            after[path.name] = _judge_path(scene, path, before, closed)
    return after


def calm(policy: GroupPolicy, evidence: PathEvidence, judged: Judgement) -> bool:
    """Whether a closed round can change nothing here but the count of clean rounds and the recovery.

    Nearly every round of a healthy path is of this kind, so it is asked first: the path is up, nothing was lost
    through it in any window, and no other rule is waiting. It changes the cost of a step, never its result.
    """
    return (
        evidence.flawless
        and judged.state is PathState.UP
        and not judged.live
        and judged.loss_since_us is None
        and not judged.lossy
        and not judged.bad_classes
        and not judged.remote_dark
        and not judged.masked
        and detection.mute(policy, evidence) is None
        and (not policy.latency.act or policy.latency.median_us is None)
    )


def calm_after(scene: Scene, old: Judgement, event: RoundClosed) -> Judgement:
    """Return the judgement of a calm path after one more round."""
    clean = _clean_after(scene, old.clean, event)
    restore = old.restore
    if restore is not Restore.GOOD or clean == old.clean:
        restore = _restore(scene, event.path, old.state, ())
    return replace(old, clean=clean, restore=restore)


def _judge_path(scene: Scene, path: PathPolicy, before: Judgements, event: RoundClosed | None) -> Judgement:
    old = before[path.name]
    policy, evidence = scene.policy, scene.evidence[path.name]
    counted = _counted(scene, path.name, old.clean, event)
    risen = counted >= policy.rise and _own_loss_below_trip(scene, path.name)
    bad_classes = _bad_classes(scene, path.name, old.bad_classes)
    down = faults.down_fault(scene, path.name) if path.visible else None
    loss_since, versus = (None, None) if down else _loss_timer(scene, path.name, before)
    blind = _blindness(policy, path, evidence, scene.now_us)
    degrading = None
    if not (down or blind):
        if _losing_still(scene, old, counted):
            degrading = _confirmed_loss(scene, path.name, loss_since, versus)
        if degrading is None and (risen or old.state in (UP, DEG)):
            degrading = _other_degrading(scene, path.name, bad_classes)
    signal = _signal(down, blind, degrading, risen and not bad_classes)
    state = TRANSITIONS[old.state, signal]
    if signal is Signal.RISEN and old.state is not UP:
        loss_since, versus = None, None  # what it rose from is told; a new loss is confirmed anew
    live = down or degrading
    return Judgement(
        state=state,
        since_us=old.since_us if state is old.state else scene.now_us,
        fault=_remembered(state, live, old.fault),
        live=live is not None,
        proved=_proved(scene, path.name, before, live) if live else (),
        clean=0 if down else counted,
        loss_since_us=loss_since,
        loss_versus=versus,
        lossy=not faults.below_trip(scene, path.name) or (old.lossy and not risen),
        bad_classes=bad_classes,
        remote_dark=down is None and _remote_dark(scene, path.name),
        masked=faults.masked(scene, path.name) if detection.losing(policy, evidence) else frozenset(),
        restore=_restore(scene, path.name, state, bad_classes),
        blind=blind,
    )


def _counted(scene: Scene, name: PathName, clean: int, event: RoundClosed | None) -> int:
    """Return the clean rounds running: counted, or the time that leading sources have vouched for."""
    if scene.policy.leading:
        return min(scene.policy.rise, vouching.rounds(scene.policy, scene.evidence[name], scene.now_us))
    return clean if event is None else _clean_after(scene, clean, event)


def _proved(scene: Scene, name: PathName, before: Judgements, live: Fault) -> tuple[PathName, ...]:
    """Return the paths with proof; a path that lost as much itself, and has not risen since, proves no loss."""
    proved = faults.proved(scene, name, live)
    if live.rule is not FaultRule.LOSS:
        return proved
    return tuple(other for other in proved if not before[other].lossy)


def _signal(down: Fault | None, blind: str, degrading: Fault | None, risen: bool) -> Signal:
    if down:
        return Signal.CONDEMNED
    if blind:
        return Signal.BLIND
    if degrading:
        return Signal.DEGRADING
    return Signal.RISEN if risen else Signal.QUIET


def _remembered(state: PathState, live: Fault | None, old: Fault | None) -> Fault | None:
    """Keep the fault until the path is up (or nothing is known any more)."""
    if live is not None:
        return live
    return old if state in (DEG, DOWN) else None


def _blindness(policy: GroupPolicy, path: PathPolicy, evidence: PathEvidence, now_us: int) -> str:
    if not path.visible:
        return "not seen from this site"
    stream = detection.stalled(policy, evidence, now_us)
    if stream is not None:
        return f"no probe round of kind {stream.kind} has closed for five intervals"
    stream = detection.mute(policy, evidence)
    if stream is not None:
        said = dict.fromkeys(tally.reason for tally in detection.tallies(evidence, stream) if tally.reason)
        why = f" ({', '.join(said)})" if said else ""
        return f"no probe of kind {stream.kind} was sent in time for five rounds{why}"
    return detection.impairment(policy, evidence) or vouching.silence(policy, evidence)


# --- rising -----------------------------------------------------------------------------------------------


def _clean_after(scene: Scene, clean: int, event: RoundClosed) -> int:
    """Count a base round: clean where every target that answers on any path answered here."""
    stream = scene.policy.streams[event.stream]
    base = scene.policy.base_streams
    if stream not in base:
        return clean
    if detection.doubtful(scene.policy, scene.evidence[event.path], event):
        return 0
    kind = _round_kind(scene, stream, event)
    if kind is Outcome.LOST:
        return 0
    counts = kind is Outcome.OK and stream is base[0]
    return clean + 1 if counts else clean


def _round_kind(scene: Scene, stream: StreamPolicy, event: RoundClosed) -> Outcome:
    if not event.results:
        return event.anchor.outcome if event.anchor is not None else Outcome.UNKNOWN
    told = {result.outcome for result in event.results}
    if told == {Outcome.OK}:
        return Outcome.OK
    if any(_own_loss(scene, stream, event, place, one) for place, one in enumerate(event.results)):
        return Outcome.LOST
    return Outcome.OK if told <= {Outcome.OK, Outcome.LOST} and Outcome.OK in told else Outcome.UNKNOWN


def _own_loss(
    scene: Scene, stream: StreamPolicy, event: RoundClosed, place: int, result: ProbeResult
) -> bool:
    if result.outcome is not Outcome.LOST:
        return False
    return faults.answers_elsewhere(scene, event.path, stream, place)


def _own_loss_below_trip(scene: Scene, name: PathName) -> bool:
    lost, possible = loss_to_rise(scene, name)
    return lost * 100 < scene.policy.loss.percent * possible


def loss_to_rise(scene: Scene, name: PathName) -> tuple[int, int]:
    """Return probes lost and possible that count against rising: all but what other paths, alive, lost alike.

    Whether a path lived is asked of each round: an answer now must not excuse what was lost before (I16).
    """
    others = [evidence for _, evidence in scene.others(name)]
    return _loss_beyond(scene, name, others, scene.policy.loss.window_us)


def loss_to_return(scene: Scene, name: PathName) -> tuple[int, int]:
    """Return probes lost and possible that count against a return: all but what the desired path lost alike.

    It alone is the measure, in rounds in which it lived: what a third path loses must not make this one look
    better (I16).
    """
    here = scene.desired is None or scene.desired == name
    others = [evidence for other, evidence in scene.others(name) if here or other == scene.desired]
    return _loss_beyond(scene, name, others, scene.policy.recover.window_us)


def _loss_beyond(
    scene: Scene, name: PathName, others: Sequence[PathEvidence], span_us: int
) -> tuple[int, int]:
    lost = possible = 0
    for stream in scene.policy.base_streams:
        rounds = detection.rounds_in(stream, span_us)
        tallies = detection.tallies(scene.evidence[name], stream)
        possible += rounds * len(tallies)
        if not any(window.recent(tally.lost, rounds) for tally in tallies):
            continue
        tracks = [
            (there.streams[stream.index].targets, detection.rounds_alive(there, stream)) for there in others
        ]
        for place, tally in enumerate(tallies):
            same = [(targets[place], alive) for targets, alive in tracks if targets]
            lost += window.lost_beyond(tally, same, rounds)
    return lost, max(1, possible)


def own_loss_over(scene: Scene, name: PathName, span_us: int) -> tuple[int, int]:
    """Return probes lost and possible as they look now, for people: all but what every living path lost alike."""
    lost = possible = 0
    living = [evidence for _, evidence in scene.living(name)]
    for stream in scene.policy.base_streams:
        rounds = detection.rounds_in(stream, span_us)
        for place, tally in enumerate(detection.tallies(scene.evidence[name], stream)):
            possible += rounds
            bits = window.recent(tally.lost, rounds)
            if bits and living and stream.targets:
                others = (there.streams[stream.index].targets[place] for there in living)
                lost += max(window.own_losses(tally, other, rounds) for other in others)
            else:
                lost += bits.bit_count()
    return lost, max(1, possible)


# --- degrading --------------------------------------------------------------------------------------------


def _losing_still(scene: Scene, old: Judgement, clean: int) -> bool:
    """Whether the losses of the window are of now: on a path that stands they are, by the rule of their share.

    One that comes out of an outage, or that was never judged, is left for its losses only while they go on.
    """
    if old.state in (UP, DEG):
        return True
    base = scene.policy.base_streams
    return bool(base) and clean < detection.rounds_in(base[0], scene.policy.loss.confirm_us)


def _confirmed_loss(
    scene: Scene, name: PathName, since_us: int | None, versus: PathName | None
) -> Fault | None:
    if since_us is None or versus is None or scene.now_us - since_us < scene.policy.loss.confirm_us:
        return None
    return faults.loss_fault(scene, name, faults.compare(scene, name, versus), since_us)


def _other_degrading(scene: Scene, name: PathName, bad_classes: tuple[int, ...]) -> Fault | None:
    """Return what degrades a path besides its losses: a class that fails, or latency that may act."""
    fault = faults.class_fault(scene, name) if bad_classes else None
    if fault is None and scene.policy.latency.act:
        return faults.latency_fault(scene, name)
    return fault


def _loss_timer(scene: Scene, name: PathName, before: Judgements) -> tuple[int | None, PathName | None]:
    """Return since when, and against which path, the loss is above both limits."""
    old = before[name]
    if not detection.losing(scene.policy, scene.evidence[name]):
        return None, None
    standing = [
        comparison.versus
        for comparison in _comparisons(scene, name, before)
        if comparison.trips(scene.policy.loss.percent, scene.policy.loss.margin)
    ]
    if not standing:
        return None, None
    if old.loss_versus in standing:
        return old.loss_since_us, old.loss_versus
    return scene.now_us, standing[0]


def _comparisons(scene: Scene, name: PathName, before: Judgements) -> list[Comparison]:
    return [
        faults.compare(scene, name, other)
        for other, _ in scene.others(name)
        if before[other].state is PathState.UP and not before[other].lossy and faults.below_trip(scene, other)
    ]


def _bad_classes(scene: Scene, name: PathName, old: tuple[int, ...]) -> tuple[int, ...]:
    """Return the class streams that fail, or failed and have not passed ``class_fall`` times running since."""
    evidence = scene.evidence[name]
    bad = []
    for stream in scene.policy.class_streams:
        failing = faults.class_fails(scene.policy, evidence, stream)
        if failing or (stream.index in old and not _class_passes(scene, name, stream)):
            bad.append(stream.index)
    return tuple(bad)


def _class_passes(scene: Scene, name: PathName, stream: StreamPolicy) -> bool:
    """Whether every target that answers anywhere passes the class often enough here."""
    tallies = scene.evidence[name].streams[stream.index].targets
    return all(
        tally.good >= scene.policy.class_fall
        or (tally.fails > 0 and not faults.answers_elsewhere(scene, name, stream, place))
        for place, tally in enumerate(tallies)
    )


# --- being returned to ------------------------------------------------------------------------------------


def _restore(scene: Scene, name: PathName, state: PathState, bad_classes: tuple[int, ...]) -> Restore:
    if state in (DOWN, DEG) or bad_classes:
        return Restore.BAD
    if state is PathState.UNKNOWN or not faults.passes(scene.policy, scene.evidence[name]):
        return Restore.UNSURE  # silent just now, on every path perhaps: nobody returns to what may be dark
    rule = scene.policy.recover
    lost, possible = loss_to_return(scene, name)
    if lost * 100 > rule.percent * possible:
        return Restore.BAD
    return Restore.GOOD if _known_enough(scene, name, rule.window_us) else Restore.UNSURE


def _known_enough(scene: Scene, name: PathName, span_us: int) -> bool:
    """Whether nine rounds of ten of the span are known, and the newest one is."""
    for stream in scene.policy.base_streams:
        rounds = detection.rounds_in(stream, span_us)
        tallies = detection.tallies(scene.evidence[name], stream)
        if not scene.evidence[name].streams[stream.index].told:
            return False
        if any(window.recent(tally.known, rounds).bit_count() * 10 < rounds * 9 for tally in tallies):
            return False
    return True


def _remote_dark(scene: Scene, name: PathName) -> bool:
    """Whether every target is silent here and on the other living paths, while the far gateway answers."""
    if not detection.anchor_alive(scene.policy, scene.evidence[name]):
        return False
    names = [target for stream in scene.policy.base_streams for target in stream.targets]
    return bool(names) and faults.masked(scene, name).issuperset(names)
