"""``wgfo run`` with VPC route tables: the whole way from a lost probe to a moved route, killed, throttled, stale.

Two paths are two addresses of loopback on which something listens; a path is cut by closing its listener.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugins.aws.tests.cloud import Bucket, Refusal
from plugins.aws.tests.rig import A, B, Rig
from plugins.aws.tests.running import Paths, Site


@pytest.fixture
def site(rig: Rig, tmp_path: Path) -> Iterator[Site]:
    paths = Paths()
    yield Site(rig, paths, tmp_path)
    paths.close()


def test_a_lost_path_moves_every_route_in_every_table(site: Site) -> None:
    with site.running():
        site.all_on(A)
        site.paths.cut(A)
        site.all_on(B, within=10)
    assert site.rig.sent("DeleteRoute") == 0


def test_killed_in_the_middle_of_a_switch_and_started_again_it_finishes(site: Site) -> None:
    with site.running() as process:
        site.all_on(A)
        site.rig.cloud.faults.latency_ms = 300
        site.paths.cut(A)
        site.wait(lambda: 0 < site.on(B) < site.total, "a switch under way")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert site.on(A, B) == site.total, "no prefix is without a route"
    site.rig.cloud.faults.latency_ms = 0
    with site.running():
        site.all_on(B)


def test_throttled_to_five_writes_a_second_it_converges_without_a_storm(site: Site) -> None:
    with site.running():
        site.all_on(A)
        bucket = site.rig.cloud.faults.bucket = Bucket(per_s=5, burst=5)
        before = site.rig.sent("ReplaceRoute")
        site.paths.cut(A)
        took = site.all_on(B, within=90)
    sent = site.rig.sent("ReplaceRoute") - before
    # Sixteen requests may be under way when the bucket is empty; a client that went on would be refused thousands.
    assert bucket.refused <= site.total, f"{bucket.refused} of {sent} requests were refused in {took:.0f} s"


def test_reads_that_are_behind_and_go_back_cause_no_write_that_undoes_one(site: Site) -> None:
    with site.running():
        site.all_on(A)
        turns = iter(range(1_000_000))
        site.rig.cloud.faults.stale = lambda: next(turns) % 2 == 0
        site.rig.cloud.faults.lag_ms = 2_000
        before = site.rig.sent("ReplaceRoute")
        site.paths.cut(A)
        site.all_on(B, within=10)
        reads = site.rig.sent("DescribeRouteTables")
        site.wait(lambda: site.rig.sent("DescribeRouteTables") > reads + 4, "more reads")
        assert site.on(B) == site.total
    assert site.rig.sent("ReplaceRoute") - before == site.total, "each route was written once"


def test_a_table_that_refuses_does_not_hold_up_the_other(site: Site) -> None:
    with site.running():
        site.all_on(A)
        refusal = Refusal("UnauthorizedOperation", "no")
        site.rig.cloud.faults.writes = lambda table, _prefix: refusal if table == site.tables[0] else None
        site.paths.cut(A)
        site.wait(lambda: site.on(B) == len(site.prefixes), "the table that may be written")
        site.wait(
            lambda: any("UnauthorizedOperation" in line for line in site.lines), "the reason in the log"
        )


@pytest.fixture
def five(rig: Rig, tmp_path: Path) -> Iterator[Site]:
    """Five tables of three prefixes each."""
    paths = Paths()
    yield Site(rig, paths, tmp_path, tables=5, prefixes=3)
    paths.close()


def test_three_of_five_tables_are_throttled_the_others_move_and_the_three_follow(five: Site) -> None:
    """The times themselves are held in virtual time: scenario S53."""
    throttled, free = five.tables[:3], five.tables[3:]
    with five.running():
        five.all_on(A)
        refusal = Refusal("RequestLimitExceeded", "slow down", "503 Service Unavailable")
        five.rig.cloud.faults.writes = lambda table, _prefix: refusal if table in throttled else None
        five.paths.cut(A)
        five.wait(lambda: all(five.moved(table, B) for table in free), "the two tables that may be written")
        five.wait(lambda: five.named_by("partial") == set(throttled), "the alarm that names the three")
        assert not any(five.moved(table, B) for table in throttled)
        five.rig.cloud.faults.writes = lambda _table, _prefix: None
        five.all_on(B)
        five.wait(lambda: five.group().get("converged", False), "converged")
        assert "partial" not in five.alarms()


def test_a_table_without_rights_is_told_as_permanent_and_asked_rarely(five: Site) -> None:
    """At most one write for every prefix and try, and a second try after five minutes (scenario S54)."""
    denied, *free = five.tables
    with five.running():
        five.all_on(A)
        refusal = Refusal("UnauthorizedOperation", "not authorized", "403 Forbidden")
        five.rig.cloud.faults.writes = lambda table, _prefix: refusal if table == denied else None
        five.paths.cut(A)
        five.wait(lambda: all(five.moved(table, B) for table in free), "the four tables that may be written")
        five.wait(lambda: five.named_by("partial") == {denied}, "the alarm that names the one")
        reads = five.rig.sent("DescribeRouteTables")
        five.wait(lambda: five.rig.sent("DescribeRouteTables") >= reads + 3, "three more rounds of reading")
        asked = [one for one in five.rig.cloud.seen if one.table == denied and one.target == five.rig.hops[B]]
        assert 1 <= len(asked) <= 2 * len(five.prefixes)


def test_another_wish_in_the_middle_of_fifty_writes_stops_the_rest(rig: Rig, tmp_path: Path) -> None:
    paths = Paths()
    site = Site(rig, paths, tmp_path, tables=1, prefixes=50)
    to_b = rig.hops[B]
    with site.running():
        site.all_on(A)
        site.wait(lambda: site.group().get("paths", [{}, {}])[1].get("state") == "up", "the standby is up")
        rig.cloud.faults.latency_ms = 2_000
        site.ask("force", B)
        site.wait(lambda: any(one.target == to_b for one in rig.cloud.seen), "a switch under way")
        assert "forced" in site.ask("force", A)
        before = len(rig.cloud.seen)
        rig.cloud.faults.latency_ms = 0
        site.wait(lambda: site.group().get("converged", False), "converged again")
        assert site.on(A) == site.total
    late = sum(one.target == to_b for one in rig.cloud.seen[before:])
    assert late <= 16, f"{late} writes of the older wish came after the newer one; 16 may have been under way"
    assert sum(one.target == to_b for one in rig.cloud.seen) < site.total, "the rest was sent all the same"
    paths.close()
