"""Pointing a set at a hop, on a real kernel."""

from __future__ import annotations

import pytest
from plugins.linux.tests.kernel import A, B, kernel, routed

from wgfo.model import Absent, FailureKind, Foreign, Health, PathHop

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
