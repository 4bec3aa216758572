"""A plan names every prefix that is not as desired, and says who desires it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.daemon.fakes import FakeCloud, group_setup, play, route_set, whole_setup, with_sets

from wgfo.daemon.instances import OpenFailed
from wgfo.daemon.planning import Action, DesiredFrom, make_plan, read_routes
from wgfo.daemon.stored import Loaded, Restored, Stamp
from wgfo.engine.events import StoredGroup
from wgfo.model import Absent, Foreign, Health, PathHop, PrefixSet, RouteException, SetObservation
from wgfo.plugin import Denied

PREFIXES = [f"10.20.{n}.0/24" for n in range(4)]
SET = replace(route_set("cloud"), prefixes=PrefixSet(PREFIXES))
OTHER = route_set("cloud", "other")


@pytest.fixture
def setup(tmp_path):
    return whole_setup(tmp_path, (), with_sets(group_setup("cloud"), SET))


def stored(path=None, owned=()):
    group = Restored(StoredGroup(desired=path, owned=owned), Stamp("s", "b", 0, 0), 0)
    return Loaded({"cloud": group})


NOTHING = Loaded({})


def seen(majority, *exceptions, **changes):
    return {SET.id: SetObservation(SET.id, majority, tuple(exceptions), **changes)}


def actions(plan):
    return [(one.prefix, one.observed, one.desired, one.action) for one in plan.changes]


def test_routes_that_are_as_desired_are_no_change(setup):
    plan = make_plan(setup, seen(PathHop("primary")), {}, NOTHING)
    assert (plan.changes, plan.unchanged) == ((), 4)


def test_an_absent_route_is_added_and_another_paths_is_replaced(setup):
    reads = seen(
        PathHop("primary"),
        RouteException(PREFIXES[1], Absent()),
        RouteException(PREFIXES[2], PathHop("secondary")),
    )
    plan = make_plan(setup, reads, {}, NOTHING)
    assert actions(plan) == [
        (PREFIXES[1], "absent", "dev primary", Action.ADD),
        (PREFIXES[2], "dev secondary", "dev primary", Action.REPLACE),
    ]
    assert plan.unchanged == 2


@pytest.mark.parametrize(
    ("foreign", "owned", "adopt", "action"),
    [
        (Foreign("via 1.2.3.4"), (), False, Action.FOREIGN),
        (Foreign("via 1.2.3.4"), (SET.id,), False, Action.REPLACE),
        (Foreign("via 1.2.3.4"), (), True, Action.REPLACE),
        (Foreign("via 1.2.3.4", written_by_us=True), (), False, Action.REPLACE),
    ],
    ids=["a stranger's", "once ours", "adopted", "marked as ours"],
)
def test_a_foreign_route_is_only_replaced_where_it_is_ours(tmp_path, foreign, owned, adopt, action):
    setup = whole_setup(tmp_path, (), with_sets(group_setup("cloud"), replace(SET, adopt=adopt)))
    reads = seen(PathHop("primary"), RouteException(PREFIXES[0], foreign))
    plan = make_plan(setup, reads, {}, stored("primary", owned))
    assert actions(plan) == [(PREFIXES[0], "via 1.2.3.4", "dev primary", action)]


def test_what_is_left_over_and_what_is_unhealthy_is_named(setup):
    plan = make_plan(setup, seen(PathHop("primary"), residue=("wgfo-old",)), {}, NOTHING)
    assert actions(plan) == [(None, "wgfo-old", "dev primary", Action.CLEAN_UP)]
    assert plan.unchanged == 4
    plan = make_plan(setup, seen(PathHop("primary"), health=Health.BLACKHOLE), {}, NOTHING)
    assert [one.action for one in plan.changes] == [Action.REPAIR] * 4


# --- who desires --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("daemon", "state", "majority", "desired"),
    [
        ({"cloud": "secondary"}, "primary", PathHop("primary"), ("secondary", DesiredFrom.DAEMON)),
        ({}, "secondary", PathHop("primary"), ("secondary", DesiredFrom.STATE)),
        ({}, None, PathHop("secondary"), ("secondary", DesiredFrom.OBSERVED)),
        ({}, None, Absent(), ("primary", DesiredFrom.PREFERENCE)),
        ({}, None, Foreign("x"), ("primary", DesiredFrom.PREFERENCE)),
        ({"cloud": "gone"}, "gone too", PathHop("secondary"), ("secondary", DesiredFrom.OBSERVED)),
    ],
)
def test_desired_is_the_daemons_else_the_stored_else_the_most_observed_else_the_preferred(
    setup, daemon, state, majority, desired
):
    plan = make_plan(setup, seen(majority), daemon, stored(state))
    assert (plan.desired["cloud"].path, plan.desired_from) == desired


def test_the_most_observed_counts_prefixes_not_sets(tmp_path):
    setup = whole_setup(tmp_path, (), with_sets(group_setup("cloud"), SET, OTHER))
    reads = seen(PathHop("secondary"), RouteException(PREFIXES[0], PathHop("primary")))
    reads[OTHER.id] = SetObservation(OTHER.id, PathHop("primary"))
    assert make_plan(setup, reads, {}, NOTHING).desired["cloud"].path == "secondary"


def test_with_equal_numbers_the_preferred_path_is_desired(setup):
    half = [RouteException(prefix, PathHop("primary")) for prefix in PREFIXES[:2]]
    assert make_plan(setup, seen(PathHop("secondary"), *half), {}, NOTHING).desired["cloud"].path == "primary"


def test_of_several_groups_the_weakest_origin_is_named(tmp_path):
    groups = [with_sets(group_setup(name), route_set(name)) for name in ("one", "two")]
    setup = whole_setup(tmp_path, (), *groups)
    plan = make_plan(setup, {}, {"one": "primary"}, NOTHING)
    assert plan.desired_from is DesiredFrom.PREFERENCE


# --- reading ------------------------------------------------------------------------------------------------


def reading(before_open=None, before_observe=None):
    """Read two sets of a fake cloud; return what was read and what the cloud was asked."""
    held = {}

    async def scenario(clock, _spawn):
        cloud = FakeCloud(clock)
        cloud.routes[SET.id] = PathHop("secondary")
        cloud.before_open, cloud.before_observe = before_open, before_observe
        setup = whole_setup(held["tmp"], [cloud.setup()], with_sets(group_setup("cloud"), SET, OTHER))
        held["cloud"] = cloud
        held["setup"] = setup
        held["reads"] = await read_routes(setup, clock)

    return held, scenario


def test_providers_are_opened_for_reading_only_and_closed(tmp_path):
    held, scenario = reading()
    held["tmp"] = tmp_path
    play(scenario)
    assert held["reads"][SET.id].majority == PathHop("secondary")
    assert [word for word, _ in held["cloud"].log] == ["open", "observe", "close"]
    assert held["cloud"].said("open") == [True]


def test_a_set_that_cannot_be_read_is_an_error_of_the_plan(tmp_path):
    async def deny(sets, _permit):
        if any(one.id == OTHER.id for one in sets):
            raise Denied("ec2:DescribeRouteTables is missing")

    held, scenario = reading(before_observe=deny)
    held["tmp"] = tmp_path
    play(scenario)
    plan = make_plan(held["setup"], held["reads"], {}, NOTHING)
    assert plan.errors == (f"{OTHER.id}: ec2:DescribeRouteTables is missing",)
    assert plan.unchanged == 4


def test_a_provider_that_cannot_be_opened_is_named(tmp_path):
    async def refuse(_context):
        raise Denied("no credentials")

    held, scenario = reading(before_open=refuse)
    held["tmp"] = tmp_path
    with pytest.raises(ExceptionGroup) as failed:
        play(scenario)
    assert failed.group_contains(OpenFailed, match="provider cloud: cannot be opened: no credentials")
