"""Rule 2: the prefix is never absent or blackholed by our own action: replace, or make before break."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from wgfo.model import RouteSet
from wgfo.plugin import GivesBack, RouteProvider
from wgfo.testing.bench import Bench, carriers
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can, Moment


class NeverAbsent(Rule):
    """Rule 2."""

    rule = 2

    async def test_a_switch_leaves_no_moment_without_a_route(self, bench: Bench) -> None:
        bench.require(Can.TIMELINE)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        begun = await _now(bench, one)
        for path in (bench.b, bench.a, bench.b):
            await bench.moved(provider, one, path)
        _assert_carried_throughout(provider, one, await bench.moments(one.table, begun))

    async def test_a_switch_cut_off_after_any_write_leaves_no_gap_and_can_be_finished(
        self, bench: Bench
    ) -> None:
        bench.require(Can.TIMELINE)
        one = bench.route_set(bench.prefixes[:3])
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        permit, begun = bench.permit(), await _now(bench, one)
        await bench.point(provider, one, bench.b, permit=permit, owned=True)
        for writes in range(1, permit.writes):
            await bench.moved(provider, one, bench.a)
            cut = bench.withdraw_after(writes)
            await bench.point(provider, one, bench.b, permit=cut, owned=True)
            await bench.moved(provider, one, bench.b)
            await bench.in_sync(provider, one, bench.b)
        _assert_carried_throughout(provider, one, await bench.moments(one.table, begun))

    async def test_a_refused_write_leaves_the_prefix_where_it_was(self, bench: Bench) -> None:
        bench.require(Can.TIMELINE, Can.REFUSE)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        begun = await _now(bench, one)
        await bench.inject(Can.REFUSE)
        await bench.point(provider, one, bench.b, owned=True)
        await bench.assert_carried(one, bench.a, bench.prefixes[:1])
        _assert_carried_throughout(provider, one, (await bench.world.moments(one.table))[begun:])

    async def test_a_foreign_route_is_taken_over_without_a_gap(self, bench: Bench) -> None:
        bench.require(Can.TIMELINE)
        one = bench.route_set(adopt=True)
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.world.put(one.table, bench.prefixes[0], None)
        begun = await _now(bench, one)
        await bench.moved(provider, one, bench.b)
        moments = await bench.moments(one.table, begun)
        gaps = [moment for moment in moments if not carriers(moment, bench.prefixes[0])]
        assert not gaps, f"{bench.prefixes[0]} had no route while it was taken over: {gaps[0]}"

    async def test_routes_that_are_given_back_stay_where_they_are(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        if not isinstance(provider, GivesBack):
            pytest.skip("the provider has no give_back(): it marks nothing")
        begun = await _now(bench, one)
        permit = bench.permit()
        text = await bench.call(provider.give_back(one, permit))
        assert text, "give_back() says what became of the routes"
        assert permit.writes, "the mark is taken off by requests, each with a permit"
        await bench.assert_carried(one, bench.a)
        moments = (await bench.world.moments(one.table))[begun:]
        _assert_carried_throughout(provider, one, moments)
        await bench.call(provider.give_back(one, bench.permit()))
        await bench.assert_carried(one, bench.a)

    async def test_closing_an_instance_leaves_every_route_in_place(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.call(provider.aclose())
        bench.forget(provider)
        await bench.assert_carried(one, bench.a)


async def _now(bench: Bench, one: RouteSet) -> int:
    return len(await bench.world.moments(one.table))


def _assert_carried_throughout(provider: RouteProvider, one: RouteSet, moments: Sequence[Moment]) -> None:
    """At every instant a candidate carries each prefix, and only one unless routes cannot be replaced."""
    most = 1 if provider.capabilities.replaces else 2
    candidates = set(one.hops.values())
    for number, moment in enumerate(moments):
        for prefix in one.prefixes:
            found = carriers(moment, prefix)
            dropped = [
                route for route in moment if route.prefix == prefix and route.carries and route.blackhole
            ]
            when = f"at change {number} of {len(moments)}, in {moment}"
            assert not dropped, f"{prefix} was blackholed {when}"
            assert found, f"{prefix} had no route {when}"
            assert len(found) <= most, f"{prefix} had {len(found)} routes at once {when}"
            assert set(found) <= candidates, f"{prefix} was carried by no candidate, but {found}, {when}"
