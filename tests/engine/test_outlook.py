"""What a person is told of each path's prospects is what the rules would answer."""

from __future__ import annotations

from tests.engine.world import A, B, Fault, RequestKind, World, policy, seconds
from wgfo.engine import engine
from wgfo.engine.outlook import PathOutlook, outlook
from wgfo.engine.policy import DampingRule, RecoverRule


def of(world: World, name: str) -> PathOutlook:
    return next(one for one in outlook(world.policy, world.state, world.now) if one.name == name)


def reverting(*faults: Fault, **changes: object) -> World:
    rules = {"revertive": True, "recover": RecoverRule(2, seconds(20)), **changes}
    return World(policy(wait_to_restore_us=seconds(60), **rules), faults=list(faults))


def test_when_all_is_well_nothing_is_missing() -> None:
    world = reverting().run(100)
    assert of(world, A) == PathOutlook(A, (), (), (), 0, 60)
    assert of(world, B) == PathOutlook(B, (), (), (), 0, 60)


def test_a_path_that_rises_lacks_clean_rounds() -> None:
    world = reverting().run(4.5)
    assert of(world, B).escape == ("needs 10 clean rounds running, has 5",)


def test_a_path_that_is_down_says_why_it_cannot_be_moved_to() -> None:
    world = reverting(Fault((B,), 60)).run(80)
    (why, rounds, *_) = of(world, B).escape
    assert why.startswith("down: ")
    assert rounds == "needs 10 clean rounds running, has 0"


def test_a_lossy_path_must_lose_less_by_itself() -> None:
    world = reverting(Fault((B,), 60, loss=0.5)).run(85)
    assert any("must be below 20 %" in text for text in of(world, B).escape)


def test_a_return_names_health_then_the_wait_that_runs() -> None:
    world = reverting(Fault((A,), 60, 90)).run(95)
    assert world.desired == B
    assert any(text.startswith("lost ") and "at most 2 %" in text for text in of(world, A).restore)
    assert any("0 s have passed; it does not run now" in text for text in of(world, A).restore)
    world.run(140)
    assert of(world, A).restore == ("wait-to-restore of 60 s: 30 s have passed",)
    world.run(200)
    assert world.desired == A


def test_a_return_that_is_damped_says_until_when() -> None:
    damping = DampingRule(suppress=900, reuse=750)
    world = reverting(Fault((A,), 60, 90), damping=damping).run(130)
    assert any(text.startswith("damped: too many switches lately; ends in ") for text in of(world, A).restore)


def test_an_operators_wish_holds_a_return() -> None:
    world = reverting().run(60)
    world.request(RequestKind.SWITCH, B)
    world.run(200)
    assert of(world, A).restore == ("the manual switch to b holds until it is cleared or expires",)
    world.request(RequestKind.CLEAR)
    world.request(RequestKind.LOCKOUT, A)
    assert of(world, A).restore[0] == "locked out"
    assert of(world, A).escape == ("locked out",)


def test_a_group_that_is_not_revertive_says_so_alone() -> None:
    world = World(faults=[Fault((A,), 60, 90)]).run(120)
    assert of(world, A).restore == ("not revertive",)


def test_what_counts_against_a_path_is_told_before_it_is_condemned() -> None:
    world = reverting(Fault((A,), 60)).run(61.9)
    assert of(world, A).threats == ("every target silent for 2 rounds of 3",)
    lossy = reverting(Fault((A,), 60, loss=0.6)).run(70)
    assert any("of 10: degraded if that lasts" in text for text in of(lossy, A).threats)


def test_a_hold_off_is_told_while_it_passes() -> None:
    world = reverting(Fault((A,), 60), hold_off_us=seconds(10)).run(68)
    assert of(world, A).threats == ("hold-off of 10 s: 5 s have passed",)


def test_status_promises_no_return_while_an_operator_holds_it() -> None:
    world = reverting().run(60)
    world.request(RequestKind.SWITCH, B)
    world.run(90)
    assert engine.report(world.policy, world.state, world.now).restore_due_us is None
    world.request(RequestKind.CLEAR)
    assert engine.report(world.policy, world.state, world.now).restore_due_us is not None
