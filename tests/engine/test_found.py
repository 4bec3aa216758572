"""What the simulator found: each the smallest run that shows it."""

from __future__ import annotations

import pytest

from tests.engine.world import ABSENT, TARGETS, A, B, Fault, Table, World, policy, set_policy
from wgfo.engine.events import StoredGroup
from wgfo.engine.policy import SECOND_US
from wgfo.model import PathHop, RouteSetId

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
