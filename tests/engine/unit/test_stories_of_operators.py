# ruff: noqa: E501 - a decision is a line
"""What operators ask for: every answer, what it changes, and what ends it, to the line."""

from __future__ import annotations

from tests.engine.unit.story import brisk, lines, told
from tests.engine.world import A, B, C, Fault, PathName, RequestKind, World, seconds, stream
from wgfo.engine.events import LeaseChanged, Override, OverrideKind, StoreChanged, StoredGroup
from wgfo.engine.policy import PathPolicy
from wgfo.model import LARGE

THREE = (PathPolicy(A), PathPolicy(B), PathPolicy(C))
WHO = {"reason": "works", "by": "root", "since": "now"}


def asks(world: World, at: float, kind: RequestKind, path: PathName | None = None, **more: object) -> None:
    """Send a request at a second."""
    world.at(at, lambda: world.request(kind, path, **more))


def test_a_switch_is_checked_made_and_held_until_it_is_cleared() -> None:
    world = World(brisk())
    asks(world, 1, RequestKind.SWITCH, B)
    asks(world, 5, RequestKind.SWITCH, B, **WHO)
    asks(world, 6, RequestKind.SWITCH, B)
    asks(world, 16, RequestKind.CLEAR)
    asks(world, 16.5, RequestKind.CLEAR)
    assert told(world.run(18), 0.9) == lines(
        """
        1.000 refused: cannot switch to b: it is unproven: 1 clean rounds of 3
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        5.000 accepted: switching to b
        5.000 stands manual b by root now (works)
        5.000 switch a -> b epoch 2, manual: manual switch to b: works
        5.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        5.020 observe linux/main/g (urgent): verify
        5.025 converged linux/main/g on b epoch 2
        6.000 accepted: switching to b
        6.000 ended manual b by root now (works): replaced
        6.000 stands manual b
        16.000 accepted: cleared 1 of 1
        16.000 ended manual b: cleared
        16.000 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        16.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        16.020 observe linux/main/g (urgent): verify
        16.025 converged linux/main/g on a epoch 3
        16.500 accepted: nothing stood; nothing cleared
        """
    )


def test_a_failing_path_cancels_the_manual_switch_for_good() -> None:
    world = World(brisk(), faults=[Fault((B,), 8)])
    asks(world, 5, RequestKind.SWITCH, B, **WHO)
    assert told(world.run(12), 7) == lines(
        """
        9.838 alarm background_loss: b: 6 of 30 probes lost over 10 s
        10.838 b up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        10.838 ended manual b by root now (works): cancelled: b is down: data plane dead (3 of 3 targets silent for 3 rounds)
        10.838 switch b -> a epoch 3, signal_fail: b is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 8.025 [lost_rounds=3, targets=3]
        10.838 point linux/main/g at a epoch 3 attempt 1 (urgent) (owned): switch
        10.838 alarm background_loss over
        10.857 observe linux/main/g (urgent): verify
        10.863 converged linux/main/g on a epoch 3
        """
    )


def test_a_forced_switch_holds_on_a_dead_path_and_pages() -> None:
    world = World(brisk(), faults=[Fault((B,), 2, 14)])
    asks(world, 6, RequestKind.SWITCH, B)
    asks(world, 7, RequestKind.FORCE, B, **WHO, expires_us=seconds(12), expires="12:00")
    assert told(world.run(20), 5.9) == lines(
        """
        6.000 refused: cannot switch to b: it is down: data plane dead (3 of 3 targets silent for 4 rounds)
        7.000 accepted: forced onto b
        7.000 stands forced b until 12 (12:00) by root now (works)
        7.000 switch a -> b epoch 2, forced: forced onto b: works; not a: forced elsewhere
        7.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        7.000 alarm forced_path_down (page): b is down, but a forced switch holds traffic on it: clear it
        7.020 observe linux/main/g (urgent): verify
        7.025 converged linux/main/g on b epoch 2
        10.020 alarm no_usable_path (page): b is down (data plane dead (3 of 3 targets silent for 8 rounds)); a: no answer newer than the fault
        12.000 ended forced b until 12 (12:00) by root now (works): expired
        12.000 switch b -> a epoch 3, signal_fail: b is down: data plane dead (3 of 3 targets silent for 10 rounds) fault 2.025 [lost_rounds=10, targets=3]
        12.000 point linux/main/g at a epoch 3 attempt 1 (urgent) (owned): switch
        12.000 alarm no_usable_path over
        12.000 alarm forced_path_down over
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on a epoch 3
        """
    )


def test_a_forced_switch_ends_a_manual_one_and_is_replaced_by_another() -> None:
    world = World(brisk(paths=THREE))
    asks(world, 5, RequestKind.SWITCH, B)
    asks(world, 6, RequestKind.FORCE, C)
    asks(world, 7, RequestKind.FORCE, A, **WHO)
    asks(world, 7.5, RequestKind.SWITCH, B)
    asks(world, 7.7, RequestKind.DRAIN, A)
    asks(world, 8, RequestKind.LOCKOUT, A)
    asks(world, 9, RequestKind.FORCE, A)
    assert told(world.run(10), 4.9) == lines(
        """
        5.000 accepted: switching to b
        5.000 stands manual b
        5.000 switch a -> b epoch 2, manual: manual switch to b
        5.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        5.020 observe linux/main/g (urgent): verify
        5.025 converged linux/main/g on b epoch 2
        6.000 accepted: forced onto c
        6.000 ended manual b: replaced
        6.000 stands forced c
        6.000 switch b -> c epoch 3, forced: forced onto c; not a: forced elsewhere; not b: forced elsewhere
        6.000 point linux/main/g at c epoch 3 attempt 1 (owned): switch
        6.020 observe linux/main/g (urgent): verify
        6.025 converged linux/main/g on c epoch 3
        7.000 accepted: forced onto a
        7.000 ended forced c: replaced
        7.000 stands forced a by root now (works)
        7.000 switch c -> a epoch 4, forced: forced onto a: works; not b: forced elsewhere; not c: forced elsewhere
        7.000 point linux/main/g at a epoch 4 attempt 1 (owned): switch
        7.020 observe linux/main/g (urgent): verify
        7.025 converged linux/main/g on a epoch 4
        7.500 refused: cannot switch to b: a forced switch onto a holds; clear it first
        7.700 refused: cannot drain a: a forced switch onto a holds; clear it first
        8.000 accepted: a is locked out
        8.000 ended forced a by root now (works): a is locked out
        8.000 stands lockout a
        8.000 switch a -> b epoch 5, lockout: a is locked out
        8.000 point linux/main/g at b epoch 5 attempt 1 (owned): switch
        8.020 observe linux/main/g (urgent): verify
        8.025 converged linux/main/g on b epoch 5
        9.000 refused: cannot force a: it is locked out; clear the lockout first
        """
    )


def test_a_lockout_leaves_the_path_where_another_is_usable() -> None:
    world = World(brisk(paths=THREE), faults=[Fault((B,), 2)])
    asks(world, 6, RequestKind.LOCKOUT, A, **WHO)
    asks(world, 7, RequestKind.LOCKOUT, C)
    asks(world, 8, RequestKind.LOCKOUT, B)
    asks(world, 9, RequestKind.CLEAR, A)
    asks(world, 10, RequestKind.CLEAR, clear_kind=OverrideKind.LOCKOUT)
    assert told(world.run(18), 5.9) == lines(
        """
        6.000 accepted: a is locked out
        6.000 stands lockout a by root now (works)
        6.000 switch a -> c epoch 2, lockout: a is locked out; not b: down: data plane dead (3 of 3 targets silent for 4 rounds)
        6.000 point linux/main/g at c epoch 2 attempt 1 (owned): switch
        6.020 observe linux/main/g (urgent): verify
        6.025 converged linux/main/g on c epoch 2
        7.000 refused: cannot lock out c, which is active: no other path is usable (a: locked out; b: down: data plane dead (3 of 3 targets silent for 5 rounds))
        8.000 accepted: b is locked out
        8.000 stands lockout b
        9.000 accepted: cleared 1 of 2
        9.000 ended lockout a by root now (works): cleared
        10.000 accepted: cleared 1 of 1
        10.000 ended lockout b: cleared
        12.040 switch c -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred; not c: less preferred
        12.040 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        12.060 observe linux/main/g (urgent): verify
        12.066 converged linux/main/g on a epoch 3
        """
    )


def test_a_path_that_is_locked_out_while_nothing_else_is_usable_is_kept() -> None:
    stands = (Override(OverrideKind.LOCKOUT, A, "", "", ""), Override(OverrideKind.LOCKOUT, C, "", "", ""))
    world = World(
        brisk(), faults=[Fault((B,), 0, 6)], stored=StoredGroup(desired=A, epoch=3, overrides=stands)
    )
    assert told(world.run(10)) == lines(
        """
        0.000 established a epoch 3, stored: a was desired when the last session ended
        0.000 observe linux/main/g: read again
        0.005 converged linux/main/g on a epoch 3
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.837 b unknown -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        """
    )
    assert [one.path for one in world.state.selection.overrides] == [A]


def test_a_drain_moves_first_and_locks_out_then() -> None:
    world = World(brisk(paths=THREE), faults=[Fault((B,), 2)])
    asks(world, 6, RequestKind.DRAIN, A, **WHO)
    asks(world, 7, RequestKind.DRAIN, B)
    asks(world, 8, RequestKind.DRAIN, C)
    assert told(world.run(9), 5.9) == lines(
        """
        6.000 accepted: draining a to c
        6.000 stands lockout a by root now (works)
        6.000 switch a -> c epoch 2, drain: drain of a: works
        6.000 point linux/main/g at c epoch 2 attempt 1 (owned): switch
        6.020 observe linux/main/g (urgent): verify
        6.025 converged linux/main/g on c epoch 2
        7.000 accepted: b carried nothing; it is locked out now
        7.000 stands lockout b
        8.000 refused: cannot drain c: no other path is usable (a: locked out; b: locked out)
        """
    )


def test_a_planned_move_goes_to_a_path_that_is_up_in_all_classes_and_an_escape_to_any_usable_one() -> None:
    streams = (stream(), stream(1, probe_class=LARGE, base=False, targets=("t1",)))
    faults = [Fault((B,), 4, classes=(LARGE,)), Fault((A,), 15)]
    world = World(brisk(streams=streams), faults=faults)
    asks(world, 8, RequestKind.SWITCH, B)
    asks(world, 9, RequestKind.DRAIN, A)
    asks(world, 10, RequestKind.LOCKOUT, A)
    asks(world, 12, RequestKind.CLEAR, **WHO)
    assert told(world.run(20), 6) == lines(
        """
        8.000 refused: cannot switch to b: it is degraded: class large fails 2 times running at t1 while small packets pass (MTU: large packets die, small ones pass)
        9.000 refused: cannot drain a: no other path is usable (b: degraded: class large fails 2 times running at t1 while small packets pass (MTU: large packets die, small ones pass))
        10.000 accepted: a is locked out
        10.000 stands lockout a
        10.000 switch a -> b epoch 2, lockout: a is locked out
        10.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        10.020 observe linux/main/g (urgent): verify
        10.025 converged linux/main/g on b epoch 2
        12.000 accepted: cleared 1 of 1
        12.000 ended lockout a: cleared
        12.000 switch b -> a epoch 3, signal_degrade: b is degraded: class large fails 2 times running at t1 while small packets pass (MTU: large packets die, small ones pass) fault 4.000 [lost_rounds=8, targets=1]
        12.000 point linux/main/g at a epoch 3 attempt 1 (urgent) (owned): switch
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on a epoch 3
        17.837 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        17.837 switch a -> b epoch 4, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 15.025 [lost_rounds=3, targets=3]
        17.837 point linux/main/g at b epoch 4 attempt 1 (urgent) (owned): switch
        17.837 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        17.858 observe linux/main/g (urgent): verify
        17.863 converged linux/main/g on b epoch 4
        """
    )


def test_an_escape_prefers_a_path_that_is_up_to_a_preferred_one_with_a_failing_class() -> None:
    streams = (stream(), stream(1, probe_class=LARGE, base=False, targets=("t1",)))
    faults = [Fault((B,), 4, classes=(LARGE,)), Fault((A,), 10)]
    assert told(World(brisk(paths=THREE, streams=streams), faults=faults).run(14), 6) == lines(
        """
        12.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        12.838 switch a -> c epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 3 rounds) fault 10.025 [lost_rounds=3, targets=3]
        12.838 point linux/main/g at c epoch 2 attempt 1 (urgent) (owned): switch
        12.857 observe linux/main/g (urgent): verify
        12.863 converged linux/main/g on c epoch 2
        """
    )


def test_a_pause_decides_and_writes_nothing_until_it_is_resumed() -> None:
    world = World(brisk(), faults=[Fault((A,), 6)])
    asks(world, 4, RequestKind.RESUME)
    asks(world, 5, RequestKind.PAUSE, A, **WHO)
    asks(world, 5.5, RequestKind.PAUSE)
    asks(world, 10, RequestKind.SWITCH, B)
    asks(world, 11, RequestKind.FORCE, B)
    asks(world, 12, RequestKind.RESUME)
    assert told(world.run(13), 3.9) == lines(
        """
        4.000 accepted: was not paused
        5.000 accepted: paused: no decisions and no writes
        5.000 stands paused by root now (works)
        5.500 accepted: paused: no decisions and no writes
        5.500 ended paused by root now (works): replaced
        5.500 stands paused
        7.838 alarm background_loss: a: 6 of 24 probes lost over 10 s
        8.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        8.838 alarm background_loss over
        10.000 refused: cannot switch to b: paused
        11.000 accepted: forced onto b; takes effect later: paused
        11.000 stands forced b
        11.838 alarm no_usable_path (page): a is down (data plane dead (3 of 3 targets silent for 5 rounds)); b: no answer newer than the fault
        12.000 accepted: resumed
        12.000 ended paused: resumed
        12.000 switch a -> b epoch 2, forced: forced onto b; not a: forced elsewhere
        12.000 point linux/main/g at b epoch 2 attempt 1 (owned): switch
        12.000 alarm no_usable_path over
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on b epoch 2
        """
    )


def test_a_release_lets_the_routes_be_until_they_are_adopted() -> None:
    world = World(brisk(reconcile_us=seconds(5)), faults=[Fault((A,), 6)])
    asks(world, 5, RequestKind.RELEASE)
    asks(world, 10, RequestKind.SWITCH, B)
    asks(world, 12, RequestKind.ADOPT)
    assert told(world.run(13), 4.9) == lines(
        """
        5.000 accepted: the group's routes stay as they are and are no longer managed; adopt takes them over again
        5.005 observe linux/main/g: reconcile
        7.838 alarm background_loss: a: 6 of 24 probes lost over 10 s
        8.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        8.838 alarm background_loss over
        10.000 refused: cannot switch to b: released: the routes are no longer managed
        10.010 observe linux/main/g: reconcile
        11.838 alarm no_usable_path (page): a is down (data plane dead (3 of 3 targets silent for 5 rounds)); b: no answer newer than the fault
        12.000 accepted: the group's routes are ours from now on
        12.000 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 6 rounds) fault 6.025 [lost_rounds=6, targets=3]
        12.000 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        12.000 alarm no_usable_path over
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on b epoch 2
        """
    )


def test_requests_that_name_no_path_of_the_group_are_refused() -> None:
    world = World(brisk())
    for place, kind in enumerate(RequestKind):
        asks(world, 5 + place / 10, kind)
        asks(world, 6 + place / 10, kind, PathName("x"))
    world.run(8)
    answers = [line.split(" ", 1)[1] for line in told(world, 4.9)]
    assert [one for one in answers if one.startswith(("accepted", "refused"))] == lines(
        """
        refused: name a path: one of a, b
        refused: name a path: one of a, b
        refused: name a path: one of a, b
        refused: name a path: one of a, b
        accepted: nothing stood; nothing cleared
        accepted: paused: no decisions and no writes
        accepted: resumed
        accepted: the group's routes are ours from now on
        accepted: the group's routes stay as they are and are no longer managed; adopt takes them over again
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        refused: group g has no path 'x'; its paths: a, b
        """
    )


def test_without_the_store_nothing_voluntary_is_done() -> None:
    world = World(brisk(), faults=[Fault((A,), 5, 9)])
    world.at(12, lambda: world.dispatch(StoreChanged(world.now, healthy=False)))
    asks(world, 13, RequestKind.DRAIN, B)
    world.at(26, lambda: world.dispatch(StoreChanged(world.now, healthy=False, text="disk full")))
    world.at(28, lambda: world.dispatch(StoreChanged(world.now, healthy=True, text="mended")))
    assert told(world.run(30), 11) == lines(
        """
        12.000 alarm journal: the state or the journal cannot be written: voluntary moves wait, escapes do not
        13.000 refused: cannot drain b: the state cannot be stored; mend the disk, or use force
        17.041 a down -> up, rise: 9 clean rounds [clean=9]
        17.041 alarm background_loss: a: 3 of 30 probes lost over 10 s
        18.041 alarm background_loss over
        28.000 switch b -> a epoch 3, revert: a was good for the wait-to-restore of 4 s [waited_s=4]; not b: less preferred
        28.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        28.000 alarm journal over
        28.020 observe linux/main/g (urgent): verify
        28.025 converged linux/main/g on a epoch 3
        """
    )


def test_without_the_lease_nothing_is_decided() -> None:
    world = World(brisk(), faults=[Fault((A,), 6)])
    world.at(5, lambda: world.dispatch(LeaseChanged(world.now, held=False)))
    asks(world, 10, RequestKind.SWITCH, B)
    world.at(11, lambda: world.dispatch(LeaseChanged(world.now, held=False, text="somebody else holds it")))
    world.at(12, lambda: world.dispatch(LeaseChanged(world.now, held=True, text="term 4")))
    assert told(world.run(13), 4.9) == lines(
        """
        5.000 alarm lease: another process holds the lease
        7.838 alarm background_loss: a: 6 of 24 probes lost over 10 s
        8.838 a up -> down, blackout: data plane dead (3 of 3 targets silent for 3 rounds) [lost_rounds=3, targets=3]
        8.838 alarm background_loss over
        10.000 refused: cannot switch to b: the lease is not held
        11.838 alarm no_usable_path (page): a is down (data plane dead (3 of 3 targets silent for 5 rounds)); b: no answer newer than the fault
        12.000 switch a -> b epoch 2, signal_fail: a is down: data plane dead (3 of 3 targets silent for 6 rounds) fault 6.025 [lost_rounds=6, targets=3]
        12.000 point linux/main/g at b epoch 2 attempt 1 (urgent) (owned): switch
        12.000 alarm no_usable_path over
        12.000 alarm lease over
        12.020 observe linux/main/g (urgent): verify
        12.025 converged linux/main/g on b epoch 2
        """
    )


def test_a_site_that_sees_one_path_makes_no_voluntary_move() -> None:
    world = World(brisk(paths=(PathPolicy(A), PathPolicy(B, visible=False))), stored=StoredGroup(B, 3))
    asks(world, 15, RequestKind.SWITCH, A)
    assert told(world.run(20)) == lines(
        """
        0.000 established b epoch 3, stored: b was desired when the last session ended
        0.000 observe linux/main/g: read again
        1.005 alarm partial: 1 of 1 route sets are not on b: linux/main/g
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 point linux/main/g at b epoch 3 attempt 1: switch
        2.061 observe linux/main/g (urgent): verify
        2.066 converged linux/main/g on b epoch 3
        2.066 alarm partial over
        15.000 refused: cannot switch to a: this site sees fewer than two paths, so the destination cannot be checked
        """
    )


def test_a_session_goes_on_where_the_last_one_ended() -> None:
    stands = (
        Override(OverrideKind.MANUAL, B, "works", "root", "then", expires_us=seconds(5), expires="soon"),
        Override(OverrideKind.LOCKOUT, C, "gone", "root", "then"),
        Override(OverrideKind.PAUSED, None, "", "root", "then", expires_us=seconds(3)),
    )
    stored = StoredGroup(
        B, 7, stands, restore_done_us=seconds(3), penalty=2600, suppressed=True, service_latched=True
    )
    world = World(brisk(), stored=stored)
    assert told(world.run(14)) == lines(
        """
        0.000 established b epoch 7, stored: b was desired when the last session ended
        0.000 observe linux/main/g: read again
        0.000 alarm flapping: too many switches lately: returns are suppressed, escapes are not
        1.005 alarm partial: 1 of 1 route sets are not on b: linux/main/g
        2.041 a unknown -> up, rise: 3 clean rounds [clean=3]
        2.041 b unknown -> up, rise: 3 clean rounds [clean=3]
        3.000 ended paused until 3 (None) by root then: expired
        3.000 point linux/main/g at b epoch 7 attempt 1: switch
        3.020 observe linux/main/g (urgent): verify
        3.025 converged linux/main/g on b epoch 7
        3.025 alarm partial over
        5.000 ended manual b until 5 (soon) by root then (works): expired
        """
    )
    assert world.state.selection.latched
    assert world.state.damping.suppressed


def test_a_stored_path_that_is_none_any_more_is_found_anew() -> None:
    world = World(brisk(), stored=StoredGroup(C, 7))
    assert told(world.run(1)) == lines(
        """
        0.000 observe linux/main/g: read again
        0.005 established a epoch 7, observed: most observed routes point at a
        0.005 converged linux/main/g on a epoch 7
        """
    )


def test_an_answer_bears_the_name_of_its_request() -> None:
    world = World(brisk())
    assert [world.request(RequestKind.RESUME).request_id for _ in range(2)] == ["r1", "r2"]
