"""The preflight finds what would keep routes from working, changes nothing, and says what to do."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.azure.tests.calls import HOP_A, HOP_B, PREFIX, TABLE, route_set
from plugins.azure.tests.world import AzureWorld, hop_json
from tests.support.azure_server import Nic
from tests.support.azure_server.faults import DENIED, THROTTLED

from wgfo.model import Finding, RouteSet, Severity
from wgfo.testing import RecordingPermit
from wgfo_azure.provider import AzureProvider

GOOD = [Nic("gw-a", HOP_A), Nic("gw-b", HOP_B)]


async def check(provider: AzureProvider, *sets: RouteSet) -> Sequence[Finding]:
    found = await provider.check(sets or (route_set(),), RecordingPermit())
    assert all(one.remedy for one in found), "every finding says what to do"
    return found


async def test_nothing_is_found_where_all_is_well(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.nics = [*GOOD, Nic("other", "10.0.0.99", forwards=False)]
    assert await check(provider) == []
    assert {method for method, _ in azure.server.seen} == {"GET"}


async def test_an_appliance_that_does_not_forward_is_an_error(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.nics = [
        Nic("spare", "10.0.0.77"),
        Nic("x", "10.0.0.78"),
        Nic("gw-a", HOP_A, forwards=False),
        GOOD[1],
    ]
    (finding,) = await check(provider)
    assert finding.severity is Severity.ERROR
    assert "gw-a" in finding.text
    assert "--ip-forwarding true" in finding.remedy


async def test_an_address_that_nobody_has_is_a_warning(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.nics = GOOD[:1]
    (finding,) = await check(provider)
    assert (finding.severity, finding.subject) == (Severity.WARNING, f"next hop {HOP_B}")


async def test_of_equal_addresses_the_one_in_the_tables_network_counts(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.nics = [*GOOD, Nic("elsewhere", HOP_A, forwards=False, network="other")]
    assert await check(provider) == []


async def test_interfaces_that_may_not_be_read_are_told(azure: AzureWorld, provider: AzureProvider) -> None:
    def deny(_number: int, _method: str) -> None:
        azure.platform.faults.reads = DENIED if "networkInterfaces" in azure.server.seen[-1][1] else None

    azure.platform.faults.before = deny
    (finding,) = await check(provider)
    assert finding.severity is Severity.INFO
    assert "networkInterfaces/read" in finding.remedy


async def test_a_table_that_is_not_there_is_an_error(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.nics = GOOD
    del azure.platform.tables[TABLE]
    (finding,) = await check(provider)
    assert (finding.severity, finding.subject) == (Severity.ERROR, f"table {TABLE}")


async def test_a_table_that_may_not_be_read_names_the_role(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.reads = DENIED
    found = await check(provider)
    assert "emit permissions" in found[0].remedy


async def test_a_throttled_preflight_says_so(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.faults.reads = THROTTLED
    assert "TooManyRequests" in (await check(provider))[0].text


async def test_a_table_that_no_subnet_uses_is_a_warning(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.nics = GOOD
    azure.platform.tables[TABLE].extra["subnets"] = []
    (finding,) = await check(provider)
    assert "no subnet" in finding.text


async def test_the_internet_as_a_hop_is_warned_of(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.nics = GOOD
    (finding,) = await check(provider, route_set(hops=("Internet", HOP_B)))
    assert finding.severity is Severity.WARNING
    assert "unencrypted" in finding.text


async def test_more_routes_than_a_table_holds_are_an_error(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.nics = GOOD
    prefixes = [f"10.{number // 250 + 30}.{number % 250}.0/24" for number in range(400)]
    (finding,) = await check(provider, route_set(*prefixes))
    assert "401 routes" in finding.text


async def test_a_route_whose_last_operation_failed_is_named(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.nics = GOOD
    azure.platform.put(TABLE, PREFIX, {**hop_json(HOP_B), "provisioningState": "Failed"}, "to-onprem")
    (finding,) = await check(provider)
    assert "to-onprem" in finding.text
