"""Network namespaces by name: sockets made inside, files read inside.

A socket stays in the namespace of the thread that made it. So a thread of its own enters, makes it and ends:
the event loop's thread never leaves home, and no way back can fail.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from wgfo_linux.errors import closed_namespace, from_os, missing_namespace

T = TypeVar("T")
DIRECTORY: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x40000000
_NETLINK_ROUTE: Final = 0
_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11
_STRICT_CHECK: Final = 12
_SO_RCVBUFFORCE: Final = 33
RECEIVE_BUFFER: Final = 4 << 20


def inside(name: str | None, work: Callable[[], T]) -> T:
    """Run ``work``, which must be short, in the namespace ``name``; None is where this process is.

    Raises:
        NotFound: there is no such namespace.
        Denied: it may not be entered.
    """
    if name is None:
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def enter_and_work() -> None:
        try:
            _enter(name)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=enter_and_work, name=f"netns-{name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(name: str) -> None:
    try:
        descriptor = os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise missing_namespace(name) from None
    except PermissionError:
        raise closed_namespace(name) from None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET):
            raise closed_namespace(name)
    finally:
        os.close(descriptor)


def netlink_socket(name: str | None, groups: Sequence[int] = (), *, bulk: bool = True) -> socket.socket:
    """Open a non-blocking rtnetlink socket in a namespace, bound by the kernel, member of ``groups``.

    ``bulk``: dumps are filtered by the kernel (strict checking), and errors do not repeat the request. Not
    for pyroute2, whose requests are not strict, and which decodes what an error repeats.

    Raises:
        ProviderError: the namespace or the socket cannot be had.
    """
    try:
        made = inside(name, _make)
        for option in (_CAP_ACK, _STRICT_CHECK) if bulk else ():
            _try_option(made, _SOL_NETLINK, option, 1)
        for group in groups:
            made.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    except OSError as error:
        raise from_os(error, "rtnetlink socket") from error
    return made


def _make() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    made.setblocking(False)
    _try_option(made, _SOL_NETLINK, _EXT_ACK, 1)
    if not _try_option(made, socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER):
        _try_option(made, socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    made.bind((0, 0))
    return made


def _try_option(made: socket.socket, level: int, option: int, value: int) -> bool:
    """Old kernels lack some options, and a large buffer needs a right: all of them only help."""
    try:
        made.setsockopt(level, option, value)
    except OSError:
        return False
    return True
