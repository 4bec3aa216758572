"""ICMP echo packets (RFC 792, RFC 4443): made and read; pure, no sockets.

The data begins with a random cookie of 64 bits and the time of sending: a reply counts only if address, id,
sequence number and cookie are those of an outstanding request, so neither another program's ping nor a late
reply of an earlier round, nor one after the sequence has come round, is taken for ours.

The *size* of a probe is that of the inner IP packet, header included, as an MTU is.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("!BBHHH")
_STAMP: Final = struct.Struct("!Qq")
_REQUEST: Final[dict[int, int]] = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY: Final[dict[int, int]] = {socket.AF_INET: 0, socket.AF_INET6: 129}
_IP_HEADER: Final[dict[int, int]] = {socket.AF_INET: 20, socket.AF_INET6: 40}
_ICMP_PROTOCOL: Final = 1
_OVERHEAD: Final = _HEADER.size + _STAMP.size
MIN_SIZE: Final = _IP_HEADER[socket.AF_INET6] + _OVERHEAD
"""64 bytes: the larger IP header, the ICMP header, and the cookie with the time of sending."""


@dataclass(frozen=True, slots=True)
class Echo:
    """What identifies a request, and comes back in its reply."""

    ident: int
    seq: int
    cookie: int
    sent_us: int


def build_request(family: int, echo: Echo, size: int) -> bytes:
    """Return an echo request whose IP packet will have ``size`` bytes (at least :data:`MIN_SIZE`).

    The checksum is left out for IPv6, where the kernel adds it: it covers the source address.
    """
    assert size >= MIN_SIZE, size
    data = _STAMP.pack(echo.cookie, echo.sent_us)
    padding = bytes(size - _IP_HEADER[family] - _OVERHEAD)
    head = _HEADER.pack(_REQUEST[family], 0, 0, echo.ident, echo.seq)
    if family == socket.AF_INET:  # zeros add nothing to the sum
        head = head[:2] + internet_checksum(head + data).to_bytes(2, "big") + head[4:]
    return head + data + padding


def internet_checksum(data: bytes) -> int:
    """Return the ones' complement sum of RFC 1071 over an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def parse_reply(family: int, data: bytes, *, with_ip_header: bool) -> Echo | None:
    """Read an echo reply; None for anything else, however malformed.

    Args:
        family: ``AF_INET`` or ``AF_INET6``.
        data: what the socket gave, possibly cut off after the cookie.
        with_ip_header: whether an IPv4 header comes first, as raw IPv4 sockets give it.
    """
    start = _header_length(data) if with_ip_header else 0
    if start < 0 or len(data) < start + _OVERHEAD:
        return None
    kind, code, _sum, ident, seq = _HEADER.unpack_from(data, start)
    if kind != _REPLY[family] or code:
        return None
    cookie, sent_us = _STAMP.unpack_from(data, start + _HEADER.size)
    return Echo(ident, seq, cookie, sent_us)


def _header_length(data: bytes) -> int:
    """Length of the IPv4 header in front of an ICMP message, or -1."""
    minimum = _IP_HEADER[socket.AF_INET]
    if len(data) < minimum or data[0] >> 4 != 4 or data[9] != _ICMP_PROTOCOL:  # noqa: PLR2004 - version 4
        return -1
    length = (data[0] & 0x0F) * 4
    return length if length >= minimum else -1


def parse_quoted_request(family: int, data: bytes) -> tuple[int, int] | None:
    """Return (id, sequence) of our request as an ICMP error quotes it (8 bytes are enough), or None."""
    if len(data) < _HEADER.size:
        return None
    kind, _code, _sum, ident, seq = _HEADER.unpack_from(data)
    return (ident, seq) if kind == _REQUEST[family] else None
