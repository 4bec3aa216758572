"""WireGuard in the kernel, over generic netlink (linux/wireguard.h, linux/genetlink.h).

``WG_CMD_GET_DEVICE`` is a dump of one device: its peers come over several messages, and one with many
allowed-ips is continued in the next message with only its public key and further allowed-ips. The answer
contains the private key and the preshared keys (attributes 3 of the device and 2 of a peer): they are passed
over here.
"""

from __future__ import annotations

import base64
import errno
import socket
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from wgfo_linux.probes.netlink import Message, attribute, attributes, dump, get, number
from wgfo_linux.probes.wireguard.device import NANOSECONDS, Device, NotFoundHere, Peer, ReadFailed

NETLINK_GENERIC: Final = 16
GENL_ID_CTRL: Final = 16
CTRL_CMD_GETFAMILY: Final = 3
CTRL_ATTR_FAMILY_ID: Final = 1
CTRL_ATTR_FAMILY_NAME: Final = 2

FAMILY: Final = b"wireguard\0"
WG_CMD_GET_DEVICE: Final = 0
WGDEVICE_A_IFNAME: Final = 2
WGDEVICE_A_PEERS: Final = 8
WGPEER_A_PUBLIC_KEY: Final = 1
WGPEER_A_LAST_HANDSHAKE_TIME: Final = 6
WGPEER_A_RX_BYTES: Final = 7
WGPEER_A_TX_BYTES: Final = 8
WGPEER_A_ALLOWEDIPS: Final = 9
WGALLOWEDIP_A_FAMILY: Final = 1
WGALLOWEDIP_A_IPADDR: Final = 2
WGALLOWEDIP_A_CIDR_MASK: Final = 3

_GENL: Final = struct.Struct("=BBxx")
_TIMESPEC: Final = struct.Struct("=qq")
_KEY_BYTES: Final = 32


async def read(name: str) -> Device:
    """Read a kernel WireGuard interface.

    Raises:
        NotFoundHere: the kernel has no WireGuard, or the interface is none of its.
        ReadFailed: it may not be read, or the answer is malformed.
    """
    try:
        family = await _find_family()
        request = _GENL.pack(WG_CMD_GET_DEVICE, 1) + attribute(WGDEVICE_A_IFNAME, name.encode() + b"\0")
        return parse_device(name, await dump(NETLINK_GENERIC, family, request))
    except OSError as error:
        raise _translate(error) from None
    except ValueError as error:
        raise ReadFailed(f"its answer over netlink is malformed: {error}") from None


async def _find_family() -> int:
    """Ask for WireGuard's number in generic netlink; the kernel loads the module for it if it can."""
    request = _GENL.pack(CTRL_CMD_GETFAMILY, 1) + attribute(CTRL_ATTR_FAMILY_NAME, FAMILY)
    for message in await get(NETLINK_GENERIC, GENL_ID_CTRL, request):
        for kind, value in attributes(message.body[_GENL.size :]):
            if kind == CTRL_ATTR_FAMILY_ID:
                return number(value)
    raise ValueError("the family wireguard has no number")


def _translate(error: OSError) -> NotFoundHere | ReadFailed:
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
        return NotFoundHere()
    if error.errno in (errno.EPERM, errno.EACCES):
        return ReadFailed("netlink does not permit it: the process needs CAP_NET_ADMIN")
    if isinstance(error, TimeoutError):
        return ReadFailed("netlink gave no answer within a second")
    return ReadFailed(f"netlink failed: {error.strerror or error}")


def parse_device(name: str, answer: Iterable[Message]) -> Device:
    """Put the messages of one dump together.

    Raises:
        ValueError: they are malformed.
    """
    peers: list[Peer] = []
    for message in answer:
        for kind, value in attributes(message.body[_GENL.size :]):
            if kind == WGDEVICE_A_PEERS:
                for _index, nested in attributes(value):
                    _add(peers, _parse_peer(nested))
    return Device(name, tuple(peers))


def _add(peers: list[Peer], peer: Peer) -> None:
    """Append a peer, or the further allowed-ips of the one before."""
    if peers and peers[-1].public_key == peer.public_key:
        peers[-1] = replace(peers[-1], allowed_ips=peers[-1].allowed_ips + peer.allowed_ips)
    else:
        peers.append(peer)


def _parse_peer(nested: memoryview) -> Peer:
    fields = {kind: value for kind, value in attributes(nested) if kind in _WANTED}
    key = fields.get(WGPEER_A_PUBLIC_KEY)
    if key is None or len(key) != _KEY_BYTES:
        raise ValueError("a peer without its public key")
    return Peer(
        public_key=base64.b64encode(key).decode(),
        allowed_ips=_parse_allowed_ips(fields.get(WGPEER_A_ALLOWEDIPS, _NOTHING)),
        stamp=_parse_stamp(fields.get(WGPEER_A_LAST_HANDSHAKE_TIME, _NOTHING)),
        received_bytes=number(fields.get(WGPEER_A_RX_BYTES, _NOTHING)),
        sent_bytes=number(fields.get(WGPEER_A_TX_BYTES, _NOTHING)),
    )


def _parse_stamp(value: memoryview) -> int:
    if not value:
        return 0
    if len(value) != _TIMESPEC.size:
        raise ValueError(f"a time of {len(value)} bytes")
    seconds, nanoseconds = _TIMESPEC.unpack(value)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def _parse_allowed_ips(value: memoryview) -> tuple[str, ...]:
    return tuple(_parse_allowed_ip(nested) for _index, nested in attributes(value))


def _parse_allowed_ip(nested: memoryview) -> str:
    fields = dict(attributes(nested))
    try:
        family = number(fields[WGALLOWEDIP_A_FAMILY])
        address = socket.inet_ntop(family, fields[WGALLOWEDIP_A_IPADDR])
        length = number(fields[WGALLOWEDIP_A_CIDR_MASK])
    except (KeyError, OSError) as error:
        raise ValueError("allowed-ips that cannot be read") from error
    if length > len(fields[WGALLOWEDIP_A_IPADDR]) * 8:
        raise ValueError(f"allowed-ips with a mask of {length} bits")
    return f"{address}/{length}"


_NOTHING: Final = memoryview(b"")
_WANTED: Final = frozenset(
    {
        WGPEER_A_PUBLIC_KEY,
        WGPEER_A_LAST_HANDSHAKE_TIME,
        WGPEER_A_RX_BYTES,
        WGPEER_A_TX_BYTES,
        WGPEER_A_ALLOWEDIPS,
    }
)
