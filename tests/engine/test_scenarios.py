"""What the engine decides in the situations that matter, over scripted paths in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
    policy,
    seconds,
    set_policy,
    stream,
)
from wgfo.engine.decisions import Established, Switch
from wgfo.engine.events import LayerReported
from wgfo.engine.policy import LatencyRule, PathPolicy
from wgfo.model import LARGE, TCP, Layer, LayerReport, Outcome, PathName, ProbeResult, Verdict


def cut(path: PathName, start: float, end: float = 1e9) -> Fault:
    return Fault((path,), start, end)


def test_nothing_happens_while_everything_is_well() -> None:
    world = World().run(600)
    assert world.switches == []
    assert world.writes == []
    assert world.alarms == set()


def test_a_hard_cut_is_decided_within_fall_intervals_and_a_timeout() -> None:
    world = World(faults=[cut(A, 60)]).run(660)
    [(at, target, rule)] = world.switches
    assert (target, rule) == (B, "signal_fail")
    assert at - 60 <= 3.8


@pytest.mark.parametrize("phase", [0.0, 0.1, 0.25, 0.49, 0.5, 0.75, 0.99])
def test_the_bound_holds_at_every_phase_of_the_probes(phase: float) -> None:
    world = World(faults=[cut(A, 60 + phase)]).run(120)
    [(at, _, _)] = world.switches
    assert at - 60 - phase <= 3.8 + 0.05


@pytest.mark.parametrize("phase", range(0, 100, 7))
def test_an_interruption_shorter_than_two_intervals_never_trips(phase: int) -> None:
    start = 60 + phase / 100
    assert World(faults=[cut(A, start, start + 1.94)]).run(100).switches == []


@pytest.mark.parametrize("phase", range(0, 100, 7))
def test_an_interruption_of_three_intervals_trips_exactly_once(phase: int) -> None:
    start = 60 + phase / 100
    assert len(World(faults=[cut(A, start, start + 3.1)]).run(100).switches) == 1


def test_silence_behind_a_gateway_that_answers_is_not_forwarding() -> None:
    world = World(faults=[Fault((A,), 60, targets=TARGETS, anchor=False)]).run(120)
    assert [target for _, target, _ in world.switches] == [B]
    assert world.states(A)[-1][1:] == ("down", "not_forwarding")


def test_a_remote_site_that_goes_dark_moves_nothing_and_pages() -> None:
    world = World(faults=[Fault((A, B), 60, 120, targets=TARGETS, anchor=False)]).run(100)
    assert "remote_down" in world.alarms
    world.run(300)
    assert world.switches == []
    assert "remote_down" not in world.alarms


@pytest.mark.parametrize("tenth", range(0, 60, 7))
def test_a_dark_site_moves_nothing_whenever_it_goes_and_comes_back(tenth: int) -> None:
    start = 60 + tenth / 37
    faults = [Fault((A, B), start, start + 1 + tenth / 5, targets=TARGETS, anchor=False)]
    assert World(faults=faults, phase={B: 0.011}).run(150).switches == []


def test_both_paths_dead_stays_and_pages_then_takes_the_first_that_heals() -> None:
    world = World(faults=[cut(A, 60, 400), cut(B, 60, 180)]).run(170)
    assert "no_usable_path" in world.alarms
    world.run(900)
    [(at, target, _)] = world.switches
    assert target == B
    assert at <= 200


def test_both_paths_that_heal_together_stay_where_they_were() -> None:
    world = World(faults=[cut(A, 60, 180), cut(B, 60, 180)], phase={B: -0.004}).run(300)
    assert world.switches == []


def test_a_dead_standby_is_never_switched_to() -> None:
    world = World(faults=[cut(B, 30), cut(A, 60)]).run(300)
    assert world.switches == []
    assert "no_usable_path" in world.alarms


def test_an_unproven_standby_is_never_switched_to() -> None:
    group = policy(paths=(PathPolicy(A), PathPolicy(B, visible=False)))
    world = World(group, faults=[cut(A, 60)]).run(120)
    assert world.switches == []
    assert "no_usable_path" in world.alarms


def test_no_switch_before_the_standby_rose() -> None:
    world = World(faults=[cut(A, 1)]).run(60)
    [(at, _, _)] = world.switches
    assert at >= 9


def test_isolation_freezes_and_thaws_without_a_switch() -> None:
    world = World(faults=[Fault((A, B), 60, 120)], reference_dead=(60, 120)).run(100)
    assert "isolated" in world.alarms
    world.run(300)
    assert world.switches == []
    assert world.alarms == set()


def test_without_a_reference_isolation_is_not_told() -> None:
    world = World(policy(has_reference=False), faults=[Fault((A, B), 60, 120)]).run(100)
    assert "isolated" not in world.alarms
    assert "no_usable_path" in world.alarms


@pytest.mark.parametrize("seed", range(12))
def test_random_loss_on_the_active_path_alone_is_found(seed: int) -> None:
    world = World(seed=seed, faults=[Fault((A,), 60, loss=0.3)]).run(160)
    assert [(target, rule) for _, target, rule in world.switches] == [(B, "signal_degrade")]
    assert world.switches[0][0] - 60 <= 42


def test_equal_loss_on_both_paths_is_no_reason_to_move() -> None:
    moved = sum(
        bool(World(seed=seed, faults=[Fault((A, B), 60, loss=0.3)]).run(200).switches) for seed in range(30)
    )
    assert moved <= 2


def test_one_subnet_lost_via_the_active_path_is_found_by_the_loss_rule() -> None:
    world = World(faults=[Fault((A,), 60, targets=("t1",))]).run(70)
    assert "background_loss" in world.alarms
    world.run(120)
    [switch] = [one for one in world.log if isinstance(one, Switch)]
    assert switch.rule == "signal_degrade"
    assert "t1" in switch.reason
    assert switch.at_us <= seconds(85)


def test_a_target_dead_on_every_path_is_masked() -> None:
    world = World(faults=[Fault((A, B), 60, targets=("t1",))]).run(300)
    assert world.switches == []
    assert world.state.judgements[A].masked == {"t1"}
    world.faults.append(cut(A, 300))
    world.run(360)
    assert [target for _, target, _ in world.switches] == [B]


def large_stream(index: int = 1) -> object:
    return stream(index, probe_class=LARGE, interval_us=2_000_000, base=False)


def with_class(**changes: object) -> object:
    return policy(streams=(stream(), large_stream()), sources=(), **changes)


def test_large_packets_that_die_on_the_active_path_alone_move_traffic() -> None:
    world = World(with_class(), faults=[Fault((A,), 60, classes=(LARGE,))]).run(120)
    [(at, target, rule)] = world.switches
    assert (target, rule) == (B, "signal_degrade")
    assert at - 60 <= 13


def test_large_packets_that_die_on_both_paths_move_nothing_and_name_the_mtu() -> None:
    world = World(with_class(), faults=[Fault((A, B), 60, classes=(LARGE,))]).run(120)
    assert world.switches == []
    assert "MTU" in world.state.alarms["background_loss"].text  # type: ignore[index]


def test_one_closed_port_of_three_is_the_service_not_the_path() -> None:
    group = policy(
        streams=(stream(), stream(1, probe_class=TCP, interval_us=2_000_000, base=False)), sources=()
    )
    world = World(group, faults=[Fault((A, B), 60, targets=("t1",), classes=(TCP,))]).run(200)
    assert world.switches == []
    assert world.states(A)[-1][1] == "up"


def test_a_class_that_returns_half_a_round_earlier_on_the_standby_moves_nothing() -> None:
    for hundredth in range(0, 200, 9):
        end = 100 + hundredth / 100
        world = World(with_class(), faults=[Fault((A, B), 60, end, classes=(LARGE,))], phase={B: 0.013}).run(
            140
        )
        assert world.switches == []


def test_an_interface_that_is_gone_is_left_as_soon_as_the_standby_proves_itself() -> None:
    world = World().run(60.5)
    down = LayerReport(Layer.INTERFACE, Verdict.DOWN, "wgA is missing", "missing")
    world.faults.append(cut(A, 60.5))
    world.dispatch(LayerReported(world.now, A, 1, down))
    world.run(65)
    [(at, target, _)] = world.switches
    assert target == B
    assert 60.5 < at <= 61.6


def test_strict_reverse_path_filtering_makes_the_path_unknown() -> None:
    world = World().run(60)
    report = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "rp_filter: strict", "rp_filter", discredits=True)
    world.dispatch(LayerReported(world.now, B, 1, report))
    assert world.states(B)[-1][1] == "unknown"
    world.faults.append(cut(A, 60))
    world.run(120)
    assert world.switches == []


def test_an_interface_probe_that_crashed_says_nothing() -> None:
    world = World().run(60)
    world.dispatch(
        LayerReported(world.now, A, 1, LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "probe failed"))
    )
    assert world.states(A)[-1][1] == "up"


def test_high_latency_warns_and_moves_nothing_unless_told() -> None:
    class Slow(World):
        def probe(self, path: PathName, target: str, one: object, sent_us: int) -> ProbeResult:
            slow = path == A and sent_us > seconds(60)
            return ProbeResult(Outcome.OK, sent_us, 300_000 if slow else 3_000)

    warned = Slow(policy(latency=LatencyRule(150_000))).run(120)
    assert warned.switches == []
    assert "background_loss" in warned.alarms
    told = Slow(policy(latency=LatencyRule(150_000, act=True))).run(120)
    assert [target for _, target, _ in told.switches] == [B]


def test_hold_off_lets_a_lower_layer_repair_first() -> None:
    group = policy(hold_off_us=seconds(5))
    assert World(group, faults=[cut(A, 60, 66)]).run(120).switches == []
    [(at, _, _)] = World(group, faults=[cut(A, 60)]).run(120).switches
    assert 67.7 <= at - 0.1 <= 68.9


def test_revert_waits_for_the_wait_to_restore_without_interruption() -> None:
    world = World(policy(revertive=True), faults=[cut(A, 60, 100), cut(A, 300, 305)]).run(900)
    [(_, _, escape), (at, target, rule)] = world.switches
    assert (escape, target, rule) == ("signal_fail", A, "revert")
    assert 605 <= at <= 720


def test_unknown_rounds_pause_the_wait_to_restore() -> None:
    world = World(policy(revertive=True), faults=[cut(A, 60, 100)])
    world.muted = (300, 330)
    world.run(900)
    [_, (at, _, rule)] = world.switches
    assert rule == "revert"
    assert 540 <= at <= 660


def test_every_escape_is_taken_and_flapping_is_alarmed() -> None:
    faults = [cut(A if turn % 2 == 0 else B, 60 + 120 * turn, 180 + 120 * turn) for turn in range(8)]
    world = World(faults=faults).run(1000)
    assert len(world.switches) == 8
    for turn, (at, _, _) in enumerate(world.switches):
        assert at - (60 + 120 * turn) <= 20
    assert world.raised("flapping")[0] > 300


def test_damping_delays_the_return_not_the_escape() -> None:
    faults = [cut(A, 60 + 150 * turn, 70 + 150 * turn) for turn in range(4)]
    group = policy(revertive=True, wait_to_restore_us=seconds(10))
    group = replace(group, recover=replace(group.recover, window_us=seconds(20)))
    world = World(group, faults=faults).run(600)
    assert "flapping" in {str(name) for name in world.state.alarms} or world.raised("flapping")
    assert world.switches[-1][1] == B


def test_three_paths_fall_over_in_order_of_preference() -> None:
    group = policy(paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)))
    world = World(group, faults=[cut(A, 60), cut(B, 120)]).run(200)
    assert [target for _, target, _ in world.switches] == [B, C]


def test_a_stalled_prober_is_unknown_and_alarmed_not_down() -> None:
    world = World()
    world.muted = (60, 90)
    world.run(80)
    assert world.states(A)[-1][1] == "unknown"
    assert "contact_lost" in world.alarms
    world.run(120)
    assert world.switches == []
    assert world.alarms == set()


def test_the_start_follows_what_most_routes_say() -> None:
    world = World(policy(sets=(set_policy("one"), set_policy("two", prefixes=5)))).run(0)
    first, second = world.tables.values()
    first.hop, second.hop = first.hop, type(second.hop)(B)  # type: ignore[call-arg]
    world.run(5)
    [found] = [one for one in world.log if isinstance(one, Established)]
    assert (found.path, found.found_in) == (B, "observed")


def test_a_start_with_every_path_dead_and_no_route_pages() -> None:
    group = policy()
    table = Table(hop=ABSENT)
    world = World(group, tables={group.sets[0].id: table}, faults=[Fault((A, B), 0, 60)]).run(30)
    assert world.desired is None
    assert "no_usable_path" in world.alarms
    world.run(120)
    assert world.desired == A
    assert world.alarms == set()


def test_a_forced_switch_holds_on_a_dead_path_and_pages() -> None:
    world = World().run(60)
    assert world.request(RequestKind.FORCE, B).accepted
    world.faults.append(cut(B, 61))
    world.run(120)
    assert world.desired == B
    assert "forced_path_down" in world.alarms
    world.request(RequestKind.CLEAR)
    world.run(125)
    assert world.desired == A
