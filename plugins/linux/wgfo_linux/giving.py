"""Giving routes back: what bears our protocol number becomes ``proto static``, replaced in place.

The kernel replaces a route of the same prefix and metric at once, so no prefix is without one for an instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wgfo.plugin import Permit
from wgfo_linux import wire
from wgfo_linux.bulk import BATCH, RouteSocket, RouteWrite
from wgfo_linux.config import FALLBACK_METRIC, LinuxOptions
from wgfo_linux.errors import raised
from wgfo_linux.observe import Seen
from wgfo_linux.wire import Body

STATIC: Final = 4
"""RTPROT_STATIC: installed by an administrator; no routing daemon removes it."""


async def give_back(
    routes: RouteSocket, seen: Seen, options: LinuxOptions, table: int, permit: Permit
) -> str:
    """Rewrite what is ours and return what was done.

    Raises:
        ProviderError: the kernel refuses one; those before it are given back.
    """
    writes = list(_writes(seen, options, table))
    for start in range(0, len(writes), BATCH):
        for answer in await routes.write(writes[start : start + BATCH], permit):
            if answer is not None:
                raise raised(answer, f"giving routes of table {table} back")
    count = f"{len(writes)} route{'s are' if len(writes) > 1 else ' is'}"
    return f"{count} proto static now" if writes else "no route bears our mark"


def _writes(seen: Seen, options: LinuxOptions, table: int) -> Iterator[RouteWrite]:
    for destination, body in seen.at_key.items():
        if body.protocol == options.protocol:
            yield RouteWrite(destination, replace(body, protocol=STATIC, flags=0))
    fallback = Body(wire.TYPE_UNREACHABLE, STATIC, flags=0, table=table, metric=FALLBACK_METRIC)
    for destination in seen.fallback:
        yield RouteWrite(destination, fallback)
