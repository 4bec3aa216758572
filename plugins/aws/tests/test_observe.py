"""What a route means, and what wins over ours."""

from __future__ import annotations

from collections.abc import Mapping

from wgfo.model import (
    Absent,
    Foreign,
    GroupName,
    Health,
    Hop,
    PathHop,
    PathName,
    Prefix,
    PrefixSet,
    ProviderName,
    RouteSet,
    SetObservation,
    TableName,
)
from wgfo_aws.observe import meaning_of, read_set
from wgfo_aws.tables import Route, Table, _joined, _table

A, B = PathName("primary"), PathName("secondary")
HOPS = {A: Hop("eni-0aaa1"), B: Hop("eni-0bbb1")}
OURS = "10.20.0.0/16"


def route(
    destination: str = OURS, *, state: str = "active", origin: str = "CreateRoute", **targets: str
) -> dict[str, str]:
    key = {".": "DestinationCidrBlock", ":": "DestinationIpv6CidrBlock"}.get(
        next((sign for sign in ".:" if sign in destination), ""), "DestinationPrefixListId"
    )
    return {key: destination, "State": state, "Origin": origin, **targets}


def eni(name: str, instance: str = "") -> dict[str, str]:
    return {"NetworkInterfaceId": name, **({"InstanceId": instance} if instance else {})}


def table(*routes: Mapping[str, str]) -> Table:
    local = route("10.0.0.0/16", origin="CreateRouteTable", GatewayId="local")
    return _table({"RouteTableId": "rtb-0aaa1", "OwnerId": "1", "VpcId": "vpc-1", "Routes": [local, *routes]})


def seen(
    found: Table, *prefixes: str, hops: Mapping[PathName, Hop] | None = None, configured: str = ""
) -> SetObservation:
    one = RouteSet(
        RouteSet.make_id(ProviderName("aws"), TableName("rtb-0aaa1"), GroupName("g")),
        GroupName("g"),
        ProviderName("aws"),
        TableName("rtb-0aaa1"),
        PrefixSet(Prefix(text) for text in prefixes or (OURS,)),
        hops or HOPS,
    )
    return read_set(one, found, {*one.prefixes, configured})


def test_an_interface_means_its_path_whatever_instance_it_is_attached_to() -> None:
    assert seen(table(route(**eni("eni-0bbb1", "i-0ccc1")))).majority == PathHop(B)


def test_an_instances_route_shows_instance_and_interface_and_means_the_instance() -> None:
    hops = {A: Hop("i-0aaa1"), B: Hop("i-0bbb1")}
    assert seen(table(route(**eni("eni-0fff1", "i-0bbb1"))), hops=hops).majority == PathHop(B)


def test_an_interface_that_moved_to_another_instance_means_that_one() -> None:
    hops = {A: Hop("i-0aaa1"), B: Hop("i-0bbb1")}
    before, after = table(route(**eni("eni-0aaa1", "i-0aaa1"))), table(route(**eni("eni-0aaa1", "i-0bbb1")))
    assert seen(before, hops=hops).majority == PathHop(A)
    assert seen(after, hops=hops).majority == PathHop(B)


def test_two_interfaces_of_one_instance_are_two_paths() -> None:
    found = table(route(**eni("eni-0bbb1", "i-0aaa1")))
    assert seen(found, hops={A: Hop("i-0aaa1"), B: Hop("eni-0bbb1")}).majority == PathHop(B)


def test_a_load_balancers_endpoint_is_read_back_as_a_gateway() -> None:
    hops = {A: Hop("vpce-0aaa1"), B: Hop("tgw-0bbb1")}
    assert seen(table(route(GatewayId="vpce-0aaa1")), hops=hops).majority == PathHop(A)
    assert seen(table(route(TransitGatewayId="tgw-0bbb1")), hops=hops).majority == PathHop(B)


def test_a_core_network_is_matched_by_its_arn() -> None:
    arn = "arn:aws:networkmanager::111122223333:core-network/core-network-0aaa1"
    assert seen(
        table(route(CoreNetworkArn=arn)), hops={A: Hop(arn), B: Hop("eni-0bbb1")}
    ).majority == PathHop(A)


def test_a_foreign_route_is_told_in_the_platforms_words() -> None:
    majority = seen(table(route(**eni("eni-0ddd1", "i-0ddd1")))).majority
    assert majority == Foreign("eni-0ddd1 (i-0ddd1)")


def test_no_route_is_absent_and_says_so() -> None:
    found = seen(table())
    assert (found.majority, found.text) == (Absent(), "no route")


def test_host_bits_and_spelling_of_the_answer_do_not_matter() -> None:
    assert seen(table(route("FD20:0:0::/32", **eni("eni-0aaa1"))), "fd20::/32").majority == PathHop(A)


def test_a_prefix_list_is_a_destination_like_any_other() -> None:
    assert seen(table(route("pl-0aaa1", **eni("eni-0aaa1"))), "pl-0aaa1").majority == PathHop(A)


def test_a_blackhole_of_ours_is_told() -> None:
    assert seen(table(route(state="blackhole", **eni("eni-0aaa1")))).health is Health.BLACKHOLE


def test_a_blackhole_of_others_is_no_state_of_ours() -> None:
    found = seen(table(route(state="blackhole", **eni("eni-0ddd1"))))
    assert found.health is Health.OK
    assert found.majority == Foreign("eni-0ddd1 [blackhole]")


def test_a_static_route_carries_before_a_propagated_one() -> None:
    propagated = route(origin="EnableVgwRoutePropagation", GatewayId="vgw-0aaa1")
    static = route(**eni("eni-0bbb1"))
    for routes in ((propagated, static), (static, propagated)):
        assert seen(table(*routes)).majority == PathHop(B)


def test_a_propagated_route_counts_for_the_path_of_its_gateway() -> None:
    found = table(route(origin="EnableVgwRoutePropagation", GatewayId="vgw-0aaa1"))
    assert seen(found, hops={A: Hop("vgw-0aaa1"), B: Hop("eni-0bbb1")}).majority == PathHop(A)
    assert seen(found).majority == Foreign("vgw-0aaa1 [propagated]")


def test_a_route_servers_route_is_foreign() -> None:
    found = table(route(origin="Advertisement", IpAddress="10.0.0.9", **eni("eni-0ddd1")))
    assert seen(found).majority == Foreign("eni-0ddd1 (10.0.0.9) [from a VPC Route Server]")


def test_more_specific_routes_of_others_are_shadows() -> None:
    ours = route(**eni("eni-0aaa1"))
    static = route("10.20.1.0/24", **eni("eni-0ddd1"))
    propagated = route("10.20.2.0/24", origin="EnableVgwRoutePropagation", GatewayId="vgw-0aaa1")
    assert seen(table(ours, static, propagated)).shadows == (
        "10.20.1.0/24 → eni-0ddd1, inside 10.20.0.0/16",
        "10.20.2.0/24 → vgw-0aaa1 [propagated], inside 10.20.0.0/16",
    )


def test_what_is_no_shadow() -> None:
    routes = (
        route("10.0.0.0/8", **eni("eni-0aaa1")),  # ours, around the VPC's own network
        route("10.20.1.0/24", **eni("eni-0ddd1")),  # another group's
        route("11.0.0.0/24", **eni("eni-0ddd1")),
        route("0.0.0.0/0", GatewayId="igw-0aaa1"),
        route("pl-0aaa1", GatewayId="vpce-0aaa1"),
        route("::/0", **eni("eni-0ddd1")),
    )
    assert seen(table(*routes), "10.0.0.0/8", configured="10.20.1.0/24").shadows == ()


def test_many_shadows_are_counted() -> None:
    routes = [route(f"10.20.{number}.0/24", **eni("eni-0ddd1")) for number in range(30)]
    found = seen(table(*routes)).shadows
    assert (len(found), found[-1]) == (21, "and 10 more")


def test_a_table_whose_routes_are_spread_over_pages_is_one() -> None:
    first, second = table(route(**eni("eni-0aaa1"))), table(route("10.21.0.0/16", **eni("eni-0aaa1")))
    assert seen(_joined([first, second]), OURS, "10.21.0.0/16").in_sync_with(A)


def test_meaning_of_nothing_is_absent() -> None:
    assert meaning_of(None, HOPS) == Absent()
    assert str(Route("10.0.0.0/8", {})) == "no target"
