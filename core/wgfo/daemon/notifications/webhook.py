"""A URL that gets the message by POST. URL and token are secrets: no text that leaves this module bears them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from wgfo.daemon.notifications.aside import Aside, StillBusy
from wgfo.daemon.notifications.channel import NotDelivered

_AGAIN: Final = frozenset({408, 425, 429})
_FIRST_ERROR: Final = 300
_SERVER_ERROR: Final = 500
MOST_SECRET: Final = 8192
"""Bytes of a file with a secret; a longer one is no secret."""


class Webhook:
    """POSTs JSON, over a connection of its own each time; redirects are not followed, proxies not used.

    Args:
        url: where to; None: it stands in ``url_file``.
        url_file: read at each message, as is ``token_file``: a secret can be renewed without a reload.
        token_file: holds a bearer token.
    """

    kind = "webhook"

    def __init__(self, url: str | None, url_file: Path | None, token_file: Path | None) -> None:
        assert (url is None) != (url_file is None)
        self._url = url
        self._url_file = url_file
        self._token_file = token_file
        self._files = Aside()
        self._resolver = _Resolver()
        self.name = f"webhook {urlsplit(url).hostname}" if url else f"webhook of {url_file}"

    async def deliver(self, body: bytes) -> None:
        """Send it; any 2xx is delivered."""
        try:
            url = self._url or await self._secret(self._url_file)
            token = await self._secret(self._token_file) if self._token_file is not None else ""
            status = await self._post(url, token, body)
        except StillBusy:
            raise NotDelivered("an earlier look-up or read still hangs", again=True) from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
            raise NotDelivered("what is given is no http:// or https:// URL", again=False) from None
        except aiohttp.ClientConnectorCertificateError:
            raise NotDelivered("its certificate is not accepted", again=False) from None
        except aiohttp.ClientConnectorDNSError:
            raise NotDelivered("its name is not resolved", again=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise NotDelivered(_said(error), again=True) from None
        if not 200 <= status < _FIRST_ERROR:  # noqa: PLR2004 - RFC 9110, 15.3: successful
            raise NotDelivered(f"HTTP status {status}", again=status >= _SERVER_ERROR or status in _AGAIN)

    async def _secret(self, path: Path | None) -> str:
        assert path is not None
        try:
            raw = await self._files.call(lambda: _head_of(path))
        except OSError as error:
            raise NotDelivered(f"{path} cannot be read: {error.strerror}", again=True) from None
        text = raw.decode("ascii", errors="replace").strip()
        if not text or len(raw) > MOST_SECRET or not text.isprintable() or "\ufffd" in text or " " in text:
            raise NotDelivered(f"{path} must hold one line of ASCII without blanks", again=False)
        return text

    async def _post(self, url: str, token: str, body: bytes) -> int:
        headers = {"Content-Type": "application/json", "User-Agent": "wgfo"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connector = aiohttp.TCPConnector(force_close=True, resolver=self._resolver, use_dns_cache=False)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_SECRET + 1)


def _said(error: aiohttp.ClientError | OSError) -> str:
    """Never the error's own text: it may hold the URL."""
    reason = error.strerror if isinstance(error, OSError) else None
    return f"no answer: {reason or type(error).__name__}"


class _Resolver(AbstractResolver):
    """The system's resolver, aside."""

    def __init__(self) -> None:
        self._aside = Aside()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._aside.call(
            lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, _, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is open."""
