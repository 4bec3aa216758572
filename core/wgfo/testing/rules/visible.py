"""Rule 6: what ``point`` reports done is what ``observe`` then returns, within ``visibility_ms``."""

from __future__ import annotations

import pytest

from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can

_SWITCHES = 12
"""More than any scheme of alternating names or priorities has places."""


class DoneMeansVisible(Rule):
    """Rule 6."""

    rule = 6

    async def test_done_means_done_after_every_one_of_many_switches(self, bench: Bench) -> None:
        one = bench.route_set(bench.prefixes[:1])
        provider = await bench.open(one)
        for number in range(_SWITCHES):
            path = (bench.a, bench.b)[number % 2]
            await bench.moved(provider, one, path)
            await bench.in_sync(provider, one, path)

    async def test_an_operation_that_failed_after_it_was_accepted_is_not_done(self, bench: Bench) -> None:
        bench.require(Can.FAIL_LATER)
        one = bench.route_set(bench.prefixes[:1])
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.inject(Can.FAIL_LATER)
        outcome = await bench.point(provider, one, bench.b, owned=True)
        assert outcome.failures, f"the operation failed after it had been accepted: {outcome}"
        assert not outcome.written, f"nothing was written: {outcome}"
        assert not (await bench.observe(provider, one)).in_sync_with(bench.b)

    async def test_stale_reads_are_over_within_visibility_ms(self, bench: Bench) -> None:
        bench.require(Can.STALE)
        one = bench.route_set()
        provider = await bench.open(one)
        if not provider.capabilities.visibility_ms:
            pytest.skip("capabilities.visibility_ms is 0: reads are consistent")
        await bench.moved(provider, one, bench.a)
        await bench.in_sync(provider, one, bench.a)
        await bench.inject(Can.STALE)

        async def done() -> bool:
            return (await bench.point(provider, one, bench.b, owned=True)).ok

        await bench.eventually(done, "pointing never succeeds while reads are a little stale")
        await bench.assert_carried(one, bench.b)
        await bench.in_sync(provider, one, bench.b)
