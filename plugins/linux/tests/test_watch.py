"""Hints: what others change is noticed within milliseconds, what we write is not."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator

import pytest
from plugins.linux.tests.kernel import A, B, Kernel, kernel, opened, routed

from wgfo.model import RouteSet, RouteSetId

pytestmark = pytest.mark.net


class Heard:
    """Collects hints."""

    def __init__(self) -> None:
        self.sets: list[RouteSetId] = []
        self.at = 0.0
        self.some = asyncio.Event()

    async def listen(self, one: Kernel, *sets: RouteSet) -> None:
        async for changed in one.provider.watch(sets):
            self.sets.append(changed.set_id)
            self.at = time.monotonic()
            self.some.set()

    async def hint(self) -> float:
        """Wait for the next hint and return when it came."""
        await asyncio.wait_for(self.some.wait(), 5)
        self.some.clear()
        return self.at


@contextlib.asynccontextmanager
async def listening(one: Kernel, *sets: RouteSet) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(heard.listen(one, *sets))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def quiet(one: Kernel, heard: Heard, wanted: RouteSet) -> list[RouteSetId]:
    """Return what was heard up to a mark that is made now (a change that is always heard)."""
    before = len(heard.sets)
    heard.some.clear()
    one.ip(f"route replace {next(iter(wanted.prefixes))} dev lo")
    await heard.hint()
    return heard.sets[:before]


@pytest.mark.parametrize(
    "change",
    [
        "route replace 10.20.0.0/16 dev wg1",
        "route del 10.20.0.0/16",
        "route add 10.20.3.0/24 dev lo",
        "route add blackhole 10.20.0.0/16 metric 3",
        "link set far0 down",
        "link set wg0 down",
    ],
)
async def test_a_change_is_hinted_at_within_milliseconds(change: str) -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        async with listening(one, wanted) as heard:
            begun = time.monotonic()
            await asyncio.to_thread(one.ip, change)
            assert await heard.hint() - begun < 0.5
            assert set(heard.sets) == {wanted.id}


async def test_our_own_writes_and_other_prefixes_are_no_hint() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one, listening(one, wanted) as heard:
        await one.point(wanted, A)
        await one.point(wanted, B)
        one.ip("route add 10.21.0.0/16 dev lo")
        one.ip("route add 10.20.0.0/16 dev lo table 99")
        assert await quiet(one, heard, wanted) == []


async def test_a_change_concerns_the_set_that_has_the_prefix() -> None:
    first, second = routed("10.20.0.0/16"), routed("10.30.0.0/16", group="b")
    async with kernel([first, second]) as one, listening(one, first, second) as heard:
        one.ip("route add 10.30.0.0/16 dev lo")
        await heard.hint()
        assert heard.sets == [second.id]


async def test_two_watchers_both_hear_of_a_change() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one, listening(one, wanted) as first, listening(one, wanted) as second:
        one.ip("route add 10.20.0.0/16 dev lo")
        await first.hint()
        await second.hint()


async def test_another_provider_of_the_same_namespace_is_heard() -> None:
    wanted = routed("10.20.0.0/16")
    async with (
        kernel([wanted]) as one,
        opened(one.namespace, [wanted]) as other,
        listening(one, wanted) as heard,
    ):
        await other.point(wanted, B)
        await heard.hint()


async def test_a_burst_that_overflows_the_buffer_hints_at_every_set() -> None:
    first, second = routed("10.20.0.0/16"), routed("10.30.0.0/16", group="b", table="99")
    async with kernel([first, second]) as one, listening(one, first, second) as heard:
        batch = "".join(f"route add 10.40.{n >> 8}.{n & 255} dev lo\n" for n in range(30_000))
        flood(one, batch)
        await heard.hint()
        await asyncio.sleep(0)
        assert set(heard.sets) == {first.id, second.id}


def flood(one: Kernel, batch: str) -> None:
    """Run many ``ip`` commands at once, with the loop (and so the reader) standing still."""
    command = ["ip", "netns", "exec", one.namespace.name, "ip", "-batch", "-"]
    subprocess.run(command, input=batch, text=True, check=True, timeout=60)


async def test_a_watch_ends_with_the_task_that_runs_it() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        async with listening(one, wanted):
            pass
        assert one.provider._watchers == []
