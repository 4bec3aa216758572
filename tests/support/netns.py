"""Network namespaces for tests: made, entered and always removed.

The observer is not the code under test: these helpers call ``ip`` and ``nft``, never pyroute2.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def sh(*command: str, check: bool = True) -> str:
    """Run a command to its end; its standard error becomes part of the failure."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Namespace:
    """One named network namespace with its loopback up."""

    def __init__(self, hint: str) -> None:
        self.name = f"t{secrets.token_hex(3)}-{hint}"
        sh("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside."""
        return sh("ip", "netns", "exec", self.name, *command, check=check)

    def popen(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command inside; the caller ends it."""
        return subprocess.Popen(["ip", "netns", "exec", self.name, *command])

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Put the *calling thread* inside for the duration: sockets made here belong to the namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self._setns(os.open(f"/run/netns/{self.name}", os.O_RDONLY))
            yield
        finally:
            self._setns(home)

    @staticmethod
    def _setns(descriptor: int) -> None:
        try:
            if _libc.setns(descriptor, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Kill what still runs inside and remove it."""
        for pid in sh("ip", "netns", "pids", self.name, check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        sh("ip", "netns", "del", self.name, check=False)


@contextlib.contextmanager
def namespaces(*hints: str) -> Iterator[tuple[Namespace, ...]]:
    """Make several namespaces and remove them whatever happens."""
    with contextlib.ExitStack() as stack:
        made = []
        for hint in hints:
            made.append(Namespace(hint))
            stack.callback(made[-1].close)
        yield tuple(made)


def veth(left: Namespace, left_name: str, right: Namespace, right_name: str) -> None:
    """Connect two namespaces by a veth pair, both ends up."""
    sh("ip", "link", "add", left_name, "netns", left.name, "type", "veth",
       "peer", "name", right_name, "netns", right.name)  # fmt: skip
    left.run("ip", "link", "set", left_name, "up")
    right.run("ip", "link", "set", right_name, "up")


def eventually(probe: Callable[[], T], *, within: float = 5.0, what: str = "condition") -> T:
    """Poll until ``probe()`` is true and return its value; fail with ``what`` after the deadline."""
    deadline = time.monotonic() + within
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.01)
