"""What an endpoint is, what its handler answers from, and the shapes of answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from aiohttp import web

from wgfo.config.setup import Setup
from wgfo.daemon.control.access import Access
from wgfo.daemon.control.source import Source
from wgfo.model import GroupName
from wgfo.telemetry.feed import Audience, Feed
from wgfo.telemetry.metrics import Exposition
from wgfo.telemetry.trends import Trends

PAGES: Final = 4
"""Pages that are rendered at the same time; more wait."""
Expose = Callable[[str], Exposition]
"""Makes the exposition of all metrics, as an ``Accept`` header wants it."""


class Webhook(Protocol):
    """Takes Alertmanager's notifications."""

    async def take(self, request: web.Request) -> web.Response:
        """Answer one."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A group as the status page showed it last."""

    html: str
    setup: Setup
    whole: bool
    at_us: int
    number: int
    """Of the newest event that it can show."""


@dataclass(frozen=True, slots=True)
class Views:
    """What is kept for those who look on live."""

    feed: Feed
    trends: Trends = field(default_factory=Trends)
    audience: Audience = field(default_factory=Audience)
    rendering: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PAGES))
    drawn: dict[GroupName, Drawn] = field(default_factory=dict)
    """At most the groups of the configuration: many who look on cost little more than one."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the handlers answer from."""

    source: Source
    """The running daemon."""
    metrics: Expose
    access: Access
    """Who may send requests."""
    views: Views
    webhook: Webhook | None = None
    """Hears alerts; None where nobody does."""


Handler = Callable[[Served, web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table: a method, a path, and who answers."""

    method: str
    path: str
    handler: Handler
    socket_only: bool = False
    """It exists on the Unix socket alone, where the kernel says who asks."""

    def route(self, served: Served) -> web.RouteDef:
        """Return aiohttp's route for it."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self.handler(served, request)

        if self.method == "GET":
            return web.get(self.path, answer)  # HEAD too: what many health checks send
        return web.route(self.method, self.path, answer)


def json_answer(shown: object, status: int = 200) -> web.Response:
    """Answer with a JSON object and a newline."""
    return web.json_response(text=json.dumps(shown) + "\n", status=status)


def error_answer(status: int, sentence: str) -> web.Response:
    """Answer ``{"error": "a sentence"}``."""
    return json_answer({"error": sentence}, status)
