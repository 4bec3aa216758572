"""Real requests through real wires."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.probes.making import (
    BY_ADDRESS,
    LOST,
    OK,
    UNKNOWN,
    context,
    made,
    monotonic_us,
    opened,
    said,
    stalled,
)
from tests.probes.wires import TARGET, TARGET6, Wires, as_nobody
from tests.support.netns import sh
from wgfo.model import Bind, BindKind
from wgfo.plugin import ProbeError
from wgfo.probes.http import HttpOptions
from wgfo.probes.plugin import HTTP_OFFER as HTTP

pytestmark = pytest.mark.net

PORT = 8080
URL = f"http://{TARGET}:{PORT}"


@dataclass
class Site:
    """A web server behind both gateways, and what it was asked."""

    requests: list[web.Request] = field(default_factory=list)
    peers: list[object] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.peers.append(request.transport and request.transport.get_extra_info("peername"))
        what, _, number = request.path.strip("/").partition("/")
        if what == "status":
            return web.Response(status=int(number), headers={"Location": "/elsewhere"})
        if what == "bytes":
            return web.Response(body=b"x" * int(number))
        if what == "endless":
            return await self._endless(request)
        if what == "never":
            await asyncio.Event().wait()
        return web.Response(text="well")

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)


def listening(net: Wires, port: int = PORT) -> socket.socket:
    with net.server.entered():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)


@contextlib.asynccontextmanager
async def serving(net: Wires, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site = Site()
    runner = web.AppRunner(application(site), shutdown_timeout=0.01)
    await runner.setup()
    await web.SockSite(runner, listening(net), ssl_context=tls).start()
    try:
        yield site
    finally:
        await runner.cleanup()


def application(site: Site) -> web.Application:
    made = web.Application()
    made.router.add_route("*", "/{path:.*}", site.answer)
    return made


@contextlib.asynccontextmanager
async def talking(net: Wires, *said_bytes: bytes) -> AsyncIterator[None]:
    """A server that says these bytes, whatever it is asked, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # a TLS client never asks
            await reader.readuntil(b"\r\n\r\n")
            writer.writelines(said_bytes)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, sock=listening(net))
    async with server:
        yield


# --- reaching ---------------------------------------------------------------------------------------------


async def test_a_live_path_answers_over_ipv4_and_ipv6(net: Wires) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=1000)) as probe:
                results = await probe.round([f"{URL}/", f"http://[{TARGET6}]:{PORT}/"], 1000)
    assert [r.outcome for r in results] == [OK, OK]
    assert all(0 < r.rtt_us < 1_000_000 for r in results)


async def test_a_dead_path_is_lost_although_another_one_is_alive(net: Wires) -> None:
    net.cut(net.gate_a)
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa")) as dead, opened(HTTP, context("wb")) as alive:
                through_a, through_b = await asyncio.gather(dead.round([URL], 0), alive.round([URL], 0))
    assert said(through_a) == [(LOST, "no reply")]
    assert [r.outcome for r in through_b] == [OK]


async def test_a_proxy_of_the_environment_is_not_used(net: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://10.2.0.2:3128")
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa")) as probe:
                assert [r.outcome for r in await probe.round([URL], 0)] == [OK]


async def test_each_request_has_a_connection_of_its_own(net: Wires) -> None:
    async with serving(net) as site:
        with net.client.entered():
            async with opened(HTTP, context("wa")) as probe:
                for _ in range(3):
                    await probe.round([URL], 0)
    assert len({str(peer) for peer in site.peers}) == 3


async def test_a_missing_device_and_a_refusal_are_losses(net: Wires) -> None:
    with net.client.entered():
        async with opened(HTTP, context("nothere")) as probe:
            assert said(await probe.round([URL], 0)) == [(LOST, "no such device")]
        async with opened(HTTP, context("wa")) as probe:
            assert said(await probe.round([URL], 0)) == [(LOST, "refused")]


# --- judging ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "status", "good"),
    [
        ("200-399", 204, True),
        ("200-399", 404, False),
        (200, 200, True),
        (200, 204, False),
        ([200, "500-503"], 503, True),
        (["401"], 401, True),
    ],
)
async def test_the_status_decides(net: Wires, accepted: object, status: int, good: bool) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa"), status=accepted) as probe:
                results = await probe.round([f"{URL}/status/{status}"], 0)
    assert said(results) == [(OK, "") if good else (LOST, f"status {status}")]


async def test_a_redirect_is_an_answer_and_is_not_followed(net: Wires) -> None:
    async with serving(net) as site:
        with net.client.entered():
            async with opened(HTTP, context("wa")) as probe:
                assert said(await probe.round([f"{URL}/status/302"], 0)) == [(OK, "")]
    assert [request.path for request in site.requests] == ["/status/302"]


async def test_a_body_below_its_minimum_is_a_loss(net: Wires) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=2000), min_bytes=100_000) as probe:
                results = await probe.round([f"{URL}/bytes/100000", f"{URL}/bytes/99999"], 0)
    assert said(results) == [(OK, ""), (LOST, "body too short")]


async def test_an_endless_body_is_read_as_far_as_needed(net: Wires) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=5000)) as probe:
                before = monotonic_us()
                assert said(await probe.round([f"{URL}/endless"], 0)) == [(OK, "")]
                assert monotonic_us() - before < 4_000_000


async def test_a_server_that_never_answers_is_lost_at_the_deadline(net: Wires) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=200)) as probe:
                before = monotonic_us()
                assert said(await probe.round([f"{URL}/never"], 0)) == [(LOST, "no reply")]
                assert 200_000 <= monotonic_us() - before < 2_000_000


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "connection closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "body cut off"),
    ],
)
async def test_a_broken_answer_is_a_loss(net: Wires, answer: bytes, reason: str) -> None:
    async with talking(net, answer):
        with net.client.entered():
            async with opened(HTTP, context("wa")) as probe:
                assert said(await probe.round([URL], 0)) == [(LOST, reason)]


async def test_compression_does_not_shrink_what_crosses_the_path(net: Wires) -> None:
    async with serving(net) as site:
        with net.client.entered():
            async with opened(HTTP, context("wa")) as probe:
                await probe.round([URL], 0)
    assert site.requests[0].headers["Accept-Encoding"] == "identity"


# --- names and TLS ----------------------------------------------------------------------------------------


async def test_a_named_target_is_reached_at_its_address_under_its_name(net: Wires) -> None:
    async with serving(net) as site:
        with net.client.entered():
            async with opened(HTTP, context("wa")) as probe:
                target = f"http://db:{PORT}/x at {TARGET}"
                assert said(await probe.round([target], 0)) == [(OK, "")]
    assert site.requests[0].host == f"db:{PORT}"


async def test_a_name_that_dns_does_not_know_says_nothing_of_the_path(net: Wires) -> None:
    with net.client.entered():
        async with opened(HTTP, context("wa", timeout_ms=3000)) as probe:
            (result,) = await probe.round(["http://nowhere.invalid/"], 0)
    assert result.outcome is UNKNOWN
    assert result.reason.startswith("name not resolved")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for "db" that nobody has signed, with its key."""
    made = tmp_path / "db.pem"
    sh(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        str(made),
        "-out",
        str(tmp_path / "cert.pem"),
        "-days",
        "2",
        "-subj",
        "/CN=db",
        "-addext",
        "subjectAltName=DNS:db",
    )
    made.write_text(made.read_text() + (tmp_path / "cert.pem").read_text())
    return made


def tls_for(certificate: Path, on_name: Callable[[str | None], None]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    made.sni_callback = lambda _object, name, _context: on_name(name)
    return made


@pytest.mark.parametrize(
    ("tls_verify", "expected"), [(True, (LOST, "certificate not accepted")), (False, (OK, ""))]
)
async def test_a_certificate_is_verified_unless_told_otherwise(
    net: Wires, certificate: Path, tls_verify: bool, expected: object
) -> None:
    names: list[str | None] = []
    async with serving(net, tls_for(certificate, names.append)):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=3000), tls_verify=tls_verify) as probe:
                assert said(await probe.round([f"https://db:{PORT}/ at {TARGET}"], 0)) == [expected]
    assert names == ["db"]


async def test_plain_http_where_tls_was_expected_is_a_loss(net: Wires) -> None:
    async with talking(net, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=300)) as probe:
                (result,) = await probe.round([f"https://{TARGET}:{PORT}/"], 0)
    assert result.outcome is LOST


# --- time and rights --------------------------------------------------------------------------------------


async def test_a_request_under_way_survives_a_stall_beyond_its_deadline(net: Wires) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=100)) as probe:
                results = await stalled(probe.round([URL], 0), lambda: time.sleep(0.4), turns=2)
    assert said(results) == [(OK, "")]


async def test_a_stall_does_not_make_a_dead_path_good(net: Wires) -> None:
    net.cut(net.gate_a)
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=50)) as probe:
                results = await stalled(probe.round([URL], 0), lambda: time.sleep(0.15), turns=2)
    assert said(results) == [(LOST, "no reply")]


async def test_a_cancelled_round_leaves_nothing_behind(net: Wires) -> None:
    async with serving(net):
        with net.client.entered():
            async with opened(HTTP, context("wa", timeout_ms=5000)) as probe:
                running = asyncio.create_task(probe.round([f"{URL}/never"], 0))
                await asyncio.sleep(0.05)
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
                assert not [task for task in asyncio.all_tasks() if "HttpClient" in repr(task.get_coro())]


async def test_a_mark_without_the_right_to_set_it_is_an_error_that_says_so(net: Wires) -> None:
    with net.client.entered(), as_nobody():
        probe = made(HTTP, context(None, Bind(BindKind.MARK, 7)))
        with pytest.raises(ProbeError, match="marks need"):
            await probe.open()


async def test_no_route_is_a_loss(net: Wires) -> None:
    with net.client.entered():
        async with opened(HTTP, context(None, BY_ADDRESS)) as probe:
            assert said(await probe.round(["http://10.77.0.1/"], 0)) == [(LOST, "no route")]


@pytest.mark.parametrize("status", ["ok", "399-200", 42, 600, "200-", ["x"]])
def test_a_status_that_is_none_is_refused_with_what_is_accepted(status: object) -> None:
    with pytest.raises(ValidationError, match='is no status such as 200, range such as "200-399"'):
        HttpOptions(status=status)
