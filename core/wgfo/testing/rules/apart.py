"""Rule 4: one failure is one failure; tables go in parallel, writes of one table within the declared bound."""

from __future__ import annotations

import asyncio

from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can


class OneFailureIsOneFailure(Rule):
    """Rule 4."""

    rule = 4

    async def test_a_destination_that_fails_does_not_stop_the_others(self, bench: Bench) -> None:
        bench.require(Can.REFUSE)
        one, refused = bench.route_set(), bench.prefixes[0]
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.inject(Can.REFUSE)
        outcome = await bench.point(provider, one, bench.b, owned=True)
        assert [each.prefix for each in outcome.failures] == [refused], (
            f"only {refused} was refused: {outcome}"
        )
        assert outcome.failures[0].text, "a failure says what is wrong"
        assert (outcome.written, outcome.not_attempted) == (len(one.prefixes) - 1, 0), f"{outcome}"
        await bench.assert_carried(one, bench.b, bench.prefixes[1:])

    async def test_two_tables_are_written_at_once(self, bench: Bench) -> None:
        left, right = bench.route_set(), bench.route_set(table=1)
        provider = await bench.open(left, right)
        if provider.capabilities.parallel_tables < 2:
            await bench.moved(provider, left, bench.a)
            await bench.moved(provider, right, bench.b)
            return
        outcomes = await asyncio.gather(
            bench.point(provider, left, bench.a), bench.point(provider, right, bench.b)
        )
        assert all(outcome.ok for outcome in outcomes), f"two tables at once: {outcomes}"
        await bench.assert_carried(left, bench.a)
        await bench.assert_carried(right, bench.b)

    async def test_writes_of_one_table_stay_within_parallel_writes(self, bench: Bench) -> None:
        bench.require(Can.SLOW, Can.REQUESTS)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.inject(Can.SLOW)
        await bench.moved(provider, one, bench.a)
        most, bound = bench.world.log.most_at_once(one.table), provider.capabilities.parallel_writes
        assert most, "Can.REQUESTS is declared, but the log is told of no write"
        assert most <= bound, f"{most} writes of one table at once, capabilities.parallel_writes = {bound}"
