"""Rule 5: where the platform can tell that a route is no longer what was observed, the outcome is a conflict."""

from __future__ import annotations

import pytest

from wgfo.model import FailureKind, SetObservation
from wgfo.plugin import RouteProvider
from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can


class TheTokenIsTheFence(Rule):
    """Rule 5. A provider whose observations bear no token has no fence, and says so by that."""

    rule = 5

    async def test_a_route_that_changed_since_it_was_observed_is_a_conflict(self, bench: Bench) -> None:
        provider = await bench.open()
        observed = await _observed(bench, provider)
        one, changed = bench.route_set(), bench.prefixes[0]
        await bench.world.put(one.table, changed, one.hops[bench.b])
        outcome = await bench.point(provider, one, bench.a, observed=observed, owned=True)
        kinds = {failure.kind for failure in outcome.failures}
        assert kinds == {FailureKind.CONFLICT}, f"{changed} changed after it was observed: {outcome}"
        assert await bench.carriers(one.table, changed) == [one.hops[bench.b]], "the change was overwritten"

    async def test_a_fresh_observation_lifts_the_fence(self, bench: Bench) -> None:
        provider = await bench.open()
        await _observed(bench, provider)
        one = bench.route_set()
        await bench.world.put(one.table, bench.prefixes[0], one.hops[bench.b])
        fresh = await bench.observe_until(
            provider, one, lambda seen: bool(seen.exceptions), "a route differs"
        )
        outcome = await bench.point(provider, one, bench.a, observed=fresh, owned=True)
        assert outcome.ok, f"nothing changed since it was observed: {outcome}"
        await bench.assert_carried(one, bench.a)

    async def test_a_change_in_the_last_moment_is_a_conflict(self, bench: Bench) -> None:
        bench.require(Can.RACE)
        one = bench.route_set(bench.prefixes[:1])
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        observed = await bench.in_sync(provider, one, bench.a)
        await bench.inject(Can.RACE)
        outcome = await bench.point(provider, one, bench.b, observed=observed, owned=True)
        kinds = {failure.kind for failure in outcome.failures}
        assert kinds == {FailureKind.CONFLICT}, f"somebody changed it right before the write: {outcome}"
        found = await bench.carriers(one.table, bench.prefixes[0])
        assert found not in ([], [one.hops[bench.b]]), f"somebody's change was overwritten: {found}"


async def _observed(bench: Bench, provider: RouteProvider) -> SetObservation:
    one = bench.route_set()
    await bench.moved(provider, one, bench.a)
    observed = await bench.in_sync(provider, one, bench.a)
    if observed.token is None:
        pytest.skip("observe() gives no token: this platform cannot tell")
    return observed
