"""Many prefixes in several tables take little longer than Azure's own serialisation demands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from plugins.azure.tests.calls import B, opened, point, route_set
from plugins.azure.tests.world import azure_world
from tests.support.azure_server import Style

LATENCY_MS = 50
PREFIXES = tuple(f"10.{number}.0.0/16" for number in range(50))
TABLES = ("rg-net/rt-1", "rg-net/rt-2", "rg-net/rt-3", "rg-net/rt-4")
REQUESTS = {Style.AT_ONCE: 1, Style.STATUS: 2}
"""The least that a write takes: the PUT, and a look at how its operation ended."""


@pytest.mark.parametrize("style", [Style.AT_ONCE, Style.STATUS])
async def test_switches_fifty_prefixes_in_four_tables_close_to_the_ideal(
    style: Style, record_property: Callable[[str, object], None]
) -> None:
    async with azure_world(style) as world:
        for table in TABLES:
            world.platform.make_table(table)
            for prefix in PREFIXES:
                world.platform.put(
                    table, prefix, {"nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.4"}
                )
        sets = [route_set(*PREFIXES, table=table) for table in TABLES]
        async with opened(world.server.url, *sets) as provider:
            world.platform.faults.latency_ms = LATENCY_MS
            begun = time.monotonic()
            outcomes = await asyncio.gather(*(point(provider, one, B) for one in sets))
            took_s = time.monotonic() - begun
        ratio = took_s / (len(PREFIXES) * LATENCY_MS / 1000 * REQUESTS[style])
        record_property("azure_switch_ratio", round(ratio, 2))
        assert all(one.written == len(PREFIXES) for one in outcomes)
        assert ratio < 2.5, f"{style}: {took_s:.2f} s, {ratio:.2f} times the ideal"
