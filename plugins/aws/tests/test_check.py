"""What the preflight finds, and that it changes nothing."""

from __future__ import annotations

import pytest
from botocore.stub import Stubber
from plugins.aws.tests.cloud import Refusal
from plugins.aws.tests.rig import GROUP, A, B, Rig

from wgfo.model import Finding, PathName, PathView, RouteSet, Severity
from wgfo.testing import RecordingPermit
from wgfo_aws.config import AwsOptions
from wgfo_aws.provider import AwsProvider

ONE = "10.20.0.0/16"


async def findings(rig: Rig, *sets: RouteSet, paths: tuple[PathView, ...] = ()) -> list[Finding]:
    async with rig.open(*sets, paths=paths) as provider:
        return list(await provider.check(sets, RecordingPermit()))


def gateways(rig: Rig) -> dict[PathName, str]:
    """Two instances that forward, by their interfaces."""
    return {path: rig.cloud.interface_of(rig.cloud.instance()) for path in (A, B)}


def said(found: list[Finding], text: str) -> Finding:
    return next(one for one in found if text in one.text)


@pytest.fixture
async def good(rig: Rig) -> RouteSet:
    """A set with which nothing is wrong."""
    one = rig.set(ONE, hops=gateways(rig))
    rig.cloud.associate(one.table)
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
    return one


async def test_nothing_is_found_where_nothing_is_wrong(rig: Rig, good: RouteSet) -> None:
    before = rig.sent("ReplaceRoute")
    assert await findings(rig, good) == []
    assert rig.sent("ReplaceRoute") == before + 1, "the right to write is asked for"
    assert rig.standing(good) == {good.hops[A]}


async def test_a_dry_run_asks_for_what_stands_already(rig: Rig, good: RouteSet) -> None:
    await findings(rig, good)
    asked = next(one for one in reversed(rig.cloud.seen) if one.dry)
    assert (asked.action, asked.prefix, asked.target) == ("ReplaceRoute", ONE, good.hops[A])


async def test_a_missing_right_is_found_in_its_table_alone(rig: Rig, good: RouteSet) -> None:
    other = rig.set(ONE, table=rig.cloud.table(), hops=good.hops)
    rig.cloud.faults.writes = lambda table, _prefix: (
        Refusal("UnauthorizedOperation", "not authorized") if table == other.table else None
    )
    found = [one for one in await findings(rig, good, other) if "ec2:" in one.text]
    assert [(one.severity, one.subject) for one in found] == [(Severity.ERROR, other.table)]
    assert "ec2:ReplaceRoute" in found[0].text
    assert "wgfo emit permissions" in found[0].remedy


async def test_a_missing_table_is_found(rig: Rig, good: RouteSet) -> None:
    gone = rig.set(ONE, table="rtb-0123456789abcdef0", hops=good.hops)
    assert said(await findings(rig, good, gone), "there is no route table").subject == gone.table


async def test_a_table_that_nobody_uses_is_found(rig: Rig) -> None:
    found = said(await findings(rig, rig.set(ONE, hops=gateways(rig))), "no subnet and no gateway")
    assert (found.severity, "associate-route-table" in found.remedy) == (Severity.WARNING, True)


async def test_the_source_destination_check_is_found(rig: Rig) -> None:
    hops = gateways(rig)
    rig.cloud.backend.get_network_interface(hops[B]).source_dest_check = True
    found = said(await findings(rig, rig.set(ONE, hops=hops)), "source/destination check")
    assert (found.severity, found.subject) == (Severity.ERROR, hops[B])
    assert "--no-source-dest-check" in found.remedy


async def test_an_interface_that_is_attached_to_nothing_is_found(rig: Rig) -> None:
    assert "attached to nothing" in said(await findings(rig, rig.set(ONE)), rig.hops[A]).text


async def test_an_instance_that_does_not_run_is_found(rig: Rig) -> None:
    hops = {A: rig.cloud.instance(), B: rig.cloud.instance()}
    rig.cloud.backend.stop_instances([hops[B]])
    assert "stopped" in said(await findings(rig, rig.set(ONE, hops=hops)), hops[B]).text


async def test_a_target_that_does_not_exist_is_found(rig: Rig) -> None:
    hops = {A: "eni-0123456789abcdef0", B: "i-0123456789abcdef0"}
    found = await findings(rig, rig.set(ONE, hops=hops))
    assert {said(found, f"there is no {words}").subject for words in ("network interface", "instance")} == {
        *hops.values()
    }


async def test_an_instance_with_several_interfaces_is_found(rig: Rig) -> None:
    double = rig.cloud.instance()
    rig.cloud.attach(rig.cloud.interface(), double)
    found = await findings(rig, rig.set(ONE, hops={A: rig.hops[A], B: double}))
    assert "name the interface" in said(found, "has 2 interfaces").remedy


async def test_an_instance_and_its_own_interface_are_one_path(rig: Rig) -> None:
    instance = rig.cloud.instance()
    hops = {A: instance, B: rig.cloud.interface_of(instance)}
    assert said(await findings(rig, rig.set(ONE, hops=hops)), "one and the same").severity is Severity.ERROR


async def test_an_interface_of_another_vpc_is_found(rig: Rig, good: RouteSet) -> None:
    elsewhere = rig.cloud.backend.create_vpc("10.9.0.0/16")
    table = str(rig.cloud.backend.create_route_table(elsewhere.id).id)
    found = said(await findings(rig, rig.set(ONE, table=table, hops=good.hops)), elsewhere.id)
    assert found.severity is Severity.ERROR
    rig.cloud.remove_table(table)


async def test_gateways_that_carry_one_version_of_ip_are_found(rig: Rig) -> None:
    one = rig.set(ONE, "fd20::/32", hops={A: "eigw-0aaa1", B: "cagw-0bbb1"})
    found = await findings(rig, one)
    assert said(
        found, "eigw-0aaa1: a route for 10.20.0.0/16 cannot point at this egress-only internet gateway"
    )
    assert said(found, "cagw-0bbb1: a route for fd20::/32 cannot point at this carrier gateway")


async def test_shadows_foreign_routes_and_blackholes_are_found(rig: Rig, good: RouteSet) -> None:
    taken = rig.set("10.30.0.0/16", hops=good.hops, table=rig.cloud.table())
    rig.cloud.put(good.table, "10.20.7.0/24", rig.others)
    rig.cloud.put(taken.table, "10.30.0.0/16", rig.others)
    rig.cloud.kill(good.hops[A])
    found = await findings(rig, good, taken)
    assert said(found, "10.20.7.0/24").severity is Severity.WARNING
    assert "wgfo adopt" in said(found, "a route of others").remedy
    assert said(found, "gone or stopped")


async def test_a_prefix_list_that_holds_a_tunnels_far_end_is_found(rig: Rig, good: RouteSet) -> None:
    name = rig.cloud.prefix_list("10.20.0.0/16", "10.100.0.0/24")
    rig.cloud.put(good.table, "10.100.0.0/28", rig.others)
    one = rig.set(name, hops=good.hops)
    paths = (PathView(GROUP, A, peer="10.100.0.1"), PathView(GROUP, B, peer="10.200.0.1"))
    found = await findings(rig, one, paths=paths)
    assert "path primary" in said(found, "10.100.0.1").text
    assert not [each for each in found if "10.200.0.1" in each.text]
    assert said(found, "10.100.0.0/28").severity is Severity.WARNING


async def test_a_prefix_list_that_does_not_exist_is_found(rig: Rig, good: RouteSet) -> None:
    gone = Refusal("InvalidPrefixListID.NotFound", "The prefix list ID 'pl-…' does not exist")
    rig.cloud.faults.refused_actions["GetManagedPrefixListEntries"] = gone
    found = await findings(rig, rig.set("pl-0123456789abcdef0", hops=good.hops))
    assert said(found, "pl-0123456789abcdef0").severity is Severity.ERROR


async def test_a_look_that_is_refused_is_a_finding_and_the_others_go_on(rig: Rig) -> None:
    rig.cloud.faults.refused_actions["DescribeNetworkInterfaces"] = Refusal("UnauthorizedOperation", "no")
    rig.cloud.put(rig.table, "10.20.7.0/24", rig.others)
    found = await findings(rig, rig.set(ONE))
    assert said(found, "could not look").severity is Severity.WARNING
    assert said(found, "10.20.7.0/24")


async def test_an_endpoint_inside_a_managed_prefix_is_warned_of(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wgfo_aws.sdk.resolve", lambda _host: {"10.20.0.9"})
    monkeypatch.setattr("wgfo_aws.check.is_loopback", lambda _host: False)
    found = said(await findings(rig, rig.set(ONE)), "inside the managed prefix 10.20.0.0/16")
    assert found.severity is Severity.WARNING
    assert "interface endpoint" in found.remedy


async def test_an_endpoint_without_an_address_is_warned_of(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wgfo_aws.sdk.resolve", lambda _host: set())
    monkeypatch.setattr("wgfo_aws.check.is_loopback", lambda _host: False)
    assert said(await findings(rig, rig.set(ONE)), "does not resolve")


@pytest.mark.parametrize(("code", "refused"), [("DryRunOperation", False), ("UnauthorizedOperation", True)])
async def test_the_right_to_create_is_asked_for_by_dry_run(code: str, refused: bool, rig: Rig) -> None:
    """Not of an emulator, which may carry a DryRun out: AWS itself is played by the SDK's stubber here."""
    one = rig.set(ONE, hops={A: "tgw-0aaa1", B: "tgw-0bbb1"})
    provider = AwsProvider(AwsOptions(region="eu-central-1"))
    await provider._ec2.open(RecordingPermit())
    table = {"RouteTableId": one.table, "OwnerId": "1", "VpcId": "vpc-1", "Routes": []}
    create = {
        "RouteTableId": one.table,
        "DestinationCidrBlock": ONE,
        "TransitGatewayId": "tgw-0aaa1",
        "DryRun": True,
    }
    try:
        with Stubber(provider._ec2._client) as stub:
            stub.add_response("describe_route_tables", {"RouteTables": [table]})
            stub.add_client_error("replace_route", "DryRunOperation", http_status_code=412)
            stub.add_client_error("create_route", code, http_status_code=412, expected_params=create)
            found = await provider.check((one,), RecordingPermit())
            stub.assert_no_pending_responses()
    finally:
        await provider.aclose()
    assert bool([each for each in found if "ec2:CreateRoute" in each.text]) is refused
