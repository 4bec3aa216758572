"""Rule 1: ``point`` twice equals once; what is already in place is no write."""

from __future__ import annotations

from wgfo.model import RouteSet
from wgfo.plugin import RouteProvider
from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule


class TwiceEqualsOnce(Rule):
    """Rule 1."""

    rule = 1

    async def test_pointing_twice_writes_once(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        first = await bench.moved(provider, one, bench.a)
        assert first.written == len(one.prefixes), f"all prefixes were absent: {first}"
        await bench.in_sync(provider, one, bench.a)
        await _nothing_is_written(bench, provider, one)

    async def test_only_what_is_not_in_place_is_written(self, bench: Bench) -> None:
        part, one = bench.route_set(bench.prefixes[:2]), bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.moved(provider, part, bench.b)
        await bench.in_sync(provider, part, bench.b)
        outcome = await bench.moved(provider, one, bench.b)
        rest = len(one.prefixes) - 2
        assert (outcome.written, outcome.unchanged) == (rest, 2), f"2 of them were in place: {outcome}"

    async def test_another_instance_finds_in_place_what_the_first_wrote(self, bench: Bench) -> None:
        one = bench.route_set()
        first = await bench.open(one)
        await bench.moved(first, one, bench.a)
        await bench.in_sync(first, one, bench.a)
        await _nothing_is_written(bench, await bench.open(one), one)


async def _nothing_is_written(bench: Bench, provider: RouteProvider, one: RouteSet) -> None:
    standing, received = await bench.others(one.table), bench.world.log.writes
    permit = bench.permit()
    outcome = await bench.point(provider, one, bench.a, permit=permit, owned=True)
    assert outcome.ok, f"everything stood already: {outcome}"
    assert (outcome.written, outcome.unchanged) == (0, len(one.prefixes)), f"everything stood: {outcome}"
    assert permit.writes == 0, "permit.write() was awaited though everything stood already"
    assert bench.world.log.writes == received, "a write was sent though everything stood already"
    assert await bench.others(one.table) == standing, "the table changed though everything stood already"
