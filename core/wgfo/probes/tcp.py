"""The ``tcp`` probe: connect, and close again without a word.

Every attempt has a new source port, so that a stale firewall session or one bad ECMP bucket does not decide
for all of them. What counts is what the *socket* says at the end, not why the process woke up: a connection
that was made while the loop was stalled is found made, and the kernel tells how long its handshake took.
Where it cannot (the SYN had to be repeated), the time of the last acknowledgement stands for it, and for a
refusal the time at which it was first seen: after a stall, that is taken for in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import Final

from wgfo.model import Outcome, ProbeResult
from wgfo.plugin import ProbeContext, ProbeError
from wgfo.probes.egress import Egress
from wgfo.probes.options import TcpOptions
from wgfo.probes.staggered import staggered
from wgfo.probes.targets import parse_endpoint, split_host_port
from wgfo.probes.verdicts import NO_REPLY, of_error

_TCP_INFO: Final = struct.Struct("@8B24I")
"""linux/tcp.h, struct tcp_info, as far as ``tcpi_total_retrans``."""
_SYN_SENT: Final = 2
_STATE, _LAST_ACK_RECEIVED, _RTT, _TOTAL_RETRANSMITS = 0, 8 + 12, 8 + 15, 8 + 23


class TcpProbe:
    """TCP connects through one path; implements :class:`wgfo.plugin.RoundProbe`."""

    def __init__(self, context: ProbeContext, options: TcpOptions) -> None:
        self._timeout_us = context.timeout_us
        self._clock = context.monotonic_us
        self._egress = Egress.of(context.path)
        self._refused_passes = options.refused == "pass"

    async def open(self) -> None:
        """Try the way out on a socket; ``ProbeError`` where this process may not set the mark."""
        check_egress(self._egress)

    async def aclose(self) -> None:
        """Nothing stays open between rounds."""

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        """Connect to each ``address:port``, ``stagger_us`` apart."""
        return await staggered(targets, stagger_us, self._attempt)

    async def _attempt(self, target: str) -> ProbeResult:
        try:
            host, port = split_host_port(target)
            to = parse_endpoint(host)
        except ValueError as error:
            return ProbeResult(Outcome.UNKNOWN, self._clock(), reason=str(error))
        sent_us = self._clock()
        try:
            with socket.socket(to.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
                self._egress.apply(sock)
                sent_us = self._clock()
                await self._connect(sock, to.sockaddr(port))
                return self._judge(sock, sent_us)
        except OSError as error:
            return of_error(error, sent_us)

    async def _connect(
        self, sock: socket.socket, address: tuple[str, int] | tuple[str, int, int, int]
    ) -> None:
        """Connect as far as it goes in time; raises the error of a local failure only."""
        code = sock.connect_ex(address)
        if code not in {0, errno.EINPROGRESS}:
            raise OSError(code, os.strerror(code))
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()
        loop.add_writer(sock, _finish, writable)
        try:
            await asyncio.wait([writable], timeout=self._timeout_us / 1_000_000)
        finally:
            loop.remove_writer(sock)

    def _judge(self, sock: socket.socket, sent_us: int) -> ProbeResult:
        """Ask the socket how it went."""
        now_us = self._clock()
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == errno.ECONNREFUSED and self._refused_passes:
            return ProbeResult(Outcome.OK, sent_us, min(now_us - sent_us, self._timeout_us))
        if code:
            return of_error(OSError(code, os.strerror(code)), sent_us)
        took_us = _handshake_us(sock, now_us - sent_us)
        _leave_quietly(sock)
        if took_us is None or took_us > self._timeout_us:
            return ProbeResult(Outcome.LOST, sent_us, reason=NO_REPLY)
        return ProbeResult(Outcome.OK, sent_us, took_us)


def _finish(event: asyncio.Future[None]) -> None:
    if not event.done():
        event.set_result(None)


def _handshake_us(sock: socket.socket, elapsed_us: int) -> int | None:
    """Return how long the connect took as the kernel saw it; None while it is not connected."""
    info: tuple[int, ...] = _TCP_INFO.unpack(
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    )
    if info[_STATE] == _SYN_SENT:
        return None
    if info[_RTT] and not info[_TOTAL_RETRANSMITS]:  # the round trip of the SYN itself
        return min(info[_RTT], elapsed_us)
    return max(0, elapsed_us - info[_LAST_ACK_RECEIVED] * 1000)


def _leave_quietly(sock: socket.socket) -> None:
    """Read a greeting away: closing with unread data would send a reset instead of a FIN."""
    with contextlib.suppress(OSError):
        sock.recv(65536)


def check_egress(egress: Egress) -> None:
    """Raise ``ProbeError`` where this process may not leave by ``egress``; a missing device is no error."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            egress.apply(sock)
    except PermissionError as error:
        raise ProbeError(
            f"a socket cannot leave by {egress} ({error.strerror}): marks need CAP_NET_ADMIN or CAP_NET_RAW; "
            'grant it (AmbientCapabilities= in the unit), or use bind = "device"'
        ) from error
    except OSError:
        return
