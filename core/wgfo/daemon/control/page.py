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

from wgfo.daemon.control.endpoint import Drawn, Served
from wgfo.daemon.control.reading import view_of
from wgfo.daemon.control.render import View
from wgfo.daemon.page.rendering import STATIC, rendered, stamp, static_file
from wgfo.daemon.page.view import FEW_GROUPS, MANY_GROUPS, group_view, summary, timeline
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FIGURES_HOLD_US: Final = 2_000_000
"""Loss and round-trip times are drawn anew after so long; whatever is an event, at once."""
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
    """Return the groups as HTML, in a turn of the loop each; what was drawn just now and still holds is kept."""
    views, number = served.views, served.views.feed.last
    setups = {group.name: group for group in view.setup.groups}
    for gone in views.drawn.keys() - setups.keys():
        del views.drawn[gone]
    shown = []
    for report in reports:
        whole = len(setups) <= MANY_GROUPS or report.name in wholly
        kept = views.drawn.get(report.name)
        if kept is None or not _holds(kept, report.name, served, view, whole=whole):
            group = group_view(report, setups.get(report.name), view, views.trends, whole=whole)
            kept = Drawn(rendered("group", group=group), view.setup, whole, view.now_us, number)
            views.drawn[report.name] = kept
            await asyncio.sleep(0)
        shown.append(kept.html)
    return shown


def _holds(kept: Drawn, name: GroupName, served: Served, view: View, *, whole: bool) -> bool:
    """Whether nothing has happened to the group since, and its figures are still fresh."""
    same = kept.setup is view.setup and kept.whole == whole
    return (
        same and served.views.feed.last_of(name) <= kept.number and view.now_us - kept.at_us < FIGURES_HOLD_US
    )


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
