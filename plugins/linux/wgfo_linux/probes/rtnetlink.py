"""What the interface probe asks the kernel: a link, its reverse-path filter, and the way of a reply.

All three are asked over netlink, not read from /proc: a netlink socket stays in its network namespace, while
/proc/sys/net shows that of the reading thread. IPv6 has no reverse-path filter in the kernel, so only IPv4 is
asked about. Layouts are those of linux/rtnetlink.h, linux/if_link.h and linux/netconf.h.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Final

from wgfo_linux.probes.netlink import Message, attribute, attributes, get, number, text

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_NEWROUTE: Final = 24
RTM_GETROUTE: Final = 26
RTM_NEWNETCONF: Final = 80
RTM_GETNETCONF: Final = 82
RTMGRP_LINK: Final = 1 << 0
RTMGRP_IPV4_NETCONF: Final = 1 << 23
"""Group 24, as a bit of the mask that ``bind`` takes."""

IFF_UP: Final = 0x1
IFF_LOWER_UP: Final = 0x10000
IFLA_IFNAME: Final = 3
IFLA_EXT_MASK: Final = 29
RTEXT_FILTER_SKIP_STATS: Final = 8

NETCONFA_IFINDEX: Final = 1
NETCONFA_RP_FILTER: Final = 3
ALL_INTERFACES: Final = -1

RTA_DST: Final = 1
RTA_SRC: Final = 2
RTA_OIF: Final = 4
RTA_PREFSRC: Final = 7
STRICT: Final = 1
"""RFC 3704 strict mode, the value of the ``rp_filter`` sysctl; 2 is loose, 0 off."""

_IFINFO: Final = struct.Struct("=BxHiII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_INT: Final = struct.Struct("=i")
_NO_WAY: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.ENODEV)
"""What a route lookup answers for: no route, unreachable, prohibit, blackhole; or the interface is gone."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as the kernel sees it."""

    index: int
    up: bool
    """Administratively up (``IFF_UP``)."""
    carrier: bool
    """``IFF_LOWER_UP``. The operational state is not used: WireGuard's is always UNKNOWN."""
    rp_filter: int = 0
    """``net.ipv4.conf.INTERFACE.rp_filter``."""
    rp_filter_all: int = 0
    """``net.ipv4.conf.all.rp_filter``; the kernel acts on the larger of the two."""

    @property
    def strict(self) -> bool:
        """Whether a packet is dropped unless the route back to its source leaves by this interface."""
        return max(self.rp_filter, self.rp_filter_all) == STRICT


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """The fixed part and the name of a ``RTM_NEWLINK`` or ``RTM_DELLINK``."""

    index: int
    flags: int
    name: str


def parse_link(message: Message) -> LinkEvent | None:
    """Read a link message; None for one that speaks of a link's place in a bridge (family ``AF_BRIDGE``).

    A bridge announces the leaving of a port as ``RTM_DELLINK``: the interface itself is still there.

    Raises:
        ValueError: it is malformed.
    """
    if len(message.body) < _IFINFO.size:
        raise ValueError("a link message without its header")
    family, _kind, index, flags, _change = _IFINFO.unpack_from(message.body)
    if family != socket.AF_UNSPEC:
        return None
    for kind, value in attributes(message.body[_IFINFO.size :]):
        if kind == IFLA_IFNAME:
            return LinkEvent(index, flags, text(value))
    return LinkEvent(index, flags, "")


def parse_netconf(message: Message) -> tuple[int, int | None]:
    """Read a ``RTM_NEWNETCONF``: the interface's index (:data:`ALL_INTERFACES`) and rp_filter, if it is told.

    Raises:
        ValueError: it is malformed.
    """
    index, rp_filter = 0, None
    for kind, value in attributes(message.body[4:]):  # struct netconfmsg: one byte, padded to four
        if kind == NETCONFA_IFINDEX and len(value) == _INT.size:
            index = _INT.unpack(value)[0]
        elif kind == NETCONFA_RP_FILTER:
            rp_filter = number(value)
    return index, rp_filter


async def read_link(name: str) -> Link | None:
    """Return the interface of that name, or None where there is none.

    Raises:
        OSError: the kernel could not be asked.
        ValueError: its answer is malformed.
    """
    wanted = attribute(IFLA_IFNAME, name.encode() + b"\0")
    wanted += attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
    try:
        answer = await get(socket.NETLINK_ROUTE, RTM_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0) + wanted)
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.ERANGE, errno.EINVAL):  # the latter two: no possible name
            return None
        raise
    found = next((link for message in answer if (link := parse_link(message))), None)
    if found is None or found.name != name:  # an alternative name of another interface answers too
        return None
    own, everyone = await _read_rp_filter(found.index), await _read_rp_filter(ALL_INTERFACES)
    return make_link(found, rp_filter=own, rp_filter_all=everyone)


def make_link(event: LinkEvent, *, rp_filter: int = 0, rp_filter_all: int = 0) -> Link:
    """Translate the kernel's flags."""
    return Link(
        index=event.index,
        up=bool(event.flags & IFF_UP),
        carrier=bool(event.flags & IFF_LOWER_UP),
        rp_filter=rp_filter,
        rp_filter_all=rp_filter_all,
    )


async def _read_rp_filter(index: int) -> int:
    """Return the setting; 0 where the interface has no IPv4 settings (it goes, or its MTU is below 68)."""
    body = struct.pack("=Bxxx", socket.AF_INET) + attribute(NETCONFA_IFINDEX, _INT.pack(index))
    try:
        answer = await get(socket.NETLINK_ROUTE, RTM_GETNETCONF, body)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP):
            return 0
        raise
    return next((value for message in answer if (value := parse_netconf(message)[1]) is not None), 0)


@dataclass(frozen=True, slots=True)
class Way:
    """How the kernel would send a packet."""

    index: int
    """Of the interface by which it leaves."""
    source: str | None
    """The address that it would bear."""


async def find_way(destination: str, *, index: int = 0, source: str | None = None) -> Way | None:
    """Ask the kernel for the route to an IPv4 destination, rules included; None where there is none.

    ``index`` binds the question to an interface, as a socket is; ``source`` asks as from that local address.

    Raises:
        OSError: the kernel could not be asked.
        ValueError: its answer is malformed.
    """
    wanted = attribute(RTA_DST, ipaddress.IPv4Address(destination).packed)
    if source is not None:
        wanted += attribute(RTA_SRC, ipaddress.IPv4Address(source).packed)
    if index:
        wanted += attribute(RTA_OIF, _INT.pack(index))
    header = _ROUTE.pack(socket.AF_INET, 32, 32 if source is not None else 0, 0, 0, 0, 0, 0, 0)
    try:
        answer = await get(socket.NETLINK_ROUTE, RTM_GETROUTE, header + wanted)
    except OSError as error:
        if error.errno in _NO_WAY:
            return None
        raise
    return next((_parse_way(message) for message in answer if message.kind == RTM_NEWROUTE), None)


def _parse_way(message: Message) -> Way:
    index, source = 0, None
    for kind, value in attributes(message.body[_ROUTE.size :]):
        if kind == RTA_OIF:
            index = number(value)
        elif kind == RTA_PREFSRC:
            source = str(ipaddress.IPv4Address(bytes(value)))
    return Way(index, source)
