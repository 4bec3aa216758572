# ruff: noqa: E501 - a decision is a line
"""Sources that lead instead of rounds: what their word is worth, and from when on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.unit.story import brisk, lines, shown, told
from tests.engine.world import A, B, PathName, World, policy, seconds, stream
from wgfo.engine import vouching
from wgfo.engine.detection import PathEvidence, SourceTrack, nothing_yet
from wgfo.engine.events import LayerReported
from wgfo.engine.policy import SECOND_US, Act, EvidenceSource
from wgfo.model import Layer, LayerReport, Verdict

LEADING = (
    EvidenceSource(0, "interface", Layer.INTERFACE),
    EvidenceSource(1, "alerts", Layer.DATAPLANE, Act.ALONE, interval_us=seconds(2)),
    EvidenceSource(2, "hint", Layer.DATAPLANE, interval_us=seconds(9)),
    EvidenceSource(3, "query", Layer.DATAPLANE, Act.ALONE, interval_us=seconds(4)),
)
GROUP = policy(streams=(), sources=LEADING, rise=3)
UP, DOWN, UNKNOWN = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN


def saying(
    alerts: tuple[Verdict, int] | None = None, query: tuple[Verdict, int] | None = None
) -> PathEvidence:
    """Return evidence in which the two leading sources have said something since a second."""
    evidence = nothing_yet(GROUP, GROUP.paths[0])
    tracks = list(evidence.sources)
    for place, said in ((1, alerts), (3, query)):
        if said is not None:
            verdict, since = said
            report = LayerReport(Layer.DATAPLANE, verdict, f"{LEADING[place].kind} says {verdict}")
            tracks[place] = SourceTrack(report, seconds(since))
    return replace(evidence, sources=tuple(tracks))


def test_only_sources_of_the_data_plane_that_decide_alone_lead_and_only_without_rounds() -> None:
    assert GROUP.leading == (LEADING[1], LEADING[3])
    assert GROUP.vouch_us == seconds(4)
    with_rounds = policy(sources=LEADING)
    assert with_rounds.leading == ()
    assert with_rounds.vouch_us == SECOND_US
    assert policy(streams=(stream(act=Act.CORROBORATE),), sources=LEADING).leading == GROUP.leading


@pytest.mark.parametrize(
    ("alerts", "query", "since"),
    [
        (None, None, None),
        ((UP, 5), None, 5),
        ((UP, 5), (UP, 3), 3),
        ((UNKNOWN, 1), (UP, 3), 3),
        ((UNKNOWN, 1), None, None),
        ((UP, 5), (DOWN, 7), None),
        ((DOWN, 5), None, None),
    ],
)
def test_a_path_is_vouched_for_since_the_first_that_says_up_while_none_says_down(
    alerts: tuple[Verdict, int] | None, query: tuple[Verdict, int] | None, since: int | None
) -> None:
    evidence = saying(alerts, query)
    assert vouching.up_since_us(GROUP, evidence) == (None if since is None else seconds(since))
    assert vouching.vouches(GROUP, evidence) is (since is not None)


@pytest.mark.parametrize(("at", "rounds"), [(10, 0), (13.999, 0), (14, 1), (22, 3)])
def test_each_interval_of_the_slowest_counts_as_a_clean_round(at: float, rounds: int) -> None:
    assert vouching.rounds(GROUP, saying((UP, 10)), seconds(at)) == rounds
    assert vouching.rounds(GROUP, saying(), seconds(at)) == 0


def test_the_proof_is_an_interval_later_than_the_fault() -> None:
    evidence = saying((UP, 1))
    assert not vouching.proves(GROUP, evidence, seconds(10), seconds(14) - 1)
    assert vouching.proves(GROUP, evidence, seconds(10), seconds(14))
    assert not vouching.proves(GROUP, saying(), seconds(10), seconds(20))


def test_the_word_is_that_of_the_first_that_says_up() -> None:
    assert vouching.word(GROUP, saying((UNKNOWN, 1), (UP, 1))) == "query says up"
    assert vouching.word(GROUP, saying((UP, 1), (UP, 1))) == "alerts says up"
    assert vouching.word(GROUP, saying((DOWN, 1))) == ""


@pytest.mark.parametrize(
    ("alerts", "query", "why"),
    [
        (None, None, "no source has said anything yet"),
        ((UNKNOWN, 1), None, "alerts says unknown"),
        ((UNKNOWN, 1), (UNKNOWN, 1), "alerts says unknown"),
        ((UNKNOWN, 1), (UP, 1), ""),
        ((DOWN, 1), None, ""),
    ],
)
def test_silence_is_told_in_the_words_of_the_first_that_knows_nothing(
    alerts: tuple[Verdict, int] | None, query: tuple[Verdict, int] | None, why: str
) -> None:
    assert vouching.silence(GROUP, saying(alerts, query)) == why
    assert vouching.silence(policy(sources=LEADING), saying(alerts, query)) == ""


def test_a_source_that_knows_nothing_and_says_no_word_is_passed_over() -> None:
    evidence = saying((UNKNOWN, 1), (UNKNOWN, 1))
    tracks = [replace(one, report=one.report and replace(one.report, reason="")) for one in evidence.sources]
    silent = replace(evidence, sources=tuple(tracks))
    assert vouching.silence(GROUP, silent) == "no source has said anything yet"
    tracks[3] = evidence.sources[3]
    assert vouching.silence(GROUP, replace(evidence, sources=tuple(tracks))) == "query says unknown"


def test_sources_come_after_the_streams() -> None:
    later = tuple(replace(one, index=one.index + 1) for one in LEADING)
    beside = policy(streams=(stream(act=Act.CORROBORATE),), sources=later)
    assert vouching.up_since_us(beside, saying((UP, 5))) == seconds(5)


def test_what_was_vouched_for_before_a_pause_counts() -> None:
    evidence = saying((UP, 20))
    tracks = [replace(one, vouched_us=seconds(8)) if one.report else one for one in evidence.sources]
    paused = replace(evidence, sources=tuple(tracks))
    assert vouching.up_since_us(GROUP, paused) == seconds(12)


def test_a_path_had_its_chance_after_as_many_intervals_as_it_needs_to_rise() -> None:
    evidence = saying((UNKNOWN, 5), (UP, 1))
    assert not vouching.tried(GROUP, evidence, seconds(13) - 1)
    assert vouching.tried(GROUP, evidence, seconds(13))
    assert not vouching.tried(GROUP, saying(), seconds(100))


@pytest.mark.parametrize(
    ("clean", "fault_us", "times"),
    [(2, None, (22,)), (3, None, ()), (2, seconds(15), (22, 19)), (3, seconds(15), (19,))],
)
def test_time_alone_makes_a_path_rise_and_proves_it(
    clean: int, fault_us: int | None, times: tuple[int, ...]
) -> None:
    expected = tuple(seconds(at) for at in times)
    assert vouching.deadlines_us(GROUP, saying((UP, 10)), clean, fault_us) == expected
    assert vouching.deadlines_us(GROUP, saying((DOWN, 10)), clean, fault_us) == ()


ALERTS = (EvidenceSource(0, "alerts", Layer.DATAPLANE, Act.ALONE, interval_us=seconds(2)),)


def says(world: World, at: float, path: PathName, verdict: Verdict) -> None:
    report = LayerReport(Layer.DATAPLANE, verdict, f"alerts say {verdict}")
    world.at(at, lambda: world.dispatch(LayerReported(world.now, path, 0, report)))


def led() -> World:
    world = World(brisk(streams=(), sources=ALERTS))
    for at, path, verdict in (
        (1, A, UP),
        (1.2, B, UP),
        (10, A, DOWN),
        (16, A, UP),
        (30, A, UNKNOWN),
        (34, B, DOWN),
        (40, A, UP),
    ):
        says(world, at, path, verdict)
    return world


def test_a_group_that_sends_no_packets_is_led_by_its_sources() -> None:
    assert told(led().run(60)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 1, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 1
        7.000 a unknown -> up, rise: 3 clean rounds [clean=3]
        7.200 b unknown -> up, rise: 3 clean rounds [clean=3]
        10.000 a up -> down, evidence: alerts say down
        12.000 switch a -> b epoch 2, signal_fail: a is down: alerts say down fault 10.000
        12.000 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on b epoch 2
        22.000 a down -> up, rise: 3 clean rounds [clean=3]
        26.000 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        26.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        26.000 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        26.020 observe linux/main/g (urgent): verify
        26.025 converged linux/main/g on a epoch 3
        30.000 a up -> unknown, blind: alerts say unknown
        34.000 b up -> down, evidence: alerts say down
        40.000 a unknown -> up, rise: 3 clean rounds [clean=3]
        56.025 observe linux/main/g: reconcile
        """
    )


def test_what_is_shown_of_a_group_that_is_led() -> None:
    world = led()
    assert shown(world.run(8)) == lines(
        """
        group name=g, state=ok, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=alerts say up, since_us=7000000, layers={interface: not_probed, handshake: not_probed, dataplane: up}, lost=0, known=0, usable=True, restorable=True, clean_rounds=3
          outlook name=a, lost=0, possible=1
        path name=b, state=up, reason=alerts say up, since_us=7200000, layers={interface: not_probed, handshake: not_probed, dataplane: up}, lost=0, known=0, usable=True, restorable=True, clean_rounds=3
          outlook name=b, lost=0, possible=1
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        """
    )
    assert shown(world.run(33)) == lines(
        """
        group name=g, state=degraded, mode=auto, active=a, desired=a, epoch=3, converged=True, rule=stay, reason=a is unknown: alerts say unknown, damped_until_us=1305687500, penalty=2000
        path name=a, state=unknown, active=True, reason=alerts say unknown, since_us=30000000, layers={interface: not_probed, handshake: not_probed, dataplane: unknown}, lost=0, known=0, clean_rounds=0
          outlook name=a, lost=0, possible=1
        path name=b, state=up, reason=alerts say up, since_us=7200000, layers={interface: not_probed, handshake: not_probed, dataplane: up}, lost=0, known=0, usable=True, restorable=True, clean_rounds=3
          outlook name=b, lost=0, possible=1
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=26025000, attempt=1
        alarm name=flapping, since_us=26000000, text=too many switches lately: returns are suppressed, escapes are not
        """
    )
