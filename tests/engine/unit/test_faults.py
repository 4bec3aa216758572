# ruff: noqa: E501 - a fault is a line
"""What condemns a path, and who proves it, from rounds that are written out: o answered, x lost, ? unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.engine.unit.story import lines
from tests.engine.unit.test_window import after
from tests.engine.world import A, B, C, policy, seconds, stream
from wgfo.engine import faults
from wgfo.engine.detection import PathEvidence, SourceTrack, nothing_yet
from wgfo.engine.faults import Comparison, Fault, FaultRule, Scene
from wgfo.engine.handshake import Handshake, Renewal
from wgfo.engine.policy import (
    Act,
    EvidenceSource,
    GroupPolicy,
    LatencyRule,
    LossRule,
    PathPolicy,
    RecoverRule,
)
from wgfo.engine.window import Tally
from wgfo.model import (
    LARGE,
    Layer,
    LayerReport,
    Outcome,
    PathName,
    PathState,
    ProbeClass,
    ProbeResult,
    Verdict,
)

TWO = (stream(targets=("t1", "t2")),)
WITH_CLASS = (*TWO, stream(1, base=False, probe_class=LARGE, targets=("t1", "t2", "t3"), fall=9))
LOSS = LossRule(percent=20, window_us=seconds(10), margin=10, confirm_us=seconds(3))
GROUP = policy(
    paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)),
    streams=WITH_CLASS,
    sources=(),
    class_fall=2,
    loss=LOSS,
)
NOW = seconds(10)

Rounds = Mapping[PathName, str]
"""Of each path: the rounds of t1, t2 and the anchor, then of t1, t2, t3 of the large class."""


def track(rounds: str) -> Tally:
    return after("" if rounds == "-" else rounds, capacity=20, rtts=10)


def evidence_of(rules: GroupPolicy, rounds: str, path: PathName = A) -> PathEvidence:
    fresh = nothing_yet(rules, next(one for one in rules.paths if one.name == path))
    words = iter(rounds.split())
    streams = []
    for one in fresh.streams:
        targets = tuple(track(next(words, "-")) for _ in one.targets)
        anchor = track(next(words, "-")) if one.anchor is not None else None
        streams.append(replace(one, targets=targets, anchor=anchor))
    return replace(fresh, streams=tuple(streams), flawless="x" not in rounds)


def scene(a: str = "", b: str = "", c: str = "", rules: GroupPolicy = GROUP, now_us: int = NOW) -> Scene:
    given = zip((A, B, C), (a, b, c), strict=True)
    names = {one.name for one in rules.paths}
    return Scene(
        rules, {name: evidence_of(rules, text, name) for name, text in given if name in names}, now_us
    )


def long_scene(lost: int, others: str = "o o", percent: int = 50, rounds: int = 101) -> Scene:
    """Return a scene in which A lost the newest rounds of a window that is long enough to tell 100 from 101."""
    window_us = seconds(rounds)
    rules = policy(
        paths=(PathPolicy(A), PathPolicy(B)),
        streams=(stream(targets=("t1",)),),
        sources=(),
        loss=LossRule(percent=percent, window_us=window_us, margin=1, confirm_us=seconds(3)),
        recover=RecoverRule(percent=percent, window_us=window_us),
    )
    all_known = (1 << rounds) - 1
    tally = Tally(head=rounds - 1, lost=(1 << lost) - 1, known=all_known, good=1, last_good_us=NOW)
    shown = scene("o o", others, rules=rules)
    mine = shown.evidence[A]
    mine = replace(mine, streams=(replace(mine.streams[0], targets=(tally,), told=True),), flawless=not lost)
    return replace(shown, evidence={**shown.evidence, A: mine})


def words(fault: Fault | None) -> list[str]:
    if fault is None:
        return ["none"]
    told = [f"{fault.rule} since {fault.fault_us}: {fault.reason}", f"state {fault.state}"]
    told += [f"class {one}" for one in sorted(fault.classes)]
    told += [f"target {one}" for one in fault.targets]
    return told + [f"number {name}={value}" for name, value in fault.numbers.items()]


# --- small facts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rounds", "passes", "lives"),
    [
        ("o x x", True, True),
        ("x o x", True, True),
        ("x x o", False, True),
        ("x x x", False, False),
        ("- - -", False, False),
        ("x x x o o o", False, False),
    ],
)
def test_a_path_passes_where_a_target_answers_and_lives_where_anything_does(
    rounds: str, passes: bool, lives: bool
) -> None:
    evidence = evidence_of(GROUP, rounds)
    assert faults.passes(GROUP, evidence) is passes
    assert faults.lives(GROUP, evidence) is lives


def test_a_lone_anchor_passes_for_its_path() -> None:
    alone = policy(streams=(stream(targets=()),), sources=())
    assert faults.passes(alone, evidence_of(alone, "o"))
    assert not faults.passes(alone, evidence_of(alone, "x"))


def test_whether_a_target_answers_elsewhere() -> None:
    three = scene("x o o", "x o o", "o x o")
    assert faults.answers_elsewhere(three, A, GROUP.streams[0], 0)
    assert faults.answers_elsewhere(three, A, GROUP.streams[0], 1)
    assert not faults.answers_elsewhere(three, C, GROUP.streams[0], 0)


@pytest.mark.parametrize(
    ("a", "b", "c", "masked"),
    [
        ("xxx ooo ooo", "xxx ooo ooo", "xxx ooo ooo", {"t1"}),
        ("xxx ooo ooo", "xxx ooo ooo", "ooo ooo ooo", set()),
        ("xxx ooo ooo", "xxx ooo ooo", "xxx xxx xxx", {"t1"}),
        ("xxx xxx ooo", "xxx xxx ooo", "xxx xxx xxx", {"t1", "t2"}),
        ("xxx ooo ooo", "xxx xxx xxx", "xxx xxx xxx", set()),
        ("oxx ooo ooo", "xxx ooo ooo", "xxx ooo ooo", set()),
        ("xxx ooo ooo", "oxx ooo ooo", "xxx ooo ooo", set()),
    ],
)
def test_a_target_is_masked_where_every_path_that_lives_loses_it(
    a: str, b: str, c: str, masked: set[str]
) -> None:
    assert faults.masked(scene(a, b, c), A) == masked


# --- proof ------------------------------------------------------------------------------------------------


def proved(
    rule: FaultRule, a: str, b: str, c: str = "", now_us: int = NOW, **more: object
) -> tuple[PathName, ...]:
    fault = Fault(rule, "why", seconds(2), **more)
    return faults.proved(scene(a, b, c, now_us=now_us), A, fault)


@pytest.mark.parametrize("rule", [FaultRule.BLACKOUT, FaultRule.NOT_FORWARDING])
@pytest.mark.parametrize(
    ("a", "b", "c", "paths"),
    [
        ("oxxx oxxx oxxx", "oooo oooo oooo", "oxxx oxxx oxxx", (B,)),
        ("oxxx oxxx oxxx", "oooo oooo oooo", "oooo oooo oooo", (B, C)),
        ("oxxx oxxx oxxx", "ooxo oooo oooo", "ooxo ooxo oooo", (B,)),
        ("oxxx oxxx oxxx", "ooox ooxo oxoo", "ooxx ooxx oooo", (B,)),
        ("xxxxx ooxxx oxxxx", "ooxxx oooxx oooxx", "ooooo oooox ooooo", (C,)),
        ("xxxxx ooxxx oxxxx", "oooxx oooxx ooooo", "ooooo ooooo ooooo", (C,)),
        ("oxxx oxxx oxxx", "xxxx xxxx oooo", "oxxx oxxx oxxx", ()),
    ],
)
def test_a_blackout_is_proved_by_answers_in_the_rounds_in_which_all_was_lost(
    rule: FaultRule, a: str, b: str, c: str, paths: tuple[PathName, ...]
) -> None:
    assert proved(rule, a, b, c) == paths


@pytest.mark.parametrize(
    ("a", "b", "paths"),
    [
        ("o o o xx xx oo", "o o o oo oo oo", (B,)),
        ("o o o xx oo oo", "o o o oo xx xx", (B,)),
        ("o o o xx xx oo", "o o o oo xo oo", ()),
        ("o o o xx xx ox", "o o o oo oo xx", (B,)),
        ("o o o oo ox ox", "o o o oo oo oo", ()),
    ],
)
def test_a_class_is_proved_by_the_same_targets_in_the_same_rounds(
    a: str, b: str, paths: tuple[PathName, ...]
) -> None:
    assert proved(FaultRule.CLASS, a, b, classes=(LARGE,)) == paths
    assert proved(FaultRule.CLASS, a, b, classes=(ProbeClass("tcp"),)) == ()


def test_a_path_that_went_dark_as_well_proves_no_blackout_by_what_it_answered_before() -> None:
    cut = "oxxxxxxx oxxxxxxx oxxxxxxx"
    assert proved(FaultRule.BLACKOUT, cut, "oooooxxx ooooooxx oooooooo") == (B,)
    assert proved(FaultRule.BLACKOUT, cut, "oooooxxx oooooxxx oooooooo") == ()


def test_of_several_streams_one_that_answered_is_proof_enough() -> None:
    two = policy(streams=(stream(targets=("t1",)), stream(1, probe_class=LARGE, targets=("t2",))), sources=())
    cut = Fault(FaultRule.BLACKOUT, "why", seconds(2))
    assert faults.proved(scene("oxxx oxxx oxxx oxxx", "oooo oooo xxxx xxxx", rules=two), A, cut) == (B,)
    assert faults.proved(scene("oxxx oxxx - -", "oooo oooo - -", rules=two), A, cut) == (B,)
    assert faults.proved(scene("- - oxxx oxxx", "- - oooo oooo", rules=two), A, cut) == (B,)
    assert faults.proved(scene("oxxx oxxx oxxx oxxx", "oxoo oooo xxxx xxxx", rules=two), A, cut) == ()


def test_a_class_is_proved_by_its_own_stream_whatever_the_other_classes_do() -> None:
    tcp = stream(2, base=False, probe_class=ProbeClass("tcp"), targets=("t1",))
    rules = replace(GROUP, streams=(*WITH_CLASS, tcp))
    fault = Fault(FaultRule.CLASS, "why", seconds(2), classes=(LARGE,))
    shown = scene("o o o xx xx oo oo", "o o o oo oo oo xx", rules=rules)
    assert faults.proved(shown, A, fault) == (B,)


@pytest.mark.parametrize(
    ("b", "paths"),
    [
        ("oooooooooo oooooooooo o", (B,)),
        ("ooooooo??? ooooooo??? o", ()),
        ("oooooooo?? ooooooo??? o", (B,)),
        ("oooxoxoooo ooooxooooo o", (B,)),
        ("xoooxoooxo xoooxoooxo o", ()),
        ("oxxxxxxxxo oooooooooo o", ()),
    ],
)
def test_a_loss_is_proved_by_a_path_that_answers_lately_loses_less_and_little(
    b: str, paths: tuple[PathName, ...]
) -> None:
    losing = "oxxoxoxoxo ooooxxoxxo o"
    assert proved(FaultRule.LOSS, losing, b) == paths


def test_an_answer_of_just_the_confirm_time_is_lately() -> None:
    losing = "oxxoxoxoxo ooooxxoxxo o"
    assert proved(FaultRule.LOSS, losing, "ooooooooo? ooooooooo? o", now_us=seconds(11)) == (B,)
    assert proved(FaultRule.LOSS, losing, "ooooooooo? ooooooooo? o", now_us=seconds(11) + 1) == ()


def test_latency_is_proved_by_a_path_that_passes_and_is_not_slow() -> None:
    rules = replace(GROUP, latency=LatencyRule(4))
    fault = Fault(FaultRule.LATENCY, "why", 0)
    assert faults.proved(scene("o o o", "o o o", "x x x", rules), A, fault) == ()
    quick = replace(GROUP, latency=LatencyRule(5))
    assert faults.proved(scene("o o o", "o o o", "x x x", quick), A, fault) == (B,)


@pytest.mark.parametrize("rule", [FaultRule.INTERFACE, FaultRule.HANDSHAKE, FaultRule.EVIDENCE])
@pytest.mark.parametrize(
    ("b", "paths"),
    [
        ("oooo xxxx x", (B,)),
        ("ooo? xxxx x", ()),
        ("ooox xxxx x", ()),
        ("xxxx ooox x", ()),
        ("oooox ooooo o", (B,)),
    ],
)
def test_other_faults_are_proved_by_an_answer_newer_than_they(
    rule: FaultRule, b: str, paths: tuple[PathName, ...]
) -> None:
    assert proved(rule, "x x x", b) == paths


def test_a_path_whose_probes_prove_nothing_proves_nothing() -> None:
    rules = replace(GROUP, sources=(EvidenceSource(2, "interface", Layer.INTERFACE),))
    shown = scene("oxxx oxxx oxxx", "oooo oooo oooo", rules=rules)
    filtered = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "filtered", discredits=True)
    doubtful = replace(shown.evidence[B], sources=(SourceTrack(filtered),))
    shown = replace(shown, evidence={**shown.evidence, B: doubtful})
    assert faults.proved(shown, A, Fault(FaultRule.BLACKOUT, "why", 0)) == ()
    assert not faults.lives(rules, doubtful)


# --- blackout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "rule"),
    [
        ("xxx xxx xxx", "ooo ooo ooo", "blackout"),
        ("xxx xxx ooo", "ooo ooo ooo", "not_forwarding"),
        ("xxx xxx ooo", "xxx xxx ooo", None),  # the remote site is dark
        ("xxx xxx ooo", "xxx xxx xxx", "not_forwarding"),  # no other path lives
        ("xxx xxx oox", "ooo ooo ooo", None),  # the gateway is neither dead nor alive yet
        ("xxx xxx -", "ooo ooo ooo", "not_forwarding"),
        ("xxx oxx xxx", "ooo ooo ooo", None),
        ("xxx ? xxx", "ooo ooo ooo", "blackout"),  # a target that was never heard of is left out
        ("- - xxx", "ooo ooo ooo", None),
        ("xxx xxx ooo", "ooo xxo ooo", "not_forwarding"),
        ("xxx xxx ooo", "oox xxo ooo", "not_forwarding"),
        ("xxx xxx ooo", "oox xox ooo", None),
    ],
)
def test_every_target_silent_is_a_blackout_or_no_forwarding(a: str, b: str, rule: str | None) -> None:
    fault = faults.down_fault(scene(a, b), A)
    assert (fault.rule.value if fault else None) == rule


def test_one_path_that_answers_tells_no_forwarding_from_a_dark_site() -> None:
    silent = "xxx xxx ooo"
    for others in (("ooo ooo ooo", silent), (silent, "ooo ooo ooo")):
        fault = faults.down_fault(scene(silent, *others), A)
        assert fault is not None
        assert fault.rule is FaultRule.NOT_FORWARDING
    assert faults.down_fault(scene(silent, silent, silent), A) is None


def test_targets_that_were_never_heard_of_are_not_in_a_blackouts_numbers() -> None:
    fault = faults.down_fault(scene("xxx ? xxx", "ooo ooo ooo"), A)
    assert fault is not None
    assert fault.numbers == {"lost_rounds": 3, "targets": 1}


def test_a_stream_without_targets_makes_no_lone_anchor_of_one_that_has_them() -> None:
    two = policy(streams=(stream(targets=("t1",)), stream(1, targets=(), fall=2)), sources=())
    gateway_answers = scene("xxx ooo xxx", "ooo ooo ooo", rules=two)
    assert words(faults.down_fault(gateway_answers, A))[0].startswith("not_forwarding")
    alone = policy(streams=(stream(targets=()), stream(1, targets=(), fall=2)), sources=())
    assert words(faults.down_fault(scene("xxx xxx", "ooo ooo", rules=alone), A))[0].startswith("blackout")


def test_a_blackout_tells_its_numbers() -> None:
    assert words(faults.down_fault(scene("oxxxx ooxxx oxxxx", "ooooo ooooo ooooo"), A)) == lines(
        """
        blackout since 2000000: data plane dead (2 of 2 targets silent for 3 rounds: why 4)
        state down
        class small
        target t1
        target t2
        number lost_rounds=3
        number targets=2
        """
    )


def test_a_path_without_anchor_or_without_targets_is_in_blackout_too() -> None:
    bare = policy(paths=(PathPolicy(A, anchor=False), PathPolicy(B)), streams=TWO, sources=())
    assert words(faults.down_fault(scene("xxx xxx", "ooo ooo ooo", rules=bare), A)) == lines(
        """
        blackout since 0: data plane dead (2 of 2 targets silent for 3 rounds: why 2)
        state down
        class small
        target t1
        target t2
        number lost_rounds=3
        number targets=2
        """
    )
    alone = policy(streams=(stream(targets=()),), sources=())
    assert words(faults.down_fault(scene("oxxx", "oooo", rules=alone), A)) == lines(
        """
        blackout since 1000000: data plane dead (1 of 1 targets silent for 3 rounds: why 3)
        state down
        class small
        number lost_rounds=3
        number targets=1
        """
    )


def test_two_streams_are_silent_together_or_not_at_all() -> None:
    two = policy(
        streams=(stream(targets=("t1",), fall=2), stream(1, probe_class=LARGE, targets=("t2",))), sources=()
    )
    assert words(
        faults.down_fault(scene("oxxx oxxx oxxx xxxx", "oooo oooo oooo oooo", rules=two), A)
    ) == lines(
        """
        blackout since 1000000: data plane dead (2 of 2 targets silent for 3 rounds: why 3)
        state down
        class large
        class small
        target t1
        target t2
        number lost_rounds=3
        number targets=2
        """
    )
    assert faults.down_fault(scene("oxxx oxxx ooxx oooo", "oooo oooo oooo oooo", rules=two), A) is None
    assert words(faults.down_fault(scene("oxxx oxxx - -", "oooo oooo - -", rules=two), A))[:1] == lines(
        """
        blackout since 1000000: data plane dead (1 of 1 targets silent for 3 rounds: why 3)
        """
    )


# --- other layers -----------------------------------------------------------------------------------------

SOURCES = (
    EvidenceSource(2, "interface", Layer.INTERFACE),
    EvidenceSource(3, "alerts", Layer.DATAPLANE, Act.ALONE),
    EvidenceSource(4, "query", Layer.DATAPLANE, Act.ALONE),
    EvidenceSource(5, "handshake", Layer.HANDSHAKE),
)
LAYERED = replace(GROUP, sources=SOURCES)


def layered(
    rounds: str, *said: Verdict | None, handshake: Handshake | None = None, now_us: int = NOW
) -> Scene:
    shown = scene(rounds, "oooo oooo oooo", rules=LAYERED, now_us=now_us)
    tracks = tuple(
        SourceTrack(
            None if verdict is None else LayerReport(SOURCES[place].layer, verdict, f"it is {verdict}"),
            70 + place,
        )
        for place, verdict in enumerate((*said, *(None,) * (4 - len(said))))
    )
    mine = replace(shown.evidence[A], sources=tracks, handshake=handshake or Handshake())
    return replace(shown, evidence={**shown.evidence, A: mine})


def test_the_surest_fault_is_told() -> None:
    down, up = Verdict.DOWN, Verdict.UP
    assert words(faults.down_fault(layered("xxx xxx xxx", down, down), A)) == lines(
        """
        interface since 70: interface down: it is down
        state down
        """
    )
    assert words(faults.down_fault(layered("xxx xxx xxx", up, up, down), A)) == lines(
        """
        evidence since 72: it is down
        state down
        """
    )
    assert words(faults.down_fault(layered("xxx xxx xxx", up, up, up), A)) == lines(
        """
        blackout since 0: interface up, handshake unknown, data plane dead (2 of 2 targets silent for 3 rounds: why 2)
        state down
        class small
        target t1
        target t2
        number lost_rounds=3
        number targets=2
        """
    )
    assert faults.down_fault(layered("ooo xxx xxx", up, up, up), A) is None


def test_an_expired_handshake_condemns_unless_packets_pass() -> None:
    old = Handshake(1, 7, 5, seconds(185))
    assert words(faults.down_fault(layered("x x x", handshake=old, now_us=seconds(190)), A)) == lines(
        """
        handshake since 180000006: handshake older than 189 s while sending
        state down
        """
    )
    assert faults.down_fault(layered("o x x", handshake=old, now_us=seconds(190)), A) is None
    assert faults.down_fault(layered("x x x", handshake=old, now_us=seconds(180)), A) is None


def test_a_handshake_that_never_was_condemns_since_the_end_of_its_time() -> None:
    never = Handshake(first_us=5, sent_grew_us=seconds(20))
    assert words(faults.down_fault(layered("x x x", handshake=never, now_us=seconds(21)), A))[:1] == lines(
        """
        handshake since 15000006: there never was a handshake, while sending
        """
    )


def test_a_blackout_tells_of_handshakes_that_are_renewed_for_nothing() -> None:
    renewals = tuple(Renewal(seconds(5 * turn), 100 + 92 * turn) for turn in range(3))
    churning = Handshake(1, 7, seconds(10), renewals=renewals)
    told = "handshake fresh (renewed every few seconds, almost nothing received), data plane dead"
    for said, before in (((), ""), ((Verdict.UP,), "interface up, ")):
        fault = faults.down_fault(layered("xxx xxx xxx", *said, handshake=churning), A)
        assert fault is not None
        assert fault.reason == f"{before}{told} (2 of 2 targets silent for 3 rounds: why 2)"


@pytest.mark.parametrize(
    ("handshake", "now_us", "told"),
    [
        (Handshake(), NOW, "handshake unknown"),
        (Handshake(1, 7), NOW, "handshake fresh"),
        (Handshake(1, 7, 5, seconds(185)), seconds(190), "handshake expired"),
    ],
)
def test_a_blackout_tells_what_the_handshake_says(handshake: Handshake, now_us: int, told: str) -> None:
    fault = faults.down_fault(layered("xxx xxx xxx", handshake=handshake, now_us=now_us), A)
    assert fault is not None
    assert fault.reason.startswith(f"{told}, data plane dead")


def test_a_blackout_tells_what_the_losses_said() -> None:
    shown = layered("xxx xxx xxx")
    first, second = shown.evidence[A].streams[0].targets
    told = (replace(first, reason="no route"), replace(second, reason=""))
    streams = (replace(shown.evidence[A].streams[0], targets=told), *shown.evidence[A].streams[1:])
    mine = replace(shown.evidence[A], streams=streams)
    assert words(faults.down_fault(replace(shown, evidence={**shown.evidence, A: mine}), A))[:1] == lines(
        """
        blackout since 0: handshake unknown, data plane dead (2 of 2 targets silent for 3 rounds: no route)
        """
    )


# --- loss, class, latency ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "margin", "trips"),
    [(2000, 1000, True), (1999, 1000, False), (2000, 999, False), (4000, 4000, True), (0, 0, False)],
)
def test_a_comparison_trips_at_both_limits(lost: int, margin: int, trips: bool) -> None:
    assert Comparison(lost, 10_000, margin, B).trips(20, 10) is trips


def test_losses_are_compared_target_by_target_over_the_window() -> None:
    assert faults.compare(
        scene("xxoxoxoxxoxo oooooooooooo o", "oooooooooooo oooooxoooooo o"), A, B
    ) == Comparison(5, 20, 5, B)
    alone = policy(streams=(stream(targets=()),), sources=(), loss=LOSS)
    assert faults.compare(scene("oxxo", "oooo", rules=alone), A, B) == Comparison(2, 10, 2, B)


@pytest.mark.parametrize(
    ("rounds", "below"), [("oxxxo ooooo o", True), ("oxxxx ooooo o", False), ("oxxxo oxooo o", False)]
)
def test_a_path_is_below_the_trip_threshold_by_its_own_loss(rounds: str, below: bool) -> None:
    assert faults.below_trip(scene(rounds), A) is below


@pytest.mark.parametrize(("lost", "below"), [(50, True), (51, False)])
def test_the_limits_on_loss_are_exact_over_long_windows(lost: int, below: bool) -> None:
    shown = long_scene(lost)
    assert faults.below_trip(shown, A) is below
    assert (faults.loss_fault(shown, A, Comparison(1, 2, 1, B), 0).targets == ()) is below


def test_a_window_of_one_probe_is_lost_with_it() -> None:
    one = policy(streams=(stream(targets=("t1",)),), sources=(), loss=LossRule(percent=60, window_us=1))
    assert faults.below_trip(scene("xo o", rules=one), A)
    assert not faults.below_trip(scene("ox o", rules=one), A)


def test_a_path_without_rounds_of_the_base_class_is_below_it() -> None:
    assert faults.below_trip(scene(rules=policy(streams=(), sources=())), A)


def test_a_loss_tells_its_numbers_and_the_targets_that_lose() -> None:
    shown = scene("oxxo oooo o", "oooo oooo o")
    assert words(faults.loss_fault(shown, A, Comparison(3, 20, 2, B), 77)) == lines(
        """
        loss since 77: loss: 15 % over 10 s, 10 points worse than b (t1)
        state degraded
        class small
        target t1
        number loss_percent=15
        number margin_points=10
        number lost=3
        """
    )
    worse = scene("oxo oxxo o", "oooo oooo o")
    assert words(faults.loss_fault(worse, A, Comparison(199, 200, 199, B), 77)) == lines(
        """
        loss since 77: loss: 99 % over 10 s, 99 points worse than b (t2)
        state degraded
        class small
        target t2
        number loss_percent=99
        number margin_points=99
        number lost=199
        """
    )
    assert words(faults.loss_fault(scene("o oo o", "o o o"), A, Comparison(1, 1, 1, B), 77))[:1] == lines(
        """
        loss since 77: loss: 100 % over 10 s, 100 points worse than b
        """
    )


@pytest.mark.parametrize(
    ("rounds", "failing"),
    [
        ("o o o xx xx oo", ("t1", "t2")),
        ("o o o xx oo xx", ("t1", "t3")),
        ("o o o xx xx xx", ("t1", "t2", "t3")),
        ("o o o xx oo oo", ()),
        ("o o o xx ox oo", ()),
    ],
)
def test_a_class_fails_at_two_targets_or_all(rounds: str, failing: tuple[str, ...]) -> None:
    assert faults.class_fails(GROUP, evidence_of(GROUP, rounds), GROUP.streams[1]) == failing


def test_a_class_of_one_target_fails_with_it() -> None:
    one = replace(GROUP, streams=(*TWO, stream(1, base=False, probe_class=LARGE, targets=("t1",))))
    assert faults.class_fails(one, evidence_of(one, "o o o xx"), one.streams[1]) == ("t1",)
    assert faults.class_fails(one, evidence_of(one, "o o o ox"), one.streams[1]) == ()


def test_a_class_that_fails_tells_its_numbers_while_small_packets_pass() -> None:
    assert words(faults.class_fault(scene("o o o oxxx oooo ooxx"), A)) == lines(
        """
        class since 2000000: class large fails 2 times running at t1, t3 while small packets pass (MTU: large packets die, small ones pass)
        state degraded
        class large
        target t1
        target t3
        number targets=2
        number lost_rounds=2
        """
    )
    assert faults.class_fault(scene("x x o oxxx oooo ooxx"), A) is None
    assert faults.class_fault(scene("o o o oxxx oooo oooo"), A) is None
    tcp = replace(
        GROUP, streams=(*TWO, stream(1, base=False, probe_class=ProbeClass("tcp"), targets=("t1",)))
    )
    assert words(faults.class_fault(scene("o o o oxxx", rules=tcp), A))[:1] == lines(
        """
        class since 1000000: class tcp fails 2 times running at t1 while small packets pass
        """
    )


def test_a_median_above_the_limit_tells_its_numbers() -> None:
    slow = after("")
    for number, rtt_us in enumerate((2_000, 9_000, 9_000)):
        slow = faults.window.closed(slow, number, ProbeResult(Outcome.OK, 0, rtt_us), 10, 10)
    for limit_us, above in ((8_703, True), (8_704, False)):
        rules = replace(GROUP, latency=LatencyRule(limit_us))
        shown = scene("o o o", rules=rules)
        track = replace(shown.evidence[A].streams[0], targets=(slow, Tally()))
        mine = replace(shown.evidence[A], streams=(track, *shown.evidence[A].streams[1:]))
        shown = replace(shown, evidence={**shown.evidence, A: mine})
        assert (faults.latency_fault(shown, A) is not None) is above
        if above:
            assert words(faults.latency_fault(shown, A)) == lines(
                """
        latency since 10000000: latency: median 8 ms, above 8 ms
        state degraded
        number median_us=8704
        number limit_us=8703
        """
            )
    assert faults.latency_fault(scene("o o o"), A) is None
    assert faults.latency_fault(scene("x x x", rules=replace(GROUP, latency=LatencyRule(0))), A) is None


def test_which_rules_put_a_path_down() -> None:
    down = {rule for rule in FaultRule if Fault(rule, "", 0).state is PathState.DOWN}
    assert down == set(FaultRule) - {FaultRule.LOSS, FaultRule.CLASS, FaultRule.LATENCY}
