"""The endpoints of the control API: what they answer, not where they listen.

Reading is for everyone who reaches the listener; the Unix socket's file mode and the loopback address are the
borders. Requests exist on the Unix socket alone, and the kernel says who sends them. Errors are
``{"error": "a sentence"}``. One more endpoint is one more row of :data:`ENDPOINTS`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from wgfo.daemon.control import alerts, changing, events, page, reading
from wgfo.daemon.control.access import Access
from wgfo.daemon.control.endpoint import Endpoint, Expose, Served, Views, Webhook, error_answer
from wgfo.daemon.control.source import Source
from wgfo.telemetry.feed import Feed

log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 1024

ENDPOINTS: Final = (
    Endpoint("GET", "/api/v1/status", reading.status),
    Endpoint("GET", "/api/v1/history", reading.history),
    Endpoint("GET", "/api/v1/explain", reading.explain),
    Endpoint("GET", "/-/healthy", reading.healthy),
    Endpoint("GET", "/-/ready", reading.ready),
    Endpoint("GET", "/metrics", reading.metrics),
    Endpoint("GET", "/api/v1/events", events.events),
    Endpoint("GET", "/", page.whole),
    Endpoint("GET", "/part", page.part),
    Endpoint("GET", "/static/{name}", page.static),
    Endpoint("POST", "/api/v1/alerts", alerts.take_alerts),
    Endpoint("POST", "/api/v1/requests", changing.request_change, socket_only=True),
)


class ControlApi:
    """Makes the applications of the two listeners.

    Args:
        source: the running daemon.
        metrics: the exposition of all metrics.
        access: who may send requests.
        views: what is kept for those who look on live; by default nothing happens there.
        webhook: hears alerts; None: nobody does.
    """

    def __init__(
        self,
        source: Source,
        metrics: Expose,
        access: Access,
        views: Views | None = None,
        webhook: Webhook | None = None,
    ) -> None:
        shown = views or Views(Feed("none", source.rfc3339))
        self._served = Served(source, metrics, access, shown, webhook)

    def for_socket(self) -> web.Application:
        """Return everything, for the Unix socket."""
        return self._application(socket=True)

    def for_http(self) -> web.Application:
        """Return what may be read, for the ``http`` listener."""
        return self._application(socket=False)

    def _application(self, *, socket: bool) -> web.Application:
        app = web.Application(middlewares=[_sentences], client_max_size=MAX_BODY)
        app.add_routes([one.route(self._served) for one in ENDPOINTS if socket or not one.socket_only])
        return app


@web.middleware
async def _sentences(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every error into a sentence."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error_answer(error.status, f"{request.method} {request.path}: {error.reason}")
    except Exception:  # an endpoint's bug must end neither the connection nor the daemon
        log.exception("control API: %s %s", request.method, request.path)
        return error_answer(500, "internal error; the daemon's log has the details")
