"""``GET /``: the status page, and the parts of it that its script renews.

Rendering happens on the loop, one group at a time, with a turn for everybody else between two groups. A thread
would not be kinder: one that computes keeps the interpreter's lock for milliseconds at each of the probes' system
calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from aiohttp import web

from wgfo.daemon.control.endpoint import Served
from wgfo.daemon.control.reading import view_of
from wgfo.daemon.control.render import View
from wgfo.daemon.page.rendering import STATIC, rendered, stamp, static_file
from wgfo.daemon.page.view import FEW_GROUPS, MANY_GROUPS, group_view, summary, timeline
from wgfo.engine.report import GroupReport

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def whole(served: Served, request: web.Request) -> web.Response:
    """``GET /``; ``whole`` names groups whose details go along, where there are too many to show all."""
    async with served.views.rendering:
        reports, view = served.source.reports(), view_of(served.source)
        head = summary(reports, view)
        groups = await _groups(served, reports, view, request.query.getall("whole", ()))
        page = rendered(
            "page",
            summary=head,
            stamp=stamp(),
            head=rendered("head", summary=head),
            groups=groups,
            few=FEW_GROUPS,
            timeline=_timeline(served),
        )
    return web.Response(body=page.encode(), headers=_HEADERS)


async def part(served: Served, request: web.Request) -> web.Response:
    """``GET /part``: head and timeline, and the groups that ``group`` names, by default all; ``whole`` as above."""
    asked, wholly = request.query.getall("group", ()), request.query.getall("whole", ())
    async with served.views.rendering:
        reports, view = served.source.reports(), view_of(served.source)
        shown = [one for one in reports if not asked or one.name in asked]
        parts = [rendered("head", summary=summary(reports, view))]
        parts += await _groups(served, shown, view, wholly)
        parts.append(_timeline(served))
    return web.Response(body="".join(parts).encode(), headers=_HEADERS)


async def _groups(
    served: Served, reports: Sequence[GroupReport], view: View, wholly: Collection[str]
) -> list[str]:
    setups = {group.name: group for group in view.setup.groups}
    many = len(setups) > MANY_GROUPS
    shown = []
    for report in reports:
        group = group_view(
            report,
            setups.get(report.name),
            view,
            served.views.trends,
            whole=not many or report.name in wholly,
        )
        shown.append(rendered("group", group=group))
        await asyncio.sleep(0)
    return shown


def _timeline(served: Served) -> str:
    return rendered("timeline", entries=timeline(served.source.switches(), served.views.feed))


async def static(_served: Served, request: web.Request) -> web.Response:
    """``GET /static/NAME``: style sheet, script and icon."""
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    headers = {
        "Content-Type": STATIC[name],
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=static_file(name), headers=headers)
