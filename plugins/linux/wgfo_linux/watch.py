"""The kernel's notifications, read raw and boiled down to "these sets may have changed".

IPv4 does not announce the routes that it drops when a link goes down, so link events count as well. A burst
costs microseconds a message: only the type, the destination and the table are looked at. When the buffer
overflows (ENOBUFS) events were lost: then everything may have changed.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from wgfo.model import RouteSetId
from wgfo.plugin import Transient
from wgfo_linux import wire
from wgfo_linux.namespace import netlink_socket
from wgfo_linux.wire import Destination

GROUPS: Final = (1, 5, 7, 8, 9, 11, 19)
"""RTNLGRP_: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE."""
_IFINFO_SIZE: Final = 16
_RECEIVE: Final = 1 << 16
_DATAGRAMS_A_TURN: Final = 256
_ROUTES: Final = frozenset((wire.RTM_NEWROUTE, wire.RTM_DELROUTE))
_LINKS: Final = frozenset((wire.RTM_NEWLINK, wire.RTM_DELLINK))
_SURROUNDINGS: Final = (
    frozenset((wire.RTM_NEWADDR, wire.RTM_DELADDR, wire.RTM_NEWRULE, wire.RTM_DELRULE)) | _LINKS
)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to know. All are called from the event loop and must not block."""

    route: Callable[[int, Destination], None]
    """Table and destination of a route that someone else changed."""
    link: Callable[[str], None]
    """Name of a link that changed."""
    surroundings: Callable[[], None]
    """A link, an address or a policy rule changed."""
    lost: Callable[[], None]
    """Events were lost."""
    is_ours: Callable[[int], bool] = field(repr=False)
    """Whether a port is that of our own writes."""


class Notifications:
    """Reads the kernel's notifications of one namespace for as long as it is open."""

    def __init__(self, namespace: str | None, listener: Listener) -> None:
        self._namespace = namespace
        self._listener = listener
        self._socket: socket.socket | None = None
        self._decoder = wire.RouteDecoder()

    @property
    def is_open(self) -> bool:
        """Whether it reads."""
        return self._socket is not None

    def open(self) -> None:
        """Join the groups and read from now on; raises a ``ProviderError``."""
        if self._socket is None:
            self._socket = netlink_socket(self._namespace, GROUPS)
            asyncio.get_running_loop().add_reader(self._socket, self._drain)

    def close(self) -> None:
        """Stop reading."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _drain(self) -> None:
        """Read what waits; what is more than a turn's worth comes in the next turn."""
        for _ in range(_DATAGRAMS_A_TURN):
            assert self._socket is not None
            try:
                data = self._socket.recv(_RECEIVE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    self.close()
                self._listener.lost()
                return
            self._dispatch(data)

    def _dispatch(self, data: bytes) -> None:
        for kind, _flags, _sequence, port, at, end in wire.messages(data):
            if kind in _ROUTES and not self._listener.is_ours(port):
                destination, body = self._decoder.decode(data, at, end)
                self._listener.route(body.table, destination)
            if kind in _LINKS:
                self._listener.link(_link_name(data, at, end))
            if kind in _SURROUNDINGS:
                self._listener.surroundings()


def _link_name(data: bytes, at: int, end: int) -> str:
    for kind, value in wire.attributes(data, at + wire.HEADER.size + _IFINFO_SIZE, end):
        if kind == wire.IFLA_IFNAME:
            return value.rstrip(b"\0").decode(errors="replace")
    return ""


class Hints:
    """Collects sets that may have changed until someone takes them: a burst becomes one hint a set."""

    def __init__(self, wanted: Iterable[RouteSetId]) -> None:
        self._wanted = frozenset(wanted)
        self._pending: dict[RouteSetId, None] = {}
        self._some = asyncio.Event()
        self._broken = False

    def add(self, sets: Iterable[RouteSetId]) -> None:
        """Add those of the sets that are wanted."""
        self._pending.update((one, None) for one in sets if one in self._wanted)
        if self._pending:
            self._some.set()

    def fail(self) -> None:
        """The source broke: whoever waits is told."""
        self._broken = True
        self._some.set()

    async def take(self) -> tuple[RouteSetId, ...]:
        """Wait for hints and return them.

        Raises:
            Transient: no more hints come; watch anew.
        """
        await self._some.wait()
        if self._broken:
            raise Transient("the kernel's notifications broke off: they are opened anew by the next watch")
        taken = tuple(self._pending)
        self._pending.clear()
        self._some.clear()
        return taken
