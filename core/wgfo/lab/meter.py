"""Traffic through the lab: numbered UDP packets with echoes, and TCP requests, told as JSON lines.

``python -m wgfo.lab.meter serve ADDRESS PORT`` echoes both in the server; ``… send ADDRESS PORT [RATE]``
runs in the client until SIGTERM and prints a line every 100 ms::

    {"at_us": …, "sent": 412, "echoes": [[411, sent_us, received_us], …], "requests": [[sent_us, ended_us,
    ok]]}

``sent`` counts the packets sent so far. Times are CLOCK_MONOTONIC, which all namespaces share; the receipt of
an echo is the kernel's own stamp. :mod:`wgfo.lab.ledger` makes sense of the lines.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import signal
import socket
import struct
import sys
import threading
import time
from types import FrameType
from typing import Final, NoReturn

PORT: Final = 9007
RATE: Final = 100
"""Packets a second."""
REQUEST_EVERY_S: Final = 0.2
REQUEST_TIMEOUT_S: Final = 1.0
REPORT_EVERY_US: Final = 100_000
MAX_LATE_US: Final = 10_000_000
"""A kernel stamp further from now than this is no stamp of ours."""
PACKET: Final = struct.Struct("!Qq")
"""Number and time of sending."""
SO_TIMESTAMPNS: Final = 35
TIMESPEC: Final = struct.Struct("@qq")
PADDING: Final = b"\0" * (172 - PACKET.size)
"""A packet is as long as one of a telephone call."""


def now_us() -> int:
    """Return the monotonic time."""
    return time.monotonic_ns() // 1_000


class Receiver:
    """Reads echoes with the kernel's time of receipt."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        channel.setblocking(False)
        self._channel = channel

    def drain(self) -> list[tuple[int, int, int]]:
        """Return (number, sent, received) of every echo that waits."""
        echoes: list[tuple[int, int, int]] = []
        while True:
            try:
                data, ancillary, _, _ = self._channel.recvmsg(2048, 128)
            except BlockingIOError:
                return echoes
            except ConnectionRefusedError:
                continue  # an ICMP answer to an earlier packet: that one is lost
            number, sent_us = PACKET.unpack_from(data)
            echoes.append((number, sent_us, _received_us(ancillary)))


def _received_us(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Convert the kernel's wall-clock stamp by an offset taken now; without a plausible one, take now.

    The wall clock is read first: a process that is preempted in between makes an echo late, never earlier than
    sent.
    """
    wall_us, monotonic_us = time.time_ns() // 1_000, now_us()
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = TIMESPEC.unpack_from(data)
            age_us = wall_us - (seconds * 1_000_000 + nanoseconds // 1_000)
            return monotonic_us - age_us if 0 <= age_us < MAX_LATE_US else monotonic_us
    return monotonic_us


class Requests(threading.Thread):
    """Asks the server by TCP again and again, a new connection each time."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._lock = threading.Lock()
        self._ended: list[tuple[int, int, bool]] = []

    def run(self) -> None:
        """Ask until the process ends."""
        while True:
            started_us = now_us()
            answered = request(self._address)
            with self._lock:
                self._ended.append((started_us, now_us(), answered))
            time.sleep(REQUEST_EVERY_S)

    def take(self) -> list[tuple[int, int, bool]]:
        """Return (sent, ended, answered) of the requests that ended since the last call."""
        with self._lock:
            ended, self._ended = self._ended, []
        return ended


def request(address: tuple[str, int]) -> bool:
    """Ask once; whether the answer came whole and in time."""
    try:
        with socket.create_connection(address, REQUEST_TIMEOUT_S) as connection:
            connection.sendall(b"ping\n")
            return connection.recv(16) == b"ping\n"
    except OSError:
        return False


def send(address: str, port: int, rate: int = RATE) -> NoReturn:
    """Send ``rate`` packets a second and print what came back, until SIGTERM."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.connect((address, port))
        receiver, requests = Receiver(channel), Requests((address, port))
        requests.start()
        began_us, sent, told_us = now_us(), 0, now_us()
        echoes: list[tuple[int, int, int]] = []
        while True:
            time.sleep(max(0, began_us + sent * 1_000_000 // rate - now_us()) / 1_000_000)
            sent += _send_one(channel, sent)
            echoes += receiver.drain()
            if now_us() - told_us >= REPORT_EVERY_US:
                told_us = now_us()
                _tell({"at_us": told_us, "sent": sent, "echoes": echoes, "requests": requests.take()})
                echoes = []


def _send_one(channel: socket.socket, number: int) -> int:
    # No route, or an ICMP answer to an earlier packet: this one is lost, and counts as sent.
    with contextlib.suppress(OSError):
        channel.send(PACKET.pack(number, now_us()) + PADDING)
    return 1


def _tell(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def serve(address: str, port: int) -> NoReturn:
    """Echo packets and requests until SIGTERM."""
    selector = selectors.DefaultSelector()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, port))
    listener = socket.create_server((address, port), backlog=64)
    selector.register(datagrams, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is datagrams:
                data, sender = datagrams.recvfrom(2048)
                datagrams.sendto(data, sender)
            else:
                _answer(listener)


def _answer(listener: socket.socket) -> None:
    """Answer one request; the client's five bytes are there or come at once, or it is forgotten."""
    connection, _ = listener.accept()
    connection.settimeout(REQUEST_TIMEOUT_S)
    threading.Thread(target=_echo_once, args=(connection,), daemon=True).start()


def _echo_once(connection: socket.socket) -> None:
    with connection:
        try:
            connection.sendall(connection.recv(16))
        except OSError:
            return  # the client gave up


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    _role, _address, _port, *_rest = sys.argv[1:]
    if _role == "serve":
        serve(_address, int(_port))
    send(_address, int(_port), *(int(word) for word in _rest))
