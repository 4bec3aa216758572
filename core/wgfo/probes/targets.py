"""What a probe's target may look like, and which address it is through a path.

A host is an IP address, or a name that the path's ``targets`` give an address to. DNS is used by ``http``
alone, for names that no path names: it is a second thing that can fail, and says nothing of the path.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from wgfo.model import PathView

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?!\d+\Z){_LABEL}")
"""No name ends in a label of digits alone: ``10.20.1.300`` is a mistyped address, not a name."""
_MAX_PORT: Final = 65535
AT: Final = " at "
"""Stands in a resolved URL between the URL as written and the address to connect to; no URL has a space."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a family, ready for the socket calls."""

    family: socket.AddressFamily
    host: str
    """As the kernel writes it, without a zone."""
    zone: str = ""

    def sockaddr(self, port: int = 0) -> tuple[str, int] | tuple[str, int, int, int]:
        """Return what ``connect`` and ``sendto`` take; ``OSError`` where the zone's device is missing."""
        if self.family == socket.AF_INET:
            return (self.host, port)
        return (self.host, port, 0, socket.if_nametoindex(self.zone) if self.zone else 0)


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint of a literal address; ``ValueError`` says what is accepted."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address such as 10.20.1.10 or fd00::10") from None
    if isinstance(address, ipaddress.IPv4Address):
        return Endpoint(socket.AF_INET, str(address))
    return Endpoint(
        socket.AF_INET6, socket.inet_ntop(socket.AF_INET6, address.packed), address.scope_id or ""
    )


def parse_host(text: str) -> str:
    """Check a target that is a host, and return it canonical; ``ValueError`` says what is accepted."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if _NAME.fullmatch(text):
            return text
    raise ValueError(
        f"target {text!r} is neither an IP address such as 10.20.1.10 nor the name of a target such as db"
    )


def resolve_host(text: str, path: PathView) -> str:
    """Return the address of a host target through ``path``.

    Raises:
        ValueError: a name to which this path gives no address; says where to give it.
    """
    address = path.targets.get(text, text)
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise ValueError(_no_address(text, address, path)) from None


def _no_address(name: str, found: str, path: PathView) -> str:
    known = ", ".join(sorted(path.targets)) or "none"
    what = "has no address" if found == name else f"is {found!r}, which is no address,"
    return (
        f"target {name!r} {what} through path {path.name!r} of group {path.group!r} (named there: {known}); "
        f'use an IP address, or give the path targets = {{ {name} = "ADDRESS" }}'
    )


# --- host:port --------------------------------------------------------------------------------------------


def split_host_port(text: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[v6]:port``; ``ValueError`` says what is accepted."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isascii() or not port.isdigit() or (":" in host and not bracketed):
        raise ValueError(_no_host_port(text))
    if not 1 <= int(port) <= _MAX_PORT:
        raise ValueError(f"port {port} of target {text!r} is not in 1 to {_MAX_PORT}")
    return (host[1:-1] if bracketed else host), int(port)


def _no_host_port(text: str) -> str:
    return f"target {text!r} is not host:port such as 10.20.1.10:443, db:443 or [fd00::10]:443"


def join_host_port(host: str, port: int) -> str:
    """Put an address and a port together; the inverse of :func:`split_host_port`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_host_port(text: str) -> str:
    """Check a ``host:port`` target, and return it canonical."""
    host, port = split_host_port(text)
    return join_host_port(parse_host(host), port)


def resolve_host_port(text: str, path: PathView) -> str:
    """Return the address and port of a target through ``path``; ``ValueError`` as :func:`resolve_host`."""
    host, port = split_host_port(text)
    return join_host_port(resolve_host(host, path), port)


# --- URLs -------------------------------------------------------------------------------------------------


def parse_url(text: str) -> str:
    """Check a URL target and return it as it is; ``ValueError`` says what is accepted."""
    if not text.isascii() or any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError(f"target {text!r} has characters that no URL may have; percent-encode them")
    parts = _split_url(text)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a target URL carries a user or password: secrets never stand in targets; remove it")
    if parts.fragment:
        raise ValueError(f"target {text!r} has a fragment, which is never sent; remove #{parts.fragment}")
    parse_host(parts.hostname or "")
    return text


def _split_url(text: str) -> SplitResult:
    accepted = "such as https://db/health or http://10.20.1.10:8080/"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"target {text!r} is not a URL {accepted}: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(f"target {text!r} is not a URL {accepted}")
    return parts


def resolve_url(text: str, path: PathView) -> str:
    """Return ``URL at ADDRESS`` where the path gives the host's name an address, else the URL.

    The Host header and the name in TLS stay the URL's: only the connection goes to the address.
    """
    name = _split_url(text).hostname or ""
    known = next((key for key in path.targets if key.lower() == name), None)
    return text if known is None else f"{text}{AT}{resolve_host(known, path)}"


def split_resolved_url(text: str) -> tuple[str, str | None]:
    """Split what :func:`resolve_url` returned into the URL and the address, None where it has none."""
    url, at, address = text.partition(AT)
    return url, address if at else None
