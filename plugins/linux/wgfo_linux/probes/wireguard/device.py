"""What wgfo takes from a WireGuard interface, and which of its peers is behind a path.

There is no field for a private or preshared key: the readers drop them where they parse, so that no log,
error or journal can ever hold one.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final

from wgfo.model import PathView
from wgfo.plugin import ProbeError

NANOSECONDS: Final = 1_000_000_000
SHOWN_PEERS: Final = 5
SHOWN_ALLOWED_IPS: Final = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of a WireGuard interface."""

    public_key: str
    """In base64, as ``wg`` shows it."""
    allowed_ips: tuple[str, ...] = ()
    stamp: int = 0
    """Latest handshake in nanoseconds of the *wall clock*; 0 is never. Only its changes mean anything."""
    received_bytes: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """A WireGuard interface, just read."""

    name: str
    peers: tuple[Peer, ...]


class NotFoundHere(Exception):
    """This way of asking knows no such WireGuard interface; another may."""


class ReadFailed(ProbeError):
    """This way of asking knows the interface but did not give a usable answer."""


def choose_peer(device: Device, path: PathView) -> Peer:
    """Return the peer behind the path: that of ``public_key``, else whose allowed-ips cover the anchor.

    Of several that cover it the longest prefix wins, as it does for WireGuard itself.

    Raises:
        ProbeError: there is none, or several; the text names the peers that exist.
    """
    if path.public_key is not None:
        return _of_key(device, path.public_key)
    if path.peer is None:
        return _only(device)
    return _covering(device, path.peer)


def _of_key(device: Device, public_key: str) -> Peer:
    for peer in device.peers:
        if peer.public_key == public_key:
            return peer
    raise ProbeError(f"{device.name} has no peer {public_key} (public_key of the path); {_existing(device)}")


def _only(device: Device) -> Peer:
    if len(device.peers) == 1:
        return device.peers[0]
    raise ProbeError(
        f"{device.name} has {len(device.peers)} peers and the path names none: set peer or public_key; "
        f"{_existing(device)}"
    )


def _covering(device: Device, anchor: str) -> Peer:
    address = _parse(anchor)
    lengths = [(_covering_length(peer, address), peer) for peer in device.peers]
    longest = max((length for length, _peer in lengths), default=-1)
    found = [peer for length, peer in lengths if length == longest >= 0]
    if len(found) == 1:
        return found[0]
    how_many = f"{len(found)} peers" if found else "no peer"
    raise ProbeError(
        f"{how_many} of {device.name} with allowed-ips that cover {anchor}; set public_key on the path; "
        f"{_existing(device)}"
    )


def _parse(anchor: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(anchor)
    except ValueError:
        raise ProbeError(
            f"the path's peer {anchor!r} is no IP address, so no allowed-ips can cover it; "
            "give the far gateway's tunnel address, or set public_key"
        ) from None


def _covering_length(peer: Peer, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """Return the longest prefix of the peer's allowed-ips that covers the address, -1 for none.

    By hand, not with :mod:`ipaddress`: a peer may have 100,000 of them, and the event loop waits.
    """
    is_ipv6 = isinstance(address, ipaddress.IPv6Address)
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    wanted, bits = int(address), address.max_prefixlen
    longest = -1
    for allowed in peer.allowed_ips:
        if (":" in allowed) == is_ipv6:
            network, _slash, length_text = allowed.partition("/")
            length = int(length_text)
            if length > longest and (_number(family, network) ^ wanted) >> (bits - length) == 0:
                longest = length
    return longest


def _number(family: int, address: str) -> int:
    return int.from_bytes(socket.inet_pton(family, address), "big")


def _existing(device: Device) -> str:
    if not device.peers:
        return f"{device.name} has no peers"
    shown = [_describe(peer) for peer in device.peers[:SHOWN_PEERS]]
    more = len(device.peers) - len(shown)
    return "its peers are " + ", ".join(shown) + (f" and {more} more" if more else "")


def _describe(peer: Peer) -> str:
    shown = " ".join(peer.allowed_ips[:SHOWN_ALLOWED_IPS]) or "none"
    more = len(peer.allowed_ips) - SHOWN_ALLOWED_IPS
    return f"{peer.public_key} (allowed-ips {shown}{f' and {more} more' if more > 0 else ''})"
