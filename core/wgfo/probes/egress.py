"""How a socket is made to leave through one path, and how that is verified.

A probe that could leak through another route would call a dead path healthy. So a socket is bound to its
device (``SO_BINDTODEVICE``), marked, or both; the kernel is asked back what it took; and a socket whose
device was removed or made again (a new interface index under the old name) is known and opened afresh.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

from wgfo.model import BindKind, PathView
from wgfo.plugin import ProbeError

_SIOCGIFMTU: Final = 0x8921
"""linux/sockios.h; asked of the socket, so it is right in any network namespace (/sys need not be)."""
_IFREQ: Final = struct.Struct("16si20x")
_IFNAMSIZ: Final = 16


@dataclass(frozen=True, slots=True)
class Egress:
    """The way out of a path's probes: a device, a firewall mark, both, or neither (the address decides)."""

    device: str | None = None
    mark: int = 0

    @classmethod
    def of(cls, path: PathView) -> Egress:
        """Return the way out of ``path``.

        A marked path with a known interface is bound to that as well: a missing ``ip rule`` for the mark then
        cannot lead its probes through another path.

        Raises:
            ProbeError: the path is bound to a device and has no interface.
        """
        if path.bind.kind is BindKind.ADDRESS:
            return cls()
        if path.bind.kind is BindKind.DEVICE and path.interface is None:
            raise ProbeError(
                f'path {path.name!r} of group {path.group!r} has bind = "device" and no interface; '
                'name its interface, or use bind = "mark:N" or bind = "address"'
            )
        return cls(path.interface, path.bind.mark if path.bind.kind is BindKind.MARK else 0)

    def apply(self, sock: socket.socket) -> None:
        """Bind ``sock`` and verify that it took.

        Raises:
            OSError: ``ENODEV`` without the device (also where the kernel took another), ``EPERM`` without the
                right to set a mark.
        """
        if self.device is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.device.encode() + b"\0")
        if self.mark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self.mark)
        if not self.holds(sock):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def holds(self, sock: socket.socket) -> bool:
        """Whether ``sock`` still leaves this way: the kernel tells the *present* name of its device."""
        try:
            bound = sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _IFNAMSIZ)
        except OSError:  # ENODEV: the device that it was bound to is gone
            return False
        if bound.rstrip(b"\0").decode() != (self.device or ""):
            return False
        return not self.mark or sock.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) == self.mark

    def __str__(self) -> str:
        parts = [f"device {self.device}"] if self.device else []
        return " and ".join([*parts, *([f"mark {self.mark}"] if self.mark else [])]) or "any route"


def interface_mtu(sock: socket.socket, interface: str) -> int:
    """Return the MTU of ``interface`` in the network namespace of ``sock``; ``OSError`` without it."""
    asked = _IFREQ.pack(interface.encode(), 0)
    mtu: int = _IFREQ.unpack(fcntl.ioctl(sock, _SIOCGIFMTU, asked))[1]
    return mtu


def interface_index(interface: str) -> int:
    """Return the index of ``interface`` in this thread's network namespace; ``OSError`` (ENODEV) without it."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None
