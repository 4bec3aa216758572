"""Detection: per path, facts from evidence.

Decides what each layer, class and target of ONE path says by itself. It does not compare paths, and it names
no path state: that is judgement's. States here are tallies that count; nothing is forgotten but by new evidence.

May not be added here: anything that needs a second path, the operator's wishes, or routes.
Words: semantics.md, "Health"; the blackout rule is bounded as in RFC 5880, 6.8.4 (detection time).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wgfo.engine import handshake as hs
from wgfo.engine import window
from wgfo.engine.events import HandshakeRead, LayerReported, RoundClosed
from wgfo.engine.handshake import Handshake
from wgfo.engine.policy import STALL_INTERVALS, GroupPolicy, PathPolicy, StreamPolicy
from wgfo.engine.values import replace
from wgfo.engine.window import Tally
from wgfo.model import LayerReport, Outcome, ProbeResult, Verdict


@dataclass(frozen=True, slots=True)
class StreamTrack:
    """One stanza through one path."""

    targets: tuple[Tally, ...] = ()
    anchor: Tally | None = None
    closed_us: int = -1
    """When the newest round closed; -1 before the first."""
    told: bool = False
    """The newest round told something: not all of its results were unknown."""
    untold: int = 0
    """Rounds running that told nothing."""


@dataclass(frozen=True, slots=True)
class SourceTrack:
    """What one source last said of one path; None before its first word."""

    report: LayerReport | None = None
    since_us: int = 0
    vouched_us: int = 0
    """How long it had said up before, since it last said down: not knowing pauses that, it does not end it."""


@dataclass(frozen=True, slots=True)
class PathEvidence:
    """All evidence of one path."""

    streams: tuple[StreamTrack, ...]
    sources: tuple[SourceTrack, ...]
    handshake: Handshake = field(default_factory=Handshake)
    flawless: bool = True
    """No probe of any window was lost: the cheap first question of every rule about losses."""
    discredited_until_us: int = -1
    """When losses last ceased to be discredited; -1 for never. What was sent before is in doubt still."""


def nothing_yet(policy: GroupPolicy, path: PathPolicy) -> PathEvidence:
    """Return the evidence of a path before the first event."""
    streams = tuple(
        StreamTrack(
            targets=tuple(Tally() for _ in stream.targets),
            anchor=Tally() if stream.base and stream.anchored and path.anchor else None,
        )
        for stream in policy.streams
    )
    return PathEvidence(streams, tuple(SourceTrack() for _ in policy.sources))


# --- evidence comes in ------------------------------------------------------------------------------------


def round_closed(policy: GroupPolicy, evidence: PathEvidence, event: RoundClosed) -> PathEvidence:
    """Count a closed round."""
    stream = policy.streams[event.stream]
    track = evidence.streams[event.stream]
    capacity = rounds_in(stream, policy.recover.window_us)
    window_rounds = rounds_in(stream, policy.loss.window_us)
    capacity = max(capacity, window_rounds)
    targets = tuple(
        window.closed(tally, event.round, result, capacity, window_rounds)
        for tally, result in zip(track.targets, event.results, strict=True)
    )
    anchor = track.anchor
    if anchor is not None and event.anchor is not None:
        anchor = window.closed(anchor, event.round, event.anchor, capacity, window_rounds)
    told = any(tally.known & 1 for tally in targets) or (anchor is not None and bool(anchor.known & 1))
    closed = StreamTrack(targets, anchor, event.at_us, told, 0 if told else track.untold + 1)
    before, after = evidence.streams[: event.stream], evidence.streams[event.stream + 1 :]
    streams = (*before, closed, *after)
    flawless = not any(map(_lost_any, streams))
    until_us = evidence.discredited_until_us
    return PathEvidence(streams, evidence.sources, evidence.handshake, flawless, until_us)


def round_doubted(policy: GroupPolicy, evidence: PathEvidence, event: RoundClosed) -> PathEvidence:
    """Count a round of which losses prove nothing (``doubtful``): they never will.

    What was lost is unknown, and what was answered before it is of another time: the running series begins anew.
    """
    until_us = _doubted_until_us(policy, evidence, event)
    results = tuple(_doubted(result, until_us) for result in event.results)
    believed = replace(event, results=results, anchor=event.anchor and _doubted(event.anchor, until_us))
    closed = round_closed(policy, evidence, believed)
    track = closed.streams[event.stream]
    told = zip(track.targets, event.results, strict=True)
    targets = tuple(_anew(tally, result, until_us) for tally, result in told)
    anchor = _anew(track.anchor, event.anchor, until_us) if track.anchor and event.anchor else track.anchor
    track = replace(track, targets=targets, anchor=anchor, untold=0)
    before, after = closed.streams[: event.stream], closed.streams[event.stream + 1 :]
    return replace(closed, streams=(*before, track, *after))


def doubtful(policy: GroupPolicy, evidence: PathEvidence, event: RoundClosed) -> bool:
    """Whether the round lost what may have been answered: probes that were sent while replies were filtered."""
    until_us = _doubted_until_us(policy, evidence, event)
    if until_us < 0:
        return False
    told = (*event.results, event.anchor) if event.anchor is not None else event.results
    return any(_doubted(result, until_us) is not result for result in told)


def _doubted_until_us(policy: GroupPolicy, evidence: PathEvidence, event: RoundClosed) -> int:
    return event.at_us if discredited(policy, evidence) else evidence.discredited_until_us


def _doubted(result: ProbeResult, until_us: int) -> ProbeResult:
    if result.outcome is not Outcome.LOST or result.sent_us > until_us:
        return result
    return replace(result, outcome=Outcome.UNKNOWN)


def _anew(tally: Tally, result: ProbeResult, until_us: int) -> Tally:
    return tally if _doubted(result, until_us) is result else replace(tally, fails=0, good=0)


def _lost_any(track: StreamTrack) -> bool:
    if track.anchor is not None and track.anchor.lost:
        return True
    return any(tally.lost for tally in track.targets)


def layer_reported(policy: GroupPolicy, evidence: PathEvidence, event: LayerReported) -> PathEvidence:
    """Keep what a source said; the time is that of the change of its verdict."""
    place = event.source - len(policy.streams)
    old = evidence.sources[place]
    same = old.report is not None and old.report.verdict is event.report.verdict
    track = replace(old, report=event.report) if same else _turned(old, event)
    heard = replace(evidence, sources=(*evidence.sources[:place], track, *evidence.sources[place + 1 :]))
    if discredited(policy, evidence) and not discredited(policy, heard):
        return replace(heard, discredited_until_us=event.at_us)
    return heard


def _turned(old: SourceTrack, event: LayerReported) -> SourceTrack:
    if event.report.verdict is Verdict.DOWN:
        return SourceTrack(event.report, event.at_us)
    was_up = old.report is not None and old.report.verdict is Verdict.UP
    vouched_us = old.vouched_us + (event.at_us - old.since_us if was_up else 0)
    return SourceTrack(event.report, event.at_us, vouched_us)


def handshake_read(evidence: PathEvidence, event: HandshakeRead) -> PathEvidence:
    """Keep WireGuard's figures."""
    return replace(evidence, handshake=hs.read(evidence.handshake, event.report, event.at_us))


# --- facts ------------------------------------------------------------------------------------------------


def rounds_in(stream: StreamPolicy, span_us: int) -> int:
    """Return how many rounds of the stream a span holds, at least 1."""
    return max(1, span_us // stream.interval_us)


def interface(policy: GroupPolicy, evidence: PathEvidence) -> SourceTrack | None:
    """Return what the interface layer's first source said, if there is one and it spoke."""
    for place in policy.link_places:
        if evidence.sources[place].report is not None:
            return evidence.sources[place]
    return None


def alone_sources(policy: GroupPolicy, evidence: PathEvidence) -> tuple[SourceTrack, ...]:
    """Return what the data plane's sources said that may decide on their own (``act = "alone"``)."""
    tracks = [evidence.sources[place] for place in policy.alone_places]
    return tuple([track for track in tracks if track.report is not None])


def discredited(policy: GroupPolicy, evidence: PathEvidence) -> bool:
    """Whether data-plane probes through this path prove nothing (strict reverse-path filtering)."""
    track = interface(policy, evidence)
    return track is not None and track.report is not None and track.report.discredits


def impairment(policy: GroupPolicy, evidence: PathEvidence) -> str:
    """Return why nothing can be said of the path although its probes run; empty where nothing stands so.

    Only a source that names a ``code`` impairs: one that merely failed to read leaves the data plane to speak.
    """
    track = interface(policy, evidence)
    if track is None or track.report is None:
        return ""
    report = track.report
    return report.reason if report.verdict is Verdict.UNKNOWN and report.code else ""


def anchor_tally(policy: GroupPolicy, evidence: PathEvidence) -> Tally | None:
    """Return the anchor's tally of the first base stream that has one."""
    for stream in policy.base_streams:
        anchor = evidence.streams[stream.index].anchor
        if anchor is not None:
            return anchor
    return None


def anchor_alive(policy: GroupPolicy, evidence: PathEvidence) -> bool | None:
    """Whether the far gateway answers; None where there is no anchor or nothing is known."""
    tally = anchor_tally(policy, evidence)
    if tally is None or (not tally.fails and not tally.good):
        return None
    return tally.good > 0


def stalled(policy: GroupPolicy, evidence: PathEvidence, now_us: int) -> StreamPolicy | None:
    """Return the base stream of which no round closed for five intervals, if there is one."""
    return next((one for one in policy.base_streams if stale(one, evidence, now_us)), None)


def mute(policy: GroupPolicy, evidence: PathEvidence) -> StreamPolicy | None:
    """Return the base stream of which five rounds running told nothing, if there is one.

    This host does not send them, or not in time; where losses prove nothing, the interface says why.
    """
    if discredited(policy, evidence):
        return None
    return next(
        (one for one in policy.base_streams if evidence.streams[one.index].untold >= STALL_INTERVALS), None
    )


def stale(stream: StreamPolicy, evidence: PathEvidence, now_us: int) -> bool:
    """Whether a stream's figures are old: rounds of it were closed, and none for five intervals."""
    closed_us = evidence.streams[stream.index].closed_us
    return closed_us >= 0 and now_us - closed_us > STALL_INTERVALS * stream.interval_us


def stall_deadline_us(policy: GroupPolicy, evidence: PathEvidence) -> int | None:
    """Return when ``stalled`` will be true if nothing more comes."""
    times = [
        evidence.streams[stream.index].closed_us + STALL_INTERVALS * stream.interval_us + 1
        for stream in policy.base_streams
        if evidence.streams[stream.index].closed_us >= 0
    ]
    return min(times, default=None)


def losing(policy: GroupPolicy, evidence: PathEvidence) -> bool:
    """Whether any known round of the loss window, of any stream's targets (or lone anchor), lost anything."""
    return not evidence.flawless and any(
        window.recent(tally.lost, rounds_in(stream, policy.loss.window_us))
        for stream in policy.streams
        for tally in tallies(evidence, stream)
    )


def tallies(evidence: PathEvidence, stream: StreamPolicy) -> tuple[Tally, ...]:
    """Return the tallies that count: the targets', the anchor's where it stands in for missing targets."""
    track = evidence.streams[stream.index]
    return track.targets or ((track.anchor,) if track.anchor is not None else ())


def rounds_alive(evidence: PathEvidence, stream: StreamPolicy) -> int:
    """Return the rounds, as bits of the targets' windows, in which the anchor or any target answered."""
    track = evidence.streams[stream.index]
    bits = 0
    for tally in track.targets:
        bits |= window.answered(tally)
    if track.anchor is not None and track.targets:
        bits |= window.aligned(window.answered(track.anchor), track.anchor.head, track.targets[0].head)
    return bits


def median_rtt_us(evidence: PathEvidence, streams: tuple[StreamPolicy, ...]) -> int | None:
    """Return the median RTT of the targets (of the anchor, where there are none) over the loss window."""
    series: list[bytes] = []
    for stream in streams:
        series += [tally.rtts for tally in tallies(evidence, stream)]
    return window.median_us(series)
