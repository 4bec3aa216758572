"""What errors mean for a path: one table for this host's own errors, one for ICMP's.

| error of a send or connect      | outcome | because                                                        |
| ------------------------------- | ------- | -------------------------------------------------------------- |
| EMSGSIZE                        | too_big | larger than the device's MTU: a finding, not a loss            |
| ENETUNREACH, EHOSTUNREACH       | lost    | no route, no neighbour, or an ``unreachable`` route            |
| EACCES, EINVAL                  | lost    | a ``prohibit`` or a ``blackhole`` route stands in the way      |
| ENETDOWN                        | lost    | the device is down                                             |
| ENODEV, ENXIO                   | lost    | the device is missing; it is found again when it comes back    |
| EADDRNOTAVAIL                   | lost    | the device has no address to send from                         |
| ENOKEY, EDESTADDRREQ            | lost    | WireGuard has no peer for the address, or it has no endpoint   |
| ECONNREFUSED, ECONNRESET        | lost    | the target said no (``refused = "pass"`` turns it round)       |
| ETIMEDOUT                       | lost    | nobody answered                                                |
| EPERM                           | unknown | a firewall rule of this host dropped it: it never left         |
| ENOBUFS, ENOMEM, EAGAIN         | unknown | this host had no room to send it                               |
| EMFILE, ENFILE                  | unknown | this host has no descriptor left                               |
| any other                       | unknown | this host refused, and its word is shown                       |

An ICMP error can be forged by anyone who sees the packet, so it never shortens the wait of an echo: it only
explains a loss. A TCP connect is ended by it, by the kernel.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Final

from wgfo.model import Outcome, ProbeResult

NO_REPLY: Final = "no reply"
NO_DEVICE: Final = "no such device"
OTHER_PATH: Final = "reply by another path"

_LOST: Final[dict[int, str]] = {
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "host unreachable",
    errno.EACCES: "prohibited by a route of this host",
    errno.EINVAL: "blackholed by a route of this host",
    errno.ENETDOWN: "device is down",
    errno.ENODEV: NO_DEVICE,
    errno.ENXIO: NO_DEVICE,
    errno.EADDRNOTAVAIL: "no address to send from",
    errno.ENOKEY: "no WireGuard peer for this address",
    errno.EDESTADDRREQ: "WireGuard peer without an endpoint",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "connection reset",
    errno.ETIMEDOUT: NO_REPLY,
}
_UNKNOWN: Final[dict[int, str]] = {
    errno.EPERM: "this host refused: a local firewall rule",
    errno.ENOBUFS: "this host refused: no buffer space",
    errno.ENOMEM: "this host refused: no memory",
    errno.EAGAIN: "this host refused: the send buffer is full",
    errno.EMFILE: "this host refused: no descriptor left",
    errno.ENFILE: "this host refused: no descriptor left",
}


def of_error(error: OSError, sent_us: int) -> ProbeResult:
    """Return what this host's own error on sending (or connecting) says of the path."""
    code = error.errno or 0
    if code == errno.EMSGSIZE:
        return ProbeResult(Outcome.TOO_BIG, sent_us, reason="larger than the device's MTU")
    if code in _LOST:
        return ProbeResult(Outcome.LOST, sent_us, reason=_LOST[code])
    reason = _UNKNOWN.get(code) or f"this host refused: {errno.errorcode.get(code, 'unknown error')}"
    return ProbeResult(Outcome.UNKNOWN, sent_us, reason=reason)


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error about one of our packets, as the kernel's error queue tells it (RFC 792, RFC 4443)."""

    family: int
    type: int
    code: int
    info: int
    """The next hop's MTU, for a packet that is too big."""
    offender: str
    """Who sent it, as it claims."""

    @property
    def is_port_unreachable(self) -> bool:
        """Whether the host itself says that nobody listens on the port."""
        key = (3, 3) if self.family == socket.AF_INET else (1, 4)
        return (self.type, self.code) == key

    def reason(self) -> str:
        """Return why the packet was not delivered, and according to whom."""
        what = self._too_big() or self._named()
        return f"{what} (from {self.offender})" if self.offender else what

    def _too_big(self) -> str:
        key = (socket.AF_INET, 3, 4) if self.family == socket.AF_INET else (socket.AF_INET6, 2, 0)
        if (self.family, self.type, self.code) != key:
            return ""
        return f"fragmentation needed, next-hop MTU {self.info}"

    def _named(self) -> str:
        names = _ICMP4 if self.family == socket.AF_INET else _ICMP6
        return names.get((self.type, self.code)) or f"ICMP type {self.type} code {self.code}"


_ICMP4: Final[dict[tuple[int, int], str]] = {
    (3, 0): "no route",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 5): "source route failed",
    (3, 6): "no route",
    (3, 7): "host unreachable",
    (3, 9): "prohibited",
    (3, 10): "prohibited",
    (3, 11): "no route",
    (3, 12): "host unreachable",
    (3, 13): "prohibited",
    (11, 0): "time to live exceeded",
    (11, 1): "fragments missing",
    (12, 0): "malformed header",
}
_ICMP6: Final[dict[tuple[int, int], str]] = {
    (1, 0): "no route",
    (1, 1): "prohibited",
    (1, 2): "beyond the scope of the source address",
    (1, 3): "host unreachable",
    (1, 4): "port unreachable",
    (1, 5): "prohibited",
    (1, 6): "prohibited",
    (3, 0): "hop limit exceeded",
    (3, 1): "fragments missing",
    (4, 0): "malformed header",
    (4, 1): "malformed header",
    (4, 2): "malformed header",
}
