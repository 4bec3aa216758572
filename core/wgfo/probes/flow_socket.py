"""UDP sockets of a probe, one per source port: bound to the path, stamped by the kernel, read to the end.

The ports stand side by side: whatever bits of a port a load balancer or a hash looks at, each of their values
comes as often as any other. They stay the same as long as the probe lives, so that a flow can be told from its
neighbour; after long silence :meth:`FlowSockets.renew` takes others, in case a stale firewall session is why.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wgfo.plugin import ProbeError
from wgfo.probes.ancillary import (
    IP_PKTINFO,
    IP_RECVERR,
    IPV6_RECVERR,
    SO_TIMESTAMPNS,
    read_arrival,
    read_error,
)
from wgfo.probes.egress import Egress
from wgfo.probes.verdicts import IcmpError

_LOWEST: Final = 49_152
_HIGHEST: Final = 65_535
"""The dynamic ports (RFC 6335 §6)."""
_TRIES: Final = 64
_BUFFER_BYTES: Final = 2_048
_ANCILLARY_BYTES: Final = 256
_MAX_READS: Final = 10_000
"""Of one draining: more than a receive buffer can hold."""

Address = tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram that came in."""

    data: bytes
    host: str
    port: int
    our_port: int
    arrived_by: int
    """Index of the interface; 0 where the kernel does not say."""
    stamp_ns: int
    """The kernel's, of the wall clock."""


Heard = Callable[[Arrival], None]
Refused = Callable[[int, str, int, IcmpError], None]
"""Our port, then whom it was sent to, and what an ICMP error said of it."""


class FlowSockets:
    """Sockets on neighbouring source ports of one address family, through one way out.

    Args:
        family: ``AF_INET`` or ``AF_INET6``.
        egress: the way out.
        count: how many flows.
        heard: takes each datagram; must not raise.
        refused: takes each ICMP error; must not raise.
    """

    def __init__(
        self, family: socket.AddressFamily, egress: Egress, count: int, heard: Heard, refused: Refused
    ) -> None:
        self._family = family
        self._egress = egress
        self._count = count
        self._heard = heard
        self._refused = refused
        self._sockets: list[socket.socket] = []
        self._base = 0
        """The first port; 0 before any was found."""

    @property
    def ports(self) -> tuple[int, ...]:
        """The source ports; empty before they are open."""
        return tuple(range(self._base, self._base + self._count)) if self._base else ()

    def ready(self) -> None:
        """Open them; afresh, on the same ports, where their device was removed or made again.

        Raises:
            OSError: the device is missing, or this host has no such address family.
            ProbeError: this process may not; the text says what to grant.
        """
        if self._sockets and self._egress.holds(self._sockets[0]):
            return
        self.close()
        try:
            self._open_all()
        except PermissionError as error:
            raise ProbeError(
                f"no UDP socket that leaves by {self._egress} ({error.strerror}): marks need CAP_NET_ADMIN or "
                'CAP_NET_RAW; grant it (AmbientCapabilities= in the unit), or use bind = "device"'
            ) from error

    def _open_all(self) -> None:
        """Bind all of them, on other ports where one is taken."""
        for tries_left in reversed(range(_TRIES)):
            base = self._base or self._draw()
            try:
                for port in range(base, base + self._count):
                    self._sockets.append(self._open(port))
            except OSError as error:
                self.close()
                if error.errno != errno.EADDRINUSE or not tries_left:
                    raise
                self._base = 0
            else:
                self._base = base
                return

    def _draw(self) -> int:
        """Return a first port at random; the blocks of different probes lie side by side, never across."""
        return _LOWEST + self._count * secrets.randbelow((_HIGHEST - _LOWEST) // self._count)

    def _open(self, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            if self._family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
                sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            self._egress.apply(sock)
            any_address = "0.0.0.0" if self._family == socket.AF_INET else "::"  # noqa: S104 - any of the path's
            sock.bind((any_address, port))
        except OSError:
            sock.close()
            raise
        asyncio.get_running_loop().add_reader(sock, self._drain, sock, port)
        return sock

    def renew(self) -> None:
        """Take other ports the next time."""
        self.close()
        self._base = 0

    def close(self) -> None:
        """Close them; :meth:`ready` opens them again."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    # --- sending and receiving ------------------------------------------------------------------------------

    def send(self, packet: bytes, port: int, address: Address) -> None:
        """Send from ``port``; raises ``OSError``, this host's own answer, where nothing left."""
        if not self._sockets:
            raise OSError(errno.ENODEV, "the sockets are closed")
        sock = self._sockets[port - self._base]
        try:
            sock.sendto(packet, address)
        except OSError:  # perhaps an ICMP error about an earlier packet, which this call has cleared
            self._drain_errors(sock, port)
            sock.sendto(packet, address)

    def drain(self) -> None:
        """Read everything that waits in all of them."""
        for port, sock in zip(self.ports, tuple(self._sockets), strict=False):
            self._drain(sock, port)

    def _drain(self, sock: socket.socket, port: int) -> None:
        for _ in range(_MAX_READS):
            try:
                data, ancillary, _flags, source = sock.recvmsg(_BUFFER_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error stands in front of the data: it is read from its own queue below
                continue
            arrived_by, stamp_ns = read_arrival(ancillary)
            self._heard(Arrival(data, source[0], source[1], port, arrived_by, stamp_ns))
        self._drain_errors(sock, port)

    def _drain_errors(self, sock: socket.socket, port: int) -> None:
        for _ in range(_MAX_READS):
            try:
                _data, ancillary, _flags, to = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            error = read_error(self._family, ancillary)
            if error and to:
                self._refused(port, to[0], to[1], error)
