"""Endpoints that say how things are: status, explain, history, metrics, health."""

from __future__ import annotations

from aiohttp import web

from wgfo.daemon.control import explaining, render
from wgfo.daemon.control.endpoint import Served, error_answer, json_answer
from wgfo.daemon.control.source import Source


def view_of(source: Source) -> render.View:
    """Return what the reports of this moment are rendered with."""
    return render.View(source.setup, source.version, source.rfc3339, source.now_us(), source.flows())


async def status(served: Served, request: web.Request) -> web.Response:
    """``GET /api/v1/status``; with ``timers`` what only the table for people shows."""
    source = served.source
    shown = render.status(source.reports(), view_of(source), timers="timers" in request.query)
    return json_answer(shown)


async def explain(served: Served, _request: web.Request) -> web.Response:
    """``GET /api/v1/explain``."""
    source = served.source
    return json_answer(explaining.explain(source.reports(), source.outlooks(), view_of(source)))


async def history(served: Served, request: web.Request) -> web.Response:
    """``GET /api/v1/history``, of all groups or of ``group``, which may be gone from the configuration."""
    switches = served.source.switches()
    group = request.query.get("group")
    if group is not None:
        names = [one.name for one in served.source.setup.groups]
        if group not in names and not any(one.group == group for one in switches):
            return error_answer(
                404, f"there is no group {group!r} here; groups: {', '.join(names) or 'none'}"
            )
        switches = [one for one in switches if one.group == group]
    return json_answer(render.history(switches))


async def metrics(served: Served, request: web.Request) -> web.Response:
    """``GET /metrics``, in the format that ``Accept`` prefers: OpenMetrics or Prometheus' text format."""
    exposition = served.metrics(request.headers.get("Accept", ""))
    return web.Response(body=exposition.body, headers={"Content-Type": exposition.content_type})


async def healthy(served: Served, _request: web.Request) -> web.Response:
    """``GET /-/healthy``."""
    return _yes_or_no(served.source.healthy(), "not healthy: a core task has ended or the loop stands still")


async def ready(served: Served, _request: web.Request) -> web.Response:
    """``GET /-/ready``."""
    return _yes_or_no(served.source.ready(), "not ready: providers are opening, or first verdicts are due")


def _yes_or_no(yes: bool, why_not: str) -> web.Response:
    return web.Response(text="ok\n") if yes else error_answer(503, why_not)
