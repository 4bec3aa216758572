"""How routes are written: which request, in what order, and what is not written."""

from __future__ import annotations

import asyncio

import pytest
from plugins.aws.tests.cloud import Bucket, Refusal, Server
from plugins.aws.tests.rig import GROUP, PREFIXES, A, B, Rig, rig_on

from wgfo.model import FailureKind, Foreign, GroupName, Health, PathHop
from wgfo.plugin import NotFound, Transient
from wgfo.testing import RecordingPermit, WithdrawAfter
from wgfo_aws.config import AwsOptions

ONE = "10.20.0.0/16"


async def test_a_route_is_created_once_and_replaced_ever_after(rig: Rig) -> None:
    one = rig.set()
    async with rig.open(one) as provider:
        for path in (A, B, A):
            assert (await rig.point(provider, one, path)).written == len(PREFIXES)
            assert rig.standing(one) == {one.hops[path]}
    assert rig.sent("CreateRoute") == len(PREFIXES)
    assert rig.sent("ReplaceRoute") == 2 * len(PREFIXES)
    assert rig.sent("DeleteRoute") == 0


async def test_all_tables_are_read_by_one_request(rig: Rig) -> None:
    sets = [rig.set(table=rig.cloud.table()) for _ in range(6)]
    async with rig.open(*sets) as provider:
        before = len(rig.cloud.actions)
        found = await provider.observe(sets, RecordingPermit())
        assert len(found) == 6
        assert rig.cloud.actions[before:] == ["DescribeRouteTables"]


async def test_pages_are_read_to_the_end_each_under_a_permit(rig: Rig) -> None:
    sets = [rig.set(table=rig.cloud.table()) for _ in range(5)]
    async with rig.open(*sets) as provider:
        rig.cloud.faults.page = 2
        permit = RecordingPermit()
        before = rig.sent("DescribeRouteTables")
        assert len(await provider.observe(sets, permit)) == 5
        assert rig.sent("DescribeRouteTables") - before == permit.reads == 3


async def test_pages_without_end_are_no_answer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wgfo_aws.tables.MOST_PAGES", 2)
    sets = [rig.set(table=rig.cloud.table()) for _ in range(5)]
    async with rig.open(*sets) as provider:
        rig.cloud.faults.page = 1
        with pytest.raises(Transient, match="no end"):
            await provider.observe(sets, RecordingPermit())


async def test_a_missing_table_is_named(rig: Rig) -> None:
    one, gone = rig.set(), rig.set(table="rtb-0123456789abcdef0")
    async with rig.open(one, gone) as provider:
        with pytest.raises(NotFound, match="rtb-0123456789abcdef0"):
            await provider.observe((one, gone), RecordingPermit())
        assert await provider.observe((one,), RecordingPermit())


async def test_a_prefix_list_is_pointed_like_a_network(rig: Rig) -> None:
    one = rig.set(rig.cloud.prefix_list("10.20.0.0/16"))
    async with rig.open(one) as provider:
        for path in (A, B):
            assert (await rig.point(provider, one, path)).ok
            assert (await rig.observe(provider, one)).in_sync_with(path)


async def test_an_instance_is_a_next_hop_and_is_read_back_as_its_path(rig: Rig) -> None:
    one = rig.set(ONE, hops={A: rig.cloud.instance(), B: rig.cloud.instance()})
    async with rig.open(one) as provider:
        for path in (A, B):
            assert (await rig.point(provider, one, path)).ok
            assert (await rig.observe(provider, one)).in_sync_with(path)


async def test_an_instance_with_two_interfaces_is_refused_with_what_to_do(rig: Rig) -> None:
    double = rig.cloud.instance()
    rig.cloud.attach(rig.cloud.interface(), double)
    one = rig.set(ONE, hops={A: rig.hops[A], B: double})
    async with rig.open(one) as provider:
        outcome = await rig.point(provider, one, B)
    assert outcome.failures[0].kind is FailureKind.UNSUPPORTED
    assert "name the interface" in outcome.failures[0].text


async def test_a_blackhole_at_the_desired_hop_is_written_again(rig: Rig) -> None:
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        rig.cloud.kill(one.hops[A])
        assert (await rig.observe(provider, one)).health is Health.BLACKHOLE
        assert (await rig.point(provider, one, A)).written == 1


async def test_a_blackhole_is_left_for_the_other_path(rig: Rig) -> None:
    one = rig.set()
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        rig.cloud.kill(one.hops[A])
        assert (await rig.point(provider, one, B)).ok
        assert (await rig.observe(provider, one)).in_sync_with(B)


async def test_a_propagated_route_is_overlaid_by_a_static_one_and_stays(rig: Rig) -> None:
    one = rig.set(ONE, hops={A: "vgw-0aaa1", B: rig.hops[B]})
    rig.cloud.put(one.table, ONE, "vgw-0aaa1", origin="EnableVgwRoutePropagation")
    async with rig.open(one) as provider:
        assert (await rig.observe(provider, one)).majority == PathHop(A)
        assert (await rig.point(provider, one, B)).ok
        assert (await rig.observe(provider, one)).in_sync_with(B)
    assert rig.sent("CreateRoute") == 1
    assert len([one for one in rig.cloud.routes(one.table) if one.origin == "EnableVgwRoutePropagation"]) == 1


async def test_a_route_servers_route_is_left_alone(rig: Rig) -> None:
    one = rig.set(ONE)
    rig.cloud.put(one.table, ONE, rig.others, origin="Advertisement")
    async with rig.open(one) as provider:
        outcome = await rig.point(provider, one, A, owned=False)
    assert [each.kind for each in outcome.failures] == [FailureKind.FOREIGN]
    assert rig.sent("CreateRoute") == rig.sent("ReplaceRoute") == 0


async def test_shadows_and_the_sets_of_other_groups_are_told_apart(rig: Rig) -> None:
    wide, narrow = rig.set("10.0.0.0/8"), rig.set("10.30.0.0/16", group=GroupName("other"))
    rig.cloud.put(wide.table, "10.40.0.0/16", rig.others)
    async with rig.open(wide, narrow) as provider:
        await rig.point(provider, narrow, A)
        assert [one.split()[0] for one in (await rig.observe(provider, wide)).shadows] == ["10.40.0.0/16"]


# --- reads that are behind ----------------------------------------------------------------------------------


async def test_a_switch_back_is_written_although_reads_still_show_the_old_route(rig: Rig) -> None:
    one = rig.set()
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        rig.cloud.faults.lag_ms = 60_000
        await rig.point(provider, one, B)
        assert (await rig.observe(provider, one)).in_sync_with(A), "the read is to be stale"
        assert (await rig.point(provider, one, A)).written == len(PREFIXES)
        assert rig.standing(one) == {one.hops[A]}


async def test_a_route_that_a_stale_read_hides_is_replaced(rig: Rig) -> None:
    one = rig.set()
    async with rig.open(one) as provider:
        rig.cloud.faults.lag_ms = 60_000
        await rig.point(provider, one, A)
        assert (await rig.point(provider, one, B)).written == len(PREFIXES)
        assert rig.standing(one) == {one.hops[B]}


async def test_a_route_that_a_stale_read_still_shows_is_created(rig: Rig) -> None:
    one = rig.set()
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        rig.cloud.faults.lag_ms = 60_000
        for prefix in one.prefixes:
            rig.cloud.drop(one.table, prefix)
        assert (await rig.point(provider, one, B)).ok or rig.standing(one) == {one.hops[B]}
        assert rig.standing(one) == {one.hops[B]}


async def test_a_route_that_somebody_made_in_the_last_moment_is_a_conflict_unless_ours(rig: Rig) -> None:
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        rig.cloud.faults.lag_ms = 60_000
        rig.cloud.put(one.table, ONE, rig.others)
        outcome = await rig.point(provider, one, A, owned=False)
        assert [each.kind for each in outcome.failures] == [FailureKind.CONFLICT]
        assert rig.cloud.target(one.table, ONE) == rig.others
        assert (await rig.point(provider, one, A, owned=True)).ok


async def test_the_second_request_for_a_destination_has_a_permit_of_its_own(rig: Rig) -> None:
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        rig.cloud.faults.lag_ms = 60_000
        rig.cloud.put(one.table, ONE, rig.hops[B])
        permit = WithdrawAfter(1)
        outcome = await rig.point(provider, one, A, permit=permit)
        assert (outcome.written, outcome.not_attempted) == (0, 1)
        assert [(each.kind, each.prefix) for each in outcome.failures] == [(FailureKind.WITHDRAWN, None)]
        assert rig.cloud.target(one.table, ONE) == rig.hops[B]


# --- what fails ---------------------------------------------------------------------------------------------


async def test_a_table_without_rights_says_so_once_and_the_others_go_on(rig: Rig) -> None:
    denied, other = rig.set(), rig.set(table=rig.cloud.table())
    rig.cloud.faults.writes = lambda table, _prefix: (
        Refusal("UnauthorizedOperation", "You are not authorized") if table == denied.table else None
    )
    async with rig.open(denied, other) as provider:
        found, went = await asyncio.gather(rig.point(provider, denied, A), rig.point(provider, other, A))
    assert [(each.kind, each.prefix) for each in found.failures] == [(FailureKind.DENIED, None)]
    assert found.not_attempted == len(PREFIXES)
    assert "wgfo emit permissions" in found.failures[0].text
    assert went.ok


async def test_throttling_stops_the_call_and_asks_for_a_pause(rig: Rig) -> None:
    one = rig.set(*(f"10.20.{number}.0/24" for number in range(50)))
    rig.cloud.faults.bucket = Bucket(per_s=0.1, burst=10)
    async with rig.open(one) as provider:
        outcome = await rig.point(provider, one, A)
    assert outcome.written == 10
    assert [(each.kind, each.retry_after_ms) for each in outcome.failures] == [(FailureKind.TRANSIENT, 1_000)]
    assert outcome.not_attempted == 40
    assert rig.cloud.faults.bucket.refused <= provider.capabilities.parallel_writes


async def test_a_full_table_fails_for_the_route_that_does_not_fit(rig: Rig) -> None:
    one = rig.set()
    full = Refusal("RouteLimitExceeded", "The maximum number of routes has been reached.")
    rig.cloud.faults.writes = lambda _table, prefix: full if prefix == ONE else None
    async with rig.open(one) as provider:
        outcome = await rig.point(provider, one, A)
    assert [(each.kind, each.prefix) for each in outcome.failures] == [(FailureKind.DENIED, ONE)]
    assert outcome.written == len(PREFIXES) - 1


async def test_a_write_goes_by_the_last_observation_where_reads_fail_and_the_set_is_ours(rig: Rig) -> None:
    one = rig.set()
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        observed = await rig.observe(provider, one)
        rig.cloud.faults.reads = Refusal("RequestLimitExceeded", "no", "503 Service Unavailable")
        with pytest.raises(Transient):
            await rig.point(provider, one, B, observed=observed, owned=False)
        assert (await rig.point(provider, one, B, observed=observed)).ok
        assert rig.standing(one) == {one.hops[B]}


async def test_a_foreign_route_of_the_last_observation_is_told_apart(rig: Rig) -> None:
    one = rig.set()
    rig.cloud.put(one.table, ONE, rig.others)
    async with rig.open(one) as provider:
        seen = await rig.observe(provider, one)
        assert isinstance(next(each for each in seen.exceptions if each.prefix == ONE).observed, Foreign)
        rig.cloud.faults.reads = Refusal("InternalError", "no", "500 Oops")
        assert (await rig.point(provider, one, A, observed=seen)).ok


@pytest.mark.parametrize("cut", range(7))
async def test_a_process_that_dies_between_any_two_requests_is_finished_by_the_next(
    rig: Rig, cut: int
) -> None:
    one = rig.set(*(f"10.20.{number}.0/24" for number in range(6)))
    async with rig.open(one) as first:
        await rig.point(first, one, A)
    async with rig.open(one) as dying:
        await rig.point(dying, one, B, permit=WithdrawAfter(cut))
    assert None not in rig.standing(one)
    async with rig.open(one) as restarted:
        assert (await rig.point(restarted, one, B)).ok
        assert (await rig.observe(restarted, one)).in_sync_with(B)


async def test_tables_of_two_accounts_are_two_instances(rig: Rig, aws_server: Server) -> None:
    role = "arn:aws:iam::111122223333:role/wgfo"
    with rig_on(aws_server, account="111122223333") as other:
        assumed = AwsOptions(region="eu-central-1", endpoint_url=other.url, role_arn=role)
        async with rig.open() as mine, other.open(options=assumed) as theirs:
            assert (await rig.point(mine, rig.set(), A)).ok
            assert (await other.point(theirs, other.set(), A)).ok
            with pytest.raises(NotFound):
                await other.observe(theirs, rig.set())
        assert other.cloud.actions[0] == "AssumeRole"
        assert other.standing(other.set()) == {other.hops[A]}


async def test_tables_and_destinations_go_in_parallel_as_far_as_declared(rig: Rig) -> None:
    texts = [f"10.{20 + number}.0.0/16" for number in range(50)]
    sets = [rig.set(*texts, table=rig.cloud.table()) for _ in range(4)]
    rig.cloud.faults.latency_ms = 50
    async with rig.open(*sets) as provider:
        outcomes = await asyncio.gather(*(rig.point(provider, one, A) for one in sets))
        bound = provider.capabilities.parallel_writes
    assert all(outcome.written == 50 for outcome in outcomes)
    assert [rig.log.most_at_once(one.table) for one in sets] == [bound] * 4
    assert rig.cloud.most == 4 * bound
    assert rig.log.reads == 1 + 4, "one to open, one for each table"


async def test_groups_share_a_table_without_touching_each_other(rig: Rig) -> None:
    mine, theirs = rig.set(ONE), rig.set("10.21.0.0/16", group=GroupName("other"))
    async with rig.open(mine, theirs) as provider:
        await rig.point(provider, mine, A)
        await rig.point(provider, theirs, B)
        assert (await rig.observe(provider, mine)).in_sync_with(A)
        assert (await rig.observe(provider, theirs)).in_sync_with(B)
    assert mine.group == GROUP
