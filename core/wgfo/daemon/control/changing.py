"""The endpoint that changes something: operators' requests, on the Unix socket alone."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from aiohttp import web

from wgfo.daemon.control import render, requests
from wgfo.daemon.control.access import Peer, peer_of
from wgfo.daemon.control.endpoint import Served, error_answer, json_answer
from wgfo.daemon.control.requests import Asked, BadRequest, NoSuchGroup
from wgfo.daemon.control.source import Source

ANSWER_S: Final = 5.0
"""The engine answers at once; longer than this means that the daemon is ending."""


async def request_change(served: Served, request: web.Request) -> web.Response:
    """``POST /api/v1/requests``; the kernel says who sends it."""
    peer = _peer(request)
    if not served.access.may_change(peer):
        return error_answer(403, _not_permitted(peer, served.source.setup.daemon.operators))
    try:
        asked = requests.parse(await request.read(), served.source.setup)
    except NoSuchGroup as error:
        return error_answer(404, str(error))
    except BadRequest as error:
        return error_answer(400, str(error))
    return await _ask(served.source, asked, peer)


async def _ask(source: Source, asked: Asked, peer: Peer) -> web.Response:
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await source.request(
                asked.group,
                asked.kind,
                asked.path,
                reason=asked.reason,
                by=peer.name,
                duration_us=asked.duration_us,
                clear_kind=asked.clear_kind,
            )
    except TimeoutError:
        return error_answer(504, f"the engine did not answer within {ANSWER_S:g} s; see wgfo status")
    shown = {"api_version": render.API_VERSION, "accepted": answer.accepted, "text": answer.text}
    return json_answer(shown, status=200 if answer.accepted else 409)


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
