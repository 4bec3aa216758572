"""Faults: what condemns a path now, and which other paths prove that it is the path's own fault.

Decides, from the evidence of ALL paths of a group, the one fault that holds on each path at this moment
(``live``), following the verdict table of semantics.md ("Health"). It keeps no state: a fault that stops
holding is gone here, and judgement decides when the path has recovered.

May not be added here: timers, the operator's wishes, routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wgfo.engine import detection, vouching, window
from wgfo.engine import handshake as hs
from wgfo.engine.detection import PathEvidence
from wgfo.engine.policy import GroupPolicy, StreamPolicy
from wgfo.engine.window import Tally
from wgfo.model import Layer, PathName, PathState, ProbeClass, Verdict


class FaultRule(StrEnum):
    """The rule that condemns."""

    INTERFACE = "interface"
    HANDSHAKE = "handshake"
    EVIDENCE = "evidence"
    BLACKOUT = "blackout"
    NOT_FORWARDING = "not_forwarding"
    LOSS = "loss"
    CLASS = "class"
    LATENCY = "latency"


DOWN_RULES: Final = frozenset(
    {
        FaultRule.INTERFACE,
        FaultRule.HANDSHAKE,
        FaultRule.EVIDENCE,
        FaultRule.BLACKOUT,
        FaultRule.NOT_FORWARDING,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a path is condemned."""

    rule: FaultRule
    reason: str
    fault_us: int
    """When the first lost probe was sent, or the event came in."""
    classes: tuple[ProbeClass, ...] = ()
    targets: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def state(self) -> PathState:
        """The state that the fault puts a path into."""
        return PathState.DOWN if self.rule in DOWN_RULES else PathState.DEGRADED


@dataclass(slots=True)
class Scene:
    """The evidence of all paths of a group, by name, in order of preference; made anew, and kept by nobody."""

    policy: GroupPolicy
    evidence: Mapping[PathName, PathEvidence]
    now_us: int
    desired: PathName | None = None

    def others(self, name: PathName) -> Sequence[tuple[PathName, PathEvidence]]:
        """Return the paths but one."""
        return [(other, evidence) for other, evidence in self.evidence.items() if other != name]

    def living(self, name: PathName) -> Sequence[tuple[PathName, PathEvidence]]:
        """Return the other paths whose far gateway, or a host behind it, answers."""
        return [(other, evidence) for other, evidence in self.others(name) if lives(self.policy, evidence)]


# --- small facts over all paths ---------------------------------------------------------------------------


def lives(policy: GroupPolicy, evidence: PathEvidence) -> bool:
    """Whether anything at the far end of the path answers: its anchor or any base target."""
    if detection.discredited(policy, evidence):
        return False
    return bool(detection.anchor_alive(policy, evidence)) or passes(policy, evidence)


def passes(policy: GroupPolicy, evidence: PathEvidence) -> bool:
    """Whether any base target answered its newest known probe (the anchor, where there are no targets).

    Where sources lead instead of rounds: whether they vouch for the path.
    """
    if policy.leading:
        return vouching.vouches(policy, evidence)
    return any(tally.good for stream in policy.base_streams for tally in detection.tallies(evidence, stream))


def answers_elsewhere(scene: Scene, name: PathName, stream: StreamPolicy, place: int) -> bool:
    """Whether a target's newest known probe was answered through any other path."""
    return any(evidence.streams[stream.index].targets[place].good for _, evidence in scene.others(name))


def masked(scene: Scene, name: PathName) -> frozenset[str]:
    """Return the base targets that fail here and on every other path that lives (one at least)."""
    living = scene.living(name)
    if not living:
        return frozenset()
    here = scene.evidence[name]
    return frozenset(
        target
        for stream in scene.policy.base_streams
        for place, target in enumerate(stream.targets)
        if _fails(here, stream, place) and all(_fails(there, stream, place) for _, there in living)
    )


def proved(scene: Scene, name: PathName, fault: Fault) -> tuple[PathName, ...]:
    """Return the paths with proof newer than the fault (semantics.md), in order of preference.

    For a data-plane fault the proof is answers in the very rounds that were lost here, as many as the rule
    asked for: one answer would not do, because a site that comes back between two staggered probes answers
    one path first (I14).
    """
    return tuple(
        other for other, evidence in scene.others(name) if _proves(scene, name, fault, other, evidence)
    )


def _proves(scene: Scene, name: PathName, fault: Fault, other: PathName, there: PathEvidence) -> bool:
    policy = scene.policy
    if detection.discredited(policy, there):
        return False
    here = scene.evidence[name]
    if fault.rule in (FaultRule.BLACKOUT, FaultRule.NOT_FORWARDING):
        shared = any(_shared_rounds(here, there, stream) >= stream.fall for stream in policy.base_streams)
        return shared and not _dark(policy, there)
    if fault.rule is FaultRule.CLASS:
        return any(
            stream.probe_class in fault.classes and _class_proof(policy, here, there, stream)
            for stream in policy.class_streams
        )
    if fault.rule is FaultRule.LOSS:
        fresh = _newest_good_us(policy, there) >= scene.now_us - policy.loss.confirm_us
        better = compare(scene, name, other).trips(policy.loss.percent, policy.loss.margin)
        return fresh and better and below_trip(scene, other)
    if fault.rule is FaultRule.LATENCY:
        return passes(policy, there) and latency_fault(scene, other) is None
    return _passes_since(scene, there, fault.fault_us)


def _dark(policy: GroupPolicy, evidence: PathEvidence) -> bool:
    """Whether every base target has been silent for so long that what it answered before is of another time."""
    return all(
        tally.fails >= stream.fall
        for stream in policy.base_streams
        for tally in detection.tallies(evidence, stream)
    )


def _passes_since(scene: Scene, there: PathEvidence, fault_us: int) -> bool:
    if scene.policy.leading:
        return vouching.proves(scene.policy, there, fault_us, scene.now_us)
    return _newest_good_us(scene.policy, there) > fault_us and passes(scene.policy, there)


def _shared_rounds(here: PathEvidence, there: PathEvidence, stream: StreamPolicy) -> int:
    """Count the rounds in which all was lost here and any of the same targets answered there.

    A target that was dead here long before the rest proves nothing by what it answered there until then.
    """
    bits = 0
    silent = detection.tallies(here, stream)
    since_round = max((tally.first_lost_round for tally in silent if tally.fails), default=0)
    for failing, other in zip(silent, detection.tallies(there, stream), strict=False):
        bits |= window.answered_while_failing(failing, other, since_round)
    return bits.bit_count()


def _class_proof(policy: GroupPolicy, here: PathEvidence, there: PathEvidence, stream: StreamPolicy) -> bool:
    """Whether the targets that fail the class here pass it there, in the same rounds."""
    pairs = list(zip(here.streams[stream.index].targets, there.streams[stream.index].targets, strict=True))
    failing = [(mine, other) for mine, other in pairs if mine.fails >= policy.class_fall]
    proofs = [window.answered_while_failing(mine, other).bit_count() for mine, other in failing]
    return bool(proofs) and all(count >= policy.class_fall for count in proofs)


def _newest_good_us(policy: GroupPolicy, evidence: PathEvidence) -> int:
    return max(
        (
            tally.last_good_us
            for stream in policy.base_streams
            for tally in detection.tallies(evidence, stream)
        ),
        default=-1,
    )


def _fails(evidence: PathEvidence, stream: StreamPolicy, place: int) -> bool:
    return evidence.streams[stream.index].targets[place].fails >= stream.fall


# --- faults that put a path down --------------------------------------------------------------------------


def down_fault(scene: Scene, name: PathName) -> Fault | None:
    """Return the fault that puts the path down now, the surest first."""
    return _interface_fault(scene, name) or _evidence_fault(scene, name) or _data_fault(scene, name)


def _interface_fault(scene: Scene, name: PathName) -> Fault | None:
    track = detection.interface(scene.policy, scene.evidence[name])
    if track is None or track.report is None or track.report.verdict is not Verdict.DOWN:
        return None
    return Fault(FaultRule.INTERFACE, f"interface down: {track.report.reason}", track.since_us)


def _evidence_fault(scene: Scene, name: PathName) -> Fault | None:
    for track in detection.alone_sources(scene.policy, scene.evidence[name]):
        if track.report is not None and track.report.verdict is Verdict.DOWN:
            return Fault(FaultRule.EVIDENCE, track.report.reason, track.since_us)
    return None


def _data_fault(scene: Scene, name: PathName) -> Fault | None:
    evidence = scene.evidence[name]
    if detection.discredited(scene.policy, evidence):
        return None
    return _blackout(scene, name) or _handshake_fault(scene, evidence)


def _handshake_fault(scene: Scene, evidence: PathEvidence) -> Fault | None:
    """An expired handshake condemns, unless packets pass all the same: the data plane is the authority."""
    if passes(scene.policy, evidence):
        return None
    state, why = hs.verdict(evidence.handshake, scene.now_us)
    if state is not Verdict.DOWN:
        return None
    return Fault(FaultRule.HANDSHAKE, why, hs.expiry_us(evidence.handshake) or scene.now_us)


def _blackout(scene: Scene, name: PathName) -> Fault | None:
    evidence = scene.evidence[name]
    streams = [stream for stream in scene.policy.base_streams if _heard(evidence, stream)]
    if not streams or not all(_all_condemned(evidence, stream) for stream in streams):
        return None
    anchor = detection.anchor_tally(scene.policy, evidence)
    anchor_alone = not any(stream.targets for stream in streams)
    if anchor_alone or (anchor is not None and anchor.fails >= streams[0].fall):
        return _blackout_fault(scene, evidence, streams, FaultRule.BLACKOUT)
    if anchor is not None and anchor.fails:
        return None  # the gateway is neither dead nor alive yet
    if not _own_fault(scene, name, streams):
        return None
    rule = FaultRule.BLACKOUT if anchor is None else FaultRule.NOT_FORWARDING
    return _blackout_fault(scene, evidence, streams, rule)


def _own_fault(scene: Scene, name: PathName, streams: Sequence[StreamPolicy]) -> bool:
    """Whether silence of every target, behind a gateway that answers, is this path's own fault.

    It is where others pass what fails here, and where no other path lives.
    """
    living = scene.living(name)
    here = scene.evidence[name]
    return not living or any(
        _shared_rounds(here, there, stream) >= stream.fall for _, there in living for stream in streams
    )


def _heard(evidence: PathEvidence, stream: StreamPolicy) -> bool:
    return any(tally.fails or tally.good for tally in detection.tallies(evidence, stream))


def _all_condemned(evidence: PathEvidence, stream: StreamPolicy) -> bool:
    return all(
        window.condemned(tally, stream.fall, stream.interval_us)
        for tally in detection.tallies(evidence, stream)
        if tally.fails or tally.good
    )


def _blackout_fault(
    scene: Scene, evidence: PathEvidence, streams: Sequence[StreamPolicy], rule: FaultRule
) -> Fault:
    tallies = [tally for stream in streams for tally in detection.tallies(evidence, stream) if tally.fails]
    fails = min(tally.fails for tally in tallies)
    return Fault(
        rule,
        _blackout_reason(scene, evidence, rule, tallies, fails),
        max(tally.first_lost_us for tally in tallies),
        classes=tuple(dict.fromkeys(stream.probe_class for stream in streams)),
        targets=tuple(target for stream in streams for target in stream.targets),
        numbers={"lost_rounds": fails, "targets": len(tallies)},
    )


def _blackout_reason(
    scene: Scene, evidence: PathEvidence, rule: FaultRule, tallies: Sequence[Tally], fails: int
) -> str:
    what = (
        "far gateway answers, hosts behind it do not"
        if rule is FaultRule.NOT_FORWARDING
        else "data plane dead"
    )
    layers = []
    track = detection.interface(scene.policy, evidence)
    if track is not None and track.report is not None:
        layers.append(f"interface {track.report.verdict}")
    if any(source.layer is Layer.HANDSHAKE for source in scene.policy.sources):
        state, _ = hs.verdict(evidence.handshake, scene.now_us)
        layers.append(_HANDSHAKE_WORDS[state])
        if hs.churning(evidence.handshake):
            layers[-1] += " (renewed every few seconds, almost nothing received)"
    count = len(tallies)
    said = ", ".join(dict.fromkeys(tally.reason for tally in tallies if tally.reason))
    hosts = f"{count} of {count} targets silent for {fails} rounds" + (f": {said}" if said else "")
    return f"{', '.join([*layers, what])} ({hosts})"


_HANDSHAKE_WORDS: Final = {
    Verdict.UP: "handshake fresh",
    Verdict.DOWN: "handshake expired",
    Verdict.UNKNOWN: "handshake unknown",
    Verdict.NOT_PROBED: "handshake not probed",
}


# --- faults that degrade a path ---------------------------------------------------------------------------


@dataclass(slots=True)
class Comparison:
    """What a path lost over the loss window, and by how much more than another path."""

    lost: int
    possible: int
    margin: int
    """Probes lost here and not there; compared with ``possible``."""
    versus: PathName

    def trips(self, percent: int, margin: int) -> bool:
        """Whether both limits, in points of a hundred, are reached."""
        enough = self.lost * 100 >= percent * self.possible
        return enough and self.margin * 100 >= margin * self.possible


def compare(scene: Scene, name: PathName, versus: PathName) -> Comparison:
    """Compare the losses of two paths, same targets and rounds (semantics.md, rule "loss")."""
    here, there = scene.evidence[name], scene.evidence[versus]
    lost = possible = margin = 0
    for stream in scene.policy.base_streams:
        rounds = detection.rounds_in(stream, scene.policy.loss.window_us)
        for mine, other in zip(
            detection.tallies(here, stream), detection.tallies(there, stream), strict=False
        ):
            lost += window.recent(mine.lost, rounds).bit_count()
            margin += window.own_losses(mine, other, rounds)
            possible += rounds
    return Comparison(lost, possible, margin, versus)


def below_trip(scene: Scene, name: PathName) -> bool:
    """Whether a path's own loss, compared with nothing, is below the limit: a lossy path is no remedy."""
    lost = possible = 0
    for stream in scene.policy.base_streams:
        rounds = detection.rounds_in(stream, scene.policy.loss.window_us)
        for tally in detection.tallies(scene.evidence[name], stream):
            lost += window.recent(tally.lost, rounds).bit_count()
            possible += rounds
    return lost * 100 < scene.policy.loss.percent * max(1, possible)


def loss_fault(scene: Scene, name: PathName, comparison: Comparison, since_us: int) -> Fault:
    """Return the fault of a loss that was confirmed."""
    lost_percent = comparison.lost * 100 // max(1, comparison.possible)
    margin = comparison.margin * 100 // max(1, comparison.possible)
    worst = _lossy_targets(scene, name)
    window_s = scene.policy.loss.window_us // 1_000_000
    names = f" ({', '.join(worst)})" if worst else ""
    return Fault(
        FaultRule.LOSS,
        f"loss: {lost_percent} % over {window_s} s, {margin} points worse than {comparison.versus}{names}",
        since_us,
        classes=tuple(dict.fromkeys(stream.probe_class for stream in scene.policy.base_streams)),
        targets=worst,
        numbers={"loss_percent": lost_percent, "margin_points": margin, "lost": comparison.lost},
    )


def _lossy_targets(scene: Scene, name: PathName) -> tuple[str, ...]:
    """Return the targets that lose more than the rule's limit by themselves."""
    limit = scene.policy.loss.percent
    evidence = scene.evidence[name]
    found = []
    for stream in scene.policy.base_streams:
        rounds = detection.rounds_in(stream, scene.policy.loss.window_us)
        for target, tally in zip(stream.targets, evidence.streams[stream.index].targets, strict=True):
            if window.recent(tally.lost, rounds).bit_count() * 100 >= limit * rounds:
                found.append(target)
    return tuple(found)


def class_fails(policy: GroupPolicy, evidence: PathEvidence, stream: StreamPolicy) -> tuple[str, ...]:
    """Return the targets at which the class fails, if they are enough: two of them, or all."""
    track = evidence.streams[stream.index]
    failing = tuple(
        target
        for target, tally in zip(stream.targets, track.targets, strict=True)
        if tally.fails >= policy.class_fall
    )
    enough = len(failing) >= 2 or (bool(failing) and len(failing) == len(stream.targets))  # noqa: PLR2004 - semantics.md: two, or all
    return failing if enough else ()


def class_fault(scene: Scene, name: PathName) -> Fault | None:
    """Return the fault of the classes that fail while small packets pass."""
    evidence = scene.evidence[name]
    if not passes(scene.policy, evidence):
        return None
    for stream in scene.policy.class_streams:
        failing = class_fails(scene.policy, evidence, stream)
        if failing:
            return _class_fault(scene, evidence, stream, failing)
    return None


def _class_fault(
    scene: Scene, evidence: PathEvidence, stream: StreamPolicy, failing: tuple[str, ...]
) -> Fault:
    tallies = [
        tally
        for target, tally in zip(stream.targets, evidence.streams[stream.index].targets, strict=True)
        if target in failing
    ]
    hint = " (MTU: large packets die, small ones pass)" if stream.probe_class == "large" else ""
    return Fault(
        FaultRule.CLASS,
        f"class {stream.probe_class} fails {scene.policy.class_fall} times running at "
        f"{', '.join(failing)} while small packets pass{hint}",
        max(tally.first_lost_us for tally in tallies),
        classes=(stream.probe_class,),
        targets=failing,
        numbers={"targets": len(failing), "lost_rounds": min(tally.fails for tally in tallies)},
    )


def latency_fault(scene: Scene, name: PathName) -> Fault | None:
    """Return the fault of a median above the limit; the policy says whether it may act."""
    limit_us = scene.policy.latency.median_us
    if limit_us is None:
        return None
    median = detection.median_rtt_us(scene.evidence[name], scene.policy.base_streams)
    if median is None or median <= limit_us:
        return None
    return Fault(
        FaultRule.LATENCY,
        f"latency: median {median // 1000} ms, above {limit_us // 1000} ms",
        scene.now_us,
        numbers={"median_us": median, "limit_us": limit_us},
    )
