"""The STAMP reflector as a process: sockets, signals, service manager. What it answers, ``reflect`` decides.

A reply leaves from the address and through the interface that were asked, so that it rides back on the path
that the probe came by. Where the route to the asker leads through another interface, it is lost rather than
led astray: a prober must not be told that a path works when only another one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.daemon import notify
from wgfo.plugin import WgfoError
from wgfo.probes.ancillary import IP_PKTINFO, SO_TIMESTAMPNS, widen
from wgfo.probes.reflect import Datagram, Reflector
from wgfo.probes.stamp_packet import PORT
from wgfo.probes.targets import Endpoint, join_host_port, parse_endpoint, split_host_port

# Linux's numbers (linux/in.h, in6.h) that Python's socket module does not name.
_IP_RECVTTL: Final = 12
_TIMESPEC: Final = struct.Struct("@ll")
_PKTINFO: Final = struct.Struct("@i4s4s")
_PKTINFO6: Final = struct.Struct("@16sI")
_INT: Final = struct.Struct("@i")
_BUFFER_BYTES: Final = 65_535
_ANCILLARY_BYTES: Final = 256
_READS: Final = 256
"""Of one wake-up: signals are served between two of them, however much comes in."""
_UNKNOWN_TTL: Final = 255

Address = tuple[str, int] | tuple[str, int, int, int]
Ancillary = Sequence[tuple[int, int, bytes]]


class ListenError(WgfoError):
    """It cannot listen there; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen."""

    endpoint: Endpoint
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read ``ADDR``, ``ADDR:PORT`` or ``[V6]:PORT``; ``ValueError`` says what is accepted."""
        with contextlib.suppress(ValueError):
            return cls(parse_endpoint(text.removeprefix("[").removesuffix("]")), PORT)
        try:
            host, port = split_host_port(text)
            return cls(parse_endpoint(host), port)
        except ValueError:
            raise ValueError(
                f"{text!r} is no address to listen on; accepted: 0.0.0.0:862, 10.20.1.10 or [fd00::10]:862"
            ) from None

    def __str__(self) -> str:
        return join_host_port(self.endpoint.host, self.port)


EVERYWHERE: Final = (Listen.parse("0.0.0.0"), Listen.parse("::"))  # noqa: S104 - what a reflector is for


@dataclass(frozen=True, slots=True)
class _Arrival:
    """How a datagram came in, and the control message that sends the reply back the same way."""

    local: str
    ttl: int
    received_ns: int
    back: tuple[int, int, bytes]


class ReflectorSocket:
    """One socket: reads requests, and has them answered."""

    def __init__(self, listen: Listen, device: str | None, reflector: Reflector) -> None:
        self._family = listen.endpoint.family
        self._port = listen.port
        self._reflector = reflector
        self._sock = _open(listen, device)

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port, *_ = self._sock.getsockname()
        return join_host_port(host, port)

    def start(self) -> None:
        """Answer from now on, in the running loop."""
        asyncio.get_running_loop().add_reader(self._sock, self.serve)

    def close(self) -> None:
        """Answer no more."""
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def serve(self) -> None:
        """Answer what waits, up to a bound."""
        for _ in range(_READS):
            try:
                data, ancillary, _flags, source = self._sock.recvmsg(_BUFFER_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about an earlier reply: nothing to us
                continue
            self._answer(data, ancillary, source)

    def _answer(self, data: bytes, ancillary: Ancillary, source: Address) -> None:
        arrival = _arrival(ancillary)
        if arrival is None:
            return
        asked = Datagram(
            data, source[0], source[1], arrival.local, self._port, arrival.ttl, arrival.received_ns
        )
        reply = self._reflector.answer(asked, time.monotonic_ns() // 1000)
        if reply is None:
            return
        try:
            self._sock.sendmsg([reply], [arrival.back], 0, source)
        except OSError:
            self._reflector.statistics.unsent += 1


def _arrival(ancillary: Ancillary) -> _Arrival | None:
    """Read how it came in; None without the address that was asked, which the kernel always tells."""
    ttl, received_ns = _UNKNOWN_TTL, time.time_ns()
    found: tuple[str, tuple[int, int, bytes]] | None = None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            received_ns = seconds * 1_000_000_000 + nanoseconds
        elif (level, kind) in {
            (socket.IPPROTO_IP, socket.IP_TTL),
            (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT),
        }:
            ttl = _INT.unpack_from(data)[0]
        elif level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            index, ours, _asked = _PKTINFO.unpack_from(data)
            back = _PKTINFO.pack(index, ours, bytes(4))
            found = socket.inet_ntop(socket.AF_INET, ours), (level, kind, back)
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            ours, _index = _PKTINFO6.unpack_from(data)
            found = socket.inet_ntop(socket.AF_INET6, ours), (level, kind, bytes(data[: _PKTINFO6.size]))
    return None if found is None else _Arrival(found[0], ttl, received_ns, found[1])


# --- opening ------------------------------------------------------------------------------------------------


def _open(listen: Listen, device: str | None) -> socket.socket:
    family = listen.endpoint.family
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise ListenError(f"cannot listen on {listen}: {error.strerror}") from error
    try:
        _configure(sock, family)
        if device is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        sock.bind(listen.endpoint.sockaddr(listen.port))
    except OSError as error:
        sock.close()
        raise ListenError(_why_not(listen, device, error)) from error
    return sock


def _configure(sock: socket.socket, family: socket.AddressFamily) -> None:
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    widen(sock)
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)


def _why_not(listen: Listen, device: str | None, error: OSError) -> str:
    where = f"{listen} on device {device}" if device else str(listen)
    if error.errno in {errno.EACCES, errno.EPERM}:
        hint = "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or listen on another port (--listen)"
    elif error.errno == errno.EADDRINUSE:
        hint = "another program listens there: ss -lnup names it"
    elif error.errno == errno.EADDRNOTAVAIL:
        hint = "this host has no such address: ip address lists them"
    elif error.errno == errno.ENODEV:
        hint = "there is no such device: ip link lists them"
    else:
        hint = "name another address with --listen"
    return f"cannot listen on {where}: {os.strerror(error.errno or 0)}; {hint}"


# --- the process --------------------------------------------------------------------------------------------


def open_all(listens: Sequence[Listen], device: str | None, reflector: Reflector) -> list[ReflectorSocket]:
    """Open every socket; without ``listens`` everywhere, IPv6 only where this host has it.

    Raises:
        ListenError: one of them cannot be opened; none stays open then.
    """
    opened: list[ReflectorSocket] = []
    try:
        for listen in listens or EVERYWHERE:
            try:
                opened.append(ReflectorSocket(listen, device, reflector))
            except ListenError as error:
                if listens or not opened or not _no_ipv6(error.__cause__):
                    raise
    except ListenError:
        for one in opened:
            one.close()
        raise
    return opened


def _no_ipv6(cause: BaseException | None) -> bool:
    return isinstance(cause, OSError) and cause.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


async def serve(
    sockets: Sequence[ReflectorSocket], reflector: Reflector, tell: Callable[[str], None]
) -> None:
    """Answer until SIGTERM or SIGINT; SIGUSR1 tells the figures."""
    ended = asyncio.Event()
    with _signals(ended.set, lambda: tell(reflector.statistics.sentence())):
        for one in sockets:
            one.start()
        where = "reflecting on " + ", ".join(one.address for one in sockets)
        tell(where + ("" if reflector.key is None else ", authenticated"))
        notify.ready(where)
        try:
            await ended.wait()
        finally:
            notify.stopping()
            for one in sockets:
                one.close()


@contextlib.contextmanager
def _signals(end: Callable[[], None], figures: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    actions = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGUSR1: figures}
    for number, action in actions.items():
        loop.add_signal_handler(number, action)
    try:
        yield
    finally:
        for number in actions:
            loop.remove_signal_handler(number)
