"""A shared ICMP socket: few per process, read to the end at each wake-up, stamped by the kernel.

One socket serves every echo of an (address family, way out, don't fragment) triple. Datagram ICMP sockets
come first: they need only ``net.ipv4.ping_group_range``. Raw sockets (``CAP_NET_RAW``) are the fallback.

Two things that bite, and are dealt with here:

- An ICMP error about one target is returned by the *next* call on the shared socket, to whatever target. So
  after a failed send the error queue is read, and it is tried once more: only its own error is left then.
- After a stall of the process, replies wait in the socket while the deadlines pass. Their kernel time stamps
  (wall clock) tell when they came; they are turned into monotonic times at the moment of reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wgfo.plugin import ProbeError
from wgfo.probes.ancillary import (
    IP_PKTINFO,
    IP_RECVERR,
    IPV6_RECVERR,
    SO_TIMESTAMPNS,
    Ancillary,
    read_arrival,
    read_error,
    received_us,
    widen,
)
from wgfo.probes.echo import Echo, build_request, parse_quoted_request, parse_reply
from wgfo.probes.egress import Egress
from wgfo.probes.targets import Endpoint
from wgfo.probes.verdicts import OTHER_PATH, IcmpError

# Linux's numbers (asm-generic/socket.h, linux/in.h, in6.h, icmp.h) that Python's socket module does not name.
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTUDISC_DONT: Final = 0
_PMTUDISC_PROBE: Final = 3
"""Don't fragment, and don't believe the path MTU that the kernel has cached: each probe finds out anew."""
_SOL_RAW: Final = 255
_ICMP_FILTER: Final = 1
_ONLY_ECHO_REPLY: Final = struct.pack("=I", 0xFFFFFFFF & ~1)
_ONLY_ECHO_REPLY_6: Final = struct.pack("=8I", *[0xFFFFFFFF & ~(2 * (n == 129 // 32)) for n in range(8)])

_BUFFER_BYTES: Final = 256
"""An IPv4 header with options, ICMP's header and our stamp; what is longer may be cut off."""
_ANCILLARY_BYTES: Final = 256
_MAX_READS: Final = 100_000
"""Of one draining: more than the receive buffer can hold."""


@dataclass(slots=True, eq=False)
class Flight:
    """One echo under way, from its sending until its round is judged."""

    echo: Echo
    host: str
    arrives_by: int
    """Index of the interface through which the reply must come; 0: any."""
    via: EchoSocket
    clock: Callable[[], int]
    landed: Callable[[], None]
    """Called when the reply is read; must not raise."""
    received_us: int | None = None
    reason: str = ""
    """Why there may be no reply: what an ICMP error said, or that the reply came another way."""

    def land(self, stamp_ns: int) -> None:
        """Take the reply that the kernel stamped with this wall-clock time."""
        self.received_us = received_us(stamp_ns, self.echo.sent_us, self.clock)
        self.landed()


class EchoSocket:
    """A shared socket for echoes of one family through one way out.

    Args:
        flights: every echo under way in this event loop, by cookie; shared between the sockets.
        family: ``AF_INET`` or ``AF_INET6``.
        egress: the way out.
        dont_fragment: packets larger than the path's MTU must be lost, not fragmented.
        witness: only look on: an unbound raw socket that sees replies arriving through a wrong interface,
            which a bound socket is never shown.
    """

    def __init__(
        self,
        flights: dict[int, Flight],
        family: socket.AddressFamily,
        egress: Egress,
        *,
        dont_fragment: bool = False,
        witness: bool = False,
    ) -> None:
        self.family = family
        self.egress = egress
        self._flights = flights
        self._dont_fragment = dont_fragment
        self._witness = witness
        self._raw = witness
        self._sock: socket.socket | None = None
        self._ident = 0
        self._seq = 0

    # --- opening --------------------------------------------------------------------------------------------

    def ready(self) -> socket.socket:
        """Return the open socket; opened, or opened afresh where its device was removed or made again.

        Raises:
            OSError: the device is missing, or this host has no such address family.
            ProbeError: this process may not; the text says what to grant.
        """
        if self._sock is not None and self.egress.holds(self._sock):
            return self._sock
        self.close()
        sock = self._create()
        try:
            self._configure(sock)
            self.egress.apply(sock)
            self._bind(sock)
        except PermissionError as error:
            sock.close()
            raise ProbeError(_not_permitted(f"{self.egress}: {error.strerror}")) from error
        except OSError:
            sock.close()
            raise
        asyncio.get_running_loop().add_reader(sock, self.drain)
        self._sock = sock
        return sock

    def _create(self) -> socket.socket:
        protocol = socket.IPPROTO_ICMP if self.family == socket.AF_INET else socket.IPPROTO_ICMPV6
        if not self._witness:
            with contextlib.suppress(OSError):  # what raw ICMP answers is the last word
                sock = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
                self._raw = False
                return sock
        try:
            sock = socket.socket(self.family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        except PermissionError as error:
            raise ProbeError(_not_permitted(str(error.strerror))) from error
        self._raw = True
        return sock

    def _configure(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        widen(sock)
        discover = _PMTUDISC_PROBE if self._dont_fragment else _PMTUDISC_DONT
        if self.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, discover)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DONTFRAG, int(self._dont_fragment))
        if self._raw and self.family == socket.AF_INET:
            sock.setsockopt(_SOL_RAW, _ICMP_FILTER, _ONLY_ECHO_REPLY)
        elif self._raw:
            sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP_FILTER, _ONLY_ECHO_REPLY_6)

    def _bind(self, sock: socket.socket) -> None:
        """Take an id: the kernel's for a datagram socket (its port), a random one for a raw socket."""
        if self._raw:
            self._ident = secrets.randbits(16)
            return
        sock.bind(("0.0.0.0" if self.family == socket.AF_INET else "::", 0))  # noqa: S104 - it hears echoes only
        self._ident = sock.getsockname()[1]

    def renew_ident(self) -> None:
        """Take another ICMP id: a firewall's stale session for the old one may be what drops the echoes.

        A datagram socket has to be opened afresh for it, which waits until none of its echoes is under way.
        """
        if self._raw:
            self._ident = secrets.randbits(16)
        elif not any(flight.via is self for flight in self._flights.values()):
            self.close()

    def close(self) -> None:
        """Close the socket; ``ready`` opens it again."""
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    # --- sending --------------------------------------------------------------------------------------------

    def send(
        self, to: Endpoint, size: int, arrives_by: int, clock: Callable[[], int], landed: Callable[[], None]
    ) -> Flight:
        """Send one echo request and return its flight, to be forgotten by the caller.

        Raises:
            OSError: this host's own answer; nothing left.
        """
        sock = self.ready_now()
        address = to.sockaddr()
        self._seq = (self._seq + 1) & 0xFFFF
        echo = Echo(self._ident, self._seq, secrets.randbits(64), clock())
        packet = build_request(self.family, echo, size)
        flight = Flight(echo, to.host, arrives_by, self, clock, landed)
        self._flights[echo.cookie] = flight  # before the send: on loopback the reply is there at once
        try:
            self._send_past_old_errors(sock, packet, address)
        except OSError:
            self.forget(flight)
            raise
        return flight

    def ready_now(self) -> socket.socket:
        """Return the socket as ``ready`` left it; ``OSError`` (ENODEV) when it was closed meanwhile."""
        if self._sock is None:
            raise OSError(errno.ENODEV, "the socket is closed")
        return self._sock

    def _send_past_old_errors(
        self, sock: socket.socket, packet: bytes, address: tuple[str, int] | tuple[str, int, int, int]
    ) -> None:
        try:
            sock.sendto(packet, address)
        except OSError:  # perhaps an ICMP error about an earlier packet, which this call has cleared
            self._drain_errors(sock)
            sock.sendto(packet, address)

    def forget(self, flight: Flight) -> None:
        """Ignore what may still come for ``flight``."""
        self._flights.pop(flight.echo.cookie, None)

    # --- receiving ------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read everything that waits in the socket: replies, then ICMP errors."""
        sock = self._sock
        if sock is None:
            return
        for _ in range(_MAX_READS):
            try:
                data, ancillary, _flags, sender = sock.recvmsg(_BUFFER_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error stands in front of the data: it is read from its own queue below
                continue
            self._receive(data, ancillary, sender[0])
        self._drain_errors(sock)

    def _receive(self, data: bytes, ancillary: Ancillary, sender: str) -> None:
        echo = parse_reply(self.family, data, with_ip_header=self._raw and self.family == socket.AF_INET)
        flight = self._flights.get(echo.cookie) if echo else None
        if flight is None or flight.echo != echo or flight.host != sender or flight.received_us is not None:
            return
        arrived_by, stamp_ns = read_arrival(ancillary)
        if flight.arrives_by not in {0, arrived_by}:
            flight.reason = OTHER_PATH
        elif flight.via is self:
            flight.land(stamp_ns)

    def _drain_errors(self, sock: socket.socket) -> None:
        for _ in range(_MAX_READS):
            try:
                data, ancillary, _flags, to = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            error = read_error(self.family, ancillary)
            quoted = parse_quoted_request(self.family, data)
            if error and quoted and to:
                self._explain(error, quoted, to[0])

    def _explain(self, error: IcmpError, quoted: tuple[int, int], host: str) -> None:
        """Keep what an ICMP error says of an echo; the wait for a reply goes on, as errors can be forged."""
        for flight in self._flights.values():
            mine = flight.via is self and flight.host == host
            if mine and (flight.echo.ident, flight.echo.seq) == quoted:
                flight.reason = error.reason()


def _not_permitted(what: str) -> str:
    return (
        f"no ICMP socket ({what}): datagram ICMP needs this process's group in the sysctl "
        "net.ipv4.ping_group_range ('1 0' is nobody), raw ICMP and marks need CAP_NET_RAW; grant either, "
        "for example sysctl net.ipv4.ping_group_range='0 2147483647', or "
        "AmbientCapabilities=CAP_NET_RAW in the unit"
    )
