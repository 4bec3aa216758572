"""No moment without a route: two observers watch two hundred switches."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
from plugins.linux.tests.kernel import A, B, Kernel, kernel, routed
from tests.support.netns import Namespace, eventually

pytestmark = pytest.mark.net


class Monitor(threading.Thread):
    """What ``ip monitor route`` tells. On a terminal, since it holds back what goes into a pipe or a file."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__()
        self.master, slave = os.openpty()
        command = ["ip", "netns", "exec", namespace.name, "ip", "monitor", "route"]
        self.process = subprocess.Popen(command, stdout=slave)
        os.close(slave)
        self.told = ""

    def run(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while data := os.read(self.master, 65536):
                self.told += data.decode()


@contextlib.contextmanager
def monitoring(namespace: Namespace) -> Iterator[Monitor]:
    """Watch all the while; the mark shows that it has begun."""
    monitor = Monitor(namespace)
    monitor.start()
    try:
        eventually(lambda: mark(namespace) or "192.0.2.0/24" in monitor.told, what="the monitor's first line")
        yield monitor
    finally:
        monitor.process.kill()
        monitor.process.wait()
        monitor.join()
        os.close(monitor.master)


def mark(namespace: Namespace) -> None:
    """Change something that is told of; replacing a route by itself is not."""
    namespace.run("ip", "route", "add", "192.0.2.0/24", "dev", "lo")
    namespace.run("ip", "route", "del", "192.0.2.0/24", "dev", "lo")


class Sender(threading.Thread):
    """Sends to an address without a pause; every refusal for want of a route is counted."""

    def __init__(self, namespace: Namespace, address: str) -> None:
        super().__init__()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with namespace.entered():
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.address = (address, 9)
        self.done = threading.Event()
        self.sent = self.absent = 0

    def run(self) -> None:
        with self.socket:
            while not self.done.wait(0.0002):
                try:
                    self.socket.sendto(b"x", self.address)
                except OSError as error:
                    self.absent += error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}
                self.sent += 1


@contextlib.contextmanager
def sending(namespace: Namespace, address: str) -> Iterator[Sender]:
    """Send all the while."""
    sender = Sender(namespace, address)
    sender.start()
    try:
        yield sender
    finally:
        sender.done.set()
        sender.join()


@pytest.mark.parametrize(
    ("prefix", "address", "hops"),
    [
        ("10.20.0.0/16", "10.20.1.1", {A: "dev wg0", B: "dev wg1"}),
        ("10.20.0.0/16", "10.20.1.1", {A: "via 10.100.0.9", B: "dev wg1"}),
        ("fd20::/32", "fd20::1", {A: "dev wg0", B: "dev wg1"}),
        ("fd20::/32", "fd20::1", {A: "via fd00::9", B: "dev wg1"}),
        ("fd20::/32", "fd20::1", {A: "via fd00::9", B: "via fd00:1::9"}),
    ],
)
async def test_the_prefix_is_never_absent_during_two_hundred_switches(
    prefix: str, address: str, hops: dict
) -> None:
    wanted = routed(prefix, hops=hops)
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        with monitoring(one.namespace) as monitor, sending(one.namespace, address) as sender:
            await switch(one, wanted, 200)
            await asyncio.to_thread(eventually, lambda: monitor.told.count(prefix) >= 200)
        assert not [line for line in monitor.told.splitlines() if "Deleted" in line and prefix in line]
        assert sender.sent > 200
        assert sender.absent == 0


async def switch(one: Kernel, wanted, times: int) -> None:
    for number in range(times):
        assert (await one.point(wanted, (B, A)[number % 2])).written == 1


async def test_the_sender_would_notice_an_absence() -> None:
    async with kernel([routed("10.20.0.0/16")]) as one:
        with sending(one.namespace, "10.20.1.1") as sender:
            await asyncio.to_thread(eventually, lambda: sender.sent > 10)
        assert sender.absent == sender.sent
