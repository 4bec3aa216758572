"""A stand-in for EC2 and STS: moto's server over real HTTP, its known defects mended, and faults in front of it.

moto by itself proves little: it carries out a DryRun, shows no interface of an instance's route, knows no dead
target, takes a second route for a destination, loses prefix lists, throttles nobody and is consistent at once.
All of that is put right here, between the socket and moto, or in what moto's routes show.

One server serves all tests; every :class:`Cloud` has a path of its own on it, and its own VPC.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "true")

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.route_tables import Route, RouteTable
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from wgfo.testing import RequestLog

REGION = "eu-central-1"
ROLE_ACCOUNT = "111122223333"
WRITES = frozenset({"CreateRoute", "ReplaceRoute", "DeleteRoute"})
TARGETS = (
    "NetworkInterfaceId",
    "InstanceId",
    "GatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "NatGatewayId",
    "VpcEndpointId",
)
Answer = tuple[str, list[tuple[str, str]], bytes]
_moto = threading.RLock()
"""moto's own state is not made for several threads."""


# --- what moto's routes show, mended ----------------------------------------------------------------------

_dead: set[str] = set()


def _instance_of(route: Route) -> Any:
    if route.instance is not None:
        return route.instance
    return getattr(route.interface, "instance", None)


def _interface_of(route: Route) -> Any:
    if route.interface is not None:
        return route.interface
    found = list(route.instance.nics.values()) if route.instance is not None else []
    return found[0] if found else None


def _shown(route: Route) -> list[str]:
    shown = (_interface_of(route), _instance_of(route))
    return [one.id for one in shown if one is not None] + [route.gateway_id or ""]


Route.instance_id = property(lambda route: getattr(_instance_of(route), "id", None))  # type: ignore[assignment]
Route.network_interface_id = property(  # type: ignore[assignment]
    lambda route: getattr(_interface_of(route), "id", None)
)
Route.state = property(  # type: ignore[assignment]
    lambda route: "blackhole" if _dead & set(_shown(route)) else "active"
)
Route.origin = property(  # type: ignore[assignment]
    lambda route: getattr(route, "_origin", "CreateRouteTable" if route.local else "CreateRoute")
)


def target_of(route: Route) -> str:
    """The target as a configuration would name it: as it was written."""
    for part in ("interface", "instance", "gateway", "nat_gateway", "transit_gateway", "vpc_pcx"):
        found = getattr(route, part)
        if found is not None:
            return str(found.id)
    return route.gateway_id or "nothing"


def destination_of(route: Route) -> str:
    """Network or prefix list."""
    named = route.destination_prefix_list.id if route.destination_prefix_list else None
    return str(route.destination_cidr_block or route.destination_ipv6_cidr_block or named)


# --- faults -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Refusal:
    """An error answer of EC2."""

    code: str
    message: str = "refused"
    status: str = "400 Bad Request"
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self) -> Answer:
        text = (
            f"<?xml version='1.0'?><Response><Errors><Error><Code>{self.code}</Code>"
            f"<Message>{escape(self.message)}</Message></Error></Errors><RequestID>r</RequestID></Response>"
        )
        return self.status, [("Content-Type", "text/xml"), *self.headers], text.encode()


@dataclass(slots=True)
class Bucket:
    """EC2's throttling: a token bucket; ``refused`` counts what it turned away."""

    per_s: float
    burst: int
    refused: int = 0
    _tokens: float = field(init=False)
    _filled: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._tokens = float(self.burst)

    def take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.per_s)
        self._filled = now
        if self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        return True


@dataclass(slots=True)
class Faults:
    """What is wrong with the cloud now."""

    latency_ms: int = 0
    writes: Callable[[str, str], Refusal | None] = lambda _table, _prefix: None
    """Answer to a write of a table and prefix, DryRun included."""
    reads: Refusal | None = None
    refused_actions: dict[str, Refusal] = field(default_factory=dict)
    bucket: Bucket | None = None
    """For writes."""
    broken_writes: bool = False
    broken_reads: bool = False
    stall_write: bool = False
    stall_reads: bool = False
    lose_answer: bool = False
    lag_ms: int = 0
    """How old what reads show may be."""
    stale: Callable[[], bool] = lambda: True
    """Whether the next read is a stale one, while there is a lag: reads may also regress."""
    page: int = 0
    """Tables a page; 0: all of them."""


class Dropped(Exception):
    """The connection ends here."""


@dataclass(slots=True)
class Request:
    """One request of the EC2 or STS query protocol."""

    action: str
    form: dict[str, str]

    @property
    def table(self) -> str:
        return self.form.get("RouteTableId", "")

    @property
    def prefix(self) -> str:
        keys = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
        return next((self.form[key] for key in keys if key in self.form), "")

    @property
    def dry(self) -> bool:
        return self.form.get("DryRun", "").lower() == "true"

    @property
    def writes(self) -> bool:
        return self.action in WRITES and not self.dry

    @property
    def target(self) -> str:
        return next((self.form[key] for key in TARGETS if key in self.form), "")


# --- one cloud --------------------------------------------------------------------------------------------


class Cloud:
    """A VPC with route tables, and the API to it."""

    def __init__(self, log: RequestLog, changed: Callable[[str], None], account: str = DEFAULT_ACCOUNT_ID):
        self.name = secrets.token_hex(6)
        self.account = account
        self.faults = Faults()
        self.actions: list[str] = []
        self.seen: list[Request] = []
        self._log, self._changed = log, changed
        self._stalled: list[tuple[threading.Event, list[bool]]] = []
        self.most = 0
        """Requests that were handled at the same time."""
        self._under_way = 0
        self._past: dict[str, list[tuple[float, dict[str, Route]]]] = {}
        """Of each table what stood since when, from the first change on that reads may be behind."""
        self._kinds = itertools.cycle(range(3))
        with _moto:
            self.backend = ec2_backends[account][REGION]
            self.vpc = self.backend.create_vpc("10.0.0.0/16")
            self.subnet = self.backend.create_subnet(self.vpc.id, "10.0.0.0/24", REGION + "a")

    def close(self) -> None:
        with _moto:
            for table in [one.id for one in self.backend.route_tables.values() if one.vpc_id == self.vpc.id]:
                del self.backend.route_tables[table]

    # --- what is there, by the platform's own means -------------------------------------------------------

    def table(self) -> str:
        with _moto:
            return str(self.backend.create_route_table(self.vpc.id).id)

    def associate(self, table: str) -> None:
        """Have the subnet use a table."""
        with _moto:
            self.backend.associate_route_table(table, subnet_id=self.subnet.id)

    def interface(self, *, checked: bool = False) -> str:
        with _moto:
            made = self.backend.create_network_interface(self.subnet, None)
            made.source_dest_check = checked
            return str(made.id)

    def instance(self) -> str:
        """An instance with one interface."""
        with _moto:
            image = next(iter(self.backend.describe_images())).id
            kwargs = {"subnet_id": self.subnet.id, "instance_type": "t3.micro", "security_group_ids": []}
            kwargs |= {"is_instance_type_default": True, "region_name": REGION}
            made = self.backend.run_instances(image, 1, b"", [], **kwargs).instances[0]
            for nic in made.nics.values():
                nic.source_dest_check = False
            return str(made.id)

    def interface_of(self, instance: str) -> str:
        return str(next(iter(self.backend.get_instance(instance).nics.values())).id)

    def attach(self, interface: str, instance: str) -> None:
        with _moto:
            self.backend.attach_network_interface(interface, instance, 1)

    def detach(self, interface: str) -> None:
        with _moto:
            nic = self.backend.get_network_interface(interface)
            self.backend.detach_network_interface(nic.attachment_id)
            nic.instance = None

    def kill(self, target: str) -> None:
        """Routes to this target are blackholes from now on."""
        _dead.add(target)

    def prefix_list(self, *networks: str) -> str:
        with _moto:
            entries = [{"Cidr": one} for one in networks]
            made = self.backend.create_managed_prefix_list(
                address_family="IPv4", entry=entries, max_entries="10", prefix_list_name="l", tags={}
            )
            return str(made.id)

    def routes(self, table: str) -> list[Route]:
        with _moto:
            return [copy.copy(one) for one in self._routes(table).values()]

    def target(self, table: str, prefix: str) -> str | None:
        """What the static route of a prefix points at."""
        found = [
            one for one in self.routes(table) if destination_of(one) == prefix and one.origin == "CreateRoute"
        ]
        return target_of(found[0]) if found else None

    def put(self, table: str, prefix: str, target: str, origin: str = "CreateRoute") -> None:
        """Write a route as somebody else would."""
        with _moto, self._changing(table):
            made = self._make(table, prefix, target)
            if origin != "CreateRoute":
                made._origin = origin  # type: ignore[attr-defined]
                self._routes(table)[f"{table}~{prefix}~{origin}"] = made
            else:
                self._routes(table)[f"{table}~{prefix}"] = made

    def drop(self, table: str, prefix: str) -> None:
        with _moto, self._changing(table):
            self._routes(table).pop(f"{table}~{prefix}", None)

    def remove_table(self, table: str) -> None:
        with _moto:
            self.backend.route_tables.pop(table, None)

    def _routes(self, table: str) -> dict[str, Route]:
        held: RouteTable | None = self.backend.route_tables.get(table)
        return held._routes if held else {}

    def _make(self, table: str, prefix: str, target: str) -> Route:
        return Route(
            self.backend.get_route_table(table),
            prefix if "." in prefix else None,
            prefix if ":" in prefix else None,
            self.backend.managed_prefix_lists.get(prefix),
            **_moto_target(self.backend, target),
        )

    # --- faults ---------------------------------------------------------------------------------------------

    def heal(self) -> None:
        self.faults = Faults()
        self._past.clear()
        self._end_stalls(land=False)

    def release(self) -> None:
        self._end_stalls(land=True)

    @property
    def busy(self) -> bool:
        return self._under_way > 0

    def _end_stalls(self, *, land: bool) -> None:
        stalled, self._stalled = self._stalled, []
        for ended, verdict in stalled:
            verdict.append(land)
            ended.set()

    def _stall(self) -> None:
        ended, verdict = threading.Event(), list[bool]()
        self._stalled.append((ended, verdict))
        if not ended.wait(30) or not verdict[0]:
            raise Dropped

    @contextlib.contextmanager
    def _changing(self, table: str) -> Iterator[None]:
        """Remember what stood before a change and after it, for reads that are behind; then tell of it."""
        if self.faults.lag_ms and table not in self._past:
            self._past[table] = [(0.0, self._copy(table))]
        yield
        if table in self._past:
            self._past[table].append((time.monotonic(), self._copy(table)))
        self._changed(table)

    def _copy(self, table: str) -> dict[str, Route]:
        return {key: copy.copy(one) for key, one in self._routes(table).items()}

    # --- the server's side ----------------------------------------------------------------------------------

    def handle(self, request: Request, forward: Callable[[], Answer]) -> Answer:
        self.actions.append(request.action)
        self.seen.append(request)
        entered = (
            self._log.write(request.table, request.prefix)
            if request.writes
            else self._log.read(request.table)
            if request.action != "AssumeRole"
            else contextlib.nullcontext()
        )
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            with entered:
                return self._faulty(request, forward)
        finally:
            self._under_way -= 1

    def _faulty(self, request: Request, forward: Callable[[], Answer]) -> Answer:
        faults = self.faults
        time.sleep(faults.latency_ms / 1000)
        if request.writes and faults.stall_write:
            faults.stall_write = False
            self._stall()
        if not request.writes and faults.stall_reads:
            self._stall()
        if faults.broken_writes if request.writes else faults.broken_reads:
            return self._nonsense()
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal.answer()
        answer = self._write(request, forward) if request.writes else self._read(request, forward)
        if request.writes and faults.lose_answer:
            faults.lose_answer = False
            raise Dropped
        return answer

    def _nonsense(self) -> Answer:
        kind = next(self._kinds)
        if kind == 0:
            return "200 OK", [("Content-Type", "text/xml")], b"<not quite"
        if kind == 1:
            raise Dropped
        return Refusal("InternalError", "An internal error", "500 Internal Server Error").answer()

    def _refusal(self, request: Request) -> Refusal | None:
        if request.action in WRITES:
            found = self.faults.writes(request.table, request.prefix)
            if found is None and request.dry:
                found = Refusal("DryRunOperation", "Request would have succeeded", "412 Precondition Failed")
            bucket = self.faults.bucket
            if found is None and bucket is not None and not bucket.take():
                found = Refusal("RequestLimitExceeded", "Request limit exceeded.", "503 Service Unavailable")
            return found or self._mended(request)
        return self.faults.refused_actions.get(request.action) or self.faults.reads

    def _mended(self, request: Request) -> Refusal | None:
        """What moto does not look at."""
        stands = f"{request.table}~{request.prefix}" in self._routes(request.table)
        if request.action == "CreateRoute" and stands:
            return Refusal("RouteAlreadyExists", f"The route identified by {request.prefix} already exists.")
        if request.action == "ReplaceRoute" and not stands and request.table in self.backend.route_tables:
            text = f"There is no route defined for '{request.prefix}' in the route table."
            return Refusal("InvalidParameterValue", text)
        if request.target.startswith("i-") and len(self.backend.get_instance(request.target).nics) != 1:
            return Refusal("InvalidInstanceID", "There are multiple interfaces attached to instance")
        return None

    def _write(self, request: Request, forward: Callable[[], Answer]) -> Answer:
        with _moto, self._changing(request.table):
            answer = forward()
            if answer[0].startswith("200"):
                self._repair(request)
            return answer

    def _repair(self, request: Request) -> None:
        """Put a prefix list's route where moto loses it."""
        if request.prefix.startswith("pl-"):
            routes = self._routes(request.table)
            made = self._make(request.table, request.prefix, request.target)
            for key in [key for key, one in routes.items() if destination_of(one) == "None"]:
                del routes[key]
            routes[f"{request.table}~{request.prefix}"] = made

    def _read(self, request: Request, forward: Callable[[], Answer]) -> Answer:
        with _moto, self._as_it_was():
            answer = forward()
        if request.action == "DescribeRouteTables" and self.faults.page:
            return _paged(answer, self.faults.page, request.form)
        return answer

    @contextlib.contextmanager
    def _as_it_was(self) -> Iterator[None]:
        then = time.monotonic() - self.faults.lag_ms / 1000
        stale = {
            table: next(routes for since, routes in reversed(past) if since <= then)
            for table, past in self._past.items()
            if self.faults.lag_ms and table in self.backend.route_tables
        }
        if not stale or not self.faults.stale():
            yield
            return
        held = {table: self.backend.route_tables[table]._routes for table in stale}
        try:
            for table, past in stale.items():
                self.backend.route_tables[table]._routes = past
            yield
        finally:
            for table, routes in held.items():
                self.backend.route_tables[table]._routes = routes


def _moto_target(backend: Any, target: str) -> dict[str, Any]:
    kind = target.partition("-")[0]
    if kind == "eni":
        return {"interface": backend.get_network_interface(target)}
    if kind == "i":
        return {"instance": backend.get_instance(target)}
    if kind in {"igw", "vgw"}:
        return {"gateway": Named(target)}
    return {"transit_gateway": Named(target)}


@dataclass(frozen=True, slots=True)
class Named:
    """A target of which moto needs the id alone."""

    id: str


def _paged(answer: Answer, size: int, form: dict[str, str]) -> Answer:
    """Cut an answer into pages, tables as a whole."""
    status, headers, body = answer
    text = body.decode()
    match = re.search(r"<routeTableSet>(.*)</routeTableSet>", text, re.DOTALL)
    if match is None:
        return answer
    items = list(_items(match.group(1)))
    start = int(form.get("NextToken", "0"))
    token = f"<nextToken>{start + size}</nextToken>" if start + size < len(items) else ""
    page = "".join(items[start : start + size])
    text = f"{text[: match.start()]}<routeTableSet>{page}</routeTableSet>{token}{text[match.end() :]}"
    return status, [one for one in headers if one[0].lower() != "content-length"], text.encode()


def _items(text: str) -> Iterator[str]:
    """Yield the outermost items."""
    depth, begin = 0, 0
    for tag in re.finditer(r"<(/?)item>", text):
        if not tag.group(1):
            begin = tag.start() if depth == 0 else begin
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                yield text[begin : tag.end()]


# --- the server -------------------------------------------------------------------------------------------


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # head and body are two packets: the second would wait for an acknowledgement
    )

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        pass


class Server:
    """All clouds of a test run behind one socket of loopback."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._clouds: dict[str, Cloud] = {}
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self, threaded=True, request_handler=_Quiet
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextlib.contextmanager
    def serving(self, cloud: Cloud) -> Iterator[str]:
        """Serve a cloud; yields its endpoint."""
        self._clouds[cloud.name] = cloud
        try:
            yield f"http://127.0.0.1:{self._server.server_port}/{cloud.name}"
        finally:
            cloud.heal()
            del self._clouds[cloud.name]
            cloud.close()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        name = environ["PATH_INFO"].strip("/").partition("/")[0]
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        request = Request(form.get("Action", ""), form)
        cloud = self._clouds.get(name)
        try:
            status, headers, answer = _answered(cloud, request, lambda: self._forward(environ, body))
        except Dropped:
            _cut(environ["werkzeug.socket"])
            status, headers, answer = "500 Dropped", [], b""
        length = [("Content-Length", str(len(answer)))]
        start_response(status, [one for one in headers if one[0].lower() != "content-length"] + length)
        return [answer]

    def _forward(self, environ: dict[str, Any], body: bytes) -> Answer:
        """Ask moto."""
        told: list[Any] = []
        inner = {**environ, "PATH_INFO": "/", "wsgi.input": BytesIO(body), "REQUEST_URI": "/", "RAW_URI": "/"}
        parts = self._moto(inner, lambda status, headers, _info=None: told.extend((status, headers)))
        answer = b"".join(parts)
        return told[0], list(told[1]), answer


def _answered(cloud: Cloud | None, request: Request, forward: Callable[[], Answer]) -> Answer:
    if cloud is None:
        raise Dropped
    return cloud.handle(request, forward)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
