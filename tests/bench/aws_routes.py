"""How long 50 prefixes in each of 4 VPC route tables take, where EC2 answers after 50 ms.

    python -m tests.bench.aws_routes [PREFIXES] [TABLES]

The stand-in runs in a process of its own. The ideal is what the declared parallelism allows: one read, then
rounds of ``parallel_writes`` in every table at once. The account's budget is another matter: EC2 lets 50 changes
out at once and 5 more a second, whatever a client can do.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

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
from wgfo_aws.config import AwsOptions
from wgfo_aws.provider import CAPABILITIES, AwsProvider

LATENCY_MS = 50
ALLOWED = 2.5
SWITCHES = 5
PATHS = (PathName("primary"), PathName("secondary"))


class StandIn:
    """EC2 as far as this measures: tables in memory, every answer late. It costs next to nothing itself."""

    def __init__(self, tables: list[str]) -> None:
        self.routes: dict[str, dict[str, str]] = {name: {} for name in tables}

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        await asyncio.sleep(LATENCY_MS / 1000)
        if form["Action"] == "DescribeRouteTables":
            names = [str(value) for key, value in form.items() if ".Value." in key]
            return _xml(f"<routeTableSet>{''.join(map(self._table, names))}</routeTableSet>")
        table, prefix = str(form["RouteTableId"]), str(form["DestinationCidrBlock"])
        self.routes[table][prefix] = str(form["NetworkInterfaceId"])
        return _xml("<return>true</return>")

    def _table(self, name: str) -> str:
        routes = "".join(
            f"<item><destinationCidrBlock>{prefix}</destinationCidrBlock>"
            f"<networkInterfaceId>{hop}</networkInterfaceId><origin>CreateRoute</origin></item>"
            for prefix, hop in self.routes[name].items()
        )
        return f"<item><routeTableId>{name}</routeTableId><routeSet>{routes}</routeSet></item>"


def _xml(text: str) -> web.Response:
    return web.Response(text=f"<Response>{text}</Response>", content_type="text/xml")


def serve(tables: list[str], pipe: Connection) -> None:
    """Runs in a process of its own, until it is killed."""
    app = web.Application()
    app.router.add_post("/", StandIn(tables).answer)
    listening = socket.create_server(("127.0.0.1", 0))
    pipe.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
    web.run_app(app, sock=listening, print=None)


@contextmanager
def cloud(tables: list[str]) -> Iterator[str]:
    """Start the stand-in; yields its endpoint."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(tables, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def sets(names: list[str], prefixes: int) -> list[RouteSet]:
    """One set in each table."""
    group, instance = GroupName("bench"), ProviderName("aws")
    wanted = PrefixSet(Prefix(f"10.{number // 200}.{number % 200}.0/24") for number in range(prefixes))
    candidates = dict(zip(PATHS, (Hop("eni-0aaa1"), Hop("eni-0bbb1")), strict=True))
    return [
        RouteSet(
            RouteSet.make_id(instance, TableName(name), group),
            group,
            instance,
            TableName(name),
            wanted,
            candidates,
        )
        for name in names
    ]


async def measure(url: str, wanted: list[RouteSet]) -> list[float]:
    """Create all routes, then switch them to and fro; return seconds."""
    provider = AwsProvider(AwsOptions(region="eu-central-1", endpoint_url=url))
    instance = wanted[0].provider
    await provider.open(ProviderContext(instance, (), tuple(wanted), RecordingPermit()))
    try:
        return [await switch(provider, wanted, epoch) for epoch in range(SWITCHES + 1)][1:]
    finally:
        await provider.aclose()


async def switch(provider: AwsProvider, wanted: list[RouteSet], epoch: int) -> float:
    """Point every set at the other path at once."""
    begun = time.perf_counter()
    changes = [SetChange(one, PATHS[epoch % 2], epoch, owned=True) for one in wanted]
    outcomes = await asyncio.gather(*(provider.point(one, RecordingPermit()) for one in changes))
    assert all(outcome.ok for outcome in outcomes)
    return time.perf_counter() - begun


def main() -> None:
    """Print seconds and the ratio to the ideal."""
    prefixes, tables = ([int(text) for text in sys.argv[1:]] + [50, 4][len(sys.argv) - 1 :])[:2]
    os.environ.update(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="example")
    rounds = math.ceil(prefixes / CAPABILITIES.parallel_writes) * math.ceil(
        tables / CAPABILITIES.parallel_tables
    )
    ideal = (1 + rounds) * LATENCY_MS / 1000
    names = [f"rtb-{number:08x}" for number in range(tables)]
    with cloud(names) as url:
        took = asyncio.run(measure(url, sets(names, prefixes)))
    best = min(took)
    print(f"{prefixes} prefixes x {tables} tables, {LATENCY_MS} ms each: best {best:.2f} s of {SWITCHES}")
    print(f"ideal {ideal:.2f} s, ratio {best / ideal:.2f} (at most {ALLOWED})")


if __name__ == "__main__":
    main()
