"""The endpoints of the control API: what they answer, not where they listen.

Reading is for everyone who reaches the listener; the Unix socket's file mode and the loopback address are the
borders. Requests exist on the Unix socket alone, and the kernel says who sends them. Errors are
``{"error": "a sentence"}``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web

from wgfo.daemon.control import explaining, render, requests
from wgfo.daemon.control.access import Access, Peer, peer_of
from wgfo.daemon.control.requests import Asked, BadRequest, NoSuchGroup
from wgfo.daemon.control.source import Source

log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 1024
ANSWER_S: Final = 5.0
"""The engine answers at once; longer than this means that the daemon is ending."""
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlApi:
    """Makes the applications of the two listeners.

    Args:
        source: the running daemon.
        metrics: the exposition of all metrics.
        access: who may send requests.
        extra: more read-only routes for both listeners, such as the status page.
    """

    def __init__(
        self,
        source: Source,
        metrics: Callable[[], bytes],
        access: Access,
        extra: Iterable[web.RouteDef] = (),
    ) -> None:
        self._source = source
        self._metrics = metrics
        self._access = access
        self._extra = tuple(extra)

    def for_socket(self) -> web.Application:
        """Return everything, for the Unix socket."""
        app = self.for_http()
        app.router.add_post("/api/v1/requests", self._requests)
        return app

    def for_http(self) -> web.Application:
        """Return what may be read, for the ``http`` listener."""
        app = web.Application(middlewares=[_sentences], client_max_size=MAX_BODY)
        app.router.add_get("/api/v1/status", self._status)
        app.router.add_get("/api/v1/history", self._history)
        app.router.add_get("/api/v1/explain", self._explain)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_get("/metrics", self._exposition)
        app.add_routes(self._extra)
        return app

    async def _status(self, request: web.Request) -> web.Response:
        source = self._source
        view = render.View(source.setup, source.version, source.rfc3339, source.now_us(), source.flows())
        return _json(render.status(source.reports(), view, timers="timers" in request.query))

    async def _explain(self, _request: web.Request) -> web.Response:
        source = self._source
        view = render.View(source.setup, source.version, source.rfc3339, source.now_us(), source.flows())
        return _json(explaining.explain(source.reports(), source.outlooks(), view))

    async def _history(self, request: web.Request) -> web.Response:
        switches = self._source.switches()
        group = request.query.get("group")
        if group is not None:
            names = [one.name for one in self._source.setup.groups]
            if group not in names and not any(one.group == group for one in switches):
                return _error(404, f"there is no group {group!r} here; groups: {', '.join(names) or 'none'}")
            switches = [one for one in switches if one.group == group]
        return _json(render.history(switches))

    async def _healthy(self, _request: web.Request) -> web.Response:
        return _yes_or_no(
            self._source.healthy(), "not healthy: a core task has ended or the loop stands still"
        )

    async def _ready(self, _request: web.Request) -> web.Response:
        return _yes_or_no(self._source.ready(), "not ready: providers are opening, or first verdicts are due")

    async def _exposition(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": METRICS_TYPE})

    async def _requests(self, request: web.Request) -> web.Response:
        peer = _peer(request)
        if not self._access.may_change(peer):
            return _error(403, _not_permitted(peer, self._source.setup.daemon.operators))
        try:
            asked = requests.parse(await request.read(), self._source.setup)
        except NoSuchGroup as error:
            return _error(404, str(error))
        except BadRequest as error:
            return _error(400, str(error))
        return await self._ask(asked, peer)

    async def _ask(self, asked: Asked, peer: Peer) -> web.Response:
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._source.request(
                    asked.group,
                    asked.kind,
                    asked.path,
                    reason=asked.reason,
                    by=peer.name,
                    duration_us=asked.duration_us,
                    clear_kind=asked.clear_kind,
                )
        except TimeoutError:
            return _error(504, f"the engine did not answer within {ANSWER_S:g} s; see wgfo status")
        shown = {"api_version": render.API_VERSION, "accepted": answer.accepted, "text": answer.text}
        return _json(shown, status=200 if answer.accepted else 409)


@web.middleware
async def _sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a sentence."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error(error.status, f"{request.method} {request.path}: {error.reason}")
    except Exception:  # an endpoint's bug must end neither the connection nor the daemon
        log.exception("control API: %s %s", request.method, request.path)
        return _error(500, "internal error; the daemon's log has the details")


def _peer(request: web.Request) -> Peer:
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is None or connection.family != socket.AF_UNIX:
        raise web.HTTPForbidden(reason="requests are accepted on the Unix socket only")
    return peer_of(connection)


def _not_permitted(peer: Peer, operators: str | None) -> str:
    members = f", and members of the group {operators}" if operators else ""
    return (
        f"user {peer.name} may read but not change: accepted are root, the daemon's own user{members}; "
        '[daemon] operators = "GROUP" names the Unix group that may'
    )


def _json(shown: object, status: int = 200) -> web.Response:
    return web.json_response(text=json.dumps(shown) + "\n", status=status)


def _error(status: int, sentence: str) -> web.Response:
    return _json({"error": sentence}, status)


def _yes_or_no(yes: bool, why_not: str) -> web.Response:
    return web.Response(text="ok\n") if yes else _error(503, why_not)
