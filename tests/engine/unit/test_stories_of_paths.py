# ruff: noqa: E501 - a decision is a line
"""What is decided when paths fail and heal, to the line."""

from __future__ import annotations

from tests.engine.unit.story import brisk, lines, told
from tests.engine.world import TARGETS, A, B, C, Fault, World, seconds, stream
from wgfo.engine.events import HandshakeRead, LayerReported, ServiceClosed
from wgfo.engine.policy import (
    Act,
    DampingRule,
    EvidenceSource,
    LatencyRule,
    LossRule,
    PathPolicy,
    RecoverRule,
    ServicePolicy,
)
from wgfo.model import LARGE, HandshakeReport, Layer, LayerReport, Outcome, PathName, ProbeResult, Verdict

SOURCES = (
    EvidenceSource(1, "interface", Layer.INTERFACE),
    EvidenceSource(2, "handshake", Layer.HANDSHAKE),
    EvidenceSource(3, "alerts", Layer.DATAPLANE, Act.ALONE),
)
THREE = (PathPolicy(A), PathPolicy(B), PathPolicy(C))


def says(
    world: World, at: float, path: PathName, source: int, *, verdict: Verdict, reason: str, **more: object
) -> None:
    """Let a source say something of a path at a second."""
    layer = SOURCES[source - 1].layer
    report = LayerReport(layer, verdict, reason, **more)  # type: ignore[arg-type]
    world.at(at, lambda: world.dispatch(LayerReported(world.now, path, source, report)))


def test_a_cut_path_is_left_and_returned_to_after_the_wait() -> None:
    world = World(brisk(), faults=[Fault((A,), 5, 12)]).run(30)
    assert told(world) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 1, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 1
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        6.838 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): verify
        7.862 converged linux/main/g on b epoch 2
        20.041 a down -> up, rise: 9 clean rounds [clean=9]
        20.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        21.041 alarm background_loss over
        25.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        25.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        25.061 observe linux/main/g (urgent): verify
        25.066 converged linux/main/g on a epoch 3
        """
    )


def test_silence_behind_a_gateway_that_answers_is_the_paths_own_fault_where_another_passes() -> None:
    world = World(brisk(), faults=[Fault((A,), 5, 8.5, targets=TARGETS, anchor=False)]).run(14)
    assert told(world, 4) == lines(
        """
        6.825 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.825 a up -> down, not_forwarding: far gateway answers, hosts behind it do not (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.825 switch a -> b epoch 2, signal_fail: a is down: far gateway answers, hosts behind it do not (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.825 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.825 alarm background_loss over
        7.845 observe linux/main/g (urgent): verify
        7.850 converged linux/main/g on b epoch 2
        """
    )


def test_a_dark_site_is_told_and_nothing_moves() -> None:
    world = World(brisk(), faults=[Fault((A, B), 5, 12, targets=TARGETS, anchor=False)]).run(25)
    assert told(world, 4) == lines(
        """
        6.825 alarm background_loss: a: 6 of 21 probes lost over 10 s
        6.825 alarm background_loss (page): a: 6 of 21 probes lost over 10 s; b: 6 of 21 probes lost over 10 s
        7.825 alarm remote_down (page): remote site down: every target is silent on every path while the far gateways answer
        7.825 alarm background_loss over
        12.040 alarm background_loss (page): a: 21 of 30 probes lost over 10 s; b: t1, t2, t3 out of reach; b: 21 of 30 probes lost over 10 s
        12.040 alarm remote_down over
        20.041 alarm background_loss over
        """
    )


def test_an_isolated_controller_decides_nothing() -> None:
    group = brisk(has_reference=True, sources=SOURCES[:2])
    world = World(group, faults=[Fault((A, B), 5, 12)], reference_dead=(5, 12)).run(25)
    assert told(world, 4) == lines(
        """
        5.838 alarm background_loss: a: 3 of 18 probes lost over 10 s; b: 3 of 18 probes lost over 10 s
        6.000 alarm isolated (page): this controller is isolated: no path answers and the local reference hosts are silent too
        6.838 alarm background_loss (page): a: 6 of 21 probes lost over 10 s; b: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: handshake unknown, data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 b up -> down, blackout: handshake unknown, data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 alarm background_loss over
        12.000 alarm no_usable_path (page): a is down (handshake unknown, data plane dead (3 of 3 targets silent for 7 rounds)); b: down: handshake unknown, data plane dead (3 of 3 targets silent for 7 rounds)
        12.000 alarm isolated over
        12.040 alarm no_usable_path over
        20.041 a down -> up, rise: 9 clean rounds [clean=9]
        20.041 b down -> up, rise: 9 clean rounds [clean=9]
        """
    )


def test_both_dead_pages_and_the_first_that_heals_is_taken_where_it_has_proof() -> None:
    world = World(brisk(), faults=[Fault((A,), 5, 20), Fault((B,), 5, 10)]).run(30)
    assert told(world, 4) == lines(
        """
        5.838 alarm background_loss: a: 3 of 18 probes lost over 10 s; b: 3 of 18 probes lost over 10 s
        6.838 alarm background_loss (page): a: 6 of 21 probes lost over 10 s; b: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 b up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 alarm no_usable_path (page): a is down (data plane dead (3 of 3 targets silent for 3 rounds)); b: down: data plane dead (3 of 3 targets silent for 3 rounds)
        7.838 alarm background_loss over
        18.041 b down -> up, rise: 9 clean rounds [clean=9]
        18.041 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 13 rounds) fault 5.025 [lost_rounds=13, targets=3]
        18.041 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        18.041 alarm background_loss: b: 3 of 30 probes lost over 10 s
        18.041 alarm no_usable_path over
        18.061 observe linux/main/g (urgent): verify
        18.066 converged linux/main/g on b epoch 2
        19.041 alarm background_loss over
        28.041 a down -> up, rise: 9 clean rounds [clean=9]
        28.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        29.041 alarm background_loss over
        """
    )


def test_of_three_paths_the_most_preferred_with_proof_is_taken() -> None:
    world = World(brisk(paths=THREE), faults=[Fault((A, B), 5, 12)]).run(24)
    assert told(world, 4) == lines(
        """
        6.838 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> c epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]; not b: no answer newer than the fault
        7.838 point linux/main/g at c epoch 2 attempt 1 (urgent) (owned): switch
        7.838 b up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): verify
        7.862 converged linux/main/g on c epoch 2
        20.041 a down -> up, rise: 9 clean rounds [clean=9]
        20.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        20.041 b down -> up, rise: 9 clean rounds [clean=9]
        21.041 alarm background_loss over
        """
    )


def test_a_hold_off_waits_and_a_path_that_is_back_by_then_is_kept() -> None:
    world = World(brisk(hold_off_us=seconds(3)), faults=[Fault((A,), 5, 9.5), Fault((A,), 20)]).run(30)
    assert told(world, 4) == lines(
        """
        6.838 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 alarm background_loss over
        18.041 a down -> up, rise: 9 clean rounds [clean=9]
        18.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        19.041 alarm background_loss over
        21.837 alarm background_loss: a: 6 of 30 probes lost over 10 s
        22.837 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        22.837 alarm background_loss over
        25.837 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 5 rounds) fault 20.025 [lost_rounds=5, targets=3]
        25.837 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        25.858 observe linux/main/g (urgent): verify
        25.863 converged linux/main/g on b epoch 2
        """
    )


def test_loss_that_the_other_path_does_not_share_degrades_when_it_lasts() -> None:
    world = World(brisk(), faults=[Fault((A,), 15, 24, loss=0.5)], seed=3).run(50)
    assert told(world, 4) == lines(
        """
        16.825 alarm background_loss: a: 4 of 30 probes lost over 10 s
        19.837 a up -> degraded, loss: loss: 23 % over 10 s, 23 points worse than b (t1, t2, t3) [loss_percent=23, lost=7, margin_points=23]
        19.837 switch a -> b epoch 2, signal_degrade: a is degraded: loss: 23 % over 10 s, 23 points worse than b (t1, t2, t3) fault 17.837 [loss_percent=23, lost=7, margin_points=23]
        19.837 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        19.858 observe linux/main/g (urgent): verify
        19.863 converged linux/main/g on b epoch 2
        28.041 a degraded -> up, rise: 5 clean rounds [clean=5]
        33.041 alarm background_loss over
        37.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        37.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        37.060 observe linux/main/g (urgent): verify
        37.066 converged linux/main/g on a epoch 3
        """
    )


def test_loss_at_one_target_names_it() -> None:
    group = brisk(streams=(stream(targets=("t1", "t2")),), loss=LossRule(20, seconds(5), 10, seconds(1)))
    world = World(group, faults=[Fault((A,), 8, 20, loss=0.6, targets=("t2",))], seed=1).run(28)
    assert told(world, 4) == lines(
        """
        9.036 alarm background_loss: a: 1 of 10 probes lost over 5 s
        12.817 a up -> degraded, loss: loss: 30 % over 5 s, 20 points worse than b (t2) [loss_percent=30, lost=3, margin_points=20]
        12.817 switch a -> b epoch 2, signal_degrade: a is degraded: loss: 30 % over 5 s, 20 points worse than b (t2) fault 11.817 [loss_percent=30, lost=3, margin_points=20]
        12.817 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        12.837 observe linux/main/g (urgent): verify
        12.842 converged linux/main/g on b epoch 2
        22.036 a degraded -> up, rise: 3 clean rounds [clean=3]
        24.036 alarm background_loss over
        """
    )


def test_loss_on_both_paths_moves_nothing_and_pages() -> None:
    world = World(brisk(), faults=[Fault((A, B), 6, 16, loss=0.4)], seed=5).run(30)
    assert told(world, 4) == lines(
        """
        9.812 alarm background_loss: b: t2 out of reach
        10.800 alarm background_loss (page): a: 6 of 30 probes lost over 10 s; b: 6 of 30 probes lost over 10 s
        22.041 alarm background_loss over
        """
    )


def test_a_class_that_dies_alone_degrades_and_returns_when_it_passes() -> None:
    streams = (stream(), stream(1, probe_class=LARGE, base=False, targets=("t1", "t2")))
    world = World(brisk(streams=streams), faults=[Fault((A,), 5, 12, classes=(LARGE,))]).run(30)
    assert told(world, 4) == lines(
        """
        6.817 a up -> degraded, class: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass) [lost_rounds=2, targets=2]
        6.817 switch a -> b epoch 2, signal_degrade: a is degraded: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass) fault 5.017 [lost_rounds=2, targets=2]
        6.817 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        6.817 alarm background_loss: a: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass)
        6.837 observe linux/main/g (urgent): verify
        6.842 converged linux/main/g on b epoch 2
        12.020 alarm background_loss over
        13.020 a degraded -> up, rise: 13 clean rounds [clean=13]
        17.020 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        17.020 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        17.020 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        17.040 observe linux/main/g (urgent): verify
        17.045 converged linux/main/g on a epoch 3
        """
    )


def test_a_class_that_dies_on_both_paths_is_told_and_moves_nothing() -> None:
    streams = (
        stream(),
        stream(1, probe_class=LARGE, base=False, targets=("t1", "t2"), interval_us=seconds(2)),
    )
    world = World(brisk(streams=streams), faults=[Fault((A, B), 5, 16, classes=(LARGE,))]).run(30)
    assert told(world, 4) == lines(
        """
        8.833 a up -> degraded, class: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass) [lost_rounds=2, targets=2]
        8.833 alarm background_loss: a: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass)
        8.833 b up -> degraded, class: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass) [lost_rounds=2, targets=2]
        16.036 alarm background_loss over
        18.036 a degraded -> up, rise: 18 clean rounds [clean=18]
        18.036 b degraded -> up, rise: 18 clean rounds [clean=18]
        """
    )


def test_a_median_above_the_limit_degrades_where_it_may() -> None:
    class Slow(World):
        def probe(self, path: PathName, target: str, one: object, sent_us: int) -> ProbeResult:
            slow = path == A and seconds(6) <= sent_us < seconds(18)
            return ProbeResult(Outcome.OK, sent_us, 150_000 if slow else 3_000)

    group = brisk(latency=LatencyRule(100_000, act=True), loss=LossRule(20, seconds(5), 10, seconds(2)))
    assert told(Slow(group).run(34), 4) == lines(
        """
        8.188 a up -> degraded, latency: latency: median 155 ms, above 100 ms [limit_us=100000, median_us=155648]
        8.188 switch a -> b epoch 2, signal_degrade: a is degraded: latency: median 155 ms, above 100 ms fault 8.188 [limit_us=100000, median_us=155648]
        8.188 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        8.188 alarm background_loss: a: latency: median 155 ms, above 100 ms
        8.207 observe linux/main/g (urgent): verify
        8.213 converged linux/main/g on b epoch 2
        20.041 a degraded -> up, rise: 21 clean rounds [clean=21]
        20.041 alarm background_loss over
        24.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        24.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        24.061 observe linux/main/g (urgent): verify
        24.066 converged linux/main/g on a epoch 3
        """
    )
    warning = brisk(latency=LatencyRule(100_000), loss=LossRule(20, seconds(5), 10, seconds(2)))
    assert told(Slow(warning).run(24), 4) == lines(
        """
        8.188 alarm background_loss: a: latency: median 155 ms, above 100 ms
        20.041 alarm background_loss over
        """
    )


def test_an_interface_that_goes_down_condemns_at_once_and_names_itself() -> None:
    world = World(brisk(sources=SOURCES[:2]), faults=[Fault((A,), 5, 9)])
    says(world, 5.5, A, 1, verdict=Verdict.DOWN, reason="wgA is down", code="admin_down")
    says(world, 9, A, 1, verdict=Verdict.UP, reason="up")
    assert told(world.run(30), 4) == lines(
        """
        5.500 a up -> down, interface: interface down: wgA is down
        6.040 switch a -> b epoch 2, signal_fail: a is down: interface down: wgA is down fault 5.500
        6.040 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        6.061 observe linux/main/g (urgent): verify
        6.066 converged linux/main/g on b epoch 2
        17.041 a down -> up, rise: 9 clean rounds [clean=9]
        17.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        18.041 alarm background_loss over
        22.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        22.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        22.061 observe linux/main/g (urgent): verify
        22.066 converged linux/main/g on a epoch 3
        """
    )


def test_a_layer_that_discredits_its_probes_leaves_the_path_unknown() -> None:
    world = World(brisk(sources=SOURCES), faults=[Fault((A,), 12)])
    says(
        world,
        5,
        B,
        1,
        verdict=Verdict.UNKNOWN,
        reason="replies are filtered",
        code="rp_filter",
        discredits=True,
    )
    assert told(world.run(20), 4) == lines(
        """
        5.000 b up -> unknown, blind: replies are filtered
        12.838 alarm background_loss: a: 3 of 30 probes lost over 10 s
        14.838 a up -> down, blackout: handshake unknown, data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        14.838 alarm no_usable_path (page): a is down (handshake unknown, data plane dead (3 of 3 targets silent for 3 rounds)); b: replies are filtered
        14.838 alarm background_loss over
        """
    )


def test_an_alert_that_may_decide_alone_condemns() -> None:
    world = World(brisk(sources=SOURCES))
    says(world, 5.5, A, 3, verdict=Verdict.DOWN, reason="alert TunnelSick fires")
    says(world, 8.5, A, 3, verdict=Verdict.DOWN, reason="alert TunnelSick still fires")
    says(world, 10.5, A, 3, verdict=Verdict.UP, reason="no alert")
    assert told(world.run(30), 4) == lines(
        """
        5.500 a up -> down, evidence: alert TunnelSick fires
        6.040 switch a -> b epoch 2, signal_fail: a is down: alert TunnelSick fires fault 5.500
        6.040 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        6.061 observe linux/main/g (urgent): verify
        6.066 converged linux/main/g on b epoch 2
        13.040 a down -> up, rise: 3 clean rounds [clean=3]
        17.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        17.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        17.041 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        17.061 observe linux/main/g (urgent): verify
        17.066 converged linux/main/g on a epoch 3
        """
    )


def test_an_expired_handshake_condemns_a_path_whose_probes_do_not_pass() -> None:
    world = World(brisk(sources=(EvidenceSource(0, "handshake", Layer.HANDSHAKE),), streams=()))
    for path in (A, B):
        for at in range(0, 200, 10):
            stamp = 5 if path == A else 5 + at
            read = HandshakeReport(stamp, 0, at * 100)
            world.at(
                at + 0.5, lambda read=read, path=path: world.dispatch(HandshakeRead(world.now, path, 0, read))
            )
    assert told(world.run(186)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 1, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 1
        30.005 observe linux/main/g: reconcile
        60.010 observe linux/main/g: reconcile
        90.015 observe linux/main/g: reconcile
        120.020 observe linux/main/g: reconcile
        150.025 observe linux/main/g: reconcile
        180.030 observe linux/main/g: reconcile
        180.500 a unknown -> down, handshake: handshake older than 180 s while sending
        180.500 alarm no_usable_path (page): a is down (handshake older than 180 s while sending); b: unproven: 0 clean rounds of 3
        """
    )


def test_a_blackout_says_what_the_other_layers_said() -> None:
    world = World(brisk(sources=SOURCES), faults=[Fault((A,), 45)])
    says(world, 1.1, A, 1, verdict=Verdict.UP, reason="up")
    for turn in range(5):
        read = HandshakeReport(turn + 1, 92 * turn, 148 * turn)
        world.at(10 * turn, lambda read=read: world.dispatch(HandshakeRead(world.now, A, 2, read)))
    assert told(world.run(49), 45) == lines(
        """
        46.837 alarm background_loss: a: 6 of 30 probes lost over 10 s
        47.837 a up -> down, blackout: interface up, handshake fresh (renewed every few seconds, almost nothing received), data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        47.837 switch a -> b epoch 2, signal_fail: a is down: interface up, handshake fresh (renewed every few seconds, almost nothing received), data plane dead (3 of 3 targets silent for 3 rounds) fault 45.025 [lost_rounds=3, targets=3]
        47.837 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        47.837 alarm background_loss over
        47.858 observe linux/main/g (urgent): verify
        47.862 converged linux/main/g on b epoch 2
        """
    )


def test_rounds_that_stop_make_paths_unknown_and_pause_the_wait() -> None:
    world = World(brisk(wait_to_restore_us=seconds(9)), faults=[Fault((A,), 5, 9)])
    world.muted = (24, 33)
    assert told(world.run(50), 12) == lines(
        """
        17.041 a down -> up, rise: 9 clean rounds [clean=9]
        17.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        18.041 alarm background_loss over
        27.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 9 s [waited_s=9]; not b: less preferred
        27.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        27.061 observe linux/main/g (urgent): verify
        27.066 converged linux/main/g on a epoch 3
        28.041 a up -> unknown, blind: no probe round of kind icmp has closed for five intervals
        28.041 b up -> unknown, blind: no probe round of kind icmp has closed for five intervals
        28.041 alarm contact_lost: no probe round closes through a, b
        33.041 a unknown -> up, rise: 16 clean rounds [clean=16]
        33.041 b unknown -> up, rise: 25 clean rounds [clean=25]
        33.041 alarm contact_lost over
        """
    )


def test_flapping_delays_returns_and_no_escape() -> None:
    rule = DampingRule(half_life_us=seconds(20), suppress=2500, reuse=1200)
    group = brisk(damping=rule, recover=RecoverRule(2, seconds(4)), wait_to_restore_us=seconds(2))
    faults = [Fault((A,), 5, 9), Fault((A,), 22, 26), Fault((A,), 40, 44)]
    assert told(World(group, faults=faults).run(90), 20) == lines(
        """
        23.837 alarm background_loss: a: 6 of 30 probes lost over 10 s
        24.837 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        24.837 switch a -> b epoch 4, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 22.025 [lost_rounds=3, targets=3]
        24.837 point linux/main/g at b epoch 4 attempt 1 (urgent) (owned): switch
        24.837 alarm background_loss over
        24.858 observe linux/main/g (urgent): verify
        24.863 converged linux/main/g on b epoch 4
        34.041 a down -> up, rise: 9 clean rounds [clean=9]
        36.041 switch b -> a epoch 5, revert: a was good for the wait-to-restore of 2 s [waited_s=2]; not b: less preferred
        36.041 point linux/main/g at a epoch 5 attempt 1 (owned): switch
        36.041 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        36.060 observe linux/main/g (urgent): verify
        36.066 converged linux/main/g on a epoch 5
        41.837 alarm background_loss: a: 6 of 30 probes lost over 10 s
        42.837 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        42.837 switch a -> b epoch 6, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 40.025 [lost_rounds=3, targets=3]
        42.837 point linux/main/g at b epoch 6 attempt 1 (urgent) (owned): switch
        42.837 alarm background_loss over
        42.858 observe linux/main/g (urgent): verify
        42.862 converged linux/main/g on b epoch 6
        52.041 a down -> up, rise: 9 clean rounds [clean=9]
        70.338 switch b -> a epoch 7, revert: a was good for the wait-to-restore of 2 s [waited_s=2]; not b: less preferred
        70.338 point linux/main/g at a epoch 7 attempt 1 (owned): switch
        70.338 alarm flapping over
        70.358 observe linux/main/g (urgent): verify
        70.362 converged linux/main/g on a epoch 7
        """
    )


def test_voluntary_moves_are_used_up_and_come_back() -> None:
    rule = DampingRule(suppress=10**6, max_moves=1, max_moves_window_us=seconds(30))
    group = brisk(damping=rule, recover=RecoverRule(2, seconds(4)), wait_to_restore_us=seconds(2))
    faults = [Fault((A,), 5, 9), Fault((A,), 22, 26)]
    assert told(World(group, faults=faults).run(60), 12) == lines(
        """
        17.041 a down -> up, rise: 9 clean rounds [clean=9]
        19.041 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 2 s [waited_s=2]; not b: less preferred
        19.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        19.061 observe linux/main/g (urgent): verify
        19.066 converged linux/main/g on a epoch 3
        23.837 alarm background_loss: a: 6 of 30 probes lost over 10 s
        24.837 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        24.837 switch a -> b epoch 4, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 22.025 [lost_rounds=3, targets=3]
        24.837 point linux/main/g at b epoch 4 attempt 1 (urgent) (owned): switch
        24.837 alarm background_loss over
        24.858 observe linux/main/g (urgent): verify
        24.863 converged linux/main/g on b epoch 4
        34.041 a down -> up, rise: 9 clean rounds [clean=9]
        49.041 switch b -> a epoch 5, revert: a was good for the wait-to-restore of 2 s [waited_s=2]; not b: less preferred
        49.041 point linux/main/g at a epoch 5 attempt 1 (owned): switch
        49.060 observe linux/main/g (urgent): verify
        49.066 converged linux/main/g on a epoch 5
        """
    )


def with_service(*faults: Fault, dead: tuple[float, float], **changes: object) -> World:
    group = brisk(services=(ServicePolicy(0, "http", ("http://x/",), fall=2),), revertive=False, **changes)
    world = World(group, faults=list(faults))
    for at in range(40):
        alive = not dead[0] <= at < dead[1]
        closed = lambda alive=alive: world.dispatch(ServiceClosed(world.now, 0, alive, world.now - 1000))  # noqa: E731
        world.at(at + 0.5, closed)
    return world


def test_a_service_that_stays_dead_after_an_escape_brings_one_return() -> None:
    world = with_service(Fault((A,), 5, 10), dead=(6, 35))
    assert told(world.run(39), 4) == lines(
        """
        6.838 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.500 alarm service_down (page): no answer over the real route: http http://x/
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): verify
        7.862 converged linux/main/g on b epoch 2
        18.041 a down -> up, rise: 9 clean rounds [clean=9]
        18.041 switch b -> a epoch 3, service_return: the service stayed dead after the move to b; a is up: going back once; not b: the service is dead here
        18.041 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        18.041 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        18.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        18.061 observe linux/main/g (urgent): verify
        18.066 converged linux/main/g on a epoch 3
        19.041 alarm background_loss over
        35.500 alarm service_down over
        """
    )


def test_a_service_that_answers_after_the_escape_brings_none() -> None:
    world = with_service(Fault((A,), 5, 10), dead=(5, 9))
    assert told(world.run(20), 7.9) == lines(
        """
        9.500 alarm service_down over
        18.041 a down -> up, rise: 9 clean rounds [clean=9]
        18.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        19.041 alarm background_loss over
        """
    )


def test_a_path_that_this_site_does_not_see_is_unknown_and_no_standby() -> None:
    world = World(brisk(paths=(PathPolicy(A), PathPolicy(B, visible=False))), faults=[Fault((A,), 5)])
    assert told(world.run(12)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 1, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 1
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        5.838 alarm background_loss: a: 3 of 18 probes lost over 10 s
        6.838 alarm background_loss (page): a: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 alarm no_usable_path (page): a is down (data plane dead (3 of 3 targets silent for 3 rounds)); b: not seen from this site
        7.838 alarm background_loss over
        """
    )


def test_an_anchor_alone_stands_in_for_targets() -> None:
    world = World(brisk(streams=(stream(targets=()),)), faults=[Fault((A,), 5, 12)])
    assert told(world.run(30), 4) == lines(
        """
        5.800 alarm background_loss: a: 1 of 6 probes lost over 10 s
        7.800 a up -> down, blackout: data plane dead (1 of 1 targets silent for 3 rounds) [lost_rounds=3, targets=1]
        7.800 switch a -> b epoch 2, signal_fail: a is down: data plane dead (1 of 1 targets silent for 3 rounds) fault 5.000 [lost_rounds=3, targets=1]
        7.800 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.800 alarm background_loss over
        7.820 observe linux/main/g (urgent): verify
        7.825 converged linux/main/g on b epoch 2
        20.003 a down -> up, rise: 9 clean rounds [clean=9]
        20.003 alarm background_loss: a: 1 of 10 probes lost over 10 s
        21.003 alarm background_loss over
        25.003 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        25.003 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        25.023 observe linux/main/g (urgent): verify
        25.028 converged linux/main/g on a epoch 3
        """
    )


def test_two_base_streams_condemn_only_together() -> None:
    streams = (stream(targets=("t1",)), stream(1, targets=("t2",), interval_us=seconds(2)))
    faults = [Fault((A,), 6, 14, targets=("t1",)), Fault((A,), 20, 30)]
    assert told(World(brisk(streams=streams, rise=2), faults=faults).run(40), 4) == lines(
        """
        7.800 alarm background_loss: a: 2 of 12 probes lost over 10 s
        10.800 a up -> degraded, loss: loss: 33 % over 10 s, 26 points worse than b (t1) [loss_percent=33, lost=5, margin_points=26]
        10.800 switch a -> b epoch 2, signal_degrade: a is degraded: loss: 33 % over 10 s, 26 points worse than b (t1) fault 8.800 [loss_percent=33, lost=5, margin_points=26]
        10.800 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        10.820 observe linux/main/g (urgent): verify
        10.825 converged linux/main/g on b epoch 2
        24.850 a degraded -> down, blackout: data plane dead (2 of 2 targets silent for 3 rounds) [lost_rounds=3, targets=2]
        24.850 alarm background_loss over
        38.028 a down -> up, rise: 9 clean rounds [clean=9]
        38.028 alarm background_loss: a: 2 of 15 probes lost over 10 s
        39.028 alarm background_loss over
        """
    )


def test_a_path_without_anchor_is_condemned_by_its_targets() -> None:
    paths = (PathPolicy(A, anchor=False), PathPolicy(B, anchor=False))
    world = World(brisk(paths=paths), faults=[Fault((A,), 5, 9)])
    assert told(world.run(12), 4) == lines(
        """
        6.825 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.825 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.825 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.825 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.825 alarm background_loss over
        7.845 observe linux/main/g (urgent): verify
        7.850 converged linux/main/g on b epoch 2
        """
    )
