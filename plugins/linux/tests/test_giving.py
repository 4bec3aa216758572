"""Released routes stay where they were, in place, as an administrator's."""

from __future__ import annotations

import subprocess

import pytest
from plugins.linux.tests.kernel import A, B, kernel, routed
from tests.support.netns import eventually

from wgfo.model import PathHop

pytestmark = pytest.mark.net

PREFIXES = ("10.20.0.0/16", "fd20::/32")


async def test_routes_become_static_and_stay_as_they_are() -> None:
    wanted = routed(*PREFIXES)
    async with kernel([wanted]) as one:
        await one.point(wanted, B)
        assert await one.provider.give_back(wanted, one.permit) == "2 routes are proto static now"
        for prefix in PREFIXES:
            (route,) = one.routes(prefix)
            assert "dev wg1" in route
            assert "proto static" in route
        seen = await one.observe(wanted)
        assert (seen.majority, seen.exceptions, seen.residue) == (PathHop(B), (), ())
        assert await one.provider.give_back(wanted, one.permit) == "no route bears our mark"


async def test_fallbacks_are_given_back_too() -> None:
    wanted = routed(*PREFIXES)
    async with kernel([wanted], fallback="unreachable") as one:
        await one.point(wanted, A)
        await one.provider.give_back(wanted, one.permit)
        shown = one.ip("-4 route show") + one.ip("-6 route show")
        assert "proto 119" not in shown
        assert shown.count("unreachable") == 2


async def test_routes_of_others_are_not_touched() -> None:
    wanted = routed(*PREFIXES)
    async with kernel([wanted]) as one:
        one.ip("route add 10.20.0.0/16 dev wg0 proto bird")
        await one.point(wanted, A)
        await one.provider.give_back(wanted, one.permit)
        (route,) = one.routes("10.20.0.0/16")
        assert "proto bird" in route


async def test_no_prefix_is_without_a_route_while_it_is_given_back() -> None:
    wanted = routed(*PREFIXES)
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        monitor = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop meanwhile
            ["ip", "netns", "exec", one.namespace.name, "ip", "-o", "monitor", "route"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert monitor.stdout is not None
            seen: list[str] = []

            def listening() -> bool:
                one.ip("route replace 192.0.2.1/32 dev wg0")
                return bool(seen.append(monitor.stdout.readline()) or seen[-1])  # type: ignore[union-attr]

            eventually(listening, within=20, what="the monitor listens")
            await one.provider.give_back(wanted, one.permit)
            one.ip("route add 192.0.2.2/32 dev wg0")
            while "192.0.2.2" not in (line := monitor.stdout.readline()):
                seen.append(line)
        finally:
            monitor.kill()
            monitor.wait(10)
            monitor.stdout.close()
        changes = [line for line in seen if any(prefix in line for prefix in PREFIXES)]
        assert changes
        assert not [line for line in changes if line.startswith("Deleted")]
