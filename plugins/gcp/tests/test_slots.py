"""From every state, every plan keeps the destination carried at every step, cut off wherever it may be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from wgfo.model import FailureKind, Prefix, TableName
from wgfo_gcp.hops import HopSpec, read_hop
from wgfo_gcp.routes import Key, Route
from wgfo_gcp.slots import Delete, Insert, Plan, Standing, Step, Wish, plan

BASE = 900
KEY = Key(TableName("prod"), Prefix("192.168.0.0/16"), frozenset())
A, B, C = (read_hop(f"instance:europe-west1-b/gw-{name}") for name in "abc")
STRANGE = read_hop("ip:10.9.9.9")
HOPS = (None, A, B, C)
OTHERS = (
    (),
    *(((priority, hop),) for priority in (100, BASE, BASE + 1, 2000) for hop in (A, B, STRANGE)),
    ((BASE + 1, A), (2000, STRANGE)),
    ((BASE, STRANGE), (2000, A)),
)
_ids = itertools.count(1)


def route(priority: int, hop: HopSpec, *, ours: bool) -> Route:
    number = next(_ids)
    name = KEY.name(priority) if ours else f"other-{number}"
    return Route(name, number, KEY.table, KEY.prefix, priority, hop, str(hop), ours=ours)


def wish(desired: HopSpec, *, mine: bool) -> Wish:
    return Wish(lambda hop: hop == desired, lambda hop: hop in {A, B, C}, mine)


def states() -> Iterator[Standing]:
    """Every pair of our slots, a leftover of another base, a doomed route, and routes of others around."""
    for low, high, stray, others in itertools.product(HOPS, HOPS, (None, A, B), OTHERS):
        slots = ((BASE, low), (BASE + 1, high), (800, stray))
        ours = tuple(route(priority, hop, ours=True) for priority, hop in slots if hop)
        around = tuple(route(priority, hop, ours=False) for priority, hop in others)
        standing = Standing(KEY, BASE, ours, around)
        yield standing
        for one in ours:
            yield replace(standing, doomed=frozenset((one.id,)))


def after(standing: Standing, step: Step, desired: HopSpec) -> Standing:
    if isinstance(step, Insert):
        assert all(one.priority != step.priority for one in standing.ours), "the slot's name is taken: 409"
        return replace(standing, ours=(*standing.ours, route(step.priority, desired, ours=True)))
    gone = step.route
    assert gone in (*standing.ours, *standing.others), "it is deleted once"
    return replace(
        standing,
        ours=tuple(one for one in standing.ours if one != gone),
        others=tuple(one for one in standing.others if one != gone),
    )


def steps_of(made: Plan) -> tuple[Step, ...]:
    return (*made.steps, *made.cleanup)


def ties_of_ours(standing: Standing) -> int:
    rest = [one.priority for one in (*standing.ours, *standing.others)]
    return sum(rest.count(one.priority) > 1 for one in standing.ours)


def sure_carriers(standing: Standing) -> list[Route]:
    return [one for one in (*standing.ours, *standing.others) if one.id not in standing.doomed]


@pytest.mark.parametrize("mine", [True, False])
def test_no_step_of_any_plan_leaves_the_destination_without_a_route(mine: bool) -> None:
    for standing in states():
        carried = bool(sure_carriers(standing))
        now = standing
        for step in steps_of(plan(standing, wish(A, mine=mine))):
            now = after(now, step, A)
            carried = carried or isinstance(step, Insert)
            assert sure_carriers(now) or not carried, (standing, step)


@pytest.mark.parametrize("mine", [True, False])
def test_no_step_makes_a_pair_of_equal_priority(mine: bool) -> None:
    for standing in states():
        now, ties = standing, ties_of_ours(standing)
        for step in steps_of(plan(standing, wish(A, mine=mine))):
            now = after(now, step, A)
            assert ties_of_ours(now) <= ties, (standing, step)


@pytest.mark.parametrize("mine", [True, False])
def test_a_plan_without_a_problem_ends_at_the_desired_hop_with_nothing_left_over(mine: bool) -> None:
    for standing in states():
        made, now = plan(standing, wish(A, mine=mine)), standing
        for step in made.steps:
            now = after(now, step, A)
        if made.problem is None:
            assert [one.hop for one in now.carrying] == [A] * len(now.carrying), standing
        for step in made.cleanup:
            now = after(now, step, A)
        if made.problem is None:
            assert {one.hop for one in now.carrying} == {A}, standing
            assert len(now.ours) == 1 or not standing.ours, standing
            assert steps_of(plan(now, wish(A, mine=mine))) == (), standing


def test_a_plan_cut_off_after_any_step_is_finished_from_there_whatever_is_desired_then() -> None:
    for standing in states():
        now = standing
        for step in steps_of(plan(standing, wish(A, mine=True))):
            now = after(now, step, A)
            for desired in (A, B):
                then = now
                made = plan(then, wish(desired, mine=True))
                for next_step in steps_of(made):
                    then = after(then, next_step, desired)
                    assert sure_carriers(then), (standing, step, next_step)
                if made.problem is None:
                    assert {one.hop for one in then.carrying} == {desired}


def test_only_routes_in_our_slots_are_deleted() -> None:
    for standing in states():
        for mine in (True, False):
            deleted = [
                step.route
                for step in steps_of(plan(standing, wish(A, mine=mine)))
                if isinstance(step, Delete)
            ]
            strangers = [one for one in deleted if not one.ours]
            assert all(mine and one.priority in {BASE, BASE + 1} for one in strangers)


def test_a_route_of_others_with_a_worse_priority_stays() -> None:
    dormant = route(2000, A, ours=False)
    standing = Standing(KEY, BASE, (route(BASE, B, ours=True),), (dormant,))
    made = plan(standing, wish(A, mine=True))
    assert [type(step) for step in steps_of(made)] == [Insert, Delete]
    assert Delete(dormant) not in steps_of(made)


def test_an_escape_from_the_higher_slot_is_in_force_after_one_step() -> None:
    standing = Standing(KEY, BASE, (route(BASE + 1, B, ours=True),))
    made = plan(standing, wish(A, mine=True))
    assert made.steps == (Insert(BASE),)
    assert len(made.cleanup) == 1


def test_the_first_route_goes_into_the_higher_slot() -> None:
    assert plan(Standing(KEY, BASE), wish(A, mine=False)).steps == (Insert(BASE + 1),)


def test_what_is_foreign_is_a_conflict_and_nothing_is_written() -> None:
    made = plan(Standing(KEY, BASE, others=(route(1000, STRANGE, ours=False),)), wish(A, mine=False))
    assert made.problem is not None
    assert (made.writes, made.problem.kind) == (0, FailureKind.FOREIGN)


def test_what_wins_over_our_slots_is_told_and_our_route_stands_behind_it() -> None:
    shadow = route(100, STRANGE, ours=False)
    made = plan(Standing(KEY, BASE, others=(shadow,)), wish(A, mine=True))
    assert made.steps == (Insert(BASE + 1),)
    assert made.problem is not None
    assert shadow.name in made.problem.text


def test_an_equal_pair_is_never_made_with_a_route_for_other_tags() -> None:
    tagged = replace(route(BASE + 1, STRANGE, ours=False), tags=frozenset({"web"}))
    assert plan(Standing(KEY, BASE, partial=(tagged,)), wish(A, mine=True)).steps == (Insert(BASE),)


def test_the_rest_of_another_base_priority_goes_once_the_new_route_stands() -> None:
    old = route(800, B, ours=True)
    made = plan(Standing(KEY, BASE, ours=(old,)), wish(A, mine=True))
    assert steps_of(made) == (Insert(BASE + 1), Delete(old))


def test_names_are_unique_by_what_a_slot_is_about() -> None:
    keys = [
        KEY,
        replace(KEY, table=TableName("dev")),
        replace(KEY, prefix=Prefix("10.0.0.0/8")),
        replace(KEY, tags=frozenset({"web"})),
    ]
    names = {key.name(priority) for key in keys for priority in (900, 901)}
    assert len(names) == 8
    assert all(len(name) <= 63 and name.startswith("wgfo-") for name in names)
