"""What the kernel tells about a datagram beside its bytes: when and where it came in, and ICMP errors."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import Final

from wgfo.probes.verdicts import IcmpError

# Linux's numbers (asm-generic/socket.h, linux/in.h, in6.h) that Python's socket module does not name.
SO_TIMESTAMPNS: Final = 35
IP_PKTINFO: Final = 8
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

_TIMESPEC: Final = struct.Struct("@ll")
_PKTINFO: Final = struct.Struct("@i4s4s")
_PKTINFO6: Final = struct.Struct("@16sI")
_EXTENDED_ERR: Final = struct.Struct("@IBBBBII")
_ORIGIN_ICMP: Final = frozenset({2, 3})

_MAX_AGE_US: Final = 10_000_000

Ancillary = Iterable[tuple[int, int, bytes]]


def read_arrival(ancillary: Ancillary) -> tuple[int, int]:
    """Return (index of the interface of arrival, age in microseconds); 0 for what is missing."""
    arrived_by = age_us = 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            age_us = age_of(*_TIMESPEC.unpack_from(data), wall_ns=time.time_ns())
        elif level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            arrived_by = _PKTINFO.unpack_from(data)[0]
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            arrived_by = _PKTINFO6.unpack_from(data)[1]
    return arrived_by, age_us


def age_of(seconds: int, nanoseconds: int, *, wall_ns: int) -> int:
    """Return how long ago a kernel time stamp was, in microseconds; 0 where that is implausible."""
    age_us = (wall_ns - (seconds * 1_000_000_000 + nanoseconds)) // 1000
    return age_us if 0 <= age_us <= _MAX_AGE_US else 0


def read_error(family: int, ancillary: Ancillary) -> IcmpError | None:
    """Return the ICMP error in an entry of the error queue; None for this host's own (sends report those)."""
    wanted = (
        (socket.IPPROTO_IP, IP_RECVERR) if family == socket.AF_INET else (socket.IPPROTO_IPV6, IPV6_RECVERR)
    )
    for level, kind, data in ancillary:
        if (level, kind) == wanted:
            _errno, origin, icmp_type, code, _pad, info, _data = _EXTENDED_ERR.unpack_from(data)
            offender = _read_offender(data[_EXTENDED_ERR.size :])
            return IcmpError(family, icmp_type, code, info, offender) if origin in _ORIGIN_ICMP else None
    return None


def _read_offender(sockaddr: bytes) -> str:
    """Return the address in a ``sockaddr``, or "" where it holds none (linux/errqueue.h: AF_UNSPEC)."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8])
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    return ""
