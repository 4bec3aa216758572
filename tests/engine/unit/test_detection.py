"""Facts of one path: what each layer, stream and target says by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.world import A, policy, seconds, stream
from wgfo.engine import detection
from wgfo.engine.detection import PathEvidence, SourceTrack, StreamTrack, nothing_yet
from wgfo.engine.events import LayerReported, RoundClosed
from wgfo.engine.policy import Act, EvidenceSource, LossRule, PathPolicy, RecoverRule
from wgfo.engine.window import Tally
from wgfo.model import LARGE, Layer, LayerReport, Outcome, ProbeResult, Verdict

STREAMS = (stream(0, targets=("t1", "t2")), stream(1, base=False, probe_class=LARGE, targets=("t1",)))
SOURCES = (
    EvidenceSource(2, "interface", Layer.INTERFACE),
    EvidenceSource(3, "carrier", Layer.INTERFACE),
    EvidenceSource(4, "alerts", Layer.DATAPLANE, Act.ALONE),
    EvidenceSource(5, "hints", Layer.DATAPLANE),
)
GROUP = policy(
    streams=STREAMS,
    sources=SOURCES,
    loss=LossRule(window_us=seconds(4)),
    recover=RecoverRule(window_us=seconds(6)),
)
FRESH = nothing_yet(GROUP, GROUP.paths[0])


def closed(
    evidence: PathEvidence, number: int, *words: str, index: int = 0, anchor: str | None = None
) -> PathEvidence:
    """Close a round of a stream in which targets ended as written: o answered, x lost, ? unknown."""
    outcomes = {"o": Outcome.OK, "x": Outcome.LOST, "?": Outcome.UNKNOWN}
    at = seconds(number)
    results = tuple(ProbeResult(outcomes[word], at, 5) for word in words)
    end = ProbeResult(outcomes[anchor], at, 5) if anchor else None
    return detection.round_closed(GROUP, evidence, RoundClosed(at + 7, A, index, number, results, end))


def test_before_the_first_event_there_is_a_tally_for_each_target_and_an_anchor_where_it_can_be_reached() -> (
    None
):
    assert FRESH.streams == (StreamTrack((Tally(), Tally()), Tally()), StreamTrack((Tally(),), None))
    assert FRESH.sources == (SourceTrack(),) * 4
    assert FRESH.flawless
    for one, path in (
        (stream(anchored=False), PathPolicy(A)),
        (stream(), PathPolicy(A, anchor=False)),
        (stream(base=False), PathPolicy(A)),
    ):
        assert nothing_yet(policy(streams=(one,)), path).streams[0].anchor is None
    assert StreamTrack() == StreamTrack((), None, closed_us=-1, told=False, untold=0)
    assert SourceTrack() == SourceTrack(None, 0)


@pytest.mark.parametrize(
    ("words", "anchor", "told", "flawless"),
    [
        ("oo", "o", True, True),
        ("ox", "o", True, False),
        ("oo", "x", True, False),
        ("??", "o", True, True),
        ("?o", "?", True, True),
        ("??", "?", False, True),
        ("??", None, False, True),
        ("xx", "x", True, False),
    ],
)
def test_a_round_is_counted_for_each_target_and_the_anchor(
    words: str, anchor: str | None, told: bool, flawless: bool
) -> None:
    evidence = closed(FRESH, 3, *words, anchor=anchor)
    track = evidence.streams[0]
    assert (track.closed_us, track.told, evidence.flawless) == (seconds(3) + 7, told, flawless)
    assert [tally.head for tally in track.targets] == [3, 3]
    assert track.anchor is not None
    assert track.anchor.head == (-1 if anchor is None else 3)
    assert evidence.streams[1] is FRESH.streams[1]
    assert (evidence.sources, evidence.handshake) == (FRESH.sources, FRESH.handshake)


def test_each_stream_has_its_own_track() -> None:
    evidence = closed(closed(FRESH, 1, "o", "o", anchor="o"), 2, "x", index=1)
    assert [track.closed_us for track in evidence.streams] == [seconds(1) + 7, seconds(2) + 7]
    assert not evidence.flawless
    assert not closed(evidence, 3, "o", "o", anchor="o").flawless


def test_windows_keep_the_longer_of_both_spans_and_answers_the_span_of_losses() -> None:
    evidence = FRESH
    for number in range(9):
        evidence = closed(evidence, number, "o", "x", anchor="o")
    first, second = evidence.streams[0].targets
    assert (first.known, second.lost, len(first.rtts)) == (0b111111, 0b111111, 4)
    assert evidence.streams[0].anchor is not None
    assert (evidence.streams[0].anchor.known, len(evidence.streams[0].anchor.rtts)) == (0b111111, 4)


@pytest.mark.parametrize(
    ("span_us", "rounds"), [(0, 1), (999_999, 1), (1_000_000, 1), (2_000_000, 2), (2_999_999, 2)]
)
def test_a_span_holds_whole_rounds(span_us: int, rounds: int) -> None:
    assert detection.rounds_in(STREAMS[0], span_us) == rounds


def said(evidence: PathEvidence, at: int, source: int, verdict: Verdict, **more: object) -> PathEvidence:
    layer = SOURCES[source - 2].layer
    report = LayerReport(layer, verdict, f"{verdict} at {at}", **more)
    return detection.layer_reported(GROUP, evidence, LayerReported(at, A, source, report))


def test_what_a_source_says_bears_the_time_of_the_change() -> None:
    evidence = said(said(FRESH, 10, 3, Verdict.UP), 20, 3, Verdict.UP)
    assert evidence.sources[1].since_us == 10
    assert evidence.sources[1].report is not None
    assert evidence.sources[1].report.reason == "up at 20"
    changed = said(evidence, 30, 3, Verdict.DOWN)
    assert changed.sources[1].since_us == 30
    assert (changed.sources[0], changed.sources[2:]) == (FRESH.sources[0], FRESH.sources[2:])


def test_not_knowing_pauses_what_was_vouched_for_and_down_ends_it() -> None:
    evidence = FRESH
    told = []
    for at, verdict in (
        (5, Verdict.UNKNOWN),
        (10, Verdict.UP),
        (12, Verdict.UP),
        (30, Verdict.UNKNOWN),
        (40, Verdict.UP),
        (45, Verdict.UNKNOWN),
        (50, Verdict.DOWN),
        (60, Verdict.UP),
    ):
        evidence = said(evidence, at, 4, verdict)
        told.append(evidence.sources[2].vouched_us)
    assert told == [0, 0, 0, 20, 20, 25, 0, 0]


def test_the_first_source_of_the_interface_that_spoke_counts() -> None:
    assert detection.interface(GROUP, FRESH) is None
    evidence = said(said(FRESH, 10, 3, Verdict.UP), 11, 4, Verdict.DOWN)
    assert detection.interface(GROUP, evidence) is evidence.sources[1]
    both = said(evidence, 12, 2, Verdict.DOWN)
    assert detection.interface(GROUP, both) is both.sources[0]


def test_only_sources_of_the_data_plane_that_decide_alone_are_asked_and_only_when_they_spoke() -> None:
    assert detection.alone_sources(GROUP, FRESH) == ()
    evidence = FRESH
    for source in (2, 4, 5):
        evidence = said(evidence, 10, source, Verdict.UP)
    assert detection.alone_sources(GROUP, evidence) == (evidence.sources[2],)


def test_probes_are_discredited_by_the_interface_alone() -> None:
    assert not detection.discredited(GROUP, FRESH)
    assert not detection.discredited(GROUP, said(FRESH, 1, 2, Verdict.UP))
    assert not detection.discredited(GROUP, said(FRESH, 1, 4, Verdict.UNKNOWN, discredits=True))
    assert detection.discredited(GROUP, said(FRESH, 1, 2, Verdict.UNKNOWN, discredits=True))


def test_only_an_unknown_with_a_code_impairs() -> None:
    assert detection.impairment(GROUP, FRESH) == ""
    assert detection.impairment(GROUP, said(FRESH, 1, 2, Verdict.UNKNOWN)) == ""
    assert detection.impairment(GROUP, said(FRESH, 1, 2, Verdict.DOWN, code="x")) == ""
    assert detection.impairment(GROUP, said(FRESH, 1, 2, Verdict.UNKNOWN, code="x")) == "unknown at 1"


@pytest.mark.parametrize(("anchor", "alive"), [(None, None), ("?", None), ("o", True), ("x", False)])
def test_the_far_gateway_is_alive_dead_or_not_known(anchor: str | None, alive: bool | None) -> None:
    assert detection.anchor_alive(GROUP, closed(FRESH, 1, "o", "o", anchor=anchor)) is alive


def test_without_an_anchor_nothing_is_known_of_the_gateway() -> None:
    bare = nothing_yet(GROUP, PathPolicy(A, anchor=False))
    assert detection.anchor_tally(GROUP, bare) is None
    assert detection.anchor_alive(GROUP, bare) is None


def test_a_stream_is_stale_more_than_five_intervals_after_its_last_round() -> None:
    assert detection.stalled(GROUP, FRESH, seconds(100)) is None
    assert detection.stall_deadline_us(GROUP, FRESH) is None
    evidence = closed(FRESH, 0, "o", "o")
    assert detection.stalled(GROUP, evidence, seconds(5) + 7) is None
    assert detection.stalled(GROUP, evidence, seconds(5) + 8) is STREAMS[0]
    assert detection.stall_deadline_us(GROUP, evidence) == seconds(5) + 8
    at_zero = replace(evidence, streams=(replace(evidence.streams[0], closed_us=0), evidence.streams[1]))
    assert detection.stalled(GROUP, at_zero, seconds(5) + 1) is STREAMS[0]
    assert detection.stall_deadline_us(GROUP, at_zero) == seconds(5) + 1
    assert detection.stalled(GROUP, closed(FRESH, 0, "o", index=1), seconds(100)) is None


def test_a_path_loses_where_a_target_of_any_stream_or_a_lone_anchor_lost_in_the_window() -> None:
    assert not detection.losing(GROUP, FRESH)
    lossy = closed(FRESH, 0, "o", "x", anchor="o")
    assert detection.losing(GROUP, lossy)
    assert detection.losing(GROUP, closed(FRESH, 0, "x", index=1))
    assert not detection.losing(GROUP, closed(FRESH, 0, "o", "o", anchor="x"))
    for number in range(1, 4):
        lossy = closed(lossy, number, "o", "o", anchor="o")
    assert detection.losing(GROUP, lossy)
    past = closed(lossy, 4, "o", "o", anchor="o")
    assert not detection.losing(GROUP, past)
    assert not past.flawless


def test_a_lone_anchor_stands_in_for_targets() -> None:
    alone = policy(streams=(stream(targets=()),), sources=())
    fresh = nothing_yet(alone, alone.paths[0])
    end = ProbeResult(Outcome.LOST, 0)
    lost = detection.round_closed(alone, fresh, RoundClosed(7, A, 0, 0, (), end))
    assert detection.losing(alone, lost)
    good = ProbeResult(Outcome.OK, 0, 6)
    answered = detection.round_closed(alone, fresh, RoundClosed(7, A, 0, 0, (), good))
    assert detection.median_rtt_us(answered, alone.base_streams) == 6
    bare = nothing_yet(alone, PathPolicy(A, anchor=False))
    assert detection.median_rtt_us(bare, alone.base_streams) is None


def test_the_median_pools_the_targets_of_the_streams_that_are_asked() -> None:
    evidence = FRESH
    for number, rtt_us in enumerate((3, 4, 5)):
        result = ProbeResult(Outcome.OK, 0, rtt_us)
        event = RoundClosed(7, A, 0, number, (result, result), ProbeResult(Outcome.OK, 0, 7))
        evidence = detection.round_closed(GROUP, evidence, event)
    assert detection.median_rtt_us(evidence, GROUP.base_streams) == 4
    assert detection.median_rtt_us(evidence, ()) is None


def doubted(
    evidence: PathEvidence, number: int, words: str, anchor: str | None, *, index: int = 0
) -> PathEvidence:
    at = seconds(number)
    outcomes = {"o": Outcome.OK, "x": Outcome.LOST, "b": Outcome.TOO_BIG}
    results = tuple(ProbeResult(outcomes[word], at, 5) for word in words)
    end = ProbeResult(outcomes[anchor], at, 5) if anchor else None
    event = RoundClosed(at + 7, A, index, number, results, end)
    assert detection.doubtful(GROUP, filtered(evidence), event) is ("x" in (*words, anchor))
    count = detection.round_doubted(GROUP, filtered(evidence), event)
    return replace(count, sources=evidence.sources)


DROPS = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "strict", "rp_filter", discredits=True)
PASSES = LayerReport(Layer.INTERFACE, Verdict.UP, "up")


def filtered(evidence: PathEvidence) -> PathEvidence:
    """Return the evidence of a path of which the link says that replies are filtered."""
    return detection.layer_reported(GROUP, evidence, LayerReported(seconds(1), A, 2, DROPS))


@pytest.mark.parametrize(
    ("words", "anchor", "good", "known"),
    [
        ("oo", "o", (3, 3, 3), (7, 7, 7)),
        ("xo", "o", (0, 3, 3), (6, 7, 7)),
        ("ox", "x", (3, 0, 0), (7, 6, 6)),
        ("bx", None, (2, 0, 2), (6, 6, 3)),
    ],
)
def test_losses_of_a_round_that_proves_nothing_are_unknown_and_end_the_series(
    words: str, anchor: str | None, good: tuple[int, ...], known: tuple[int, ...]
) -> None:
    before = closed(closed(FRESH, 1, "o", "o", anchor="o"), 2, "o", "o", anchor="o")
    evidence = doubted(before, 3, words, anchor)
    track = evidence.streams[0]
    assert track.anchor is not None
    tallies = (*track.targets, track.anchor)
    assert tuple(tally.good for tally in tallies) == good
    assert tuple(tally.known for tally in tallies) == known
    assert {(tally.lost, tally.fails) for tally in tallies} == {(0, 0)}
    assert (track.closed_us, evidence.flawless) == (seconds(3) + 7, True)
    assert evidence.streams[1] is before.streams[1]


def test_losses_before_they_proved_nothing_stay_counted_but_run_no_longer() -> None:
    evidence = doubted(closed(closed(FRESH, 1, "x", "o"), 2, "x", "o"), 3, "xo", None)
    first = evidence.streams[0].targets[0]
    assert (first.lost, first.fails, first.head) == (0b110, 0, 3)
    other = doubted(evidence, 4, "x", None, index=1)
    assert other.streams[0] is evidence.streams[0]
    assert [track.closed_us for track in other.streams[1:]] == [seconds(4) + 7]


def test_a_doubted_round_is_none_that_told_nothing() -> None:
    silent = closed(closed(FRESH, 1, "?", "?"), 2, "?", "?")
    assert silent.streams[0].untold == 2
    assert doubted(silent, 3, "xx", None).streams[0].untold == 0


def test_losses_are_in_doubt_until_what_was_sent_under_filtering_has_ended() -> None:
    """A probe that was sent before the filter was lifted may close afterwards."""
    lifted = seconds(3)
    before = filtered(closed(FRESH, 1, "o", "o", anchor="o"))
    assert before.discredited_until_us == -1
    again = detection.layer_reported(GROUP, before, LayerReported(seconds(2), A, 2, DROPS))
    assert again.discredited_until_us == -1
    after = detection.layer_reported(GROUP, again, LayerReported(lifted, A, 2, PASSES))
    assert after.discredited_until_us == lifted
    assert detection.layer_reported(GROUP, after, LayerReported(seconds(9), A, 2, PASSES)) == after
    assert closed(after, 2, "o", "o").discredited_until_us == lifted
    for sent_us, in_doubt in ((lifted, True), (lifted + 1, False)):
        lost, good = ProbeResult(Outcome.LOST, sent_us), ProbeResult(Outcome.OK, lifted - 9, 5)
        for event in (
            RoundClosed(seconds(5), A, 0, 2, (good, lost), None),
            RoundClosed(seconds(5), A, 0, 2, (good, good), lost),
        ):
            assert detection.doubtful(GROUP, after, event) is in_doubt
            assert not detection.doubtful(GROUP, closed(FRESH, 1, "o", "o"), event)


def test_of_a_round_that_is_half_in_doubt_the_other_half_counts() -> None:
    lifted = detection.layer_reported(GROUP, filtered(FRESH), LayerReported(seconds(3), A, 2, PASSES))
    early, late = ProbeResult(Outcome.LOST, seconds(3)), ProbeResult(Outcome.LOST, seconds(3) + 1)
    event = RoundClosed(seconds(5), A, 0, 2, (early, late), late)
    track = detection.round_doubted(GROUP, closed(lifted, 1, "x", "x", anchor="x"), event).streams[0]
    assert [(tally.lost & 1, tally.known & 1, tally.fails) for tally in track.targets] == [
        (0, 0, 0),
        (1, 1, 2),
    ]
    assert track.anchor is not None
    assert (track.anchor.lost, track.anchor.fails) == (0b11, 2)


def test_a_stream_is_mute_after_five_rounds_running_that_told_nothing() -> None:
    evidence = closed(FRESH, 1, "o", "o", anchor="o")
    for number in range(2, 6):
        evidence = closed(evidence, number, "?", "?", anchor="?")
        assert detection.mute(GROUP, evidence) is None
    evidence = closed(evidence, 6, "?", "?", anchor="?")
    assert detection.mute(GROUP, evidence) is GROUP.base_streams[0]
    assert evidence.streams[0].untold == 5
    assert detection.mute(GROUP, filtered(evidence)) is None
    assert detection.mute(GROUP, closed(evidence, 7, "?", "x", anchor="?")) is None
    assert closed(evidence, 7, "?", "x", anchor="?").streams[0].untold == 0
