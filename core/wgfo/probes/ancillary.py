"""What the kernel tells about a datagram beside its bytes: when and where it came in, and ICMP errors."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
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

_SO_RCVBUFFORCE: Final = 33
_RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024

_MAX_AGE_US: Final = 10_000_000
_CLOCKS_TOGETHER_US: Final = 200
_SLACK_US: Final = 1000

Ancillary = Iterable[tuple[int, int, bytes]]


def widen(sock: socket.socket) -> None:
    """Ask for a receive buffer that outlasts a stall: beyond ``rmem_max`` where the process may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)


def read_arrival(ancillary: Ancillary) -> tuple[int, int]:
    """Return (index of the interface of arrival, the kernel's wall-clock stamp in ns); 0 for what is missing.

    The kernel begins to stamp some milliseconds after the first socket on the machine has asked for it; until
    then a stamp is the time of reading.
    """
    arrived_by = stamp_ns = 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            stamp_ns = seconds * 1_000_000_000 + nanoseconds
        elif level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            arrived_by = _PKTINFO.unpack_from(data)[0]
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            arrived_by = _PKTINFO6.unpack_from(data)[1]
    return arrived_by, stamp_ns


def received_us(
    stamp_ns: int, sent_us: int, clock: Callable[[], int], wall_clock_ns: Callable[[], int] = time.time_ns
) -> int:
    """Return a kernel's wall-clock stamp as a time of the monotonic ``clock``.

    The two clocks are compared now. A stamp is implausible if it is older than ten seconds, of the future, or
    before the packet was sent: the wall clock was set meanwhile. Then this is the time of receipt: now.
    """
    before, wall_ns, now = clock(), wall_clock_ns(), clock()
    for _ in range(4):
        if now - before <= _CLOCKS_TOGETHER_US:
            break
        # Preempted between the readings: the gap would be taken for lateness.
        before, wall_ns, now = clock(), wall_clock_ns(), clock()
    age_us = (wall_ns - stamp_ns) // 1000
    at_us = before - age_us
    plausible = 0 <= age_us <= _MAX_AGE_US and at_us >= sent_us - _SLACK_US
    return max(at_us, sent_us) if plausible else now


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
