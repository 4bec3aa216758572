# ruff: noqa: E501 - a decision is a line
"""What is asked of route providers, and what their answers lead to, to the line."""

from __future__ import annotations

from tests.engine.unit.story import brisk, lines, told
from tests.engine.world import ABSENT, A, B, Fault, RequestKind, Table, World, seconds, set_policy
from wgfo.engine.decisions import Observe, Point
from wgfo.engine.events import LayerReported, ObserveFailed, SetChanged, SetObserved, StoredGroup, WriteEnded
from wgfo.engine.policy import Drift, EvidenceSource, GroupPolicy, SetPolicy
from wgfo.model import (
    FailureKind,
    Foreign,
    Health,
    Layer,
    LayerReport,
    Observed,
    PathHop,
    Prefix,
    RouteException,
    SetObservation,
    SetOutcome,
    Verdict,
    WriteFailure,
)

MAIN = set_policy().id


def one_table(table: Table, *faults: Fault, stored: StoredGroup | None = None, **changes: object) -> World:
    group = brisk(**changes)
    return World(group, tables={group.sets[0].id: table}, faults=list(faults), stored=stored)


def fails(*failures: WriteFailure, until: float = 1e9, written: int = 0):
    """Fail every write until a second."""

    def fail(at: float, point: Point) -> WriteEnded | None:
        if at >= until:
            return None
        outcome = SetOutcome(point.set_id, written, failures=failures)
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, outcome)

    return fail


def changes(world: World, table: Table, hop: Observed, *times: float) -> World:
    """Let somebody change the table at some seconds, and a hint of it come."""

    def rewrite() -> None:
        table.hop = hop
        world.dispatch(SetChanged(world.now, world.policy.sets[0].id))

    for at in times:
        world.at(at, rewrite)
    return world


def test_a_route_in_place_is_read_every_period_and_never_written() -> None:
    assert told(one_table(Table(), reconcile_us=seconds(4)).run(14)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 1, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 1
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        4.005 observe linux/main/g: reconcile
        8.010 observe linux/main/g: reconcile
        12.015 observe linux/main/g: reconcile
        """
    )


def test_an_absent_route_is_written_for_the_stored_path_at_once() -> None:
    world = one_table(Table(hop=ABSENT), stored=StoredGroup(desired=A, epoch=4, owned=(MAIN,)))
    assert told(world.run(1.5)) == lines(
        """
        0.000 established a epoch 4, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        0.005 point linux/main/g at a epoch 4 attempt 1 (owned): switch
        0.025 observe linux/main/g (urgent): verify
        0.030 converged linux/main/g on a epoch 4
        """
    )


def test_an_absent_route_without_a_stored_path_waits_for_one_that_answers() -> None:
    assert told(one_table(Table(hop=ABSENT), Fault((A,), 0)).run(3)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.838 established b epoch 1, preference: b is the first preferred path that answers
        0.838 point linux/main/g at b epoch 1 attempt 1: switch
        0.858 observe linux/main/g (urgent): verify
        0.863 converged linux/main/g on b epoch 1
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        2.837 a unknown -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        """
    )


def test_a_settle_time_is_read_out_before_a_set_converges() -> None:
    world = one_table(Table(), Fault((A,), 5), sets=(set_policy(settle_us=seconds(3)),))
    assert told(world.run(14), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): verify
        8.463 observe linux/main/g: settling
        9.068 observe linux/main/g: settling
        9.672 observe linux/main/g: settling
        10.277 observe linux/main/g: settling
        10.883 converged linux/main/g on b epoch 2
        """
    )


def test_a_stale_read_is_waited_out_and_a_write_in_vain_is_tried_again() -> None:
    table = Table()

    def pretend(at: float, point: Point) -> WriteEnded | None:
        if at > 16:
            return None
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, SetOutcome(point.set_id, 1))

    table.fail_write = pretend
    world = one_table(table, Fault((A,), 5), sets=(set_policy(settle_us=seconds(2)),))
    assert told(world.run(26), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): verify
        8.262 observe linux/main/g: stale read
        8.668 observe linux/main/g: stale read
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g
        9.072 observe linux/main/g: stale read
        9.477 observe linux/main/g: stale read
        9.883 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        9.902 observe linux/main/g (urgent): verify
        10.307 observe linux/main/g: stale read
        10.713 observe linux/main/g: stale read
        11.117 observe linux/main/g: stale read
        11.523 observe linux/main/g: stale read
        11.928 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        11.947 observe linux/main/g (urgent): verify
        12.352 observe linux/main/g: stale read
        12.758 observe linux/main/g: stale read
        13.162 observe linux/main/g: stale read
        13.568 observe linux/main/g: stale read
        13.973 point linux/main/g at b epoch 2 attempt 4 (urgent) (owned): retry
        13.992 observe linux/main/g (urgent): verify
        14.398 observe linux/main/g: stale read
        14.803 observe linux/main/g: stale read
        15.207 observe linux/main/g: stale read
        15.613 observe linux/main/g: stale read
        16.017 point linux/main/g at b epoch 2 attempt 5 (urgent) (owned): retry
        16.038 observe linux/main/g (urgent): verify
        16.043 alarm partial over
        16.442 observe linux/main/g: settling
        16.848 observe linux/main/g: settling
        17.253 observe linux/main/g: settling
        17.657 observe linux/main/g: settling
        18.062 converged linux/main/g on b epoch 2
        """
    )


def test_a_transient_failure_backs_off_with_jitter() -> None:
    table = Table(fail_write=fails(WriteFailure(FailureKind.TRANSIENT, "503 busy"), until=20))
    assert told(one_table(table, Fault((A,), 5)).run(27), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        8.704 observe linux/main/g (urgent): read again
        8.709 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g (503 busy)
        10.424 observe linux/main/g (urgent): read again
        10.429 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        13.844 observe linux/main/g (urgent): read again
        13.849 point linux/main/g at b epoch 2 attempt 4 (urgent) (owned): retry
        19.869 observe linux/main/g (urgent): read again
        19.874 point linux/main/g at b epoch 2 attempt 5 (urgent) (owned): retry
        25.894 observe linux/main/g (urgent): read again
        25.899 point linux/main/g at b epoch 2 attempt 6 (urgent) (owned): retry
        25.919 observe linux/main/g (urgent): verify
        25.924 converged linux/main/g on b epoch 2
        25.924 alarm partial over
        """
    )


def test_a_platform_that_asks_for_a_pause_is_given_it() -> None:
    slow = WriteFailure(FailureKind.TRANSIENT, "429 slow down", Prefix("10.0.0.0/8"), retry_after_ms=9000)
    quick = WriteFailure(FailureKind.TRANSIENT, "429", Prefix("10.1.0.0/16"), retry_after_ms=3000)
    table = Table(fail_write=fails(quick, slow, until=9))
    assert told(one_table(table, Fault((A,), 5)).run(18), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g (10.1.0.0/16: 429 (and 1 more))
        16.858 observe linux/main/g (urgent): read again
        16.863 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        16.883 observe linux/main/g (urgent): verify
        16.887 converged linux/main/g on b epoch 2
        16.887 alarm partial over
        """
    )


def test_a_permanent_failure_is_told_so_and_tried_rarely() -> None:
    table = Table(fail_write=fails(WriteFailure(FailureKind.DENIED, "403 forbidden"), until=30))
    assert told(one_table(table, Fault((A,), 5)).run(320), 7.8)[:14] == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        8.704 observe linux/main/g (urgent): read again
        8.709 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g (permanent: 403 forbidden)
        308.729 observe linux/main/g (urgent): read again
        308.734 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        308.754 observe linux/main/g (urgent): verify
        308.759 converged linux/main/g on b epoch 2
        308.759 alarm partial over
        """
    )


def test_a_conflict_is_read_and_written_again_at_once_and_then_backs_off() -> None:
    table = Table(fail_write=fails(WriteFailure(FailureKind.CONFLICT, "etag changed"), until=9))
    assert told(one_table(table, Fault((A,), 5)).run(12), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): read again
        7.862 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g (etag changed)
        9.578 observe linux/main/g (urgent): read again
        9.583 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        9.603 observe linux/main/g (urgent): verify
        9.608 converged linux/main/g on b epoch 2
        9.608 alarm partial over
        """
    )


def test_a_write_that_was_withdrawn_is_no_failure() -> None:
    table = Table(fail_write=fails(WriteFailure(FailureKind.WITHDRAWN, "withdrawn"), until=7.9))
    assert told(one_table(table, Fault((A,), 5)).run(9), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): read again
        7.862 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        7.883 observe linux/main/g (urgent): read again
        7.888 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        7.907 observe linux/main/g (urgent): verify
        7.912 converged linux/main/g on b epoch 2
        """
    )


def test_a_foreign_route_that_the_write_met_holds_the_set() -> None:
    foreign = WriteFailure(FailureKind.FOREIGN, "not ours", Prefix("10.2.0.0/16"))
    table = Table(fail_write=fails(foreign, written=1, until=9))
    assert told(one_table(table, Fault((A,), 5), reconcile_us=seconds(5)).run(15), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 alarm foreign_route: routes that are not ours stand in our place (adopt them, or remove them): linux/main/g:
        8.704 observe linux/main/g (urgent): read again
        8.709 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        8.709 alarm foreign_route over
        8.729 alarm foreign_route: routes that are not ours stand in our place (adopt them, or remove them): linux/main/g:
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g (10.2.0.0/16: not ours)
        10.424 observe linux/main/g (urgent): read again
        10.429 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        10.429 alarm foreign_route over
        10.449 observe linux/main/g (urgent): verify
        10.454 converged linux/main/g on b epoch 2
        10.454 alarm partial over
        """
    )


def test_an_unknown_outcome_waits_until_nothing_can_land() -> None:
    def lost(at: float, point: Point) -> WriteEnded | None:
        if at > 9:
            return None
        return WriteEnded(seconds(at), point.set_id, point.epoch, point.attempt, None, "timed out")

    sets = (set_policy(late_write_us=seconds(4)),)
    world = one_table(Table(fail_write=lost), Fault((A,), 5), sets=sets)
    assert told(world.run(13), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g (timed out)
        11.857 observe linux/main/g (urgent): outcome unknown
        11.863 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        11.883 observe linux/main/g (urgent): verify
        11.887 converged linux/main/g on b epoch 2
        11.887 alarm partial over
        """
    )


def test_a_write_of_which_a_part_is_unknown_is_unknown() -> None:
    parts = (
        WriteFailure(FailureKind.UNKNOWN, "reset by peer", Prefix("10.3.0.0/16")),
        WriteFailure(FailureKind.TRANSIENT, "503"),
    )
    world = one_table(Table(fail_write=fails(*parts, until=8)), Fault((A,), 5))
    assert told(world.run(10), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): outcome unknown
        7.862 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        7.883 observe linux/main/g (urgent): outcome unknown
        7.888 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        7.907 observe linux/main/g (urgent): outcome unknown
        7.912 point linux/main/g at b epoch 2 attempt 4 (urgent) (owned): retry
        7.933 observe linux/main/g (urgent): outcome unknown
        7.938 point linux/main/g at b epoch 2 attempt 5 (urgent) (owned): retry
        7.957 observe linux/main/g (urgent): outcome unknown
        7.963 point linux/main/g at b epoch 2 attempt 6 (urgent) (owned): retry
        7.982 observe linux/main/g (urgent): outcome unknown
        7.987 point linux/main/g at b epoch 2 attempt 7 (urgent) (owned): retry
        8.008 observe linux/main/g (urgent): verify
        8.012 converged linux/main/g on b epoch 2
        """
    )


class Silent(World):
    """Its writes never end, its reads stop when told to."""

    deaf = (1e9, 1e9)

    def _point(self, asked: Point) -> None:
        del asked

    def _observe(self, asked: Observe) -> None:
        if not self.deaf[0] <= self.now / 1e6 < self.deaf[1]:
            super()._observe(asked)


def test_a_call_that_never_ends_is_given_up() -> None:
    group = brisk(
        sets=(set_policy(deadline_us=seconds(1), late_write_us=seconds(2)),), reconcile_us=seconds(100)
    )
    world = Silent(group, faults=[Fault((A,), 5)])
    world.deaf = (70.5, 71.5)
    assert told(world.run(160), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g
        72.838 observe linux/main/g (urgent): outcome unknown
        72.843 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        137.843 observe linux/main/g (urgent): outcome unknown
        137.847 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        """
    )


def test_a_newer_epoch_overtakes_a_write_under_way() -> None:
    world = Silent(brisk(), faults=[Fault((A,), 5, 8), Fault((B,), 9, 50)])
    late = WriteEnded(seconds(22), MAIN, 2, 1, SetOutcome(MAIN, 1))
    world.at(20, lambda: world.request(RequestKind.FORCE, B))
    world.at(21, lambda: world.request(RequestKind.CLEAR))
    world.at(22, lambda: world.dispatch(late))
    world.at(22.5, lambda: world.dispatch(SetObserved(world.now, SetObservation(MAIN, PathHop(B)))))
    world.at(22.6, lambda: world.dispatch(ObserveFailed(world.now, MAIN, "unreachable")))
    world.at(
        23,
        lambda: world.dispatch(
            WriteEnded(world.now, MAIN, world.state.selection.epoch, 1, SetOutcome(MAIN, 1))
        ),
    )
    assert told(world.run(24), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g
        10.838 alarm background_loss: b: 6 of 30 probes lost over 10 s
        11.838 b up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        11.838 alarm no_usable_path (page): b is down (data plane dead (3 of 3 targets silent for 3 rounds)); a: down, recovering
        11.838 alarm background_loss over
        16.041 a down -> up, rise: 9 clean rounds [clean=9]
        16.041 switch b -> a epoch 3, signal_fail: b is down: data plane dead (3 of 3 targets silent for 7 rounds) fault 9.025 [lost_rounds=7, targets=3]
        16.041 point linux/main/g at a epoch 3 attempt 1 (urgent) (owned): newer epoch
        16.041 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        16.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        16.041 alarm no_usable_path over
        17.041 alarm background_loss over
        20.000 accepted: forced onto b
        20.000 stands forced b
        20.000 switch a -> b epoch 4, forced: forced onto b; not a: forced elsewhere
        20.000 point linux/main/g at b epoch 4 attempt 1 (owned): newer epoch
        20.000 alarm forced_path_down (page): b is down, but a forced switch holds traffic on it: clear it
        21.000 accepted: cleared 1 of 1
        21.000 ended forced b: cleared
        21.000 switch b -> a epoch 5, signal_fail: b is down: data plane dead (3 of 3 targets silent for 12 rounds) fault 9.025 [lost_rounds=12, targets=3]
        21.000 point linux/main/g at a epoch 5 attempt 1 (urgent) (owned): newer epoch
        21.000 alarm forced_path_down over
        23.000 observe linux/main/g (urgent): verify
        23.005 converged linux/main/g on a epoch 5
        23.005 alarm partial over
        """
    )


def test_drift_is_repaired_and_the_third_time_contended() -> None:
    table = Table()
    world = one_table(table)
    changes(world, table, Foreign("via 10.9.9.9"), 10, 20, 30)
    world.at(40, lambda: setattr(table, "hop", PathHop(A)))
    assert told(world.run(50), 9) == lines(
        """
        10.000 observe linux/main/g: changed
        10.005 point linux/main/g at a epoch 1 attempt 1 (owned): drift
        10.005 alarm drift: changed by others: linux/main/g
        10.025 observe linux/main/g (urgent): verify
        10.030 converged linux/main/g on a epoch 1
        10.030 alarm drift over
        20.000 observe linux/main/g: changed
        20.005 point linux/main/g at a epoch 1 attempt 2 (owned): drift
        20.005 alarm drift: changed by others: linux/main/g
        20.025 observe linux/main/g (urgent): verify
        20.030 converged linux/main/g on a epoch 1
        20.030 alarm drift over
        30.000 observe linux/main/g: changed
        30.005 alarm drift: changed by others: linux/main/g
        30.005 alarm contended (page): somebody keeps rewriting linux/main/g: repair stopped; find who, then clear
        31.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g (contended)
        """
    )


def test_a_contended_set_is_free_again_when_it_stands_right_and_the_rewrites_are_past() -> None:
    table = Table()
    world = changes(one_table(table, reconcile_us=seconds(60)), table, PathHop(B), 10, 20, 30)
    world.at(40, lambda: setattr(table, "hop", PathHop(A)))
    changes(world, table, PathHop(B), 340)
    assert told(world.run(350), 25) == lines(
        """
        30.000 observe linux/main/g: changed
        30.005 alarm drift: changed by others: linux/main/g
        30.005 alarm contended (page): somebody keeps rewriting linux/main/g: repair stopped; find who, then clear
        31.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g (contended)
        90.005 observe linux/main/g: held
        90.010 alarm partial over
        90.010 alarm drift over
        150.010 observe linux/main/g: reconcile
        210.015 observe linux/main/g: reconcile
        270.020 observe linux/main/g: reconcile
        330.025 observe linux/main/g: reconcile
        330.025 alarm contended over
        340.000 observe linux/main/g: changed
        340.005 point linux/main/g at a epoch 1 attempt 3 (owned): drift
        340.005 alarm drift: changed by others: linux/main/g
        340.025 observe linux/main/g (urgent): verify
        340.030 converged linux/main/g on a epoch 1
        340.030 alarm drift over
        """
    )


def test_a_contended_set_is_repaired_after_clear_and_by_an_escape() -> None:
    table = Table()
    world = changes(one_table(table), table, PathHop(B), 10, 12, 14)
    world.at(16, lambda: world.request(RequestKind.CLEAR))
    assert told(world.run(50), 13) == lines(
        """
        14.000 observe linux/main/g: changed
        14.005 alarm drift: changed by others: linux/main/g
        14.005 alarm contended (page): somebody keeps rewriting linux/main/g: repair stopped; find who, then clear
        15.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g (contended)
        16.000 accepted: nothing stood; nothing cleared
        16.000 point linux/main/g at a epoch 1 attempt 3 (owned): drift
        16.000 alarm contended over
        16.020 observe linux/main/g (urgent): verify
        16.025 converged linux/main/g on a epoch 1
        16.025 alarm partial over
        16.025 alarm drift over
        46.025 observe linux/main/g: reconcile
        """
    )


def test_drift_is_only_reported_where_the_policy_says_so() -> None:
    table = Table()
    world = changes(one_table(table, drift=Drift.REPORT, reconcile_us=seconds(5)), table, ABSENT, 10)
    world.at(17, lambda: setattr(table, "hop", PathHop(A)))
    assert told(world.run(23), 9) == lines(
        """
        10.000 observe linux/main/g: changed
        10.005 alarm drift: changed by others: linux/main/g
        11.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g (reported)
        15.005 observe linux/main/g: held
        20.010 observe linux/main/g: held
        20.015 alarm partial over
        20.015 alarm drift over
        """
    )


def test_a_foreign_route_is_left_alone_until_it_is_adopted() -> None:
    table = Table(hop=Foreign("igw-1"))
    world = one_table(table, reconcile_us=seconds(5))
    world.at(12, lambda: world.request(RequestKind.ADOPT))
    assert told(world.run(17)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.041 established a epoch 1, preference: a is the first preferred path that answers
        1.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 alarm foreign_route: routes that are not ours stand in our place (adopt them, or remove them): linux/main/g:
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        5.005 observe linux/main/g: held
        10.010 observe linux/main/g: held
        12.000 accepted: the group's routes are ours from now on
        12.000 point linux/main/g at a epoch 1 attempt 1 (owned): switch
        12.000 alarm foreign_route over
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on a epoch 1
        12.025 alarm partial over
        """
    )


def test_a_route_that_we_wrote_before_is_drift_and_no_foreign_one() -> None:
    table = Table(hop=Foreign("via 10.9.9.9", written_by_us=True))
    assert told(one_table(table, stored=StoredGroup(desired=A, epoch=2)).run(2)) == lines(
        """
        0.000 established a epoch 2, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        1.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g
        """
    )
    owned = StoredGroup(desired=A, epoch=2, owned=(MAIN,))
    assert told(one_table(Table(hop=Foreign("igw-1")), stored=owned).run(1)) == lines(
        """
        0.000 established a epoch 2, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        """
    )


def test_a_set_that_is_adopted_by_configuration_is_written_as_ours() -> None:
    table = Table(hop=Foreign("igw-1"))
    world = one_table(table, sets=(set_policy(adopt=True),), stored=StoredGroup(desired=A, epoch=2))
    assert told(world.run(1)) == lines(
        """
        0.000 established a epoch 2, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        """
    )


class Reads(World):
    """Reads as told: (from second, observation); the last one that began counts."""

    seen: list[tuple[float, SetObservation]]

    def _observe(self, asked: Observe) -> None:
        def answer(now: int) -> None:
            shown = [one for at, one in self.seen if at <= now / 1e6]
            self.dispatch(SetObserved(now, shown[-1]))

        self.at_us(self.now + 5_000, answer)

    def _point(self, asked: Point) -> None:
        def answer(now: int) -> None:
            self.dispatch(
                WriteEnded(now, asked.set_id, asked.epoch, asked.attempt, SetOutcome(asked.set_id, 1))
            )

        self.at_us(self.now + 20_000, answer)


def reading(group: GroupPolicy, *seen: tuple[float, SetObservation], **more: object) -> Reads:
    class Told(Reads):
        pass

    Told.seen = list(seen)
    return Told(group, **more)  # type: ignore[arg-type]


def test_exceptions_residue_and_sick_routes_are_out_of_step() -> None:
    odd = RouteException(Prefix("10.4.0.0/16"), ABSENT)
    fine = SetObservation(MAIN, PathHop(A))
    world = reading(
        brisk(reconcile_us=seconds(2)),
        (0, fine),
        (3, SetObservation(MAIN, PathHop(A), exceptions=(odd,))),
        (4.02, fine),
        (5, SetObservation(MAIN, PathHop(A), residue=("old route",))),
        (6.05, fine),
        (8, SetObservation(MAIN, PathHop(A), health=Health.BLACKHOLE)),
        (9, fine),
    )
    assert told(world.run(12), 1.9) == lines(
        """
        2.005 observe linux/main/g: reconcile
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        4.010 observe linux/main/g: reconcile
        4.015 point linux/main/g at a epoch 1 attempt 1 (owned): drift
        4.015 alarm drift: changed by others: linux/main/g
        4.035 observe linux/main/g (urgent): verify
        4.040 converged linux/main/g on a epoch 1
        4.040 alarm drift over
        6.040 observe linux/main/g: reconcile
        6.045 point linux/main/g at a epoch 1 attempt 2 (owned): drift
        6.045 alarm drift: changed by others: linux/main/g
        6.065 observe linux/main/g (urgent): verify
        6.070 converged linux/main/g on a epoch 1
        6.070 alarm drift over
        8.070 observe linux/main/g: reconcile
        8.075 alarm drift: changed by others: linux/main/g
        8.075 alarm contended (page): somebody keeps rewriting linux/main/g: repair stopped; find who, then clear
        9.075 alarm partial: 1 of 1 route sets are not on a: linux/main/g (contended)
        10.075 observe linux/main/g: held
        10.080 alarm partial over
        10.080 alarm drift over
        """
    )


def test_a_mixed_set_is_written_where_one_route_of_it_may_be() -> None:
    foreign = RouteException(Prefix("10.4.0.0/16"), Foreign("igw-1"))
    absent = RouteException(Prefix("10.5.0.0/16"), ABSENT)
    stored = StoredGroup(desired=A, epoch=1)
    kept = reading(brisk(), (0, SetObservation(MAIN, PathHop(A), (foreign,))), stored=stored)
    assert told(kept.run(0.9)) == lines(
        """
        0.000 established a epoch 1, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        """
    )
    written = reading(
        brisk(),
        (0, SetObservation(MAIN, PathHop(A), (foreign, absent))),
        (0.02, SetObservation(MAIN, PathHop(A))),
        stored=stored,
    )
    assert told(written.run(2.5)) == lines(
        """
        0.000 established a epoch 1, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        1.005 alarm partial: 1 of 1 route sets are not on a: linux/main/g
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 point linux/main/g at a epoch 1 attempt 1: switch
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        2.061 observe linux/main/g (urgent): verify
        2.066 converged linux/main/g on a epoch 1
        2.066 alarm partial over
        """
    )


def test_blind_as_it_is_a_group_writes_absent_routes_and_no_others() -> None:
    other = RouteException(Prefix("10.4.0.0/16"), PathHop(B))
    stored = StoredGroup(desired=A, epoch=1, owned=(MAIN,))
    for observation, wrote in (
        (SetObservation(MAIN, ABSENT), True),
        (SetObservation(MAIN, PathHop(A), (RouteException(Prefix("10.4.0.0/16"), ABSENT),)), True),
        (SetObservation(MAIN, ABSENT, (other,)), False),
        (SetObservation(MAIN, PathHop(B)), False),
    ):
        world = reading(brisk(), (0, observation), stored=stored).run(0.5)
        assert any(isinstance(one, Point) for one in world.log) is wrote


def test_two_halves_on_two_paths_are_asymmetric() -> None:
    sets = (set_policy("cloud", provider="aws"), set_policy("main"))
    tables = {one.id: Table() for one in sets}
    tables[sets[1].id].fail_write = fails(WriteFailure(FailureKind.TRANSIENT, "503"), until=11)
    world = World(brisk(sets=sets), tables=tables, faults=[Fault((A,), 5)])
    assert told(world.run(14), 7.8) == lines(
        """
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point aws/cloud/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe aws/cloud/g (urgent): verify
        7.862 converged aws/cloud/g on b epoch 2
        8.758 observe linux/main/g (urgent): read again
        8.763 point linux/main/g at b epoch 2 attempt 2 (urgent) (owned): retry
        8.838 alarm partial: 1 of 2 route sets are not on b: linux/main/g (503)
        8.838 alarm asymmetric: traffic leaves by one path and returns by another: aws on b, linux on a
        10.586 observe linux/main/g (urgent): read again
        10.591 point linux/main/g at b epoch 2 attempt 3 (urgent) (owned): retry
        """
    )


def test_a_planned_move_of_which_a_half_fails_goes_back() -> None:
    sets = (set_policy("cloud", provider="aws"), set_policy("main"))
    tables = {one.id: Table() for one in sets}
    tables[sets[1].id].fail_write = fails(WriteFailure(FailureKind.TRANSIENT, "503"), until=40)
    world = World(brisk(sets=sets), tables=tables)
    world.at(5, lambda: world.request(RequestKind.DRAIN, A, reason="works"))
    assert told(world.run(37), 4.9) == lines(
        """
        5.000 accepted: draining a to b
        5.000 stands lockout a (works)
        5.000 switch a -> b epoch 2, drain: drain of a: works
        5.000 point aws/cloud/g at b epoch 2 attempt 1 (owned): switch
        5.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        5.020 observe aws/cloud/g (urgent): verify
        5.025 converged aws/cloud/g on b epoch 2
        5.920 observe linux/main/g: read again
        5.925 point linux/main/g at b epoch 2 attempt 2 (owned): retry
        6.000 alarm partial: 1 of 2 route sets are not on b: linux/main/g (503)
        6.000 alarm asymmetric: traffic leaves by one path and returns by another: aws on b, linux on a
        7.748 observe linux/main/g: read again
        7.753 point linux/main/g at b epoch 2 attempt 3 (owned): retry
        11.382 observe linux/main/g: read again
        11.387 point linux/main/g at b epoch 2 attempt 4 (owned): retry
        18.634 observe linux/main/g: read again
        18.639 point linux/main/g at b epoch 2 attempt 5 (owned): retry
        33.128 observe linux/main/g: read again
        33.133 point linux/main/g at b epoch 2 attempt 6 (owned): retry
        35.000 ended lockout a (works): a half of the planned move to b could not be written: back to a
        35.000 switch b -> a epoch 3, planned_failed: a half of the planned move to b could not be written: back to a
        35.000 point aws/cloud/g at a epoch 3 attempt 1 (owned): switch
        35.000 observe linux/main/g: written since
        35.005 converged linux/main/g on a epoch 3
        35.005 alarm partial over
        35.005 alarm asymmetric over
        35.020 observe aws/cloud/g (urgent): verify
        35.025 converged aws/cloud/g on a epoch 3
        """
    )
    hopeless = World(brisk(sets=sets), tables={sets[0].id: Table(), sets[1].id: Table()})
    hopeless.tables[sets[1].id].fail_write = fails(WriteFailure(FailureKind.DENIED, "403"), until=40)
    hopeless.at(5, lambda: hopeless.request(RequestKind.SWITCH, B))
    assert told(hopeless.run(7), 4.9) == lines(
        """
        5.000 accepted: switching to b
        5.000 stands manual b
        5.000 switch a -> b epoch 2, manual: manual switch to b
        5.000 point aws/cloud/g at b epoch 2 attempt 1 (owned): switch
        5.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        5.020 observe aws/cloud/g (urgent): verify
        5.020 ended manual b: a half of the planned move to b could not be written: back to a
        5.020 switch b -> a epoch 3, planned_failed: a half of the planned move to b could not be written: back to a
        5.020 observe linux/main/g: written since
        5.025 point aws/cloud/g at a epoch 3 attempt 1 (owned): switch
        5.025 converged linux/main/g on a epoch 3
        5.045 observe aws/cloud/g (urgent): verify
        5.050 converged aws/cloud/g on a epoch 3
        """
    )


def test_a_read_that_fails_is_alarmed_and_tried_again() -> None:
    table = Table(failing=lambda at: "unreachable" if 4 < at < 9 else "")
    assert told(one_table(table, reconcile_us=seconds(3)).run(14), 2.9) == lines(
        """
        3.005 observe linux/main/g: reconcile
        6.010 observe linux/main/g: reconcile
        6.939 observe linux/main/g: read again
        7.015 alarm partial: 1 of 1 route sets are not on a: linux/main/g (unreachable)
        8.793 observe linux/main/g: read again
        12.502 observe linux/main/g: read again
        12.507 alarm partial over
        """
    )


def test_a_read_that_is_refused_for_good_is_told_permanent() -> None:
    world = one_table(Table(), reconcile_us=seconds(1000))
    refused = lambda: world.dispatch(ObserveFailed(world.now, MAIN, "no such table", permanent=True))  # noqa: E731
    world.at(5, refused)
    world.at(6.3, refused)
    world.at(400, lambda: world.dispatch(ObserveFailed(world.now, MAIN, "429", retry_after_us=seconds(7))))
    assert told(world.run(410), 4) == lines(
        """
        5.924 observe linux/main/g: read again
        7.224 observe linux/main/g: read again
        401.000 alarm partial: 1 of 1 route sets are not on a: linux/main/g (429)
        407.000 observe linux/main/g: read again
        407.005 alarm partial over
        """
    )


def test_routes_that_went_with_their_interface_wait_until_it_is_back() -> None:
    table = Table()
    group = brisk(sources=(EvidenceSource(1, "interface", Layer.INTERFACE),), reconcile_us=seconds(6))
    world = World(group, tables={MAIN: table}, faults=[Fault((A, B), 5, 14)])
    changes(world, table, ABSENT, 5.2)
    for at, verdict in ((5.1, Verdict.DOWN), (14, Verdict.UP)):
        report = LayerReport(Layer.INTERFACE, verdict, "wgA")
        world.at(at, lambda report=report: world.dispatch(LayerReported(world.now, A, 1, report)))
    assert told(world.run(22.5), 4.9) == lines(
        """
        5.100 a up -> down, interface: interface down: wgA
        5.200 observe linux/main/g: changed
        5.205 alarm drift: changed by others: linux/main/g
        5.838 alarm background_loss: b: 3 of 18 probes lost over 10 s
        6.205 alarm partial: 1 of 1 route sets are not on a: linux/main/g
        7.838 b up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 alarm no_usable_path (page): a is down (interface down: wgA); b: down: data plane dead (3 of 3 targets silent for 3 rounds)
        7.838 alarm background_loss over
        11.205 observe linux/main/g: not writable
        14.000 point linux/main/g at a epoch 1 attempt 1 (owned): drift
        14.020 observe linux/main/g (urgent): verify
        14.025 converged linux/main/g on a epoch 1
        14.025 alarm partial over
        14.025 alarm drift over
        14.040 alarm no_usable_path over
        20.025 observe linux/main/g: reconcile
        22.041 a down -> up, rise: 9 clean rounds [clean=9]
        22.041 b down -> up, rise: 9 clean rounds [clean=9]
        """
    )


def test_an_escape_shortens_the_pause_of_a_failed_read_and_a_read_of_the_period_is_not_waited_for() -> None:
    table = Table(failing=lambda at: "unreachable" if 2 < at < 23 else "")
    world = one_table(table, Fault((A,), 20), reconcile_us=seconds(3))
    assert told(world.run(40), 15) == lines(
        """
        16.916 observe linux/main/g: read again
        21.837 alarm background_loss: a: 6 of 30 probes lost over 10 s
        22.837 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        22.837 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 20.025 [lost_rounds=3, targets=3]
        22.837 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        22.837 alarm background_loss over
        22.858 observe linux/main/g (urgent): verify
        23.709 observe linux/main/g (urgent): read again
        23.714 converged linux/main/g on b epoch 2
        23.714 alarm partial over
        26.714 observe linux/main/g: reconcile
        29.719 observe linux/main/g: reconcile
        32.724 observe linux/main/g: reconcile
        35.729 observe linux/main/g: reconcile
        38.734 observe linux/main/g: reconcile
        """
    )
    hanging = one_table(Table(), Fault((A,), 5), reconcile_us=seconds(3))
    hanging.at(5, lambda: setattr(hanging.tables[MAIN], "read_us", seconds(30)))
    assert told(hanging.run(40), 5) == lines(
        """
        6.010 observe linux/main/g: reconcile
        6.838 alarm background_loss: a: 6 of 21 probes lost over 10 s
        7.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        7.838 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 5.025 [lost_rounds=3, targets=3]
        7.838 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        7.838 alarm background_loss over
        7.857 observe linux/main/g (urgent): verify
        8.838 alarm partial: 1 of 1 route sets are not on b: linux/main/g
        36.010 converged linux/main/g on b epoch 2
        36.010 alarm partial over
        """
    )


def test_shadows_are_told() -> None:
    one: SetPolicy = set_policy()
    shadowed = SetObservation(one.id, PathHop(A), shadows=("10.20.1.0/24 via x", "10.20.2.0/24 via y"))
    world = reading(brisk(), (0, shadowed), (3, SetObservation(one.id, PathHop(A))))
    world.at(4, lambda: world.dispatch(SetChanged(world.now, one.id)))
    assert told(world.run(5)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 1, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 1
        0.005 alarm shadowed: routes of others win over ours: linux/main/g: 10.20.1.0/24 via x, 10.20.2.0/24 via y
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        4.000 observe linux/main/g: changed
        4.005 alarm shadowed over
        """
    )
