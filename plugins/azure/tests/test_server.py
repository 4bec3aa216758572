"""The stand-in is as strict as it claims: what it lets pass says something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from plugins.azure.tests.calls import HOP_A, HOP_B, PREFIX, TABLE
from plugins.azure.tests.world import SUBSCRIPTION, AzureWorld, azure_world, hop_json
from tests.support.azure_server import ManualClock, Style, azure_server
from tests.support.azure_server.schema import API_VERSION

from wgfo.model import TableName

BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net/providers/Microsoft.Network/routeTables/rt-spoke"
GOOD = {"addressPrefix": PREFIX, **hop_json(HOP_B)}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def put(
    http: aiohttp.ClientSession,
    azure: AzureWorld,
    properties: Any,
    name: str = "to-onprem",
    version: str = API_VERSION,
    **headers: str,
) -> tuple[int, dict[str, Any]]:
    url = f"{azure.server.url}{BASE}/routes/{name}?api-version={version}"
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    async with http.put(url, json={"properties": properties}, headers=named) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    "properties",
    [
        {**GOOD, "surprise": 1},
        {**GOOD, "provisioningState": "Succeeded"},
        {**GOOD, "hasBgpOverride": True},
        {"addressPrefix": PREFIX},
        hop_json(HOP_B),
        {**GOOD, "nextHopType": "Teleport"},
        {"addressPrefix": PREFIX, "nextHopType": "VirtualAppliance"},
        {**GOOD, "nextHopType": "Internet"},
        None,
    ],
)
async def test_a_body_that_the_models_do_not_know_is_refused(
    http: aiohttp.ClientSession, azure: AzureWorld, properties: Any
) -> None:
    status, body = await put(http, azure, properties)
    assert (status, body["error"]["code"]) == (400, "InvalidRequestFormat")


async def test_a_second_route_for_a_prefix_is_refused(http: aiohttp.ClientSession, azure: AzureWorld) -> None:
    status, body = await put(http, azure, GOOD, "second")
    assert (status, body["error"]["code"]) == (400, "RouteConflict")


async def test_an_unknown_version_is_refused(http: aiohttp.ClientSession, azure: AzureWorld) -> None:
    assert (await put(http, azure, GOOD, version="1999-01-01"))[0] == 400


@pytest.mark.parametrize("headers", [{"If_Match": 'W/"stale"'}, {"If_None_Match": "*"}])
async def test_a_precondition_that_fails_changes_nothing(
    http: aiohttp.ClientSession, azure: AzureWorld, headers: dict[str, str]
) -> None:
    assert (await put(http, azure, GOOD, **headers))[0] == 412
    assert azure.platform.tables[TABLE].traffic == {PREFIX: HOP_A}


async def test_a_whole_table_cannot_be_put(http: aiohttp.ClientSession, azure: AzureWorld) -> None:
    url = f"{azure.server.url}{BASE}?api-version={API_VERSION}"
    async with http.put(url, json={"location": "x", "properties": {}}) as answer:
        assert answer.status == 400


async def test_traffic_follows_when_the_operation_is_over_and_not_before(http: aiohttp.ClientSession) -> None:
    clock = ManualClock()
    async with azure_server(SUBSCRIPTION, clock) as server:
        azure = AzureWorld(server)
        azure.platform.put(TABLE, PREFIX, hop_json(HOP_A), "to-onprem")
        azure.platform.faults.lro_ms = 1_000
        assert (await put(http, azure, GOOD))[1]["properties"]["provisioningState"] == "Updating"
        assert (await put(http, azure, GOOD))[0] == 409
        clock.advance(999)
        assert (await azure.routes(TableName(TABLE)))[0].hop == HOP_A
        clock.advance(1)
        assert (await azure.routes(TableName(TABLE)))[0].hop == HOP_B
        assert azure.platform.timeline.of(TABLE)[-1].at_ms == 1_000


async def test_the_timeline_would_show_a_gap_and_a_wrong_hop(azure: AzureWorld) -> None:
    azure.platform.drop(TABLE, PREFIX)
    azure.platform.put(TABLE, PREFIX, hop_json(None))
    timeline = azure.platform.timeline
    assert len(timeline.gaps(TABLE, PREFIX, since=2)) == 1
    assert [one.hops[PREFIX] for one in timeline.wrong(TABLE, PREFIX, {HOP_A})] == ["10.9.9.9"]


async def test_lists_are_paged(http: aiohttp.ClientSession) -> None:
    async with azure_world(Style.AT_ONCE) as azure:
        for number in range(5):
            azure.platform.put(TABLE, f"10.{number}.0.0/16", hop_json(HOP_A))
        found, url = [], f"{azure.server.url}{BASE}/routes?api-version={API_VERSION}"
        while url:
            async with http.get(url) as answer:
                page = await answer.json()
            found.append(len(page["value"]))
            url = page.get("nextLink", "")
        assert found == [2, 2, 1]
