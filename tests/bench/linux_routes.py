"""How long the Linux provider takes with many routes, and how long it keeps the event loop from others.

    python -m tests.bench.linux_routes [ROUTES]

Makes a namespace of its own and needs root. Prints seconds, and the longest gap between two turns of a task
that only sleeps for a millisecond (``stall``).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Network, IPv6Network

from plugins.linux.tests.kernel import A, B, Kernel, kernel, routed

from wgfo.model import RouteSet


def prefixes(count: int) -> Iterator[str]:
    """Half IPv4, half IPv6, all distinct."""
    for number in range(count // 2):
        yield str(IPv4Network(((20 << 24) + (number << 8), 24)))
        yield str(IPv6Network(((0x20010DB8 << 96) + (number << 64), 64)))


@contextlib.asynccontextmanager
async def timed(what: str) -> AsyncIterator[None]:
    """Print how long the block took, and the longest stall of the loop meanwhile."""
    stop, gaps = asyncio.Event(), [0.0]

    async def watch() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    gaps.clear()
    begin = time.perf_counter()
    yield
    took = time.perf_counter() - begin
    stop.set()
    await watcher
    print(f"{what:32} {took:8.3f} s   stall {max(gaps) * 1000:6.1f} ms")


async def measure(count: int) -> None:
    """Write, switch, read and switch back."""
    wanted = routed(*prefixes(count))
    async with timed(f"open, {count} routes"), kernel([wanted]) as one:
        await steps(one, wanted, count)


async def steps(one: Kernel, wanted: RouteSet, count: int) -> None:
    """One provider's work on one set."""
    async with timed("write"):
        assert (await one.point(wanted, A)).written == count
    async with timed("observe"):
        await one.observe(wanted)
    async with timed("point, all in place"):
        assert (await one.point(wanted, A)).unchanged == count
    async with timed("switch"):
        assert (await one.point(wanted, B)).written == count


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
