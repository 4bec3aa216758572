"""How long 50 prefixes in each of 4 VPC networks take, where each answer and each operation takes 50 ms.

    python -m tests.bench.gcp_routes [PREFIXES] [NETWORKS]

The stand-in runs in a process of its own. The ideal is what the declared parallelism allows: one list, then for
each destination two writes one after the other, each of a request, an operation and one poll. The account's budget
is another matter: 600 changes at once and 12 a second after that.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

from wgfo.model import (
    GroupName,
    Hop,
    PathName,
    Prefix,
    PrefixSet,
    ProviderName,
    RouteSet,
    SetChange,
    TableName,
)
from wgfo.plugin import ProviderContext
from wgfo.testing import RecordingPermit
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.provider import TABLES, WRITES, GcpProvider

LATENCY_MS = 50
ALLOWED = 2.5
SWITCHES = 5
PROJECT = "wgfo-bench"
PATHS = (PathName("primary"), PathName("secondary"))


class StandIn:
    """Google as far as this measures: routes in memory, every answer late. It costs next to nothing itself."""

    def __init__(self) -> None:
        self.routes: dict[str, dict[str, Any]] = {}
        self.ends: dict[str, float] = {}
        self.ids = itertools.count(1_000)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else {}
        await asyncio.sleep(LATENCY_MS / 1000)
        name = request.path.rpartition("/")[2]
        if "/operations" in request.path:
            return web.json_response(self.operation(name) if name in self.ends else {"items": []})
        if request.method == "GET":
            return web.json_response({"items": list(self.routes.values())})
        if body:
            self.routes[body["name"]] = {**body, "id": str(next(self.ids))}
        else:
            del self.routes[name]
        operation = f"operation-{next(self.ids)}"
        self.ends[operation] = time.monotonic() + LATENCY_MS / 1000
        return web.json_response(self.operation(operation))

    def operation(self, name: str) -> dict[str, str]:
        return {"name": name, "status": "DONE" if time.monotonic() >= self.ends[name] else "RUNNING"}


def serve(pipe: Connection) -> None:
    """Runs in a process of its own, until it is killed."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", StandIn().answer)
    listening = socket.create_server(("127.0.0.1", 0))
    pipe.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
    web.run_app(app, sock=listening, print=None)


@contextmanager
def cloud() -> Iterator[str]:
    """Start the stand-in; yields its endpoint."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def sets(names: list[str], prefixes: int) -> list[RouteSet]:
    """One set in each network."""
    group, instance = GroupName("bench"), ProviderName("gcp")
    wanted = PrefixSet(Prefix(f"10.{number // 200}.{number % 200}.0/24") for number in range(prefixes))
    candidates = dict(zip(PATHS, (Hop("ip:10.132.0.8"), Hop("ip:10.132.0.9")), strict=True))
    tables = [TableName(name) for name in names]
    return [
        RouteSet(RouteSet.make_id(instance, table, group), group, instance, table, wanted, candidates)
        for table in tables
    ]


async def measure(url: str, wanted: list[RouteSet]) -> list[float]:
    """Create all routes, then switch them to and fro; return seconds."""
    provider = GcpProvider(GcpOptions(project=PROJECT, endpoint_url=url))
    await provider.open(ProviderContext(wanted[0].provider, (), tuple(wanted), RecordingPermit()))
    try:
        return [await switch(provider, wanted, epoch) for epoch in range(SWITCHES + 1)][1:]
    finally:
        await provider.aclose()


async def switch(provider: GcpProvider, wanted: list[RouteSet], epoch: int) -> float:
    """Point every set at the other path at once."""
    begun = time.perf_counter()
    changes = [SetChange(one, PATHS[epoch % 2], epoch, owned=True) for one in wanted]
    outcomes = await asyncio.gather(*(provider.point(one, RecordingPermit()) for one in changes))
    assert all(outcome.ok for outcome in outcomes), outcomes
    return time.perf_counter() - begun


def main() -> None:
    """Print seconds and the ratio to the ideal."""
    prefixes, networks = ([int(text) for text in sys.argv[1:]] + [50, 4][len(sys.argv) - 1 :])[:2]
    rounds = math.ceil(prefixes / WRITES) * math.ceil(networks / TABLES)
    ideal = (1 + 2 * 3 * rounds) * LATENCY_MS / 1000
    names = [f"net-{number}" for number in range(networks)]
    with cloud() as url:
        took = asyncio.run(measure(url, sets(names, prefixes)))
    best = min(took)
    print(f"{prefixes} prefixes x {networks} networks, {LATENCY_MS} ms each: best {best:.2f} s of {SWITCHES}")
    print(f"ideal {ideal:.2f} s, ratio {best / ideal:.2f} (at most {ALLOWED})")


if __name__ == "__main__":
    main()
