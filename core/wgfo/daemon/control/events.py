"""``GET /api/v1/events``: changes as server-sent events (WHATWG HTML, "Server-sent events").

Each event's id is ``SESSION-NUMBER``. A client that comes back with ``Last-Event-ID`` gets what it missed, or,
where that is no longer known or belongs to another run of the daemon, the event ``reset``: read the status anew.
``beat`` comes in quiet times, so that a dead connection is noticed at both ends.

Clients hold no queue here: each reads the ring at its own pace, and one that does not read is cut off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from wgfo.daemon.control.endpoint import Served, error_answer
from wgfo.telemetry.feed import Feed, Missed, Numbered

CLIENTS: Final = 64
"""At once, over both listeners."""
BEAT_S: Final = 5.0
SEND_S: Final = 10.0
"""A client whose connection takes nothing for so long is cut off."""
AT_ONCE: Final = 100
"""Events in one piece."""
MOST_DIGITS: Final = 18
RETRY_MS: Final = 1_000
"""After so long a browser connects again."""
_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


async def events(served: Served, request: web.Request) -> web.StreamResponse:
    """Serve one client until it goes, or the daemon ends."""
    if request.method == "HEAD":
        return web.Response(headers=_HEADERS)
    audience = served.views.audience
    if audience.clients >= CLIENTS:
        return error_answer(503, f"{CLIENTS} clients follow the events already; close one, or ask status")
    audience.clients += 1
    try:
        return await _serve(served, request)
    finally:
        audience.clients -= 1


async def _serve(served: Served, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    client = _Client(request, response)
    try:
        await _follow(served.views.feed, client, request.headers.get("Last-Event-ID"))
    except TimeoutError:
        served.views.audience.cut_off += 1
        if request.transport is not None:
            request.transport.abort()  # what it did not read is not worth keeping
    except ConnectionError:
        pass  # it has gone
    return response


@dataclass(frozen=True, slots=True)
class _Client:
    request: web.Request
    response: web.StreamResponse

    async def send(self, text: str) -> None:
        """Raises TimeoutError where the client does not read, ConnectionError where it has gone."""
        async with asyncio.timeout(SEND_S):
            await self.response.write(text.encode())

    async def beat(self) -> None:
        """Send a beat; one who has not taken all that was sent before the silence does not read."""
        transport = self.request.transport
        if transport is None:
            raise ConnectionResetError
        if transport.get_write_buffer_size():
            raise TimeoutError
        await self.send("event: beat\ndata: {}\n\n")


async def _follow(feed: Feed, client: _Client, last_id: str | None) -> None:
    number, missed = _resume(feed, last_id)
    await client.send(f"retry: {RETRY_MS}\n\n" + (_reset(feed, number) if missed else ""))
    while not feed.closed:
        try:
            fresh = feed.after(number)[:AT_ONCE]
        except Missed:
            number = feed.last
            await client.send(_reset(feed, number))
            continue
        if fresh:
            await client.send("".join(_frames(feed, fresh)))
            number = fresh[-1].number
        elif not await feed.wait(number, BEAT_S) and not feed.closed:
            await client.beat()


def _resume(feed: Feed, last_id: str | None) -> tuple[int, bool]:
    """Return the number to go on after, and whether something between was missed."""
    if not last_id:
        return feed.last, False
    session, _, text = last_id.rpartition("-")
    if session != feed.session or not (text.isascii() and text.isdecimal()) or len(text) > MOST_DIGITS:
        return feed.last, True
    try:
        feed.after(int(text))
    except Missed:
        return feed.last, True
    return int(text), False


def _frames(feed: Feed, fresh: Sequence[Numbered]) -> Iterator[str]:
    for one in fresh:
        yield f"id: {feed.session}-{one.number}\nevent: {one.happening.kind}\ndata: {one.as_json()}\n\n"


def _reset(feed: Feed, number: int) -> str:
    data = json.dumps({"text": "events were missed: read status and history anew"})
    return f"id: {feed.session}-{number}\nevent: reset\ndata: {data}\n\n"
