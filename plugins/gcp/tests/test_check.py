"""The preflight names what would keep the routes from working, and what to do about it."""

from __future__ import annotations

from typing import Any

from plugins.gcp.tests.stage import HOPS, PREFIX, PROJECT, A, B, opened, options_for, point, route_set, see
from tests.support.gcp_server import Fault, GcpServer, Harm, Row
from tests.support.gcp_server.server import API

from wgfo.model import Finding, Health, PathName, Severity
from wgfo.testing import RecordingPermit

NETWORK = f"{API}/projects/{PROJECT}/global/networks/prod"
ZONE = "zones/europe-west1-b/instances"


def instance(name: str, **fields: Any) -> Row:
    interface = {"network": NETWORK, "networkIP": "10.132.0.9"}
    return {
        "name": name,
        "status": "RUNNING",
        "canIpForward": True,
        "networkInterfaces": [interface],
        **fields,
    }


def healthy(server: GcpServer) -> None:
    for name in ("gw-a", "gw-b"):
        server.resources[f"{ZONE}/{name}"] = instance(name)


async def checked(
    server: GcpServer, hops: dict[PathName, str] | None = None, **options: Any
) -> list[Finding]:
    made = options_for(server, **options)
    one = route_set(made, hops=hops)
    async with opened(made, one) as provider:
        return list(await provider.check((one,), RecordingPermit()))


async def test_a_healthy_project_has_no_findings() -> None:
    async with GcpServer() as server:
        healthy(server)
        assert await checked(server) == []


async def test_a_next_hop_that_cannot_forward_or_does_not_run_is_named() -> None:
    async with GcpServer() as server:
        healthy(server)
        server.resources[f"{ZONE}/gw-a"] = instance("gw-a", canIpForward=False)
        server.resources[f"{ZONE}/gw-b"] = instance("gw-b", status="TERMINATED", networkInterfaces=[])
        found = await checked(server)
        assert [(one.subject, one.severity) for one in found] == [
            (HOPS[A], Severity.ERROR),
            (HOPS[B], Severity.ERROR),
            (HOPS[B], Severity.ERROR),
        ]
        assert "canIpForward" in found[0].text
        assert "TERMINATED" in found[1].text
        assert "no interface in network prod" in found[2].text
        assert all(one.remedy for one in found)


async def test_what_does_not_exist_is_named() -> None:
    async with GcpServer() as server:
        found = await checked(server, {A: HOPS[A], B: "vpn-tunnel:europe-west1/branch"})
        assert {one.subject for one in found} == {HOPS[A], "vpn-tunnel:europe-west1/branch"}
        assert all("does not exist" in one.text for one in found)


async def test_an_address_nobody_has_and_a_balancer_of_the_wrong_kind_are_named() -> None:
    async with GcpServer() as server:
        server.resources["regions/europe-west1/forwardingRules/web"] = {
            "name": "web",
            "region": f"{API}/projects/{PROJECT}/regions/europe-west1",
            "IPAddress": "10.132.0.50",
            "loadBalancingScheme": "EXTERNAL",
        }
        found = await checked(server, {A: "ip:10.1.1.1", B: "ilb:web"})
        assert {one.subject: one.severity for one in found} == {
            "ip:10.1.1.1": Severity.ERROR,
            "ilb:web": Severity.ERROR,
        }


async def test_an_address_that_an_instance_has_is_fine() -> None:
    async with GcpServer() as server:
        healthy(server)
        assert await checked(server, {A: "ip:10.132.0.9", B: HOPS[B]}) == []


async def test_a_destination_inside_a_subnet_is_named() -> None:
    async with GcpServer() as server:
        healthy(server)
        server.resources["regions/europe-west1/subnetworks/lan"] = {
            "name": "lan",
            "network": NETWORK,
            "ipCidrRange": "192.168.0.0/15",
        }
        found = await checked(server)
        assert [one.subject for one in found] == [f"prod {PREFIX}"]
        assert "subnet lan" in found[0].text


async def test_a_quota_that_a_switch_would_exceed_is_named() -> None:
    async with GcpServer(route_quota=0) as server:
        healthy(server)
        found = await checked(server)
        assert [(one.severity, one.subject) for one in found] == [(Severity.ERROR, "quota ROUTES")]


async def test_what_may_not_be_read_is_a_finding_and_the_rest_is_looked_at() -> None:
    async with GcpServer() as server:
        healthy(server)
        server.resources[f"{ZONE}/gw-b"] = instance("gw-b", canIpForward=False)
        server.faults.add(
            Fault(Harm.ANSWER, writes=False, method="compute.projects.get", status=403, reason="forbidden")
        )
        found = await checked(server)
        assert [(one.severity, one.subject) for one in found] == [
            (Severity.ERROR, HOPS[B]),
            (Severity.WARNING, f"project {PROJECT}"),
        ]


async def test_routes_of_others_in_our_slots_and_before_them_are_named() -> None:
    async with GcpServer() as server:
        healthy(server)
        server.put("prod", PREFIX, 900)
        server.put("prod", PREFIX, 100)
        found = await checked(server)
        assert len(found) == 2
        assert all(one.severity is Severity.WARNING and "other-" in one.text for one in found)


async def test_a_route_of_ours_that_no_configuration_names_is_told_and_stays() -> None:
    async with GcpServer() as server:
        healthy(server)
        options = options_for(server)
        async with opened(options) as provider:
            await point(provider, route_set(options, of=("172.20.0.0/16",)), A)  # type: ignore[arg-type]
        found = await checked(server)
        assert [(one.severity, one.subject) for one in found] == [(Severity.INFO, "prod 172.20.0.0/16")]
        assert len(server.routes) == 1


async def test_an_api_inside_a_managed_prefix_is_an_error() -> None:
    async with GcpServer() as server:
        healthy(server)
        options = options_for(server)
        one = route_set(options, of=("127.0.0.0/8",))  # type: ignore[arg-type]
        async with opened(options, one) as provider:
            found = await provider.check((one,), RecordingPermit())
        assert [one.severity for one in found] == [Severity.ERROR]
        assert "inside the managed prefix" in found[0].text


async def test_a_route_whose_next_hop_is_dead_is_a_blackhole() -> None:
    async with GcpServer() as server:
        healthy(server)
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            await point(provider, one, A)
            row = next(iter(server.routes.values()))
            row["warnings"] = [{"code": "NEXT_HOP_NOT_RUNNING", "message": "…"}]
            seen = await see(provider, one)
            found = await provider.check((one,), RecordingPermit())
        assert seen.health is Health.BLACKHOLE
        assert "not running" in seen.text
        assert ["not running" in one.text for one in found] == [True]


async def test_a_better_route_and_a_longer_one_of_others_are_shadows() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            await point(provider, one, A)
            server.put("prod", PREFIX, 100)
            server.put("prod", "192.168.7.0/24", 1000)
            server.put("prod", "10.0.0.0/8", 1)
            seen = await see(provider, one)
        assert len(seen.shadows) == 2
        assert not seen.in_sync_with(A)


async def test_routes_for_other_tags_are_left_alone() -> None:
    async with GcpServer() as server:
        options = options_for(server, tags=("web",))
        one = route_set(options)
        server.put("prod", PREFIX, 1000, tags=["db"], nextHopIp="10.1.1.1")
        async with opened(options, one) as provider:
            assert (await point(provider, one, A, owned=False)).ok
            assert (await see(provider, one)).in_sync_with(A)
        assert sorted(row["tags"] for row in server.routes.values()) == [["db"], ["web"]]


async def test_another_base_priority_moves_our_route_without_a_gap() -> None:
    async with GcpServer() as server:
        for base in (900, 500, 1200):
            options = options_for(server, priority=base)
            one = route_set(options)
            async with opened(options, one) as provider:
                assert (await point(provider, one, A)).ok
                assert (await see(provider, one)).in_sync_with(A)
        assert len(server.routes) == 1
        assert not list(server.timeline.faults("prod", PREFIX, 1))
