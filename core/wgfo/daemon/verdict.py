"""What a few rounds and one look at each layer say of every path; pure, and coarser than the engine.

    interface   down: the path is down
    handshake   evidence: its age by the wall clock; a peer that answers probes has a session, whatever it says
    dataplane   up: a target answers most rounds; down: all fail, though not on every living path alike

A target that fails on this and on every other living path is masked: its own fault (semantics.md, "Health").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Final

from wgfo.config.setup import GroupSetup, Setup
from wgfo.daemon.oneshot import Evidence
from wgfo.engine.decisions import Rule
from wgfo.engine.policy import (
    HANDSHAKE_EXPIRED_US,
    Act,
    EvidenceSource,
    GroupPolicy,
    PathPolicy,
    StreamPolicy,
)
from wgfo.engine.report import GroupReport, GroupState, Mode, PathReport, TargetReport, TargetVerdict
from wgfo.model import (
    ANCHOR_NAME,
    HandshakeReport,
    Layer,
    LayerReport,
    Outcome,
    PathName,
    PathState,
    ProbeClass,
    ProbeResult,
    Verdict,
)

FEW_LOST: Final = 2
"""Fewer lost probes than this are no loss: with three rounds one is a third."""


@dataclass(frozen=True, slots=True)
class Said:
    """A layer's verdict, and why."""

    verdict: Verdict
    reason: str


def judge(setup: Setup, evidence: Evidence, wall_ns: int) -> tuple[GroupReport, ...]:
    """Return a report of every group; it knows nothing of routes."""
    return tuple(_group(group, evidence, wall_ns) for group in setup.groups)


def _group(group: GroupSetup, evidence: Evidence, wall_ns: int) -> GroupReport:
    tallies = _tallies(group.policy, evidence)
    judged = [_Path(group.policy, path, tallies, evidence, wall_ns).report() for path in group.policy.paths]
    return GroupReport(
        name=group.name, state=_state(group.policy, judged), mode=Mode.AUTO, active=None, desired=None, epoch=0,
        converged=False, rule=Rule.STAY, reason="checked once", rejected=(), paths=tuple(judged), sets=(),
        alarms=(), overrides=(), restore_due_us=None, damped_until_us=None, hold_off_until_us=None, penalty=0,
    )  # fmt: skip


def all_up(setup: Setup, reports: Sequence[GroupReport]) -> bool:
    """Whether every path that this site can see is up."""
    seen = {(group.name, path.name) for group in setup.groups for path in group.policy.paths if path.visible}
    return all(
        path.state is PathState.UP
        for report in reports
        for path in report.paths
        if (report.name, path.name) in seen
    )


def _state(policy: GroupPolicy, paths: Sequence[PathReport]) -> GroupState:
    visible = [path for path, known in zip(paths, policy.paths, strict=True) if known.visible]
    if all(path.state is PathState.UP for path in visible):
        return GroupState.OK
    usable = any(path.state in {PathState.UP, PathState.DEGRADED} for path in visible)
    return GroupState.DEGRADED if usable else GroupState.NO_USABLE_PATH


# --- targets ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """How one target's probes through one path ended."""

    answered: int
    known: int
    rtt_us: int | None
    reason: str = ""

    @classmethod
    def of(cls, results: Iterable[ProbeResult]) -> Tally:
        """Count results."""
        told = list(results)
        good = [one.rtt_us for one in told if one.outcome is Outcome.OK]
        lost = [one for one in told if one.outcome is Outcome.LOST]
        reason = next((one.reason for one in reversed(told) if one.reason), "")
        return cls(len(good), len(good) + len(lost), _median(good), reason)

    @property
    def verdict(self) -> TargetVerdict:
        """Up with more than half of the answers."""
        if not self.known:
            return TargetVerdict.UNKNOWN
        return TargetVerdict.UP if 2 * self.answered > self.known else TargetVerdict.DOWN


Tallies = Mapping[tuple[PathName, int, str], Tally]
"""By path, stream and target's name."""


def _tallies(policy: GroupPolicy, evidence: Evidence) -> Tallies:
    tallies: dict[tuple[PathName, int, str], Tally] = {}
    for path in policy.paths:
        for stream in policy.streams:
            rounds = evidence.rounds.get((policy.name, path.name, stream.index), [])
            for index, target in enumerate(stream.targets):
                tallies[path.name, stream.index, target] = Tally.of(one.results[index] for one in rounds)
            anchors = [one.anchor for one in rounds if one.anchor is not None]
            if anchors:
                tallies[path.name, stream.index, ANCHOR_NAME] = Tally.of(anchors)
    return tallies


def _lives(tallies: Tallies, path: PathName) -> bool:
    """Whether anything at all answers through a path."""
    return any(tally.answered for (name, _, _), tally in tallies.items() if name == path)


# --- one path -----------------------------------------------------------------------------------------------


class _Path:
    """Judges one path of a group."""

    def __init__(
        self, policy: GroupPolicy, path: PathPolicy, tallies: Tallies, evidence: Evidence, wall_ns: int
    ) -> None:
        self._policy = policy
        self._path = path
        self._tallies = tallies
        self._evidence = evidence
        self._wall_ns = wall_ns
        self._targets = {stream.index: self._reports(stream) for stream in policy.streams}

    def report(self) -> PathReport:
        """Return everything."""
        said = self._layers()
        state, reason = self._state(said)
        pooled = self._pooled()
        handshake = self._handshake_report()
        return PathReport(
            name=self._path.name, state=state, active=False, reason=reason, since_us=0,
            layers={layer: one.verdict for layer, one in said.items()}, classes=self._classes(),
            targets=tuple(one for stream in self._targets.values() for one in stream),
            lost=sum(one.lost for one in pooled), known=sum(one.known for one in pooled),
            rtt_us=_median([one.rtt_us for one in pooled if one.rtt_us is not None]),
            handshake_age_us=self._age_us(handshake), handshake_churn=False,
            received_bytes=handshake.received_bytes if handshake and not handshake.error else None,
            sent_bytes=handshake.sent_bytes if handshake and not handshake.error else None,
            usable=state is PathState.UP, restorable=False, clean_rounds=0,
            layer_reasons={layer: one.reason for layer, one in said.items()},
        )  # fmt: skip

    def _state(self, said: Mapping[Layer, Said]) -> tuple[PathState, str]:
        interface, dataplane = said[Layer.INTERFACE], said[Layer.DATAPLANE]
        if not self._path.visible:
            return PathState.UNKNOWN, "this site has no view of the path"
        if interface.verdict is Verdict.DOWN:
            return PathState.DOWN, interface.reason
        if dataplane.verdict is Verdict.DOWN:
            return PathState.DOWN, dataplane.reason
        if dataplane.verdict is not Verdict.UP:
            return PathState.UNKNOWN, dataplane.reason or interface.reason
        return self._quality(dataplane.reason)

    def _quality(self, reason: str) -> tuple[PathState, str]:
        """Up or degraded, now that packets pass."""
        for stream in self._policy.class_streams:
            if _verdict(self._targets[stream.index]).verdict is Verdict.DOWN:
                return PathState.DEGRADED, f"{stream.probe_class} packets do not pass, small ones do"
        pooled = self._pooled()
        lost, known = sum(one.lost for one in pooled), sum(one.known for one in pooled)
        if lost >= FEW_LOST and 100 * lost >= self._policy.loss.percent * known:
            return PathState.DEGRADED, f"{lost} of {known} probes lost"
        return PathState.UP, reason

    # --- layers ---------------------------------------------------------------------------------------------

    def _layers(self) -> Mapping[Layer, Said]:
        interface = self._source_said(Layer.INTERFACE)
        dataplane = self._dataplane(interface)
        return {
            Layer.INTERFACE: interface or self._unprobed(Layer.INTERFACE),
            Layer.HANDSHAKE: self._handshake(dataplane),
            Layer.DATAPLANE: dataplane,
        }

    def _unprobed(self, layer: Layer) -> Said:
        if layer not in self._path.layers:
            return Said(Verdict.NOT_PROBED, "")
        return Said(Verdict.UNKNOWN, f"the {layer} probe has not answered")

    def _reports_of(self, layer: Layer) -> list[tuple[EvidenceSource, LayerReport]]:
        name, reports = self._path.name, self._evidence.layers
        found = [
            (source, reports.get((self._policy.name, name, source.index))) for source in self._policy.sources
        ]
        return [(source, report) for source, report in found if report is not None and report.layer is layer]

    def _source_said(self, layer: Layer) -> Said | None:
        """Return the worst that the sources of a layer say."""
        order = [Verdict.DOWN, Verdict.UNKNOWN, Verdict.UP, Verdict.NOT_PROBED]
        reports = [report for _, report in self._reports_of(layer)]
        worst = min(reports, key=lambda one: order.index(one.verdict), default=None)
        return Said(worst.verdict, worst.reason) if worst else None

    def _dataplane(self, interface: Said | None) -> Said:
        for source, report in self._reports_of(Layer.DATAPLANE):
            if source.act is Act.ALONE and report.verdict is Verdict.DOWN:
                return Said(Verdict.DOWN, report.reason)
        if any(
            one.discredits and one.verdict is Verdict.UNKNOWN for _, one in self._reports_of(Layer.INTERFACE)
        ):
            return Said(Verdict.UNKNOWN, interface.reason if interface else "")
        if self._policy.leading:
            return self._vouched()
        if not self._policy.base_streams or Layer.DATAPLANE not in self._path.layers:
            return Said(
                Verdict.NOT_PROBED, "nothing proves the data plane: no probe and no peer is configured"
            )
        said = _verdict([one for stream in self._policy.base_streams for one in self._targets[stream.index]])
        return said if said.reason else Said(said.verdict, f"no probe could be sent: {self._why_not()}")

    def _vouched(self) -> Said:
        """Return what the sources say that decide because no packet does; none of them says down."""
        said = [one for source, one in self._reports_of(Layer.DATAPLANE) if source in self._policy.leading]
        up = next((one for one in said if one.verdict is Verdict.UP), None)
        if up is not None:
            return Said(Verdict.UP, up.reason)
        reason = next((one.reason for one in said), "no source has answered")
        return Said(Verdict.UNKNOWN, reason)

    def _why_not(self) -> str:
        """Why the probes of this path say nothing."""
        mine = (tally.reason for (name, _, _), tally in self._tallies.items() if name == self._path.name)
        return next((reason for reason in mine if reason), "no round was closed in time")

    def _handshake_report(self) -> HandshakeReport | None:
        found = [
            self._evidence.handshakes.get((self._policy.name, self._path.name, source.index))
            for source in self._policy.sources
        ]
        return next((one for one in found if one is not None), None)

    def _age_us(self, handshake: HandshakeReport | None) -> int | None:
        if handshake is None or not handshake.stamp or handshake.stamp > self._wall_ns:
            return None
        return (self._wall_ns - handshake.stamp) // 1_000

    def _handshake(self, dataplane: Said) -> Said:
        """A handshake that is missing or too old is down only if nothing answers either."""
        handshake = self._handshake_report()
        if handshake is None:
            return self._source_said(Layer.HANDSHAKE) or self._unprobed(Layer.HANDSHAKE)
        if handshake.error:
            return Said(Verdict.UNKNOWN, handshake.error)
        age_us = self._age_us(handshake)
        if age_us is not None and age_us <= HANDSHAKE_EXPIRED_US:
            return Said(Verdict.UP, f"{age_us // 1_000_000} s old")
        old = "never" if not handshake.stamp else "its time is in the future" if age_us is None else "expired"
        asked = any(tally.known for (name, _, _), tally in self._tallies.items() if name == self._path.name)
        condemned = asked and dataplane.verdict is not Verdict.UP and handshake.stamp <= self._wall_ns
        return Said(Verdict.DOWN if condemned else Verdict.UNKNOWN, f"latest handshake: {old}")

    # --- targets --------------------------------------------------------------------------------------------

    def _reports(self, stream: StreamPolicy) -> list[TargetReport]:
        names = [*stream.targets]
        if (self._path.name, stream.index, ANCHOR_NAME) in self._tallies:
            names.append(ANCHOR_NAME)
        return [self._target(stream, name) for name in names]

    def _target(self, stream: StreamPolicy, name: str) -> TargetReport:
        tally = self._tallies[self._path.name, stream.index, name]
        verdict = tally.verdict
        if verdict is TargetVerdict.DOWN and name != ANCHOR_NAME and self._masked(stream, name):
            verdict = TargetVerdict.MASKED
        lost = tally.known - tally.answered
        return TargetReport(name, stream.probe_class, verdict, lost, tally.known, tally.rtt_us)

    def _masked(self, stream: StreamPolicy, name: str) -> bool:
        others = [path.name for path in self._policy.paths if path.name != self._path.name]
        living = [path for path in others if _lives(self._tallies, path)]
        return bool(living) and all(
            self._tallies[path, stream.index, name].verdict is TargetVerdict.DOWN for path in living
        )

    def _pooled(self) -> Sequence[TargetReport]:
        """The base class's targets that are not their own fault; the anchor only where there is no target."""
        base = [one for stream in self._policy.base_streams for one in self._targets[stream.index]]
        targets = [one for one in base if one.name != ANCHOR_NAME] or base
        return [one for one in targets if one.state is not TargetVerdict.MASKED]

    def _classes(self) -> Mapping[ProbeClass, Verdict]:
        classes: dict[ProbeClass, list[TargetReport]] = {}
        for stream in self._policy.streams:
            classes.setdefault(stream.probe_class, []).extend(self._targets[stream.index])
        return {name: _verdict(targets).verdict for name, targets in classes.items()}


def _median(times_us: Sequence[int]) -> int | None:
    return median_low(times_us) if times_us else None


def _verdict(reports: Sequence[TargetReport]) -> Said:
    """Judge the targets of one class; the anchor stands in for them, or tells whose fault their silence is.

    Without a reason: no probe's end is known.
    """
    anchor = next((one.state for one in reports if one.name == ANCHOR_NAME), None)
    targets = [one for one in reports if one.name != ANCHOR_NAME]
    states = [one.state for one in targets] or ([anchor] if anchor else [])
    if TargetVerdict.UP in states:
        return Said(Verdict.UP, "targets answer" if targets else "the peer answers; forwarding is unproven")
    if TargetVerdict.DOWN in states:
        alive = " though the peer does: it does not forward" if targets and anchor is TargetVerdict.UP else ""
        return Said(Verdict.DOWN, f"no target answers{alive}" if targets else "the peer does not answer")
    if TargetVerdict.MASKED in states:
        if anchor is TargetVerdict.DOWN:
            return Said(Verdict.DOWN, "neither the peer nor any target answers")
        return Said(Verdict.UNKNOWN, "no target answers through any path: the remote hosts are down")
    return Said(Verdict.UNKNOWN, "")
