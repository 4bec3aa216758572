"""Tell systemd how the daemon is (sd_notify(3)); without ``NOTIFY_SOCKET`` nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket
import time


def notify(*assignments: str) -> bool:
    """Send assignments such as ``READY=1``; False where nobody listens. Never blocks and never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    name = "\0" + address[1:] if address.startswith("@") else address
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out,
    ):
        out.sendto("\n".join(assignments).encode(), name)
        return True
    return False


def ready(status: str) -> bool:
    """Say that the daemon serves, and what it does (``READY=1`` also ends a reload)."""
    return notify("READY=1", f"STATUS={status}")


def reloading() -> bool:
    """Say that a reload begins; :func:`ready` ends it. ``Type=notify-reload`` wants the monotonic time."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> bool:
    """Say that the daemon ends on purpose."""
    return notify("STOPPING=1")


def alive() -> bool:
    """Feed the watchdog."""
    return notify("WATCHDOG=1")


def watchdog_us() -> int | None:
    """Return how often :func:`alive` is due at the latest; None: no watchdog watches this process."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or (process and process != str(os.getpid())):
        return None
    return int(microseconds)
