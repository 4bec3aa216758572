"""Operator requests: what stands, what is refused and why, what ends it."""

from __future__ import annotations

import pytest

from tests.engine.world import A, B, C, Fault, RequestKind, World, policy, seconds
from wgfo.engine.decisions import OverrideEnded, OverrideSet
from wgfo.engine.events import OverrideKind, StoreChanged
from wgfo.engine.policy import PathPolicy
from wgfo.model import PathName


def ready(**changes: object) -> World:
    return World(policy(**changes)).run(60)


def ended(world: World) -> list[tuple[str, str]]:
    return [(one.override.kind.value, one.why) for one in world.log if isinstance(one, OverrideEnded)]


def test_a_manual_switch_moves_at_once_and_holds_against_revert() -> None:
    world = ready(revertive=True)
    assert world.request(RequestKind.SWITCH, B, reason="test").accepted
    assert world.desired == B
    world.run(1200)
    assert world.desired == B
    assert world.request(RequestKind.CLEAR).accepted
    world.run(1210)
    assert world.switches[-1][1:] == (A, "revert")


def test_a_manual_switch_to_a_path_that_is_not_up_is_refused_with_the_reason() -> None:
    world = World(faults=[Fault((B,), 30)]).run(60)
    answer = world.request(RequestKind.SWITCH, B)
    assert not answer.accepted
    assert "down" in answer.text
    assert world.switches == []


def test_a_signal_fail_cancels_a_manual_switch_for_good() -> None:
    world = ready()
    world.request(RequestKind.SWITCH, B)
    world.faults.append(Fault((B,), 70, 90))
    world.run(200)
    assert world.desired == A
    assert ended(world)[0][0] == "manual"
    assert world.state.selection.overrides == ()


def test_a_forced_switch_goes_to_a_dead_path_too() -> None:
    world = World(faults=[Fault((B,), 30)]).run(60)
    assert world.request(RequestKind.FORCE, B, reason="drill").accepted
    assert world.desired == B


def test_forcing_a_locked_out_path_is_refused_naming_the_lockout() -> None:
    world = ready()
    assert world.request(RequestKind.LOCKOUT, B).accepted
    answer = world.request(RequestKind.FORCE, B)
    assert not answer.accepted
    assert "locked out" in answer.text


def test_a_locked_out_path_is_not_escaped_to() -> None:
    world = ready()
    world.request(RequestKind.LOCKOUT, B)
    world.faults.append(Fault((A,), 70))
    world.run(120)
    assert world.desired == A
    assert "locked out" in world.state.alarms["no_usable_path"].text  # type: ignore[index]


def test_locking_out_the_active_path_leaves_it() -> None:
    world = ready()
    assert world.request(RequestKind.LOCKOUT, A).accepted
    assert world.desired == B
    world.run(600)
    assert world.desired == B


def test_locking_out_the_active_path_with_nothing_usable_is_refused() -> None:
    world = World(faults=[Fault((B,), 30)]).run(60)
    answer = world.request(RequestKind.LOCKOUT, A)
    assert not answer.accepted
    assert world.state.selection.overrides == ()


def test_a_lockout_is_stronger_than_a_forced_switch() -> None:
    world = ready()
    world.request(RequestKind.FORCE, B)
    world.request(RequestKind.LOCKOUT, B)
    world.run(70)
    assert world.desired == A
    assert ("forced", "b is locked out") in ended(world)


def test_drain_checks_the_standby_first_and_then_locks_the_path_out() -> None:
    world = ready()
    assert world.request(RequestKind.DRAIN, A, reason="maintenance").accepted
    assert world.switches[-1][1:] == (B, "drain")
    world.run(700)
    assert world.desired == B
    assert world.state.selection.locked_out(A)


def test_drain_is_refused_while_the_standby_cannot_forward() -> None:
    world = World(faults=[Fault((B,), 30, targets=("t1", "t2", "t3"), anchor=False)]).run(60)
    answer = world.request(RequestKind.DRAIN, A)
    assert not answer.accepted
    assert "hosts behind it do not" in answer.text


def test_drain_of_a_standby_is_a_lockout_and_moves_nothing() -> None:
    world = ready()
    assert world.request(RequestKind.DRAIN, B).accepted
    assert world.switches == []
    assert world.state.selection.locked_out(B)


def test_pause_decides_and_writes_nothing_until_it_expires() -> None:
    world = ready()
    assert world.request(RequestKind.PAUSE, expires_us=seconds(200)).accepted
    world.faults.append(Fault((A,), 100))
    world.run(190)
    assert world.switches == []
    assert world.writes == []
    world.run(210)
    assert [target for _, target, _ in world.switches] == [B]
    assert ("paused", "expired") in ended(world)


def test_resume_ends_a_pause() -> None:
    world = ready()
    world.request(RequestKind.PAUSE)
    world.faults.append(Fault((A,), 100))
    world.run(150)
    assert world.request(RequestKind.RESUME).accepted
    assert world.desired == B


def test_a_planned_switch_is_refused_while_paused() -> None:
    world = ready()
    world.request(RequestKind.PAUSE)
    assert not world.request(RequestKind.SWITCH, B).accepted


def test_an_override_expires_at_its_time() -> None:
    world = ready(revertive=True, wait_to_restore_us=seconds(5))
    world.request(RequestKind.FORCE, B, expires_us=seconds(300))
    world.run(299)
    assert world.desired == B
    world.run(420)
    assert world.desired == A


@pytest.mark.parametrize(
    "kind", [RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN]
)
def test_an_unknown_path_is_refused_naming_those_that_are(kind: RequestKind) -> None:
    answer = ready().request(kind, PathName("x"))
    assert not answer.accepted
    assert "a, b" in answer.text


def test_a_request_without_its_path_is_refused() -> None:
    assert not ready().request(RequestKind.SWITCH).accepted


def test_clear_of_one_kind_leaves_the_others() -> None:
    world = ready(paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)))
    world.request(RequestKind.LOCKOUT, C)
    world.request(RequestKind.FORCE, B)
    world.request(RequestKind.CLEAR, clear_kind=OverrideKind.FORCED)
    assert [one.kind for one in world.state.selection.overrides] == [OverrideKind.LOCKOUT]


def test_release_stops_writing_and_adopt_takes_over_again() -> None:
    world = ready()
    world.request(RequestKind.RELEASE)
    world.faults.append(Fault((A,), 100))
    world.run(200)
    assert world.writes == []
    world.request(RequestKind.ADOPT)
    world.run(210)
    assert world.desired == B
    assert [path for _, path, _ in world.writes] == [B]


def test_every_accepted_override_is_announced() -> None:
    world = ready()
    world.request(RequestKind.FORCE, B, reason="drill", by="root")
    [made] = [one.override for one in world.log if isinstance(one, OverrideSet)]
    assert (made.kind, made.path, made.reason, made.by) == (OverrideKind.FORCED, B, "drill", "root")


def test_a_site_that_sees_one_path_makes_no_planned_move() -> None:
    world = ready(paths=(PathPolicy(A), PathPolicy(B, visible=False)))
    assert not world.request(RequestKind.SWITCH, B).accepted


def test_a_planned_move_is_refused_while_the_state_cannot_be_stored_and_an_escape_is_not() -> None:
    world = ready()
    world.dispatch(StoreChanged(world.now, healthy=False, text="disk full"))
    assert "disk" in world.request(RequestKind.SWITCH, B).text
    assert "journal" in world.alarms
    world.faults.append(Fault((A,), 61))
    world.run(70)
    assert world.desired == B
