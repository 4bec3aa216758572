"""Rule 9: the loop is not blocked, its default executor is not used, every wait ends before the deadline."""

from __future__ import annotations

import asyncio
import time

from wgfo.testing.bench import Bench
from wgfo.testing.loopwatch import SpyExecutor, ThreadSpy, heartbeat
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can

_TRIES = 3
"""A busy machine stalls anyone once; a provider that blocks does so every time."""
_SLACK_MS = 500
_NOISE_MS = 100


class TheLoopIsNotBlocked(Rule):
    """Rule 9."""

    rule = 9

    async def test_a_slow_platform_does_not_stall_the_event_loop(self, bench: Bench) -> None:
        bench.require(Can.SLOW)
        await bench.inject(Can.SLOW)
        limit_ms = max(bench.world.slow_ms / 2, _NOISE_MS)
        stalls: list[float] = []
        while len(stalls) < _TRIES and (not stalls or stalls[-1] > limit_ms):
            stalls.append(await _longest_stall_ms(bench))
        assert stalls[-1] <= limit_ms, (
            f"the event loop stood still for {min(stalls):.0f} ms, the platform takes {bench.world.slow_ms} ms: "
            f"blocking calls belong in an executor of the instance's own"
        )

    async def test_the_default_executor_is_left_alone(self, bench: Bench) -> None:
        spy = SpyExecutor()
        asyncio.get_running_loop().set_default_executor(spy)
        await _everything(bench)
        assert not spy.used_for, (
            f"the loop's default executor is shared by everyone; it was used for {spy.used_for}"
        )

    async def test_a_closed_instance_leaves_no_thread_behind(self, bench: Bench) -> None:
        with ThreadSpy().watching() as spy:
            await _everything(bench)
            await bench.close()

            async def gone() -> bool:
                return not spy.alive()

            await bench.eventually(gone, f"threads outlived aclose(): {spy.alive()}")

    async def test_a_read_that_is_never_answered_ends_before_the_deadline(self, bench: Bench) -> None:
        bench.require(Can.STALL)
        provider = await bench.open()
        await bench.inject(Can.STALL, bench.spot(writes=False))
        permit = bench.permit(deadline_ms=bench.world.deadline_ms)
        begun = time.monotonic()
        await bench.fails(bench.observe(provider, bench.route_set(), permit=permit))
        _assert_in_time(bench, begun)

    async def test_a_write_that_is_never_answered_ends_before_the_deadline(self, bench: Bench) -> None:
        bench.require(Can.STALL)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.inject(Can.STALL)
        permit = bench.permit(deadline_ms=bench.world.deadline_ms)
        begun = time.monotonic()
        await bench.point(provider, one, bench.a, permit=permit)
        _assert_in_time(bench, begun)


async def _everything(bench: Bench) -> None:
    one = bench.route_set()
    provider = await bench.open(one)
    await bench.check(provider, one)
    await bench.moved(provider, one, bench.a)
    await bench.observe(provider, one)


async def _longest_stall_ms(bench: Bench) -> float:
    one = bench.route_set(bench.prefixes[:1])
    async with heartbeat() as heart:
        provider = await bench.open(one)
        await bench.check(provider, one)
        for path in (bench.a, bench.b):
            await bench.point(provider, one, path, owned=True)
        await bench.observe(provider, one)
    return heart.longest_ms


def _assert_in_time(bench: Bench, begun: float) -> None:
    took_ms, deadline_ms = (time.monotonic() - begun) * 1000, bench.world.deadline_ms
    assert took_ms <= deadline_ms + _SLACK_MS, (
        f"the call ended after {took_ms:.0f} ms, its deadline was {deadline_ms} ms: socket timeouts stay below "
        f"permit.remaining_ms()"
    )
