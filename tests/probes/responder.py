"""A far end that answers echoes as a test wishes: late, twice, forged, or with an ICMP error first."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from tests.probes.wires import Wires
from wgfo.probes.echo import internet_checksum


class Responder:
    """Holds the requests that reach the server, which itself stays silent."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def next_request(self) -> tuple[bytes, str]:
        """Wait for an echo request: the whole IP packet, and who sent it."""
        while True:
            packet, (source, _port) = self._sock.recvfrom(65535)
            if packet[20] == 8:
                return packet, source

    def reply(
        self, request: tuple[bytes, str], *, flip: int | None = None, source: str | None = None
    ) -> None:
        """Answer; ``flip`` inverts one byte of the ICMP message, ``source`` answers from another address."""
        packet, asker = request
        body = bytearray(packet[20:])
        body[0:4] = bytes(4)
        if flip is not None:
            body[flip] ^= 0xFF
        body[2:4] = internet_checksum(bytes(body)).to_bytes(2, "big")
        self._send(bytes(body), asker, source or socket.inet_ntoa(packet[16:20]))

    def forge_prohibited(self, request: tuple[bytes, str]) -> None:
        """Send "administratively prohibited" about the request."""
        packet, asker = request
        body = struct.pack("!BBHI", 3, 13, 0, 0) + packet[:28]
        body = body[:2] + internet_checksum(body).to_bytes(2, "big") + body[4:]
        self._send(body, asker, socket.inet_ntoa(packet[16:20]))

    def _send(self, message: bytes, to: str, source: str) -> None:
        header = struct.pack(
            "!BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(message),
            0,
            0,
            64,
            1,
            0,
            socket.inet_aton(source),
            socket.inet_aton(to),
        )
        self._sock.sendto(header + message, (to, 0))


@contextlib.contextmanager
def responder(net: Wires) -> Iterator[Responder]:
    """Silence the server's kernel and answer for it."""
    net.server.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    with net.server.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        sock.settimeout(5)
        yield Responder(sock)
