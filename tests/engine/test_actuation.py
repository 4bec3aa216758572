"""Desired against observed: reads, writes, retries, drift, and when to stop."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.engine.world import (
    ABSENT,
    A,
    B,
    Fault,
    RequestKind,
    Table,
    World,
    policy,
    seconds,
    set_policy,
)
from wgfo.engine.decisions import Observe, Point, SetConverged
from wgfo.engine.events import LayerReported, SetChanged, StoredGroup, WriteEnded
from wgfo.engine.policy import Drift
from wgfo.model import (
    FailureKind,
    Foreign,
    Layer,
    LayerReport,
    PathHop,
    SetOutcome,
    Verdict,
    WriteFailure,
)

CUT_A = [Fault((A,), 60)]


def failing(kind: FailureKind, until: float = 1e9, **more: object):
    """Fail every write until a second."""

    def fail(at: float, point: Point) -> WriteEnded | None:
        if at >= until:
            return None
        failure = WriteFailure(kind, f"{kind.value} for the test", **more)  # type: ignore[arg-type]
        outcome = SetOutcome(point.set_id, 0, failures=(failure,))
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, outcome)

    return fail


def one_table(table: Table, **changes: object) -> World:
    group = policy(**changes)
    return World(group, tables={group.sets[0].id: table}, faults=list(CUT_A))


def test_a_switch_is_one_write_then_one_read_then_silence() -> None:
    table = Table()
    world = one_table(table, reconcile_us=seconds(1000)).run(600)
    assert len(table.writes) == 1
    after = [one for one in world.log if isinstance(one, Observe) and one.at_us > seconds(60)]
    assert [one.cause for one in after] == ["verify"]


def test_a_switch_converges_and_says_so_once() -> None:
    world = one_table(Table()).run(600)
    converged = [one for one in world.log if isinstance(one, SetConverged) and one.path == B]
    assert len(converged) == 1


def test_what_is_in_place_is_never_written() -> None:
    world = World(policy(reconcile_us=seconds(1))).run(600)
    assert world.writes == []


def test_an_absent_route_is_written_at_start_before_any_path_is_judged() -> None:
    table = Table(hop=ABSENT)
    group = policy()
    world = World(group, tables={group.sets[0].id: table}, stored=StoredGroup(desired=A, epoch=4)).run(1)
    assert [path for _, path, _ in table.writes] == [A]
    assert world.switches == []


def test_an_absent_route_without_a_stored_path_waits_for_one_clean_round() -> None:
    table = Table(hop=ABSENT)
    group = policy()
    world = World(group, tables={group.sets[0].id: table}).run(3)
    assert [path for _, path, _ in table.writes] == [A]
    assert world.desired == A


def test_a_transient_failure_is_tried_again_with_growing_pauses() -> None:
    table = Table(fail_write=failing(FailureKind.TRANSIENT, until=100))
    world = one_table(table).run(140)
    points = [one.at_us for one in world.log if isinstance(one, Point)]
    pauses = [after - before for before, after in pairwise(points)]
    assert len(table.writes) == 1
    assert table.writes[0][0] < 132
    assert pauses == sorted(pauses)
    assert 4 <= len(points) <= 12


def test_retry_after_is_honoured() -> None:
    table = Table(fail_write=failing(FailureKind.TRANSIENT, until=70, retry_after_ms=25_000))
    world = one_table(table).run(140)
    points = [one.at_us for one in world.log if isinstance(one, Point)]
    assert points[1] - points[0] >= seconds(25)


def test_a_permanent_failure_is_bounded_alarmed_and_stops_nobody_else() -> None:
    sets = tuple(set_policy(f"t{i}", provider="aws") for i in range(5))
    group = policy(sets=sets)
    tables = {one.id: Table() for one in sets}
    tables[sets[2].id].fail_write = failing(FailureKind.DENIED)
    world = World(group, tables=tables, faults=list(CUT_A)).run(660)
    assert [len(tables[one.id].writes) for one in sets] == [1, 1, 0, 1, 1]
    tries = [one for one in world.log if isinstance(one, Point) and one.set_id == sets[2].id]
    assert len(tries) <= 5
    assert "permanent" in world.state.alarms["partial"].text  # type: ignore[index]
    assert world.raised("partial")[0] <= 65.5


def test_an_unknown_outcome_waits_until_nothing_can_land_then_reads_then_writes() -> None:
    def lost(at: float, point: Point) -> WriteEnded | None:
        if at < 65:
            return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, None, "timed out")
        return None

    table = Table(fail_write=lost)
    group = policy(sets=(set_policy(late_write_us=seconds(8)),))
    world = World(group, tables={group.sets[0].id: table}, faults=list(CUT_A)).run(120)
    told = [(one.at_us, type(one).__name__) for one in world.log if isinstance(one, Observe | Point)]
    after = [name for at, name in told if at > seconds(62)]
    assert after[:3] == ["Point", "Observe", "Point"]
    times = [at for at, _ in told if at > seconds(62)]
    assert times[1] - times[0] >= seconds(8)
    assert [path for _, path, _ in table.writes] == [B]


def test_an_unknown_outcome_that_did_happen_is_not_written_again() -> None:
    table = Table()

    def landed(at: float, point: Point) -> WriteEnded | None:
        table.hop = PathHop(point.path)
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, None, "connection reset")

    table.fail_write = landed
    world = one_table(table).run(120)
    assert len([one for one in world.log if isinstance(one, Point)]) == 1
    assert world.alarms == set()


def drifting(table: Table, world: World, *times: float) -> None:
    for at in times:

        def rewrite() -> None:
            table.hop = Foreign("via 10.9.9.9")
            world.dispatch(SetChanged(world.now, world.policy.sets[0].id))

        world.at(at, rewrite)


def quiet_table(**changes: object) -> tuple[Table, World]:
    group = policy(**changes)
    table = Table()
    return table, World(group, tables={group.sets[0].id: table})


def test_drift_is_alarmed_and_repaired() -> None:
    table, world = quiet_table()
    drifting(table, world, 100)
    world.run(110)
    assert world.raised("drift")
    assert [path for _, path, _ in table.writes] == [A]
    assert world.alarms == set()


def test_drift_is_only_reported_where_the_operator_wants_it_so() -> None:
    table, world = quiet_table(drift=Drift.REPORT)
    drifting(table, world, 100)
    world.run(200)
    assert table.writes == []
    assert "drift" in world.alarms


def test_drift_seen_by_polling_alone_is_found_within_the_period() -> None:
    table, world = quiet_table()
    world.at(100, lambda: setattr(table, "hop", PathHop(B)))
    world.run(131)
    assert [path for _, path, _ in table.writes] == [A]


def test_the_third_foreign_rewrite_in_five_minutes_stops_the_repair() -> None:
    table, world = quiet_table()
    drifting(table, world, 100, 150, 200)
    world.run(400)
    assert len(table.writes) == 2
    assert "contended" in world.alarms


def test_rewrites_far_apart_are_repaired_every_time() -> None:
    table, world = quiet_table()
    drifting(table, world, 100, 450, 800, 1150)
    world.run(1300)
    assert len(table.writes) == 4
    assert not world.raised("contended")


def test_a_contended_table_is_still_written_by_an_escape() -> None:
    table, world = quiet_table()
    drifting(table, world, 100, 150, 200)
    world.faults.append(Fault((A,), 300))
    world.run(320)
    assert table.writes[-1][1] == B


def test_clear_lets_a_contended_table_be_repaired_again() -> None:
    table, world = quiet_table()
    drifting(table, world, 100, 150, 200)
    world.run(300)
    world.request(RequestKind.CLEAR)
    world.run(340)
    assert table.hop == PathHop(A)


def test_a_foreign_route_is_alarmed_and_left_alone() -> None:
    group = policy()
    table = Table(hop=Foreign("igw-1"))
    world = World(group, tables={group.sets[0].id: table}, faults=list(CUT_A)).run(120)
    assert table.writes == []
    assert "foreign_route" in world.alarms


def test_an_adopted_foreign_route_is_taken_over() -> None:
    group = policy(sets=(set_policy(adopt=True),))
    table = Table(hop=Foreign("igw-1"))
    World(group, tables={group.sets[0].id: table}).run(60)
    assert table.hop == PathHop(A)


def test_adopt_takes_over_what_stood_foreign() -> None:
    group = policy()
    table = Table(hop=Foreign("igw-1"))
    world = World(group, tables={group.sets[0].id: table}).run(60)
    world.request(RequestKind.ADOPT)
    world.run(100)
    assert table.hop == PathHop(A)


def test_a_route_that_the_platform_shows_as_ours_is_no_foreign_one() -> None:
    group = policy()
    table = Table(hop=Foreign("via 10.9.9.9", written_by_us=True))
    World(group, tables={group.sets[0].id: table}).run(60)
    assert table.hop == PathHop(A)


def test_a_read_that_fails_is_alarmed_and_read_again() -> None:
    group = policy()
    table = Table(failing=lambda at: "403 Forbidden" if 30 < at < 90 else "")
    world = World(group, tables={group.sets[0].id: table}).run(80)
    assert "403" in world.state.alarms["partial"].text  # type: ignore[index]
    world.run(200)
    assert world.alarms == set()


def test_an_unreachable_table_does_not_hold_up_the_decision_nor_the_others() -> None:
    sets = (set_policy("cloud", provider="aws"), set_policy("main"))
    group = policy(sets=sets)
    tables = {one.id: Table() for one in sets}
    tables[sets[0].id].failing = lambda at: "unreachable" if at < 150 else ""
    tables[sets[0].id].fail_write = failing(FailureKind.TRANSIENT, until=150)
    world = World(group, tables=tables, faults=list(CUT_A)).run(149)
    assert world.switches[0][0] <= 63.8
    assert tables[sets[1].id].hop == PathHop(B)
    world.run(190)
    assert tables[sets[0].id].hop == PathHop(B)


def test_a_planned_move_whose_half_fails_goes_back() -> None:
    sets = (set_policy("cloud", provider="aws"), set_policy("main"))
    group = policy(sets=sets)
    tables = {one.id: Table() for one in sets}
    tables[sets[1].id].fail_write = failing(FailureKind.TRANSIENT)
    world = World(group, tables=tables).run(60)
    assert world.request(RequestKind.DRAIN, A).accepted
    world.run(61)
    assert tables[sets[0].id].hop == PathHop(B)
    world.run(100)
    assert world.switches[-1][1:] == (A, "planned_failed")
    assert world.switches[-1][0] <= 91
    assert tables[sets[0].id].hop == PathHop(A)
    assert not world.state.selection.locked_out(A)


def test_an_escape_whose_half_fails_goes_forward() -> None:
    sets = (set_policy("cloud", provider="aws"), set_policy("main"))
    tables = {one.id: Table() for one in sets}
    tables[sets[1].id].fail_write = failing(FailureKind.DENIED)
    world = World(policy(sets=sets), tables=tables, faults=list(CUT_A)).run(300)
    assert [target for _, target, _ in world.switches] == [B]
    assert "asymmetric" in world.alarms


def test_a_stale_read_within_the_settle_time_is_no_reason_to_write_again() -> None:
    group = policy(sets=(set_policy(settle_us=seconds(5)),))
    table = Table()

    class Stale(World):
        def _observe(self, asked: Observe) -> None:
            fresh = table.hop
            if table.writes and self.now / 1e6 < table.writes[-1][0] + 3:
                table.hop = PathHop(A)
            super()._observe(asked)
            self.at_us(self.now + table.read_us + 1, lambda _now: setattr(table, "hop", fresh))

    world = Stale(group, tables={group.sets[0].id: table}, faults=list(CUT_A)).run(120)
    assert len(table.writes) == 1
    assert world.alarms == set()


def test_a_write_that_is_never_read_back_is_repeated_ever_more_rarely() -> None:
    table = Table()

    def pretend(at: float, point: Point) -> WriteEnded:
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, SetOutcome(point.set_id, 1))

    table.fail_write = pretend
    world = one_table(table).run(360)
    points = [one for one in world.log if isinstance(one, Point)]
    assert 5 <= len(points) <= 20
    assert "partial" in world.alarms


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_a_restart_resumes_the_stored_switch_and_never_writes_the_path_being_left(epoch: int) -> None:
    sets = tuple(set_policy(f"t{i}", provider="aws") for i in range(6))
    tables = {one.id: Table(hop=PathHop(B if i < 3 else A)) for i, one in enumerate(sets)}
    stored = StoredGroup(desired=B, epoch=epoch, owned=tuple(one.id for one in sets))
    world = World(policy(sets=sets), tables=tables, stored=stored, faults=[Fault((A,), 0)]).run(60)
    assert {path for _, path, _ in world.writes} == {B}
    assert len(world.writes) == 3
    assert world.switches == []


def test_routes_that_went_with_their_interface_are_written_again_when_it_is_back_and_not_before() -> None:
    table, world = quiet_table()
    world.faults += [Fault((A, B), 100, 130)]
    down = LayerReport(Layer.INTERFACE, Verdict.DOWN, "wgA is down", "admin_down")
    up = LayerReport(Layer.INTERFACE, Verdict.UP, "up")

    def go(report: LayerReport) -> None:
        table.hop = ABSENT
        world.dispatch(LayerReported(world.now, A, 1, report))
        world.dispatch(SetChanged(world.now, world.policy.sets[0].id))

    world.at(100, lambda: go(down))
    world.at(130, lambda: go(up))
    world.run(129)
    assert table.writes == []
    world.run(170)
    assert [path for _, path, _ in table.writes] == [A]
    assert world.switches == []
