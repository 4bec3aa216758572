"""What is written, and what is never touched."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.azure.tests.calls import (
    HOP_A,
    HOP_B,
    PREFIX,
    TABLE,
    A,
    B,
    observe,
    opened,
    point,
    route_set,
)
from plugins.azure.tests.world import AzureWorld, azure_world, hop_json

from wgfo.model import Absent, FailureKind, Foreign, PathHop, SetObservation
from wgfo.testing import RecordingPermit
from wgfo_azure.provider import AzureProvider

MORE = ("10.21.0.0/16", "10.22.0.0/16")


def routes(azure: AzureWorld) -> dict[str, dict[str, Any]]:
    return azure.platform.tables[TABLE].routes


async def test_an_existing_route_keeps_its_name(azure: AzureWorld, provider: AzureProvider) -> None:
    await point(provider, route_set())
    assert list(routes(azure)) == ["to-onprem"]
    assert azure.platform.tables[TABLE].traffic == {PREFIX: HOP_B}


@pytest.mark.parametrize(
    ("prefix", "hops", "name"),
    [
        ("10.21.0.0/16", (HOP_A, HOP_B), "wgfo-10-21-0-0-16"),
        ("fd20::/32", ("fd00::4", "fd00::5"), "wgfo-fd20---32"),
    ],
)
async def test_a_new_route_has_a_name_made_of_its_prefix(
    azure: AzureWorld, provider: AzureProvider, prefix: str, hops: tuple[str, str], name: str
) -> None:
    assert (await point(provider, route_set(prefix, hops=hops))).written == 1
    assert name in routes(azure)


async def test_a_route_of_others_that_bears_our_name_is_not_replaced(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.put(TABLE, "10.99.0.0/16", hop_json(None), "WGFO-10-21-0-0-16")
    await point(provider, route_set("10.21.0.0/16"))
    assert azure.platform.tables[TABLE].traffic["10.99.0.0/16"] == "10.9.9.9"
    assert "wgfo-10-21-0-0-16-2" in routes(azure)


async def test_fields_that_this_code_does_not_know_stay(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.put(TABLE, PREFIX, hop_json(HOP_A), "to-onprem", futureField={"a": 1}, hasBgpOverride=True)
    await point(provider, route_set())
    assert routes(azure)["to-onprem"]["properties"]["futureField"] == {"a": 1}


async def test_the_table_itself_is_never_written(azure: AzureWorld, provider: AzureProvider) -> None:
    await point(provider, route_set(PREFIX, *MORE))
    written = [path for method, path in azure.server.seen if method != "GET"]
    assert all("/routes/" in path for path in written)
    assert azure.platform.tables[TABLE].extra["disableBgpRoutePropagation"] is True


async def test_a_table_with_service_tags_and_ecmp_is_read(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.put(TABLE, "Storage.WestEurope", {"nextHopType": "Internet"})
    ecmp = {"nextHopType": "VirtualApplianceEcmp", "nextHop": {"nextHopIpAddresses": ["10.0.0.8"]}}
    azure.platform.put(TABLE, MORE[0], ecmp)
    seen = await observe(provider, route_set(PREFIX, *MORE))
    found = {one.prefix: one.observed for one in seen.exceptions}
    assert isinstance(found[next(one for one in found if one == MORE[0])], Foreign)
    assert seen.shadows == ()


async def test_an_ecmp_route_that_is_adopted_becomes_a_plain_one(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    ecmp = {"nextHopType": "VirtualApplianceEcmp", "nextHop": {"nextHopIpAddresses": ["10.0.0.8"]}}
    azure.platform.put(TABLE, PREFIX, ecmp, "to-onprem")
    assert (await point(provider, route_set(adopt=True), owned=False)).ok
    assert "nextHop" not in routes(azure)["to-onprem"]["properties"]


async def test_a_longer_prefix_of_others_is_a_shadow(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.put(TABLE, "10.20.5.0/24", hop_json(None), "sneaky")
    azure.platform.put(TABLE, "10.0.0.0/8", hop_json(None), "wide")
    seen = await observe(provider, route_set())
    assert len(seen.shadows) == 1
    assert "10.20.5.0/24" in seen.shadows[0]
    assert "sneaky" in seen.shadows[0]


async def test_a_prefix_of_another_group_inside_ours_is_no_shadow(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.put(TABLE, "10.20.5.0/24", hop_json(HOP_A))
    inner, outer = route_set("10.20.5.0/24"), route_set()
    found = await provider.observe((inner, outer), RecordingPermit())
    assert all(not one.shadows for one in found.values())


async def test_hops_of_a_type_are_matched_whatever_their_case(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.put(TABLE, PREFIX, {"nextHopType": "virtualnetworkgateway"})
    one = route_set(hops=("VirtualNetworkGateway", HOP_B))
    assert (await observe(provider, one)).majority == PathHop(A)
    assert (await point(provider, one, B)).ok
    assert (await point(provider, one, A)).ok
    assert azure.platform.tables[TABLE].traffic == {PREFIX: "VirtualNetworkGateway"}


async def test_a_prefix_and_a_hop_of_different_versions_are_not_sent(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    outcome = await point(provider, route_set(PREFIX, "fd20::/32"))
    assert [(one.kind, one.prefix) for one in outcome.failures] == [(FailureKind.UNSUPPORTED, "fd20::/32")]
    assert outcome.written == 1


async def test_no_rights_on_one_table_stop_that_table_alone(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.denied_tables.add(TABLE)
    other = route_set(table="rg-net/rt-hub")
    denied, done = await point(provider, route_set(PREFIX, *MORE)), await point(provider, other)
    assert [one.kind for one in denied.failures] == [FailureKind.DENIED]
    assert denied.not_attempted == 3
    assert sum(method == "PUT" and "rt-spoke" in path for method, path in azure.server.seen) == 1
    assert done.ok


async def test_a_quota_that_is_used_up_stops_the_rest_and_says_when(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.write_quota = 2
    outcome = await point(provider, route_set(PREFIX, *MORE))
    assert (outcome.written, outcome.not_attempted) == (2, 1)
    assert outcome.failures[0].retry_after_ms == 2_000


async def test_a_busy_table_is_transient(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.faults.lro_ms = 60_000
    azure.platform.begin(
        azure.platform.tables[TABLE],
        "other",
        {"properties": {"addressPrefix": "10.99.0.0/16", **hop_json(None)}},
    )
    outcome = await point(provider, route_set())
    assert [one.kind for one in outcome.failures] == [FailureKind.TRANSIENT]


async def test_a_route_made_by_somebody_else_meanwhile_is_a_conflict(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.race = lambda: azure.platform.put(
        TABLE, MORE[0], hop_json(None), "wgfo-10-21-0-0-16"
    )
    outcome = await point(provider, route_set(MORE[0]))
    assert [one.kind for one in outcome.failures] == [FailureKind.CONFLICT]
    assert azure.platform.tables[TABLE].traffic[MORE[0]] == "10.9.9.9"


async def test_every_write_names_what_it_depends_on_also_where_etags_are_shared() -> None:
    async with azure_world(shared_etags=True, lro_ms=5) as world:
        for prefix in (PREFIX, *MORE):
            world.platform.put(TABLE, prefix, hop_json(HOP_A))
        async with opened(world.server.url) as provider:
            assert (await point(provider, route_set(PREFIX, *MORE))).written == 3

            def meddle(_number: int, method: str) -> None:
                if method == "PUT":
                    world.platform.faults.before = None
                    world.platform.put(TABLE, MORE[1], hop_json(None))

            world.platform.faults.before = meddle
            outcome = await point(provider, route_set(*MORE), A)
        assert FailureKind.CONFLICT in {one.kind for one in outcome.failures}
        assert world.platform.tables[TABLE].traffic[MORE[1]] == "10.9.9.9"


async def test_a_route_deleted_before_its_turn_is_a_conflict_and_stays_away() -> None:
    async with azure_world(shared_etags=True) as world:
        for prefix in (PREFIX, *MORE):
            world.platform.put(TABLE, prefix, hop_json(HOP_A))

        def meddle(_number: int, method: str) -> None:
            if method == "PUT":
                world.platform.faults.before = None
                world.platform.drop(TABLE, MORE[1])

        async with opened(world.server.url) as provider:
            world.platform.faults.before = meddle
            outcome = await point(provider, route_set(MORE[0], MORE[1]))
        assert [(one.kind, one.prefix) for one in outcome.failures] == [(FailureKind.CONFLICT, MORE[1])]
        assert MORE[1] not in world.platform.tables[TABLE].traffic


async def test_an_unrelated_change_in_the_table_is_no_conflict(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    observed = await observe(provider, route_set())
    azure.platform.put(TABLE, "10.99.0.0/16", hop_json(None))
    assert (await point(provider, route_set(), observed=observed)).ok


async def test_what_is_absent_is_told_and_made(azure: AzureWorld, provider: AzureProvider) -> None:
    one = route_set(MORE[0])
    assert (await observe(provider, one)).majority == Absent()
    assert (await point(provider, one, A, owned=False)).written == 1
    seen: SetObservation = await observe(provider, one)
    assert seen.in_sync_with(A)
    assert seen.text == HOP_A
