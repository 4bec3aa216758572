"""Netlink from the event loop: one request and its whole answer, and the walk over messages and attributes.

Small on purpose: the probes need four requests (a link, its IPv4 settings, a route, a WireGuard device) and
two kinds of event, one of which (``RTM_NEWNETCONF``) pyroute2 does not know; and pyroute2 decodes WireGuard's
private keys, which are never to exist here as values.

A netlink socket belongs to the network namespace of the thread that makes it, whatever that thread does
later. Layouts are those of linux/netlink.h and linux/rtnetlink.h; all numbers are in the host's byte order.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST: Final = 0x1
NLM_F_ACK: Final = 0x4
NLM_F_DUMP: Final = 0x300
NLM_F_DUMP_INTR: Final = 0x10
NLA_TYPE_MASK: Final = 0x3FFF
"""The two high bits of an attribute's type are flags (nested, network byte order)."""

TIMEOUT_S: Final = 1.0
RECEIVE_BYTES: Final = 64 * 1024
"""Above what the kernel puts into one datagram: it cuts dumps at 32 KiB."""
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
DUMP_TRIES: Final = 3

_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_ERRNO: Final = struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message without its header. The body may hold keys and is not shown."""

    kind: int
    flags: int
    body: memoryview = field(repr=False)


def messages(data: bytes) -> Iterator[Message]:
    """Walk over the messages of one datagram.

    Raises:
        ValueError: a length points outside the datagram.
    """
    view, at = memoryview(data), 0
    while at + _HEADER.size <= len(view):
        length, kind, flags, _sequence, _port = _HEADER.unpack_from(view, at)
        if not _HEADER.size <= length <= len(view) - at:
            raise ValueError(f"a netlink message of {length} bytes in {len(view) - at}")
        yield Message(kind, flags, view[at + _HEADER.size : at + length])
        at += _aligned(length)


def attributes(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Walk over a run of attributes: type without its flags, and value.

    Raises:
        ValueError: a length points outside the run.
    """
    at = 0
    while at + _ATTRIBUTE.size <= len(view):
        length, kind = _ATTRIBUTE.unpack_from(view, at)
        if not _ATTRIBUTE.size <= length <= len(view) - at:
            raise ValueError(f"a netlink attribute of {length} bytes in {len(view) - at}")
        yield kind & NLA_TYPE_MASK, view[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def attribute(kind: int, value: bytes) -> bytes:
    """Pack one attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def text(value: memoryview) -> str:
    """Decode a NUL-terminated string such as an interface's name."""
    return bytes(value).rstrip(b"\0").decode(errors="surrogateescape")


def number(value: memoryview) -> int:
    """Decode an unsigned integer of whatever width the attribute has."""
    return int.from_bytes(value, byteorder=_BYTE_ORDER)


def open_socket(protocol: int, groups: int = 0) -> socket.socket:
    """Make a non-blocking socket that receives the events of the multicast ``groups`` (a bit mask)."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    try:
        made.bind((0, groups))
    except OSError:
        made.close()
        raise
    return made


async def get(protocol: int, kind: int, body: bytes) -> list[Message]:
    """Send one request for one object and return its answer.

    Raises:
        OSError: the kernel's answer (``ENODEV``, ``EPERM``, …), or ``TimeoutError`` after a second.
        ValueError: the answer is malformed.
    """
    return await _converse(protocol, kind, NLM_F_REQUEST | NLM_F_ACK, body)


async def dump(protocol: int, kind: int, body: bytes) -> list[Message]:
    """Send one request for many objects; a dump that a change interrupted is asked for again.

    Raises:
        OSError: as :func:`get`; ``EINTR`` when every try was interrupted.
        ValueError: the answer is malformed.
    """
    for _ in range(DUMP_TRIES):
        found = await _converse(protocol, kind, NLM_F_REQUEST | NLM_F_DUMP, body)
        if not any(message.flags & NLM_F_DUMP_INTR for message in found):
            return found
    raise InterruptedError(errno.EINTR, "what is read keeps changing")


async def _converse(protocol: int, kind: int, flags: int, body: bytes) -> list[Message]:
    """Use a socket of its own for each request: no answer can be taken for that of an abandoned one."""
    request = _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body
    loop = asyncio.get_running_loop()
    with open_socket(protocol) as sock:
        async with asyncio.timeout(TIMEOUT_S):
            await loop.sock_sendall(sock, request)
            return await _answer(loop, sock)


async def _answer(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> list[Message]:
    found: list[Message] = []
    received = 0
    while received <= MAX_ANSWER_BYTES:
        data = await loop.sock_recv(sock, RECEIVE_BYTES)
        received += len(data)
        for message in messages(data):
            if message.kind in (NLMSG_ERROR, NLMSG_DONE):
                _raise_for(message)
                return found
            found.append(message)
    raise ValueError(f"a netlink answer of more than {MAX_ANSWER_BYTES} bytes")


def _raise_for(last: Message) -> None:
    """Raise what the last message of an answer says; 0 is success (linux/netlink.h, struct nlmsgerr)."""
    code = _ERRNO.unpack_from(last.body)[0] if len(last.body) >= _ERRNO.size else 0
    if code:
        raise OSError(-code, os.strerror(-code))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


_BYTE_ORDER: Final = "little" if struct.pack("=H", 1) == struct.pack("<H", 1) else "big"
