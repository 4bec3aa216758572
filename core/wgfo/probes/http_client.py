"""The HTTP client of the ``http`` probe: aiohttp over sockets that leave through one path.

Nothing is shared between requests: no connection, no cookie, no DNS answer; no proxy of the environment is
used, which would lead around the path.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from wgfo.model import Outcome, ProbeResult
from wgfo.probes.egress import Egress
from wgfo.probes.verdicts import of_error

_HEADERS: Final = {"User-Agent": "wgfo", "Accept": "*/*", "Accept-Encoding": "identity"}
"""No compression: ``min_bytes`` is about what crosses the path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, or as much of it as was asked for."""

    status: int
    body_bytes: int


class HttpClient:
    """GET requests that leave through ``egress``; owned by one probe, used from one event loop."""

    def __init__(self, egress: Egress, *, tls_verify: bool) -> None:
        self._egress = egress
        self._resolver = Resolver()
        connector = aiohttp.TCPConnector(
            force_close=True,
            limit=0,
            resolver=self._resolver,
            socket_factory=self._socket,
            ssl=True if tls_verify else False,  # noqa: SIM210 - aiohttp's True means "verify as usual"
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )

    async def aclose(self) -> None:
        """Close what is open and stop resolving."""
        await self._session.close()
        await self._resolver.close()

    def is_resolving(self, url: str) -> bool:
        """Whether the request for ``url`` still waits for DNS."""
        return urlsplit(url).hostname in self._resolver.under_way

    async def get(
        self, url: str, address: str | None, sent_us: int, read_at_most: int
    ) -> Answer | ProbeResult:
        """Request ``url``, at ``address`` if given; return the answer, or why there is none."""
        if address is not None:
            self._resolver.known[urlsplit(url).hostname or ""] = address
        try:
            return await self._exchange(url, read_at_most)
        except aiohttp.ClientConnectorDNSError:
            return ProbeResult(Outcome.UNKNOWN, sent_us, reason="name not resolved")
        except aiohttp.InvalidURL:
            return ProbeResult(Outcome.UNKNOWN, sent_us, reason="not a URL")
        except (aiohttp.ClientError, OSError) as error:
            return _explain(error, sent_us)

    async def _exchange(self, url: str, read_at_most: int) -> Answer:
        size = 0
        async with self._session.get(url, allow_redirects=False) as response:
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size >= read_at_most:
                    break
            return Answer(response.status, size)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        sock = socket.socket(*info[:3])
        try:
            sock.setblocking(False)
            self._egress.apply(sock)
        except OSError:
            sock.close()
            raise
        return sock


_LOST: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ClientConnectorCertificateError, "certificate not accepted"),
    (aiohttp.ClientSSLError, "TLS handshake failed"),
    (ssl.SSLError, "TLS handshake failed"),
    (aiohttp.ClientPayloadError, "body cut off"),
    (aiohttp.ServerDisconnectedError, "connection closed without an answer"),
)
"""The first that fits; some are kinds of ``OSError`` as well, whose number would say less."""


def _explain(error: aiohttp.ClientError | OSError, sent_us: int) -> ProbeResult:
    """Return what a failed request says of the path."""
    for kind, reason in _LOST:
        if isinstance(error, kind):
            return ProbeResult(Outcome.LOST, sent_us, reason=reason)
    if isinstance(error, OSError) and error.errno:
        return of_error(error, sent_us)
    # Several addresses of a name, each with an error of its own, carry no number.
    reason = "no connection" if isinstance(error, OSError) else "not an HTTP answer"
    return ProbeResult(Outcome.LOST, sent_us, reason=reason)


class Resolver(AbstractResolver):
    """Addresses that the path gives, else the system's resolver in two threads of its own.

    A resolver that hangs holds up these two, never the event loop or its default executor.
    """

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.under_way: set[str] = set()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="wgfo-resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return where a name leads."""
        known = self.known.get(host)
        if known is not None:
            return [_result(host, known, port)]
        self.under_way.add(host)
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            )
        finally:
            self.under_way.discard(host)
        return [_result(host, str(sockaddr[0]), port) for *_, sockaddr in found]

    async def close(self) -> None:
        """Wait for nobody any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)
