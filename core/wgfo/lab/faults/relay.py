"""The relay behind ``delay`` where the kernel has no netem: packets in by a TUN interface, out again later.

Runs in the lab's internet as ``python -m wgfo.lab.faults.relay INTERFACE MILLISECONDS`` until SIGTERM; the
interface and the routes through it vanish with it.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import time
from collections import deque
from typing import Final, NoReturn

TUNSETIFF: Final = 0x400454CA
IFF_TUN: Final = 0x0001
IFF_NO_PI: Final = 0x1000
MAX_PACKET: Final = 65_535
MAX_QUEUE: Final = 20_000
"""Packets held at most; what comes beyond is dropped, as every queue does."""


def open_tun(interface: str) -> int:
    """Make a TUN interface and return its descriptor.

    Raises:
        OSError: no /dev/net/tun, or not permitted.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Held:
    """Packets with the time at which each leaves; the delay is the same for all, so they leave in order."""

    def __init__(self, delay_us: int) -> None:
        self._delay_us = delay_us
        self._queue: deque[tuple[int, bytes]] = deque()

    def put(self, packet: bytes, now_us: int) -> None:
        """Hold a packet that has just come."""
        if len(self._queue) < MAX_QUEUE:
            self._queue.append((now_us + self._delay_us, packet))

    def due(self, now_us: int) -> list[bytes]:
        """Take out the packets whose time has come."""
        leaving = []
        while self._queue and self._queue[0][0] <= now_us:
            leaving.append(self._queue.popleft()[1])
        return leaving

    def wait_us(self, now_us: int) -> int | None:
        """Return how long until the next one leaves; None when none is held."""
        return max(0, self._queue[0][0] - now_us) if self._queue else None


def relay(descriptor: int, held: Held) -> NoReturn:
    """Move packets until killed."""
    while True:
        wait_us = held.wait_us(_now_us())
        timeout = None if wait_us is None else wait_us / 1_000_000
        ready, _, _ = select.select([descriptor], [], [], timeout)
        if ready:
            held.put(os.read(descriptor, MAX_PACKET), _now_us())
        for packet in held.due(_now_us()):
            os.write(descriptor, packet)


def _now_us() -> int:
    return time.monotonic_ns() // 1_000


if __name__ == "__main__":
    relay(open_tun(sys.argv[1]), Held(int(sys.argv[2]) * 1_000))
