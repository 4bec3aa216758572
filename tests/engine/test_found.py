"""What the simulator found: each the smallest run that shows it."""

from __future__ import annotations

import pytest

from tests.engine.world import (
    ABSENT,
    TARGETS,
    A,
    B,
    C,
    Fault,
    Table,
    World,
    policy,
    seconds,
    set_policy,
)
from wgfo.engine.decisions import AlarmName, Observe, PathChanged, Point, SetConverged
from wgfo.engine.events import LayerReported, RequestKind, SetObserved, StoredGroup, WriteEnded
from wgfo.engine.policy import SECOND_US, PathPolicy, RecoverRule, StreamPolicy
from wgfo.model import (
    FailureKind,
    Foreign,
    Layer,
    LayerReport,
    Observed,
    Outcome,
    PathHop,
    PathName,
    PathState,
    Prefix,
    ProbeResult,
    RouteException,
    RouteSetId,
    SetObservation,
    SetOutcome,
    Verdict,
    WriteFailure,
)

MAIN = RouteSetId("linux/main/g")


def hanging(table: Table, *, writes: bool) -> World:
    """A is cut at 60 s; from 62 s on every read hangs for 15 s, and writes too if told to."""
    world = World(policy(reconcile_us=SECOND_US), faults=[Fault((A,), 60)], tables={MAIN: table})

    def hang() -> None:
        table.read_us = 15 * SECOND_US
        table.write_us = 15 * SECOND_US if writes else table.write_us

    world.at(62, hang)
    return world.run(70)


def test_a_set_whose_read_hangs_since_before_the_switch_has_an_alarm_after_one_round() -> None:
    world = hanging(Table(), writes=True)
    (switched, _, _), *_ = world.switches
    assert [at - switched < 1.2 for at in world.raised("partial")] == [True]


def test_an_escape_is_written_although_a_read_of_the_period_hangs() -> None:
    table = Table()
    world = hanging(table, writes=False)
    (switched, _, _), *_ = world.switches
    assert [(path, at - switched < 0.1) for at, path, _ in table.writes] == [(B, True)]


@pytest.mark.parametrize("until", range(102, 152, 10))
def test_routes_stand_ten_seconds_after_an_api_that_was_long_away_is_back(until: float) -> None:
    def failing(at: float) -> str:
        return "unreachable" if 63 <= at < until else ""

    sets = tuple(set_policy(name) for name in ("main", "one", "two", "three", "four"))
    tables = {one.id: Table(failing=failing) for one in sets}
    World(policy(sets=sets, reconcile_us=SECOND_US), faults=[Fault((A,), 60)], tables=tables).run(until + 10)
    assert {table.hop for table in tables.values()} == {PathHop(B)}


def test_a_set_that_is_changed_while_it_settles_has_an_alarm_after_one_round() -> None:
    """Seed 22: the difference is first read when the settle time is over, and passed for a write in vain."""
    table = Table(hop=ABSENT)
    slow = policy(sets=(set_policy(settle_us=2 * SECOND_US),))
    world = World(slow, tables={MAIN: table}, stored=StoredGroup(desired=A, epoch=1))

    def meddle() -> None:
        table.read_us = 5 * SECOND_US // 2
        table.hop = PathHop(B)

    world.at(0.3, meddle)
    world.run(6)
    assert [at < 4.1 for at in world.raised("partial")] == [True]


def test_nothing_returns_to_the_primary_while_the_remote_site_is_dark() -> None:
    """Seed 2039: every target was silent on every path, and the wait-to-restore ended all the same."""
    group = policy(revertive=True, wait_to_restore_us=60 * SECOND_US)
    faults = [Fault((A,), 60, 80), Fault((A, B), 220, 400, targets=TARGETS, anchor=False)]
    world = World(group, faults=faults).run(399)
    assert [target for _, target, _ in world.switches] == [B]
    world.run(520)
    assert [target for _, target, _ in world.switches] == [B, A]


@pytest.mark.parametrize("start", [60.0, 60.3, 60.6, 60.9])
def test_a_target_that_died_long_before_the_rest_proves_nothing_when_the_site_goes_dark(start: float) -> None:
    """Seed 100638: what the third path answered before the site went dark passed for newer than that."""
    group = policy(paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)))
    faults = [Fault((A, B), 50, 65, targets=("t3",)), Fault((A, B, C), start, start + 2.6)]
    assert World(group, faults=faults).run(66).switches == []


def half(*, told: bool) -> Table:
    """Return a table in which writes towards B land, and are told as failed, or not at all."""
    table = Table()

    def land(at: float, point: Point) -> WriteEnded | None:
        if point.path != B:
            return None
        table.hop = PathHop(B)
        failure = WriteFailure(FailureKind.TRANSIENT, "500 for a part")
        outcome = SetOutcome(point.set_id, 1, failures=(failure,)) if told else None
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, outcome)

    table.fail_write = land
    return table


def there_and_back(table: Table, late_write_us: int = 0) -> World:
    """Force B at 40 s, and A again half a second later, before anything was read back."""
    sets = (set_policy(late_write_us=late_write_us),)
    world = World(policy(sets=sets, reconcile_us=30 * SECOND_US), tables={MAIN: table})
    world.run(40).request(RequestKind.FORCE, B)
    world.run(40.5).request(RequestKind.FORCE, A)
    return world.run(60)


def test_a_write_that_failed_half_way_is_read_before_the_set_is_called_in_step_again() -> None:
    """The read from before that write showed A, so nothing was done until the next period."""
    table = half(told=True)
    world = there_and_back(table)
    (back,) = [at for at, path, _ in table.writes if path == A]
    converged = [one.at_us for one in world.log if isinstance(one, SetConverged) and one.epoch == 3]
    assert back < 41.5
    assert converged[0] > seconds(back)


def test_a_set_of_which_nobody_knows_where_it_stands_has_an_alarm_after_one_round() -> None:
    """Seed 100061: its write was never answered, and the new path is the one of the read before."""
    table = half(told=False)
    world = there_and_back(table, late_write_us=10 * SECOND_US)
    assert [at < 41.7 for at in world.raised("partial")] == [True]


class Mixed(World):
    """A set of which one prefix is a stranger's; the writes for the others land, its own is refused."""

    rest: Observed = PathHop(A)

    def _observe(self, asked: Observe) -> None:
        stranger = RouteException(Prefix("10.0.0.0/8"), Foreign("igw-1"))

        def answer(now: int) -> None:
            self.dispatch(SetObserved(now, SetObservation(asked.set_id, self.rest, (stranger,))))

        self.at_us(self.now + 5_000, answer)

    def land(self, at: float, point: Point) -> WriteEnded:
        self.rest = PathHop(point.path)
        refused = WriteFailure(FailureKind.FOREIGN, "10.0.0.0/8: igw-1", Prefix("10.0.0.0/8"))
        outcome = SetOutcome(point.set_id, 1, failures=(refused,))
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, outcome)


def mixed() -> Mixed:
    table = Table()
    world = Mixed(
        policy(reconcile_us=30 * SECOND_US), tables={MAIN: table}, stored=StoredGroup(desired=B, epoch=3)
    )
    table.fail_write = world.land
    world.run(100)
    return world


def test_a_set_in_which_one_route_is_a_strangers_is_written_once() -> None:
    """It was written again and again without a pause, by what was read before the first write."""
    world = mixed()
    assert [one.path for one in world.log if isinstance(one, Point)] == [B]
    assert "foreign_route" in world.alarms


def test_a_strangers_route_is_not_ours_for_what_we_wrote_beside_it() -> None:
    world = mixed()
    world.request(RequestKind.FORCE, A)
    world.run(140)
    assert {one.owned for one in world.log if isinstance(one, Point)} == {False}


def test_a_start_amid_heavy_loss_leaves_the_lossy_path_once_the_loss_is_confirmed() -> None:
    """A path that never rose was never judged by its losses: a restart amid them kept the traffic there."""
    world = World(policy(), faults=[Fault((A,), 0, loss=0.3)], stored=StoredGroup(desired=A, epoch=1)).run(90)
    assert [(target, rule) for _, target, rule in world.switches] == [(B, "signal_degrade")]


def test_a_path_that_comes_back_without_one_of_three_targets_is_left_for_one_that_has_them_all() -> None:
    """Seed 101009: it was called recovering for ever."""
    faults = [Fault((A, B), 60, 66), Fault((A,), 60, targets=("t3",))]
    assert [target for _, target, _ in World(policy(), faults=faults).run(120).switches] == [B]


def test_a_path_that_is_clean_again_is_not_left_for_the_losses_of_its_outage() -> None:
    """Seed 101632: nobody could take over while it was out; ten seconds later it was left for that outage."""
    group = policy(rise=20)
    faults = [Fault((A,), 60, 66), Fault((B,), 40, 50)]
    assert World(group, faults=faults).run(150).switches == []


def filtered(world: World, path: PathName, start: float, end: float) -> World:
    """Have strict reverse-path filtering drop what comes back through a path, and the link probe say so."""
    drops = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "strict rp_filter", "rp_filter", discredits=True)
    mended = LayerReport(Layer.INTERFACE, Verdict.UP, "up")
    world.faults.append(Fault((path,), start, end))
    for at, report in ((start, drops), (end, mended)):
        world.at(at, lambda report=report: world.dispatch(LayerReported(world.now, path, 1, report)))
    return world


def test_what_was_lost_under_strict_filtering_moves_nothing_when_that_is_mended() -> None:
    """Seed 205679: the losses of sixteen seconds came to bear at once, neither as silence nor as loss."""
    world = filtered(World(), A, 60, 76).run(200)
    assert world.switches == []
    assert not [one for one in world.log if isinstance(one, PathChanged) and one.after is PathState.DOWN]


def test_a_path_rises_anew_after_strict_filtering_though_no_other_answers() -> None:
    """Seed 602036: one answer after fifteen seconds without any was enough, for those of before it counted."""
    world = World(policy(rise=5), faults=[Fault((A,), 40), Fault((B,), 30, 55)])
    filtered(world, B, 60, 76).run(79)
    assert (world.switches, world.state.judgements[B].clean) == ([], 3)
    assert not world.raised("contact_lost")
    assert [(at > 80, target) for at, target, _ in world.run(90).switches] == [(True, B)]


def test_what_was_sent_under_strict_filtering_and_lost_after_it_condemns_nothing() -> None:
    """Seed 1124728: of a cut of 1.9 s a third round was lost already when it began, and closed in between."""
    world = filtered(World(), B, 61, 62.5)
    world.faults.append(Fault((B,), 62.9, 64.9))
    world.run(80)
    assert not [one for one in world.log if isinstance(one, PathChanged) and one.after is PathState.DOWN]


def test_an_answer_of_the_desired_path_does_not_make_the_other_rise() -> None:
    """Seed 706632: both are dark, A is back first; with B's first answer A rose, and traffic went to it."""
    group = policy(revertive=True, wait_to_restore_us=0, recover=RecoverRule(window_us=20 * SECOND_US))
    world = World(group, faults=[Fault((A,), 40, 70), Fault((B,), 50, 80)]).run(120)
    assert [(int(at), target, rule) for at, target, rule in world.switches] == [
        (42, B, "signal_fail"),
        (89, A, "revert"),
    ]


def test_what_a_path_answered_before_it_went_dark_as_well_is_no_proof() -> None:
    """Seed 205679: one path fails, and when it may be left at last the others have been dark for long."""
    paths = tuple(PathPolicy(path) for path in (A, B, C))
    dark = [Fault((B, C), 80, 120, targets=TARGETS)]
    world = World(policy(paths=paths, hold_off_us=30 * SECOND_US), faults=[Fault((A,), 60), *dark])
    assert world.run(119).switches == []
    assert world.raised("no_usable_path")
    assert [(at > 120, target) for at, target, _ in world.run(130).switches] == [(True, B)]


def test_a_path_whose_probes_this_host_refuses_to_send_is_unknown_and_told() -> None:
    """It stayed up for ever, without an alarm, and with nothing known of it."""
    world = World()
    answers = world.probe

    def refused(path: PathName, target: str, one: StreamPolicy, sent_us: int) -> ProbeResult:
        if path == A and 60 <= sent_us / SECOND_US < 90:
            return ProbeResult(Outcome.UNKNOWN, sent_us, reason="not permitted")
        return answers(path, target, one, sent_us)

    world.probe = refused  # type: ignore[method-assign]
    world.run(64)
    assert (world.state.judgements[A].state, world.alarms) == (PathState.UP, set())
    world.run(66)
    assert (world.state.judgements[A].state, world.alarms) == (PathState.UNKNOWN, {"contact_lost"})
    assert "five rounds (not permitted)" in world.state.judgements[A].blind
    assert world.state.alarms[AlarmName.CONTACT_LOST].text == "no probe is sent in time through a"
    world.run(92)
    assert (world.state.judgements[A].state, world.alarms) == (PathState.UP, set())
    assert world.switches == []
