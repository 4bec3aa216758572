"""The ICMP sockets of an event loop, shared by all probes that leave the same way; the last one closes them.

The pool belongs to the running loop and is found by it, so that several loops (tests, a simulator beside the
daemon) never share a socket.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from wgfo.probes.echo_socket import EchoSocket, Flight
from wgfo.probes.egress import Egress


class Use(NamedTuple):
    """What sets one shared socket apart from another."""

    family: socket.AddressFamily
    egress: Egress = Egress()
    dont_fragment: bool = False
    witness: bool = False


@dataclass(slots=True)
class _Shared:
    socket: EchoSocket
    users: int = 0


@dataclass(slots=True)
class EchoPool:
    """Sockets by use, and every echo under way by cookie."""

    flights: dict[int, Flight] = field(default_factory=dict)
    _shared: dict[Use, _Shared] = field(default_factory=dict)

    def take(self, use: Use) -> EchoSocket:
        """Return the socket for ``use``; give it back with :meth:`give_back`. It may not be open yet."""
        shared = self._shared.get(use)
        if shared is None:
            shared = self._shared[use] = _Shared(
                EchoSocket(
                    self.flights,
                    use.family,
                    use.egress,
                    dont_fragment=use.dont_fragment,
                    witness=use.witness,
                )
            )
        shared.users += 1
        return shared.socket

    def give_back(self, use: Use) -> None:
        """Drop one use; the last one closes the socket."""
        shared = self._shared[use]
        shared.users -= 1
        if not shared.users:
            shared.socket.close()
            del self._shared[use]

    def __len__(self) -> int:
        return len(self._shared)


_pools: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, EchoPool]] = WeakKeyDictionary()


def pool_of_running_loop() -> EchoPool:
    """Return the pool of the running event loop."""
    return _pools.setdefault(asyncio.get_running_loop(), EchoPool())
