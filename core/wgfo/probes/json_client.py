"""Asks others for JSON over HTTP: bounded in time and size, by the system's own routes, without a proxy."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import aiohttp

from wgfo.probes.http_client import Resolver

MOST_BYTES: Final = 4 << 20


class NoAnswer(Exception):
    """There is no usable answer; the text says why, in a few words without the address asked."""


class JsonClient:
    """GET requests that want a JSON object; owned by one probe, used from one event loop.

    Args:
        timeout_us: for a whole exchange, resolving included.
        authorization: the header to send; empty for none.
        tls_verify: certificates are verified.
    """

    def __init__(self, timeout_us: int, authorization: str = "", *, tls_verify: bool = True) -> None:
        self._timeout_s = timeout_us / 1_000_000
        headers = {"User-Agent": "wgfo", "Accept": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        self._resolver = Resolver()
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            ssl=True if tls_verify else False,  # noqa: SIM210 - aiohttp's True means "verify as usual"
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._session.close()
        await self._resolver.close()

    async def get(self, url: str, query: dict[str, str] | None = None) -> dict[str, object]:
        """Return the object that ``url`` answers with status 200.

        Raises:
            NoAnswer: anything else came, or nothing in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(url, query or {})
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(_why(error)) from None

    async def _exchange(self, url: str, query: dict[str, str]) -> dict[str, object]:
        async with self._session.get(url, params=query, allow_redirects=False) as response:
            body = await _read(response)
            if response.status != 200:  # noqa: PLR2004 - HTTP's word for yes
                raise NoAnswer(f"status {response.status}{_hint(response.status, body)}")
        try:
            found = json.loads(body)
        except ValueError:
            raise NoAnswer("the answer is no JSON") from None
        if not isinstance(found, dict):
            raise NoAnswer("the answer is no JSON object")
        return found


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise NoAnswer(f"the answer is larger than {MOST_BYTES} bytes")
    return bytes(body)


def _hint(status: int, body: bytes) -> str:
    """Add what the other side says, if it says it as Prometheus and wgfo do."""
    if status in (401, 403):
        return ": the token or password is not accepted"
    try:
        said = json.loads(body)
        return f": {str(said['error'])[:200]}"
    except (ValueError, KeyError, TypeError):
        return ""


def _why(error: aiohttp.ClientError | OSError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not accepted"
    if isinstance(error, OSError) and error.strerror:
        return f"unreachable: {error.strerror}"
    return f"unreachable: {type(error).__name__}"
