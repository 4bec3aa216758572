"""A stand-in for the Compute Engine API over HTTP: routes, operations, and what a preflight reads.

As Google does, it refuses what the discovery document does not allow; accepts a write first and carries it out in
an operation (PENDING, RUNNING, DONE) that may fail; reserves a name from the moment of acceptance; carries out a
request id once; pages; counts requests by the minute. Whatever changes is on the timeline.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiohttp import web

from tests.support.gcp_server import discovery
from tests.support.gcp_server.discovery import Method, Refused
from tests.support.gcp_server.faults import Fault, Faults, Harm
from tests.support.gcp_server.timeline import Row, Timeline

API: Final = "https://www.googleapis.com/compute/v1"
HOPS: Final = ("nextHopInstance", "nextHopIp", "nextHopIlb", "nextHopVpnTunnel", "nextHopGateway")
PAGE: Final = 500
_PENDING_SHARE: Final = 0.3
Log = Callable[..., contextlib.AbstractContextManager[None]]


def _no_log(_table: str = "", _prefix: str = "") -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(slots=True)
class Operation:
    """One operation, and what it does when it is done."""

    row: Row
    apply: Callable[[], None]
    lasts_s: float
    begun_s: float
    error: tuple[str, str] | None = None
    """Code and message."""

    def shown(self) -> Row:
        if self.row["status"] != "DONE":
            early = time.monotonic() < self.begun_s + self.lasts_s * _PENDING_SHARE
            self.row["status"] = "PENDING" if early else "RUNNING"
        return dict(self.row)


@dataclass(slots=True)
class Held:
    """A request that is stalled."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    carry_out: bool = False


@dataclass(slots=True)
class GcpServer:
    """``async with GcpServer() as server: … server.url``."""

    project: str = "wgfo-test"
    networks: tuple[str, ...] = ("prod", "dev")
    latency_s: float = 0.02
    """How long an operation takes; ``held`` ones wait for :meth:`let_go`."""
    held: bool = False
    stale_s: float = 0.0
    """Reads of routes show what stood so long ago."""
    route_quota: int = 1_000
    mutations_a_minute: int = 100_000
    page_size: int = PAGE
    faults: Faults = field(default_factory=Faults)
    timeline: Timeline = field(default_factory=Timeline)
    routes: dict[str, Row] = field(default_factory=dict)
    resources: dict[str, Row] = field(default_factory=dict)
    """Instances, rules, tunnels and subnets by the path after the project, such as ``zones/z/instances/a``."""
    operations: dict[str, Operation] = field(default_factory=dict)
    received: list[tuple[str, str]] = field(default_factory=list)
    """Method and destination of every request, in order."""
    on_change: Callable[[], None] = lambda: None
    log_write: Log = _no_log
    log_read: Log = _no_log
    url: str = ""
    _pending: set[str] = field(default_factory=set)
    """Names of routes whose operation is under way."""
    _by_request: dict[str, str] = field(default_factory=dict)
    _mutations: dict[int, int] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: itertools.count(1_000_000_001))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _stalled: list[Held] = field(default_factory=list)
    _let_go: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._changed()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.release(carry_out=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._runner is not None
        await self._runner.cleanup()

    # --- what tests arrange ---------------------------------------------------------------------------------

    def put(self, network: str, prefix: str, priority: int, name: str = "", **fields: Any) -> Row:
        """Write a route as somebody else would, at once."""
        hop = fields or {
            "nextHopGateway": f"{API}/projects/{self.project}/global/gateways/default-internet-gateway"
        }
        body = {
            "name": name or f"other-{next(self._ids)}",
            "network": f"{API}/projects/{self.project}/global/networks/{network}",
            "destRange": prefix,
            "priority": priority,
            **hop,
        }
        row = self.routes[body["name"]] = self._row(body)
        self._changed()
        return row

    def drop(self, name: str) -> None:
        """Delete a route as somebody else would, at once."""
        del self.routes[name]
        self._changed()

    def remove_network(self, name: str) -> None:
        """Delete a network and its routes."""
        self.networks = tuple(one for one in self.networks if one != name)
        self.routes = {key: row for key, row in self.routes.items() if self._network_of(row) != name}
        self._changed()

    async def release(self, *, carry_out: bool = True) -> None:
        """Let what is stalled go on, or forget it; return when it has ended."""
        stalled, self._stalled = self._stalled, []
        for held in stalled:
            held.carry_out = carry_out
            held.go.set()
            await held.over.wait()
        if stalled and carry_out:
            await asyncio.gather(*self._tasks)

    def let_go(self) -> None:
        """Let held operations run to their end."""
        self.held = False
        self._let_go.set()

    def writes(self) -> int:
        return sum(
            1 for method, _ in self.received if method in {"compute.routes.insert", "compute.routes.delete"}
        )

    # --- requests -------------------------------------------------------------------------------------------

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        try:
            method, parts = discovery.match(request.method, request.path, request.query)
            body = discovery.check_body(method, json.loads(text)) if method.body else {}
            assert method.body or not text, "a body where the document has none"
        except Refused as refused:
            return _refusal(refused.status, refused.reason, refused.text)
        prefix, network = self._about(method, parts, body)
        self.received.append((method.id, prefix))
        write = method.verb != "GET"
        with (self.log_write if write else self.log_read)(network, prefix):
            return await self._answer(request, method, parts, body, prefix)

    async def _answer(
        self, request: web.Request, method: Method, parts: dict[str, str], body: Row, prefix: str
    ) -> web.StreamResponse:
        fault = self.faults.take(method.id, prefix, write=method.verb != "GET")
        if fault is not None and fault.harm is Harm.STALL:
            return await self._hold(request, method, parts, body)
        if fault is not None and not await self._harmed(fault):
            return _broken(request) if fault.harm is not Harm.ANSWER else _answered(fault)
        if fault is not None and fault.harm is Harm.GARBAGE:
            return web.Response(text="<html>Bad Gateway", status=fault.status if fault.status != 503 else 502)
        try:
            answer = self._do(method, parts, dict(request.query), body, fault)
        except Refused as refused:
            return _refusal(refused.status, refused.reason, refused.text)
        if fault is not None and fault.harm is Harm.DROP_AFTER:
            return _broken(request)
        return web.json_response(answer)

    async def _hold(
        self, request: web.Request, method: Method, parts: dict[str, str], body: Row
    ) -> web.StreamResponse:
        """Carry the request out when it is released; nobody waits for the answer any more."""
        held = Held()
        self._stalled.append(held)
        await held.go.wait()
        with contextlib.suppress(Refused):
            if held.carry_out:
                self._do(method, parts, dict(request.query), body, None)
        held.over.set()
        return _broken(request)

    async def _harmed(self, fault: Fault) -> bool:
        """Return whether the request is carried out all the same."""
        if fault.harm is Harm.DELAY:
            await asyncio.sleep(fault.delay_s)
        return fault.harm not in {Harm.DROP_BEFORE, Harm.ANSWER}

    def _about(self, method: Method, parts: dict[str, str], body: Row) -> tuple[str, str]:
        row = body if method.id == "compute.routes.insert" else self.routes.get(parts.get("route", ""), {})
        return row.get("destRange", ""), self._network_of(row) if row else ""

    def _do(  # noqa: PLR0911 - a line for each method
        self, method: Method, parts: dict[str, str], query: dict[str, str], body: Row, fault: Fault | None
    ) -> Row:
        if parts.get("project") != self.project:
            raise _not_found(f"projects/{parts.get('project')}")
        match method.id:
            case "compute.routes.list":
                return self._paged(list(self._shown().values()), query, "compute#routeList")
            case "compute.routes.get":
                return _found(self._shown(), parts["route"])
            case "compute.routes.insert":
                return self._once(query, lambda: self._insert(body, fault))
            case "compute.routes.delete":
                return self._once(query, lambda: self._delete(parts["route"], fault))
            case "compute.globalOperations.get":
                operations = {name: one.shown() for name, one in self.operations.items()}
                return _found(operations, parts["operation"])
            case "compute.globalOperations.list":
                return self._list_operations(query)
        return self._look(method, parts, query)

    def _look(self, method: Method, parts: dict[str, str], query: dict[str, str]) -> Row:
        match method.id.split("."):
            case [_, "networks", "get"]:
                return _found({name: {"name": name} for name in self.networks}, parts["network"])
            case [_, "projects", "get"]:
                quota = {"metric": "ROUTES", "limit": self.route_quota, "usage": len(self.routes)}
                return {"name": self.project, "quotas": [quota]}
            case [_, sort, "aggregatedList"]:
                return self._aggregated(sort)
            case [_, sort, "get"]:
                place = f"zones/{parts['zone']}" if "zone" in parts else f"regions/{parts['region']}"
                name = next(value for key, value in parts.items() if key not in {"project", "zone", "region"})
                return _found(self.resources, f"{place}/{sort}/{name}")
        raise Refused(501, "notImplemented", f"this stand-in does not serve {method.id}")

    # --- reading --------------------------------------------------------------------------------------------

    def _shown(self) -> dict[str, Row]:
        if not self.stale_s:
            return self.routes
        return {row["name"]: row for row in self.timeline.at(time.monotonic() - self.stale_s)}

    def _paged(self, rows: list[Row], query: dict[str, str], kind: str) -> Row:
        size = min(int(query.get("maxResults", PAGE)), self.page_size)
        start = int(query.get("pageToken") or 0)
        rows = sorted(rows, key=lambda row: str(row["name"]))
        more = {"nextPageToken": str(start + size)} if len(rows) > start + size else {}
        return {"kind": kind, "items": rows[start : start + size], **more}

    def _list_operations(self, query: dict[str, str]) -> Row:
        rows = [one.shown() for one in self.operations.values()]
        match query.get("filter", "").split():
            case []:
                pass
            case ["status", "!=", value]:
                rows = [row for row in rows if row["status"] != value.strip('"')]
            case _:
                raise Refused(400, "invalid", f"Invalid value for field 'filter': {query['filter']!r}")
        return self._paged(rows, query, "compute#operationList")

    def _aggregated(self, sort: str) -> Row:
        items: dict[str, Row] = {}
        for path, row in self.resources.items():
            place, _, _ = path.partition(f"/{sort}/")
            if place != path:
                items.setdefault(place, {sort: []})[sort].append(row)
        return {"items": items}

    # --- writing --------------------------------------------------------------------------------------------

    def _once(self, query: dict[str, str], do: Callable[[], Row]) -> Row:
        """Carry out a request id once."""
        minute = int(time.monotonic() // 60)
        self._mutations[minute] = self._mutations.get(minute, 0) + 1
        if self._mutations[minute] > self.mutations_a_minute:
            raise Refused(403, "rateLimitExceeded", "Rate Limit Exceeded")
        request_id = query.get("requestId", "")
        if not request_id:
            return do()
        try:
            assert uuid.UUID(request_id).int
        except (ValueError, AssertionError):
            raise Refused(400, "invalid", f"Invalid value for field 'requestId': {request_id!r}") from None
        if request_id not in self._by_request:
            self._by_request[request_id] = do()["name"]
        return self.operations[self._by_request[request_id]].shown()

    def _insert(self, body: Row, fault: Fault | None) -> Row:
        self._judge(body)
        row = self._row(body)

        def apply() -> None:
            self.routes[row["name"]] = row

        return self._accept("insert", row, apply, fault)

    def _judge(self, body: Row) -> None:
        """Refuse what the document cannot tell."""
        name, target = body["name"], f"projects/{self.project}/global/routes/{body['name']}"
        if self._network_of(body) not in self.networks:
            raise _not_found(f"projects/{self.project}/global/networks/{self._network_of(body)}")
        if not body["network"].startswith(f"{API}/projects/{self.project}/global/networks/"):
            raise Refused(400, "invalid", f"Invalid value for field 'resource.network': {body['network']!r}")
        if name in self.routes or name in self._pending:
            raise Refused(409, "alreadyExists", f"The resource '{target}' already exists")
        if sum(hop in body for hop in HOPS) != 1:
            raise Refused(400, "invalid", "Exactly one next hop must be specified.")
        try:
            ipaddress.ip_network(body["destRange"])
        except ValueError:
            raise Refused(400, "invalid", f"Invalid IP range {body['destRange']!r}") from None
        if not 0 <= body["priority"] <= 65_535:
            raise Refused(400, "invalid", "Invalid value for field 'resource.priority'")
        if len(self.routes) >= self.route_quota:
            text = f"Quota 'ROUTES' exceeded.  Limit: {self.route_quota}.0 globally."
            raise Refused(403, "quotaExceeded", text)

    def _delete(self, name: str, fault: Fault | None) -> Row:
        target = f"projects/{self.project}/global/routes/{name}"
        if name in self._pending:
            raise Refused(400, "resourceNotReady", f"The resource '{target}' is not ready")
        row = _found(self.routes, name)

        def apply() -> None:
            self.routes.pop(name, None)

        return self._accept("delete", row, apply, fault)

    def _accept(self, kind: str, row: Row, apply: Callable[[], None], fault: Fault | None) -> Row:
        number = next(self._ids)
        name = f"operation-{number}-wgfo"
        target = row["selfLink"]
        shown = {
            "kind": "compute#operation",
            "id": str(number),
            "name": name,
            "operationType": kind,
            "status": "PENDING",
            "progress": 0,
            "targetLink": target,
            "targetId": row["id"],
            "selfLink": f"{API}/projects/{self.project}/global/operations/{name}",
        }
        fails = fault is not None and fault.harm is Harm.FAIL_LATER
        error = (fault.reason, fault.text) if fault is not None and fails else None
        operation = Operation(shown, apply, self.latency_s, time.monotonic(), error)
        self.operations[name] = operation
        self._pending.add(row["name"])
        task = asyncio.ensure_future(self._carry_out(operation, row["name"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation.shown()

    async def _carry_out(self, operation: Operation, name: str) -> None:
        await asyncio.sleep(operation.lasts_s)
        if self.held:
            await self._let_go.wait()
        self._pending.discard(name)
        operation.row |= {"status": "DONE", "progress": 100}
        if operation.error is None:
            operation.apply()
            self._changed()
            return
        code, text = operation.error
        operation.row |= {
            "error": {"errors": [{"code": code, "message": text}]},
            "httpErrorStatusCode": 400,
            "httpErrorMessage": "BAD REQUEST",
        }

    def _row(self, body: Row) -> Row:
        link = f"{API}/projects/{self.project}/global/routes/{body['name']}"
        row = {"kind": "compute#route", "id": str(next(self._ids)), "selfLink": link, "tags": [], **body}
        discovery.check_answer("Route", row)
        return row

    def _network_of(self, row: Row) -> str:
        return str(row["network"]).rpartition("/")[2]

    def _changed(self) -> None:
        self.timeline.add(time.monotonic(), list(self.routes.values()))
        self.on_change()


def _found(rows: dict[str, Row], name: str) -> Row:
    if name not in rows:
        raise _not_found(name)
    return rows[name]


def _not_found(what: str) -> Refused:
    return Refused(404, "notFound", f"The resource '{what}' was not found")


def _refusal(status: int, reason: str, text: str, headers: dict[str, str] | None = None) -> web.Response:
    detail = {"message": text, "domain": "global", "reason": reason}
    body = {"error": {"code": status, "message": text, "errors": [detail]}}
    return web.json_response(body, status=status, headers=headers)


def _answered(fault: Fault) -> web.Response:
    headers = {"Retry-After": str(fault.retry_after_s)} if fault.retry_after_s is not None else None
    return _refusal(fault.status, fault.reason, fault.text, headers)


def _broken(request: web.Request) -> web.Response:
    """Break the connection: the client gets no answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
