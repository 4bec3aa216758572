"""Pointing a set at a hop, on a real kernel."""

from __future__ import annotations

import pytest
from plugins.linux.tests.kernel import A, B, Leave, kernel, opened, routed

from wgfo.model import Absent, FailureKind, Foreign, Health, PathHop
from wgfo.plugin import Withdrawn

pytestmark = pytest.mark.net


async def test_writes_an_absent_route_and_reads_it_back() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted]) as one:
        assert (await one.observe(wanted)).majority == Absent()
        outcome = await one.point(wanted, A)
        assert (outcome.written, outcome.ok) == (2, True)
        seen = await one.observe(wanted)
        assert (seen.majority, seen.exceptions, seen.health) == (PathHop(A), (), Health.OK)
        assert seen.text == "dev wg0"
        assert one.routes("10.20.0.0/16") == ["10.20.0.0/16 dev wg0 proto 119 scope link"]
        assert one.routes("fd20::/32") == ["fd20::/32 dev wg0 proto 119 metric 1024 pref medium"]


async def test_what_is_in_place_is_no_write() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 dev wg0 proto static")
        outcome = await one.point(wanted, A)
        assert (outcome.written, outcome.unchanged, one.permit.writes) == (0, 1, 0)
        assert one.routes("10.20.0.0/16") == ["10.20.0.0/16 dev wg0 proto static scope link"]


@pytest.mark.parametrize("prefix", ["10.20.0.0/16", "fd20::/32"])
@pytest.mark.parametrize(
    "hops",
    [
        {A: "dev wg0", B: "dev wg1"},
        {A: "via {0}", B: "via {1}"},
        {A: "via {0} dev wg0", B: "dev wg1"},
        {A: "dev wg0", B: "via {1}"},
    ],
)
async def test_a_hundred_switches_leave_exactly_one_route(prefix: str, hops: dict) -> None:
    gateways = ("fd00:0::9", "fd00:1::9") if ":" in prefix else ("10.100.0.9", "10.101.0.9")
    wanted = routed(prefix, hops={path: hop.format(*gateways) for path, hop in hops.items()})
    async with kernel([wanted]) as one:
        one.ip("route add 203.0.113.0/24 dev wg1 proto static")
        for number in range(100):
            outcome = await one.point(wanted, (A, B)[number % 2])
            assert outcome.ok
        assert len(one.routes(prefix)) == 1
        assert (await one.observe(wanted)).majority == PathHop(B)
        assert one.routes("203.0.113.0/24") == ["203.0.113.0/24 dev wg1 proto static scope link"]


async def test_a_route_of_others_is_refused_and_left_alone() -> None:
    wanted = routed("10.20.0.0/16", "10.30.0.0/16")
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 dev lo proto static")
        outcome = await one.point(wanted, A)
        assert outcome.written == 1
        assert [(one.kind, one.prefix) for one in outcome.failures] == [(FailureKind.FOREIGN, "10.20.0.0/16")]
        assert one.routes("10.20.0.0/16") == ["10.20.0.0/16 dev lo proto static scope link"]
        seen = await one.observe(wanted)
        assert seen.majority == PathHop(A)
        assert [one.observed for one in seen.exceptions] == [Foreign("dev lo")]


async def test_an_adopted_route_of_others_is_taken_over() -> None:
    wanted = routed("10.20.0.0/16", adopt=True)
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 dev lo proto static")
        assert (await one.point(wanted, A)).written == 1
        assert one.routes("10.20.0.0/16") == ["10.20.0.0/16 dev wg0 proto 119 scope link"]


async def test_drift_of_an_owned_set_is_written_back() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        one.ip("route replace 10.20.0.0/16 dev lo")
        assert (await one.point(wanted, A, owned=True)).written == 1
        assert len(one.routes("10.20.0.0/16")) == 1


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
async def test_a_route_to_nowhere_is_foreign(kind: str) -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted]) as one:
        one.ip(f"route add {kind} 10.20.0.0/16")
        one.ip(f"-6 route add {kind} fd20::/32")
        assert (await one.observe(wanted)).majority == Foreign(kind)


async def test_a_multipath_route_is_foreign_even_over_our_devices() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 nexthop dev wg0 nexthop dev wg1")
        one.ip("-6 route add fd20::/32 nexthop via fd00::9 nexthop via fd00:1::9")
        assert (await one.observe(wanted)).majority == Foreign("several next hops")
        assert (await one.point(wanted, B, owned=True)).written == 2
        assert len(one.routes("fd20::/32")) == 1
        assert (await one.observe(wanted)).majority == PathHop(B)


async def test_a_nexthop_object_is_foreign() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        one.ip("nexthop add id 7 dev wg0")
        one.ip("route add 10.20.0.0/16 nhid 7")
        assert (await one.observe(wanted)).majority == Foreign("nhid 7 dev wg0")


async def test_a_gateway_matches_whatever_its_device_and_a_device_matches_no_gateway() -> None:
    wanted = routed("10.20.0.0/16", hops={A: "via 10.100.0.9", B: "dev wg1"})
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 via 10.100.0.9 dev wg0")
        assert (await one.observe(wanted)).majority == PathHop(A)
        one.ip("route replace 10.20.0.0/16 via 10.101.0.9 dev wg1")
        assert (await one.observe(wanted)).majority == Foreign("via 10.101.0.9 dev wg1")


async def test_an_ipv4_prefix_may_have_an_ipv6_gateway() -> None:
    wanted = routed("10.20.0.0/16", hops={A: "via fd00::9 dev wg0", B: "dev wg1"})
    async with kernel([wanted]) as one:
        assert (await one.point(wanted, A)).ok
        assert one.routes("10.20.0.0/16") == ["10.20.0.0/16 via inet6 fd00::9 dev wg0 proto 119"]
        assert (await one.observe(wanted)).majority == PathHop(A)


async def test_an_ipv6_prefix_with_an_ipv4_gateway_fails_alone() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32", hops={A: "via 10.100.0.9", B: "dev wg1"})
    async with kernel([wanted]) as one:
        outcome = await one.point(wanted, A)
        assert outcome.written == 1
        assert [(one.kind, one.prefix) for one in outcome.failures] == [
            (FailureKind.UNSUPPORTED, "fd20::/32")
        ]


async def test_a_device_that_lost_its_carrier_is_a_black_hole() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        one.ip("link set far0 down")
        seen = await one.observe(wanted)
        assert (seen.majority, seen.health) == (PathHop(A), Health.BLACKHOLE)


async def test_a_table_by_number_keeps_the_main_table_out_of_it() -> None:
    wanted = routed("10.20.0.0/16", table="7000")
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 dev lo")
        assert (await one.point(wanted, A)).ok
        assert one.routes("10.20.0.0/16", table="7000") == ["10.20.0.0/16 dev wg0 proto 119 scope link"]
        assert one.routes("10.20.0.0/16") == ["10.20.0.0/16 dev lo scope link"]


async def test_a_default_route_is_moved_as_any_other() -> None:
    wanted = routed("0.0.0.0/0", "::/0", hops={A: "dev wg0", B: "dev wg1"})
    async with kernel([wanted]) as one:
        for path in (A, B, A, B):
            assert (await one.point(wanted, path)).written == 2
        assert one.routes("default") == ["default dev wg1 proto 119 scope link"]
        assert (await one.observe(wanted)).majority == PathHop(B)


async def test_with_a_metric_only_the_route_of_that_metric_is_ours() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted], metric=50) as one:
        one.ip("route add 10.20.0.0/16 dev lo metric 900")
        await one.point(wanted, A)
        await one.point(wanted, B)
        assert one.routes("10.20.0.0/16") == [
            "10.20.0.0/16 dev wg1 proto 119 scope link metric 50",
            "10.20.0.0/16 dev lo scope link metric 900",
        ]
        assert one.routes("fd20::/32") == ["fd20::/32 dev wg1 proto 119 metric 50 pref medium"]
        assert (await one.observe(wanted)).shadows == ()


async def test_a_route_of_ours_with_a_former_metric_is_residue_and_cleared_up() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted], metric=50) as one:
        one.ip("route add 10.20.0.0/16 dev wg1 proto 119 metric 7")
        one.ip("route add 10.20.0.0/16 dev wg1 proto static metric 8")
        await one.point(wanted, A)
        assert one.routes("10.20.0.0/16") == [
            "10.20.0.0/16 dev wg1 proto static scope link metric 8",
            "10.20.0.0/16 dev wg0 proto 119 scope link metric 50",
        ]
        seen = await one.observe(wanted)
        assert seen.residue == ()
        assert seen.shadows == ("10.20.0.0/16 dev wg1 proto 4 metric 8",)


async def test_residue_is_seen_before_it_is_cleared_up() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted], metric=50) as one:
        one.ip("route add 10.20.0.0/16 dev wg1 proto 119 metric 7")
        seen = await one.observe(wanted)
        assert (seen.majority, seen.residue) == (Absent(), ("10.20.0.0/16 dev wg1 proto 119 metric 7",))


async def test_routes_with_our_number_that_no_set_configures_are_left_alone() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        one.ip("route add 10.99.0.0/16 dev wg1 proto 119")
        await one.point(wanted, A)
        assert len(one.routes("10.99.0.0/16")) == 1
        assert (await one.observe(wanted)).residue == ()


async def test_longer_prefixes_of_others_inside_ours_are_shadows() -> None:
    wanted, other = routed("10.20.0.0/16", "fd20::/32"), routed("10.20.7.0/24", group="other")
    async with kernel([wanted, other]) as one:
        await one.point(wanted, A)
        await one.point(other, A)
        one.ip("route add 10.20.1.0/24 dev lo proto static")
        one.ip("-6 route add fd20:0:1::/48 dev wg1 proto static")
        one.ip("route add 10.21.0.0/16 dev lo proto static")
        assert set((await one.observe(wanted)).shadows) == {
            "10.20.1.0/24 dev lo proto 4 metric 0",
            "fd20:0:1::/48 dev wg1 proto 4 metric 1024",
        }


async def test_fallback_keeps_traffic_from_leaking_when_the_link_goes() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted], fallback="unreachable") as one:
        one.ip("route add default via 10.101.0.9")
        one.ip("-6 route add default via fd00:1::9")
        assert (await one.point(wanted, A)).written == 2
        assert (await one.observe(wanted)).in_sync_with(A)
        writes = one.permit.writes
        assert (await one.point(wanted, A)).ok
        assert one.permit.writes == writes
        one.ip("link del wg0")
        assert (await one.observe(wanted)).majority == Absent()
        for address in ("10.20.1.1", "fd20::1"):
            with pytest.raises(AssertionError, match=r"unreachable|No route to host"):
                one.ip("route get " + address)


async def test_a_fallback_that_is_no_longer_wanted_is_removed() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted], fallback="unreachable") as one:
        await one.point(wanted, A)
        async with opened(one.namespace, [wanted]) as plain:
            assert len((await plain.observe(wanted)).residue) == 2
            assert (await plain.point(wanted, A)).ok
            assert (await plain.observe(wanted)).in_sync_with(A)
            assert plain.routes("fd20::/32") == ["fd20::/32 dev wg0 proto 119 metric 1024 pref medium"]


async def test_a_withdrawn_permit_stops_in_the_middle_and_counts_the_rest() -> None:
    wanted = routed(*(f"10.20.{number}.0/24" for number in range(200)))
    async with kernel([wanted]) as one:
        one.permit = Leave(writes_left=100)
        outcome = await one.point(wanted, A)
        assert (outcome.written, outcome.not_attempted, outcome.ok) == (64, 136, False)
        assert len(one.ip("route show proto 119").splitlines()) == 64


async def test_a_permit_that_lapsed_before_the_first_read_is_withdrawn() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        one.permit = Leave(reads_left=0)
        with pytest.raises(Withdrawn):
            await one.point(wanted, A)
        assert one.routes("10.20.0.0/16") == []


@pytest.mark.parametrize("prefix", ["10.20.0.0/16", "fd20::/32"])
async def test_a_second_route_of_ours_behind_the_first_does_not_stop_a_switch(prefix: str) -> None:
    wanted = routed(prefix)
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        one.ip(("-6" if ":" in prefix else "-4") + f" route append {prefix} dev wg1 proto 119")
        assert len((await one.observe(wanted)).residue) == 1
        assert (await one.point(wanted, B)).written == 1
        assert len(one.routes(prefix)) == 1
        assert (await one.observe(wanted)).in_sync_with(B)


async def test_a_second_route_of_others_behind_ours_stays() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        one.ip("route append 10.20.0.0/16 dev wg1 proto 119")
        one.ip("route append 10.20.0.0/16 dev wg1 proto static")
        outcome = await one.point(wanted, B)
        assert outcome.ok
        assert one.routes("10.20.0.0/16") == [
            "10.20.0.0/16 dev wg1 proto 119 scope link",
            "10.20.0.0/16 dev wg1 proto static scope link",
        ]


async def test_several_sets_in_one_table_are_read_at_once() -> None:
    sets = [routed(f"10.{number}.0.0/16", group=f"g{number}") for number in range(20, 25)]
    async with kernel(sets) as one:
        for route_set in sets:
            await one.point(route_set, A)
        reads = one.permit.reads
        seen = await one.provider.observe(sets, one.permit)
        assert {view.majority for view in seen.values()} == {PathHop(A)}
        assert one.permit.reads - reads == 1 + len(sets)


async def test_twenty_thousand_routes_are_written_and_read_back() -> None:
    wanted = routed(*(f"20.{number >> 8}.{number & 255}.0/24" for number in range(20_000)))
    async with kernel([wanted]) as one:
        assert (await one.point(wanted, A)).written == 20_000
        one.ip("route del 20.7.7.0/24")
        one.ip("route replace 20.8.8.0/24 dev wg1")
        seen = await one.observe(wanted)
        assert seen.majority == PathHop(A)
        assert {one.prefix: one.observed for one in seen.exceptions} == {
            "20.7.7.0/24": Absent(),
            "20.8.8.0/24": PathHop(B),
        }
        assert (await one.point(wanted, A, owned=True)).written == 2


async def test_many_shadows_are_named_in_part_and_counted() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        for number in range(25):
            one.ip(f"route add 10.20.{number}.0/24 dev lo")
        shadows = (await one.observe(wanted)).shadows
        assert (len(shadows), shadows[-1]) == (21, "and 5 more")


async def test_a_managed_default_route_is_not_shadowed_by_every_other_route() -> None:
    wanted = routed("0.0.0.0/0")
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        assert (await one.observe(wanted)).in_sync_with(A)
        assert (await one.observe(wanted)).shadows == ()
