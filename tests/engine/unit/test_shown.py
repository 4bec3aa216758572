# ruff: noqa: E501 - a path is a line
"""What a person is shown of a group in the situations that matter, every value of it."""

from __future__ import annotations

from tests.engine.unit.story import brisk, lines, shown
from tests.engine.world import (
    ABSENT,
    TARGETS,
    A,
    B,
    C,
    Fault,
    RequestKind,
    Table,
    World,
    seconds,
    set_policy,
    stream,
)
from wgfo.engine.events import HandshakeRead, LayerReported, LeaseChanged, ObserveFailed
from wgfo.engine.policy import Act, DampingRule, EvidenceSource, LatencyRule, PathPolicy, RecoverRule
from wgfo.model import LARGE, HandshakeReport, Layer, LayerReport, Outcome, PathName, ProbeResult, Verdict

LAYERS = frozenset(Layer)
SOURCES = (
    EvidenceSource(1, "interface", Layer.INTERFACE),
    EvidenceSource(2, "handshake", Layer.HANDSHAKE),
    EvidenceSource(3, "alerts", Layer.DATAPLANE, Act.ALONE),
)
LAYERED = (PathPolicy(A, layers=LAYERS), PathPolicy(B, layers=LAYERS))


def says(
    world: World, at: float, path: PathName, source: int, *, verdict: Verdict, reason: str, **more: object
) -> None:
    """Let a source say something of a path at a second."""
    layer = SOURCES[source - 1].layer
    report = LayerReport(layer, verdict, reason, **more)  # type: ignore[arg-type]
    world.at(at, lambda: world.dispatch(LayerReported(world.now, path, source, report)))


def reads(world: World, at: float, path: PathName, *, stamp: int, received: int, sent: int) -> None:
    """Let WireGuard's figures of a path be read at a second."""
    report = HandshakeReport(stamp, received, sent)
    world.at(at, lambda: world.dispatch(HandshakeRead(world.now, path, 2, report)))


def test_before_anything_is_known() -> None:
    assert shown(World(brisk())) == lines(
        """
        group name=g, state=starting, mode=auto, epoch=0, rule=start, reason=starting: no path is desired yet, penalty=0
        path name=a, state=unknown, reason=0 clean rounds of 3, since_us=0, layers={interface: not_probed, handshake: not_probed, dataplane: unknown}, classes={small: unknown}, lost=0, known=0, clean_rounds=0
          target name=t1, probe_class=small, state=unknown, lost=0, known=0
          target name=t2, probe_class=small, state=unknown, lost=0, known=0
          target name=t3, probe_class=small, state=unknown, lost=0, known=0
          target name=peer, probe_class=small, state=unknown, lost=0, known=0
          outlook name=a, escape=[needs 3 clean rounds running, has 0], lost=0, possible=30
        path name=b, state=unknown, reason=0 clean rounds of 3, since_us=0, layers={interface: not_probed, handshake: not_probed, dataplane: unknown}, classes={small: unknown}, lost=0, known=0, clean_rounds=0
          target name=t1, probe_class=small, state=unknown, lost=0, known=0
          target name=t2, probe_class=small, state=unknown, lost=0, known=0
          target name=t3, probe_class=small, state=unknown, lost=0, known=0
          target name=peer, probe_class=small, state=unknown, lost=0, known=0
          outlook name=b, escape=[needs 3 clean rounds running, has 0], lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=reading, attempt=0
        """
    )


def test_while_paths_rise() -> None:
    assert shown(World(brisk()).run(1.5)) == lines(
        """
        group name=g, state=starting, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is unknown, penalty=0
        path name=a, state=unknown, active=True, reason=2 clean rounds of 3, since_us=0, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=6, rtt_us=2944, clean_rounds=2
          target name=t1, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          outlook name=a, lost=0, possible=30
        path name=b, state=unknown, reason=2 clean rounds of 3, since_us=0, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=6, rtt_us=2944, clean_rounds=2
          target name=t1, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=2, rtt_us=2944
          outlook name=b, escape=[needs 3 clean rounds running, has 2], lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        """
    )


def test_when_all_is_well() -> None:
    world = World(brisk(paths=LAYERED, sources=SOURCES))
    for path in (A, B):
        says(world, 1, path, 1, verdict=Verdict.UP, reason="up")
        reads(world, 1, path, stamp=7, received=100, sent=200)
        reads(world, 3, path, stamp=8, received=300, sent=400)
    says(world, 1, A, 3, verdict=Verdict.UP, reason="no alert")
    says(world, 1, B, 3, verdict=Verdict.DOWN, reason="alert fires")
    assert shown(world.run(12)) == lines(
        """
        group name=g, state=degraded, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: up, handshake: up, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, handshake_age_us=9000000, received_bytes=300, sent_bytes=400, usable=True, restorable=True, clean_rounds=12, layer_reasons={interface: up, handshake: fresh, 9 s}
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, lost=0, possible=30
        path name=b, state=down, reason=alert fires, since_us=1000000, layers={interface: up, handshake: up, dataplane: down}, classes={small: up}, lost=0, known=30, rtt_us=2944, handshake_age_us=9000000, received_bytes=300, sent_bytes=400, clean_rounds=0, layer_reasons={interface: up, handshake: fresh, 9 s}
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, escape=[down: alert fires; needs 3 clean rounds running, has 0], lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        """
    )


def test_while_a_dead_path_is_left() -> None:
    world = World(brisk(), faults=[Fault((A,), 5)])
    assert shown(world.run(6.9)) == lines(
        """
        group name=g, state=ok, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=6, known=21, rtt_us=2944, usable=True, clean_rounds=0
          target name=t1, probe_class=small, state=up, lost=2, known=7, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=2, known=7, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=2, known=7, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=2, known=7, rtt_us=2944
          outlook name=a, threats=[every target silent for 2 rounds of 3; loses more than b for 0 s of 2: degraded if that lasts], lost=3, possible=30
        path name=b, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=21, rtt_us=2944, usable=True, clean_rounds=7
          target name=t1, probe_class=small, state=up, lost=0, known=7, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=7, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=7, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=7, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=background_loss, since_us=6837500, text=a: 6 of 21 probes lost over 10 s
        """
    )
    assert shown(world.run(7.85)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=a, desired=b, epoch=2, rule=signal_fail, reason=a is down: data plane dead (3 of 3 targets silent for 3 rounds), penalty=1000
        path name=a, state=down, active=True, reason=data plane dead (3 of 3 targets silent for 3 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: down}, classes={small: down}, lost=9, known=24, rtt_us=2944, clean_rounds=0
          target name=t1, probe_class=small, state=down, lost=3, known=8, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=3, known=8, rtt_us=2944
          target name=t3, probe_class=small, state=down, lost=3, known=8, rtt_us=2944
          target name=peer, probe_class=small, state=down, lost=3, known=8, rtt_us=2944
          outlook name=a, escape=[down: data plane dead (3 of 3 targets silent for 3 rounds); needs 3 clean rounds running, has 0; lost 6 of 30 probes over 10 s by itself, must be below 20 %], restore=[is down; lost 6 of 30 probes over 10 s, at most 2 % is asked for; wait-to-restore of 4 s: 0 s have passed; it does not run now], lost=6, possible=30
        path name=b, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=24, rtt_us=2944, usable=True, clean_rounds=8
          target name=t1, probe_class=small, state=up, lost=0, known=8, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=8, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=8, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=8, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=writing, observed_us=5000, attempt=1
        """
    )
    assert shown(world.run(9)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, penalty=1000
        path name=a, state=down, reason=data plane dead (3 of 3 targets silent for 4 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: down}, classes={small: down}, lost=12, known=27, rtt_us=2944, clean_rounds=0
          target name=t1, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          target name=t3, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          target name=peer, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          outlook name=a, escape=[down: data plane dead (3 of 3 targets silent for 4 rounds); needs 3 clean rounds running, has 0; lost 9 of 30 probes over 10 s by itself, must be below 20 %], restore=[is down; lost 9 of 30 probes over 10 s, at most 2 % is asked for; wait-to-restore of 4 s: 0 s have passed; it does not run now], lost=9, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=27, rtt_us=2944, usable=True, restorable=True, clean_rounds=9
          target name=t1, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=7862500, attempt=1
        """
    )


def test_while_a_path_recovers_and_waits_to_be_returned_to() -> None:
    world = World(brisk(wait_to_restore_us=seconds(9)), faults=[Fault((A,), 5, 9)])
    assert shown(world.run(12)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, penalty=1000
        path name=a, state=down, reason=recovering from: data plane dead (3 of 3 targets silent for 4 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=12, known=30, rtt_us=2944, clean_rounds=3
          target name=t1, probe_class=small, state=up, lost=4, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=4, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=4, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=4, known=10, rtt_us=2944
          outlook name=a, escape=[down, recovering; lost 12 of 30 probes over 10 s by itself, must be below 20 %], restore=[is down; lost 12 of 30 probes over 10 s, at most 2 % is asked for; wait-to-restore of 9 s: 0 s have passed; it does not run now], threats=[loses more than b for 2 s of 2: degraded if that lasts], lost=12, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=7862500, attempt=1
        """
    )
    assert shown(world.run(20)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, restore_due_us=27040500, penalty=1000
        path name=a, state=up, reason=all probes pass, since_us=17040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=11
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, restore=[wait-to-restore of 9 s: 1 s have passed], lost=0, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=20
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=7862500, attempt=1
        """
    )


def test_while_the_remote_site_is_dark() -> None:
    world = World(brisk(), faults=[Fault((A, B), 5, targets=TARGETS, anchor=False)])
    assert shown(world.run(11)) == lines(
        """
        group name=g, state=remote_down, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=remote site down: targets are silent on every path, the far gateways answer, penalty=0
        path name=a, state=up, active=True, reason=the far gateway answers, no target does on any path, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: unknown}, classes={small: down}, lost=18, known=30, rtt_us=2944, usable=True, clean_rounds=0
          target name=t1, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, threats=[every target silent for 6 rounds of 3], lost=0, possible=30
        path name=b, state=up, reason=the far gateway answers, no target does on any path, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: unknown}, classes={small: down}, lost=18, known=30, rtt_us=2944, usable=True, clean_rounds=5
          target name=t1, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, threats=[every target silent for 6 rounds of 3], lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=remote_down, since_us=7825000, text=remote site down: every target is silent on every path while the far gateways answer, page=True
        """
    )


def test_while_the_controller_is_isolated() -> None:
    world = World(brisk(has_reference=True), faults=[Fault((A, B), 5)], reference_dead=(5, 100))
    assert shown(world.run(11)) == lines(
        """
        group name=g, state=isolated, mode=frozen, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=isolated: nothing answers, the local reference neither, penalty=0
        path name=a, state=down, active=True, reason=data plane dead (3 of 3 targets silent for 6 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: down}, classes={small: down}, lost=18, known=30, rtt_us=2944, clean_rounds=0
          target name=t1, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          outlook name=a, lost=18, possible=30
        path name=b, state=down, reason=data plane dead (3 of 3 targets silent for 6 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: down}, classes={small: down}, lost=18, known=30, rtt_us=2944, clean_rounds=0
          target name=t1, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=down, lost=6, known=10, rtt_us=2944
          outlook name=b, escape=[down: data plane dead (3 of 3 targets silent for 6 rounds); needs 3 clean rounds running, has 0; lost 18 of 30 probes over 10 s by itself, must be below 20 %], lost=18, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=isolated, since_us=6000000, text=this controller is isolated: no path answers and the local reference hosts are silent too, page=True
        """
    )


def test_while_one_target_is_dead_on_every_path() -> None:
    world = World(brisk(), faults=[Fault((A, B), 5, targets=("t2",))])
    assert shown(world.run(11)) == lines(
        """
        group name=g, state=ok, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=passes, save what fails everywhere: t2, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=6, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=5
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, lost=0, possible=30
        path name=b, state=up, reason=passes, save what fails everywhere: t2, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=6, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=11
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=masked, lost=6, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=background_loss, since_us=7812500, text=a: t2 out of reach; a: 6 of 30 probes lost over 10 s; b: t2 out of reach; b: 6 of 30 probes lost over 10 s, page=True
        """
    )


def test_while_a_class_fails() -> None:
    streams = (stream(), stream(1, probe_class=LARGE, base=False, targets=("t1", "t2")))
    world = World(brisk(streams=streams, revertive=False), faults=[Fault((A,), 5, 15, classes=(LARGE,))])
    assert shown(world.run(12)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, penalty=1000
        path name=a, state=degraded, reason=class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass), since_us=6816666, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up, large: down}, lost=0, known=30, rtt_us=2944, usable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t1, probe_class=large, state=down, lost=7, known=10, rtt_us=2944
          target name=t2, probe_class=large, state=down, lost=7, known=10, rtt_us=2944
          outlook name=a, restore=[not revertive], lost=0, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up, large: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t1, probe_class=large, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=large, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=6841666, attempt=1
        alarm name=background_loss, since_us=6816666, text=a: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass)
        """
    )
    assert shown(world.run(15.9)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, penalty=1000
        path name=a, state=degraded, reason=recovering from: class large fails 2 times running at t1, t2 while small packets pass (MTU: large packets die, small ones pass), since_us=6816666, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up, large: down}, lost=0, known=30, rtt_us=2944, usable=True, clean_rounds=16
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t1, probe_class=large, state=up, lost=9, known=10, rtt_us=2944
          target name=t2, probe_class=large, state=up, lost=9, known=10, rtt_us=2944
          outlook name=a, restore=[not revertive], lost=0, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up, large: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=16
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t1, probe_class=large, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=large, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=6841666, attempt=1
        """
    )


def test_while_a_path_loses_packets() -> None:
    world = World(brisk(), faults=[Fault((A,), 12, 40, loss=0.5)], seed=3)
    assert shown(world.run(15.9)) == lines(
        """
        group name=g, state=ok, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=7, known=30, rtt_us=2944, usable=True, clean_rounds=0
          target name=t1, probe_class=small, state=up, lost=2, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=3, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=2, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=2, known=10, rtt_us=2944
          outlook name=a, threats=[loses more than b for 1 s of 2: degraded if that lasts], lost=6, possible=30
        path name=b, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=16
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=background_loss, since_us=13825000, text=a: t2 out of reach; a: 7 of 30 probes lost over 10 s
        """
    )
    assert shown(world.run(20)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, penalty=1000
        path name=a, state=degraded, reason=loss: 33 % over 10 s, 33 points worse than b (t1, t2, t3), since_us=16837500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=10, known=30, rtt_us=2944, clean_rounds=1
          target name=t1, probe_class=small, state=up, lost=3, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=5, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=2, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=3, known=10, rtt_us=2944
          outlook name=a, escape=[degraded: loss: 33 % over 10 s, 33 points worse than b (t1, t2, t3); needs 3 clean rounds running, has 1; lost 10 of 30 probes over 10 s by itself, must be below 20 %], restore=[is degraded; lost 10 of 30 probes over 10 s, at most 2 % is asked for; wait-to-restore of 4 s: 0 s have passed; it does not run now], lost=10, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=20
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=16862500, attempt=1
        alarm name=background_loss, since_us=13825000, text=a: loss: 33 % over 10 s, 33 points worse than b (t1, t2, t3); a: 10 of 30 probes lost over 10 s
        """
    )


def test_while_a_path_is_slow() -> None:
    class Slow(World):
        def probe(self, path: PathName, target: str, one: object, sent_us: int) -> ProbeResult:
            slow = path == A and sent_us >= seconds(2)
            return ProbeResult(Outcome.OK, sent_us, 150_000 if slow else 3_000)

    assert shown(Slow(brisk(latency=LatencyRule(100_000))).run(11)) == lines(
        """
        group name=g, state=ok, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=all probes pass, since_us=2187500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=155648, usable=True, restorable=True, clean_rounds=11
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=155648
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=155648
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=155648
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=155648
          outlook name=a, threats=[latency: median 155 ms, above 100 ms], lost=0, possible=30
        path name=b, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=11
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=background_loss, since_us=4187500, text=a: latency: median 155 ms, above 100 ms
        """
    )


def test_while_a_hold_off_passes() -> None:
    world = World(brisk(hold_off_us=seconds(5)), faults=[Fault((A,), 5)])
    assert shown(world.run(9)) == lines(
        """
        group name=g, state=degraded, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=signal_fail, reason=a is down: hold-off, hold_off_until_us=12837500, penalty=0
        path name=a, state=down, active=True, reason=data plane dead (3 of 3 targets silent for 4 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: down}, classes={small: down}, lost=12, known=27, rtt_us=2944, clean_rounds=0
          target name=t1, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          target name=t3, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          target name=peer, probe_class=small, state=down, lost=4, known=9, rtt_us=2944
          outlook name=a, threats=[hold-off of 5 s: 1 s have passed], lost=9, possible=30
        path name=b, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=27, rtt_us=2944, usable=True, restorable=True, clean_rounds=9
          target name=t1, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        """
    )


def test_while_returns_are_damped() -> None:
    rule = DampingRule(half_life_us=seconds(60), suppress=900, reuse=750)
    world = World(brisk(damping=rule, recover=RecoverRule(2, seconds(4))), faults=[Fault((A,), 5, 9)])
    assert shown(world.run(25)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=2, converged=True, rule=stay, reason=b is up, restore_due_us=21040500, damped_until_us=33150000, penalty=822
        path name=a, state=up, reason=all probes pass, since_us=17040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=16
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, restore=[damped: too many switches lately; ends in 8 s (penalty 822, reuse 750)], lost=0, possible=12
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=25
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=12
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=7862500, attempt=1
        alarm name=flapping, since_us=7837500, text=too many switches lately: returns are suppressed, escapes are not
        """
    )


def test_while_the_moves_are_used_up() -> None:
    rule = DampingRule(suppress=10**6, max_moves=1, max_moves_window_us=seconds(60))
    group = brisk(damping=rule, recover=RecoverRule(2, seconds(4)), wait_to_restore_us=seconds(2))
    world = World(group, faults=[Fault((A,), 5, 9), Fault((A,), 22, 26)])
    assert shown(world.run(40)) == lines(
        """
        group name=g, state=on_standby, mode=auto, active=b, desired=b, epoch=4, converged=True, rule=stay, reason=b is up, restore_due_us=36040500, penalty=2967
        path name=a, state=up, reason=all probes pass, since_us=34040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=14
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, restore=[the voluntary moves of this window are used up; ends in 39 s (penalty 2967, reuse 750)], lost=0, possible=12
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=40
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=12
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=24862500, attempt=1
        """
    )


def test_while_an_operator_holds_it() -> None:
    world = World(brisk(paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C))))
    world.at(5, lambda: world.request(RequestKind.SWITCH, C, by="root", since="now", reason="works"))
    world.at(6, lambda: world.request(RequestKind.LOCKOUT, B))
    assert shown(world.run(12)) == lines(
        """
        group name=g, state=on_standby, mode=manual, active=c, desired=c, epoch=2, converged=True, rule=manual, reason=manual switch to c: works, penalty=0
        path name=a, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=a, restore=[the manual switch to c holds until it is cleared or expires; wait-to-restore of 4 s: 3 s have passed], lost=0, possible=30
        path name=b, state=up, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, restorable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, escape=[locked out], restore=[locked out; the manual switch to c holds until it is cleared or expires; wait-to-restore of 4 s: 3 s have passed], lost=0, possible=30
        path name=c, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=c, lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5025000, attempt=1
        override manual c by root now (works)
        override lockout b
        """
    )
    world.request(RequestKind.FORCE, A)
    assert shown(world.run(13))[:1] == lines(
        """
        group name=g, state=ok, mode=forced, active=a, desired=a, epoch=3, converged=True, rule=forced, reason=forced onto a, rejected=[path=b, why=forced elsewhere; path=c, why=forced elsewhere], penalty=0
        """
    )
    world.request(RequestKind.PAUSE)
    assert shown(world)[:1] == lines(
        """
        group name=g, state=paused, mode=paused, active=a, desired=a, epoch=3, converged=True, rule=stay, reason=paused, penalty=0
        """
    )
    world.request(RequestKind.CLEAR)
    world.request(RequestKind.RELEASE)
    assert shown(world)[:1] == lines(
        """
        group name=g, state=paused, mode=paused, active=a, desired=a, epoch=3, converged=True, rule=stay, reason=released: the routes are no longer managed, penalty=0
        """
    )


def test_without_the_lease() -> None:
    world = World(brisk()).run(5)
    world.dispatch(LeaseChanged(world.now, held=False))
    assert shown(world)[:1] == lines(
        """
        group name=g, state=paused, mode=frozen, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=the lease is not held, penalty=0
        """
    )


def test_while_routes_cannot_be_written_or_read() -> None:
    sets = (set_policy("cloud", provider="aws"), set_policy("main"))
    tables = {one.id: Table() for one in sets}
    tables[sets[1].id].hop = ABSENT
    tables[sets[1].id].failing = lambda at: "unreachable" if at > 5 else ""
    world = World(brisk(sets=sets, reconcile_us=seconds(4)), tables=tables, faults=[Fault((A,), 5)])
    world.at(9, lambda: world.dispatch(ObserveFailed(world.now, sets[1].id, "403", permanent=True)))
    assert shown(world.run(12)) == lines(
        """
        group name=g, state=partial, mode=auto, desired=b, epoch=2, rule=stay, reason=b is up, penalty=1000
        path name=a, state=down, reason=data plane dead (3 of 3 targets silent for 7 rounds), since_us=7837500, layers={interface: not_probed, handshake: not_probed, dataplane: down}, classes={small: down}, lost=21, known=30, rtt_us=2944, clean_rounds=0
          target name=t1, probe_class=small, state=down, lost=7, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=down, lost=7, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=down, lost=7, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=down, lost=7, known=10, rtt_us=2944
          outlook name=a, escape=[down: data plane dead (3 of 3 targets silent for 7 rounds); needs 3 clean rounds running, has 0; lost 18 of 30 probes over 10 s by itself, must be below 20 %], restore=[is down; lost 18 of 30 probes over 10 s, at most 2 % is asked for; wait-to-restore of 4 s: 0 s have passed; it does not run now], lost=18, possible=30
        path name=b, state=up, active=True, reason=all probes pass, since_us=2040500, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=30, rtt_us=2944, usable=True, restorable=True, clean_rounds=12
          target name=t1, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=10, rtt_us=2944
          outlook name=b, lost=0, possible=30
        set id=aws/cloud/g, provider=aws, table=cloud, prefixes=1, phase=synced, in_sync=True, observed_us=11867500, attempt=1
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=backoff, observed_us=4035000, error=403, attempt=1, next_try_us=309000000
        alarm name=partial, since_us=8837501, text=1 of 2 route sets are not on b: linux/main/g (permanent: 403)
        alarm name=asymmetric, since_us=8837501, text=traffic leaves by one path and returns by another: aws on b, linux on a
        """
    )


def test_layers_that_say_nothing_or_no() -> None:
    paths = (PathPolicy(A, layers=LAYERS), PathPolicy(B, layers=LAYERS), PathPolicy(C, visible=False))
    world = World(brisk(paths=paths, sources=SOURCES))
    says(world, 4, A, 1, verdict=Verdict.DOWN, reason="wgA is down", code="admin_down")
    says(
        world,
        4,
        B,
        1,
        verdict=Verdict.UNKNOWN,
        reason="replies are filtered",
        code="rp_filter",
        discredits=True,
    )
    for turn in range(4):
        reads(world, 2 * turn, B, stamp=turn + 1, received=92 * turn, sent=148 * turn)
    assert shown(world.run(9)) == lines(
        """
        group name=g, state=no_usable_path, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=signal_fail, reason=a is down (interface down: wgA is down) and no other path is usable, rejected=[path=b, why=no answer newer than the fault; path=c, why=not seen from this site], penalty=0
        path name=a, state=down, active=True, reason=interface down: wgA is down, since_us=4000000, layers={interface: down, handshake: unknown, dataplane: up}, classes={small: up}, lost=0, known=27, rtt_us=2944, clean_rounds=0, layer_reasons={interface: wgA is down, handshake: not read yet}
          target name=t1, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          outlook name=a, lost=0, possible=30
        path name=b, state=unknown, reason=replies are filtered, since_us=4000000, layers={interface: unknown, handshake: up, dataplane: unknown}, classes={small: up}, lost=0, known=27, rtt_us=2944, handshake_age_us=3000000, handshake_churn=True, received_bytes=276, sent_bytes=444, clean_rounds=9, layer_reasons={interface: replies are filtered, handshake: fresh, but renewed every few seconds with almost nothing received: the data plane is dead}
          target name=t1, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t2, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=t3, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          target name=peer, probe_class=small, state=up, lost=0, known=9, rtt_us=2944
          outlook name=b, escape=[replies are filtered], lost=0, possible=30
        path name=c, state=unknown, reason=not seen from this site, since_us=0, layers={interface: not_probed, handshake: not_probed, dataplane: unknown}, classes={small: unknown}, lost=0, known=0, clean_rounds=0, layer_reasons={handshake: not read yet}
          target name=t1, probe_class=small, state=unknown, lost=0, known=0
          target name=t2, probe_class=small, state=unknown, lost=0, known=0
          target name=t3, probe_class=small, state=unknown, lost=0, known=0
          target name=peer, probe_class=small, state=unknown, lost=0, known=0
          outlook name=c, escape=[not seen from this site], lost=0, possible=30
        set id=linux/main/g, provider=linux, table=main, prefixes=1, phase=synced, in_sync=True, observed_us=5000, attempt=0
        alarm name=no_usable_path, since_us=4000000, text=a is down (interface down: wgA is down); b: replies are filtered; c: not seen from this site, page=True
        """
    )


def test_a_group_without_routes() -> None:
    world = World(brisk(sets=(), streams=(stream(targets=()),), wait_to_restore_us=0))
    assert shown(world.run(6)) == lines(
        """
        group name=g, state=ok, mode=auto, active=a, desired=a, epoch=1, converged=True, rule=stay, reason=a is up, penalty=0
        path name=a, state=up, active=True, reason=all probes pass, since_us=2003000, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=6, rtt_us=2944, usable=True, clean_rounds=6
          target name=peer, probe_class=small, state=up, lost=0, known=6, rtt_us=2944
          outlook name=a, lost=0, possible=10
        path name=b, state=up, reason=all probes pass, since_us=2003000, layers={interface: not_probed, handshake: not_probed, dataplane: up}, classes={small: up}, lost=0, known=6, rtt_us=2944, usable=True, clean_rounds=6
          target name=peer, probe_class=small, state=up, lost=0, known=6, rtt_us=2944
          outlook name=b, lost=0, possible=10
        """
    )
