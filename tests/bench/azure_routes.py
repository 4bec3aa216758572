"""How much longer than Azure's own serialisation a switch of route tables takes.

    python -m tests.bench.azure_routes [PREFIXES [TABLES [LATENCY_MS]]]

Runs against the stand-in on loopback. Of a table one write is under way at a time, tables go in parallel: the
ideal is the latency of the requests that a write needs, times the prefixes of one table.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final

from plugins.azure.tests.calls import B, opened, point, route_set
from plugins.azure.tests.world import azure_world, hop_json

from tests.support.azure_server import Style

REQUESTS: Final = {Style.AT_ONCE: 1, Style.STATUS: 2}
"""The PUT, and a look at how its operation ended."""


async def switch(style: Style, prefixes: int, tables: int, latency_ms: int) -> float:
    """Switch all prefixes of all tables at once; return how long it took, in seconds."""
    networks = [f"10.{number // 256}.{number % 256}.0/24" for number in range(prefixes)]
    sets = [route_set(*networks, table=f"rg-net/rt-{number}") for number in range(tables)]
    async with azure_world(style) as world:
        for one in sets:
            world.platform.make_table(one.table)
            for prefix in networks:
                world.platform.put(one.table, prefix, hop_json("10.0.0.4"))
        async with opened(world.server.url, *sets) as provider:
            world.platform.faults.latency_ms = latency_ms
            begun = time.monotonic()
            outcomes = await asyncio.gather(*(point(provider, one, B, deadline_ms=600_000) for one in sets))
            took_s = time.monotonic() - begun
    assert all(one.written == prefixes for one in outcomes)
    return took_s


async def measure(prefixes: int = 50, tables: int = 4, latency_ms: int = 50) -> None:
    """Print the ratios."""
    for style, requests in REQUESTS.items():
        took_s = await switch(style, prefixes, tables, latency_ms)
        ratio = took_s / (prefixes * latency_ms / 1000 * requests)
        print(f"{style:22} {prefixes} x {tables}, {latency_ms} ms: {took_s:6.2f} s, {ratio:.2f} x the ideal")


if __name__ == "__main__":
    asyncio.run(measure(*map(int, sys.argv[1:4])))
