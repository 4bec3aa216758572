"""A server that answers one JSON object, and a probe that asks it as fast as it can."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from pydantic import BaseModel

from wgfo.model import LayerReport, PathView, Verdict
from wgfo.plugin import ProbeContext, ProbeOffer

PATH = PathView("cloud", "primary")
GENEROUS_US = 20_000_000


class Asked:
    """What answers; ``answer`` makes an object or an HTTP response of a request."""

    def __init__(self, answer: Callable[[web.Request], object]) -> None:
        self.answer = answer
        self.requests: list[web.Request] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        said = self.answer(request)
        if asyncio.iscoroutine(said):
            said = await said
        return said if isinstance(said, web.StreamResponse) else web.Response(text=json.dumps(said))


@contextlib.asynccontextmanager
async def asked(answer: Callable[[web.Request], object]) -> AsyncIterator[Asked]:
    made = Asked(answer)
    app = web.Application()
    app.router.add_get("/{rest:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()


class Running:
    """A push probe that runs; ``now_us`` is its clock."""

    def __init__(self, offer: ProbeOffer, options: BaseModel, timeout_us: int = GENEROUS_US) -> None:
        self.now_us = 0
        self.heard: list[LayerReport] = []
        context = ProbeContext(PATH, timeout_us, lambda: self.now_us, interval_us=1_000)
        self.probe = offer.open(context, options)
        self.task = asyncio.create_task(self.probe.run(self.heard.append))

    async def report(self, verdict: Verdict | None = None) -> LayerReport:
        """Wait for the next report, or the next of a verdict, and drop what came before."""
        async with asyncio.timeout(20):
            while True:
                if self.task.done():
                    self.task.result()
                found = [one for one in self.heard if verdict is None or one.verdict is verdict]
                if found:
                    self.heard.clear()
                    return found[0]
                await self.turn()

    async def turn(self) -> None:
        """Let the probe and the server run for a moment."""
        await asyncio.sleep(0.001)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.probe.aclose()


@contextlib.asynccontextmanager
async def running(
    offer: ProbeOffer, options: BaseModel, timeout_us: int = GENEROUS_US
) -> AsyncIterator[Running]:
    made = Running(offer, options, timeout_us)
    try:
        yield made
    finally:
        await made.close()
