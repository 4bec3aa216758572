"""The HTTP side of the stand-in: strict about what it is sent, free to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aiohttp import web

from tests.support.azure_server.clock import Clock
from tests.support.azure_server.faults import DENIED, THROTTLED, Answer, Style
from tests.support.azure_server.schema import API_VERSION, NAME, complaint
from tests.support.azure_server.state import Operation, Platform, Table

_BASE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/routeTables/{table}"
_SUB = "/subscriptions/{subscription}/providers/Microsoft.Network"
_OPERATION = _SUB + "/locations/westeurope/operations/{operation}"
_RESULT = _SUB + "/locations/westeurope/operationResults/{operation}"
_METHODS = frozenset({"GET", "PUT", "DELETE"})


class Refused(Exception):
    """A request that is answered by an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


def bad_request(text: str, code: str = "InvalidRequestFormat") -> Refused:
    return Refused(Answer(400, code, text))


class AzureServer:
    """Serves a platform on loopback.

    Attributes:
        seen: every request as (method, path).
        authorizations: every Authorization header that was received.
        entering: makes what is entered while a request is handled: (writes, table, prefix).
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.seen: list[tuple[str, str]] = []
        self.authorizations: list[str] = []
        self.entering: Callable[[bool, str, str], AbstractContextManager[None]] = lambda *_: nullcontext()
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._landing: set[asyncio.Task[Any]] = set()

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self._any)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self.release(land=False)
        if self._runner is not None:
            await self._runner.cleanup()

    async def release(self, *, land: bool = True) -> None:
        """Let what is stalled go on (or drop it), and return when it has."""
        stalled, self.platform.faults.stalled = self.platform.faults.stalled, []
        for one in stalled:
            if not one.done():
                one.set_result(land)
        while self._landing:
            await asyncio.wait(set(self._landing))

    # --- every request --------------------------------------------------------------------------------------

    async def _any(self, request: web.Request) -> web.StreamResponse:
        """Handle a request in a task of its own: a client that goes away does not end it."""
        body = await request.read()
        task = asyncio.ensure_future(self._handled(request, body))
        self._landing.add(task)
        task.add_done_callback(self._landing.discard)
        response = await asyncio.shield(task)
        if response is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return response

    async def _handled(self, request: web.Request, body: bytes) -> web.Response | None:
        self.seen.append((request.method, request.path))
        if "Authorization" in request.headers:
            self.authorizations.append(request.headers["Authorization"])
        if self.platform.faults.before is not None:
            self.platform.faults.before(len(self.seen), request.method)
        try:
            return await self._dispatched(request, body)
        except Refused as refused:
            return self._refusal(refused.answer)

    async def _dispatched(self, request: web.Request, body: bytes) -> web.Response | None:
        place, found = _resolve(request.path)
        if request.method not in _METHODS or place is None:
            raise bad_request(f"no such resource: {request.method} {request.path}", "InvalidResourceType")
        if found["subscription"] != self.platform.subscription:
            raise Refused(Answer(404, "SubscriptionNotFound", "The subscription could not be found."))
        if request.query.get("api-version") != API_VERSION:
            raise bad_request("the api-version is missing or unknown", "InvalidApiVersionParameter")
        writes = request.method != "GET"
        content = _decoded(request, body) if request.method == "PUT" else None
        prefix = str(((content or {}).get("properties") or {}).get("addressPrefix") or "")
        table = f"{found.get('group', '')}/{found.get('table', '')}".lower()
        with self.entering(writes, table, prefix):
            await asyncio.sleep(self.platform.faults.latency_ms / 1000)
            if writes:
                return await self._write(request, found, content, prefix)
            return await self._read(request, place, found)

    # --- reads ----------------------------------------------------------------------------------------------

    async def _read(self, request: web.Request, place: str, found: dict[str, str]) -> web.Response | None:
        faults = self.platform.faults
        if faults.stall_reads and not await self._stall():
            return None
        if False in faults.broken:
            return None
        if False in faults.garbage:
            return web.Response(text="<html>gateway</html>", content_type="text/html")
        polls = place in (_OPERATION, _RESULT)
        answer = faults.polls if polls else faults.reads
        if answer is not None:
            raise Refused(answer)
        return self._poll(place, found["operation"]) if polls else self._shown(request, place, found)

    def _shown(self, request: web.Request, place: str, found: dict[str, str]) -> web.Response:
        if place == _SUB + "/networkInterfaces":
            return self._page(request, [self.platform.nic_json(one) for one in self.platform.nics])
        table = self._table(found)
        routes = self.platform.shown(table)
        if place == _BASE:
            return web.json_response(self.platform.table_json(table))
        if place == _BASE + "/routes":
            return self._page(request, list(routes.values()))
        if found["route"].lower() not in routes:
            raise Refused(Answer(404, "NotFound", "Resource not found."))
        return web.json_response(routes[found["route"].lower()])

    def _page(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        start = int(request.query.get("$skipToken", "0"))
        end = start + self.platform.faults.page
        found: dict[str, Any] = {"value": items[start:end]}
        if end < len(items):
            link = f"{self.url}{request.path}?api-version={API_VERSION}&$skipToken={end}"
            found["nextLink"] = link
        return web.json_response(found)

    def _poll(self, place: str, name: str) -> web.Response:
        operation = self.platform.operations.get(name)
        if operation is None:
            raise Refused(Answer(404, "NotFound", "The operation is unknown."))
        for table in self.platform.tables.values():
            self.platform.settle(table)
        headers = self._retry_after()
        if place == _RESULT:
            return self._result(operation, headers)
        return web.json_response(_status(operation), headers=headers)

    def _result(self, operation: Operation, headers: dict[str, str]) -> web.Response:
        """What a Location tells: 202 until it is over, then the route, or an error."""
        if not operation.over:
            return web.Response(status=202, headers=headers)
        if operation.ending != "Succeeded":
            raise Refused(Answer(409, operation.code, "it ended so"))
        route = self.platform.tables[operation.table].routes.get(operation.route)
        return web.json_response(route, headers=headers) if route else web.Response(status=204)

    def _retry_after(self) -> dict[str, str]:
        asked = self.platform.faults.retry_after
        return {} if asked is None else {"Retry-After": asked}

    # --- writes ---------------------------------------------------------------------------------------------

    async def _write(
        self, request: web.Request, found: dict[str, str], content: Any, prefix: str
    ) -> web.Response | None:
        faults = self.platform.faults
        if faults.stall_write:
            faults.stall_write = False
            if not await self._stall():
                return None
        if True in faults.broken or faults.break_before:
            faults.break_before = False
            return None
        self._refuse(found, prefix)
        race, faults.race = faults.race, None
        if race is not None:
            race()
        response = self._carried_out(request, found, content)
        if faults.lose_answer:
            faults.lose_answer = False
            return None
        if True in faults.garbage:
            return web.Response(text="<html>gateway</html>", content_type="text/html", status=201)
        return response

    async def _stall(self) -> bool:
        released: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.platform.faults.stalled.append(released)
        return await released

    def _refuse(self, found: dict[str, str], prefix: str) -> None:
        faults = self.platform.faults
        if faults.writes is not None:
            raise Refused(faults.writes)
        if f"{found['group']}/{found['table']}".lower() in faults.denied_tables:
            raise Refused(DENIED)
        if prefix in faults.refused:
            raise bad_request(f"{prefix} is not accepted", "InvalidAddressPrefix")
        if faults.write_quota is not None:
            if not faults.write_quota:
                raise Refused(THROTTLED)
            faults.write_quota -= 1

    def _carried_out(self, request: web.Request, found: dict[str, str], content: Any) -> web.Response:
        if "route" not in found:
            raise bad_request("this stand-in admits no PUT of a whole table: it would replace all its routes")
        table, name = self._table(found), found["route"]
        if table.operation is not None:
            raise Refused(self.platform.faults.busy)
        standing = table.routes.get(name.lower())
        _precondition(request, standing)
        if request.method == "DELETE":
            return self._deleted(table, name, standing)
        self._valid(table, name, content, standing)
        operation = self.platform.begin(table, name, content)
        return self._accepted(table, name, operation, new=standing is None)

    def _deleted(self, table: Table, name: str, standing: Any) -> web.Response:
        if standing is None:
            return web.Response(status=204)
        operation = self.platform.begin_delete(table, name)
        return web.Response(status=202, headers={"Location": self._link(_RESULT, operation)})

    def _valid(self, table: Table, name: str, content: Any, standing: Any) -> None:
        if not NAME.fullmatch(name):
            raise bad_request(f"{name!r} is no resource name", "InvalidResourceName")
        text = complaint(content, standing["properties"] if standing else {})
        if text is not None:
            raise bad_request(text)
        prefix = content["properties"]["addressPrefix"]
        for key, one in table.routes.items():
            if one["properties"]["addressPrefix"] == prefix and key != name.lower():
                text = f"Route {name} conflicts with route {key}: they cannot have the same AddressPrefix"
                raise bad_request(text, "RouteConflict")

    def _accepted(self, table: Table, name: str, operation: Operation, *, new: bool) -> web.Response:
        style, headers = self.platform.faults.style, self._retry_after()
        if style is Style.STATUS:
            headers["Azure-AsyncOperation"] = self._link(_OPERATION, operation)
        elif style is Style.LOCATION:
            headers["Location"] = self._link(_RESULT, operation)
        status = self.platform.faults.accepted or (201 if new else 200)
        return web.json_response(table.routes[name.lower()], status=status, headers=headers)

    def _link(self, place: str, operation: Operation) -> str:
        path = place.format(subscription=self.platform.subscription, operation=operation.id)
        return f"{self.url}{path}?api-version={API_VERSION}&t=1&c=certificate&s=signature&h=hash"

    # --- help -----------------------------------------------------------------------------------------------

    def _table(self, found: dict[str, str]) -> Table:
        table = self.platform.tables.get(f"{found['group']}/{found['table']}".lower())
        if table is None:
            text = f"The Resource 'Microsoft.Network/routeTables/{found['table']}' was not found."
            raise Refused(Answer(404, "ResourceNotFound", text))
        self.platform.settle(table)
        return table

    def _refusal(self, answer: Answer) -> web.Response:
        error: dict[str, Any] = {"code": answer.code, "message": answer.message, "details": []}
        if answer.detail is not None:
            error["details"] = [{"code": answer.detail[0], "message": answer.detail[1]}]
        headers = {} if answer.retry_after is None else {"Retry-After": answer.retry_after}
        return web.json_response({"error": error}, status=answer.status, headers=headers)


def _status(operation: Operation) -> dict[str, Any]:
    if not operation.over:
        return {"status": "InProgress"}
    if operation.ending == "Succeeded":
        return {"status": "Succeeded"}
    return {"status": operation.ending, "error": {"code": operation.code, "message": "it ended so"}}


def _decoded(request: web.Request, body: bytes) -> Any:
    if request.content_type != "application/json":
        raise Refused(Answer(415, "UnsupportedMediaType", "accepted: application/json"))
    try:
        return json.loads(body)
    except ValueError:
        raise bad_request("the body is no JSON") from None


def _precondition(request: web.Request, standing: dict[str, Any] | None) -> None:
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    mismatch = match is not None and (standing is None or match not in ("*", standing["etag"]))
    if mismatch or (none_match == "*" and standing is not None):
        detail = ("PreconditionFailedEtagMismatch", "Etag provided in the header does not match")
        raise Refused(Answer(412, "PreconditionFailed", "Precondition failed.", detail))


_PLACES = {
    place: re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(place)), re.IGNORECASE)
    for place in (
        *(_BASE, _BASE + "/routes", _BASE + "/routes/{route}"),
        *(_OPERATION, _RESULT, _SUB + "/networkInterfaces"),
    )
}


def _resolve(path: str) -> tuple[str | None, dict[str, str]]:
    for place, pattern in _PLACES.items():
        match = pattern.fullmatch(path)
        if match is not None:
            return place, match.groupdict()
    return None, {}


@contextlib.asynccontextmanager
async def azure_server(subscription: str, clock: Clock | None = None) -> AsyncIterator[AzureServer]:
    """Serve an empty platform."""
    server = AzureServer(Platform(subscription, clock))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
