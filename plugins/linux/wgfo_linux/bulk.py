"""Many routes at once over one rtnetlink socket: dumps parsed in slices, writes in batches.

The kernel carries out a batch while ``send`` runs: nothing of it lands later, whatever becomes of the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.plugin import OutcomeUnknown, Permit, Transient
from wgfo_linux import wire
from wgfo_linux.errors import from_os, raised
from wgfo_linux.namespace import netlink_socket
from wgfo_linux.wire import Body, Destination, Refusal

BATCH: Final = 64
"""Requests in one send: half a millisecond in the kernel, and their acks fit any receive buffer."""
_RECEIVE: Final = 1 << 16
_TIMEOUT_S: Final = 5.0
"""What is waited for one answer at most; less where the call's permit has less left."""
_SHARE: Final = 0.9
"""Of the time left that one answer may take; the rest is for reporting."""
_SEQUENCES: Final = 1 << 31
_PORTS_REMEMBERED: Final = 16


@dataclass(frozen=True, slots=True)
class RouteWrite:
    """One request: replace (or create) a route, or delete exactly this one."""

    destination: Destination
    body: Body
    delete: bool = False

    def encode(self, sequence: int) -> bytes:
        """Return the message."""
        payload = wire.route(self.destination, self.body)
        if self.delete:
            flags, kind = wire.NLM_REQUEST | wire.NLM_ACK, wire.RTM_DELROUTE
        else:
            flags = wire.NLM_REQUEST | wire.NLM_ACK | wire.NLM_REPLACE | wire.NLM_CREATE
            kind = wire.RTM_NEWROUTE
        return wire.message(kind, flags, sequence, payload)


class RouteSocket:
    """Dumps tables and writes routes in one namespace.

    Writes share a socket and go one batch at a time; each dump has a socket of its own, so that a long one
    holds up no failover.
    """

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._writing = asyncio.Lock()
        self._ports: list[int] = []

    def open(self) -> None:
        """Open the socket for writes now, to learn early what is wrong."""
        self._connected()

    def close(self) -> None:
        """Close the socket for writes; the next batch opens another one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def wrote(self, port: int) -> bool:
        """Whether a notification with this port was caused by a write of this object."""
        return port in self._ports

    async def dump(
        self,
        table: int,
        family: int,
        see: Callable[[Destination, Body], None],
        permit: Permit | None = None,
    ) -> None:
        """Show ``see`` every route of a table, in the kernel's order, in slices of one datagram.

        Raises:
            Interrupted: someone changed the table meanwhile; ``see`` has seen it all to the end.
        """
        connected = netlink_socket(self._namespace)
        with contextlib.closing(connected):
            request = wire.dump_request(family, table)
            _send(connected, wire.message(wire.RTM_GETROUTE, wire.NLM_REQUEST | wire.NLM_DUMP, 1, request))
            await _read_dump(connected, table, see, permit)

    async def write(self, writes: Sequence[RouteWrite], permit: Permit | None = None) -> list[Refusal | None]:
        """Send a batch (at most ``BATCH``) in one datagram and return the kernel's answer to each, in order.

        The permit is asked once for each, when nothing but the sending is left to do.

        Raises:
            Withdrawn: the permit lapsed; nothing was sent.
            Transient: nothing was sent.
            OutcomeUnknown: the answers did not come; the kernel may have carried out any of it.
        """
        assert len(writes) <= BATCH
        async with self._writing:
            connected = self._connected()
            numbers = {self._next(): index for index, _ in enumerate(writes)}
            data = b"".join(one.encode(number) for one, number in zip(writes, numbers, strict=True))
            if permit is not None:
                for _ in writes:
                    await permit.write()
            try:
                _send(connected, data)
                return await self._answers(connected, numbers, permit)
            except BaseException:
                self.close()
                raise

    async def _answers(
        self, connected: socket.socket, numbers: dict[int, int], permit: Permit | None
    ) -> list[Refusal | None]:
        answers: list[Refusal | None] = [None] * len(numbers)
        while numbers:
            try:
                data = await _receive(connected, permit)
            except Transient as error:
                raise OutcomeUnknown(
                    f"the kernel's answer to {len(answers)} route writes was lost: {error}"
                ) from error
            for kind, flags, number, _port, at, end in wire.messages(data):
                index = numbers.pop(number, None) if kind == wire.NLMSG_ERROR else None
                if index is not None:
                    answers[index] = wire.refusal(data, at, end, flags)
        return answers

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = netlink_socket(self._namespace)
            self._ports = [*self._ports, self._socket.getsockname()[0]][-_PORTS_REMEMBERED:]
        return self._socket

    def _next(self) -> int:
        self._sequence = self._sequence % _SEQUENCES + 1
        return self._sequence


class Interrupted(Transient):
    """The table changed while it was dumped: what was seen may be inconsistent."""


async def _read_dump(
    connected: socket.socket,
    table: int,
    see: Callable[[Destination, Body], None],
    permit: Permit | None,
) -> None:
    decoder = wire.RouteDecoder()
    interrupted = False
    while True:
        data = await _receive(connected, permit)
        for kind, flags, _sequence, _port, at, end in wire.messages(data):
            interrupted |= bool(flags & wire.NLM_DUMP_INTERRUPTED)
            if kind in {wire.NLMSG_DONE, wire.NLMSG_ERROR}:
                _finish(wire.refusal(data, at, end, flags), interrupted=interrupted)
                return
            destination, body = decoder.decode(data, at, end)
            if body.table == table:
                see(destination, body)
        await asyncio.sleep(0)


def _finish(refused: Refusal | None, *, interrupted: bool) -> None:
    """A table that was never used does not exist: that is an empty table (ENOENT)."""
    if refused is not None and refused.code != errno.ENOENT:
        raise raised(refused, "reading the routing table")
    if interrupted:
        raise Interrupted("the routing table changed while it was read")


def _send(connected: socket.socket, data: bytes) -> None:
    try:
        connected.send(data)
    except OSError as error:
        raise from_os(error, "sending to the kernel's routing socket") from error


async def _receive(connected: socket.socket, permit: Permit | None) -> bytes:
    while True:
        try:
            return connected.recv(_RECEIVE)
        except BlockingIOError:
            await _readable(connected, patience_s(permit))
        except OSError as error:
            raise from_os(error, "reading from the kernel's routing socket") from error


def patience_s(permit: Permit | None) -> float:
    """Return how long one answer of the kernel may take: less than the call has left (rule 9)."""
    return _TIMEOUT_S if permit is None else min(_TIMEOUT_S, permit.remaining_ms() * _SHARE / 1000)


async def _readable(connected: socket.socket, within_s: float) -> None:
    """Wait until a socket has something to read.

    Raises:
        Transient: it had nothing in time.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connected, _wake, ready)
    try:
        await asyncio.wait_for(ready, within_s)
    except TimeoutError:
        raise Transient(f"the kernel did not answer within {within_s:g} s") from None
    finally:
        loop.remove_reader(connected)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
