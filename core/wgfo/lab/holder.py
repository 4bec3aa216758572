"""The first process of a lab: PID 1 of its PID namespace, holder of its mount namespace.

Started by :mod:`wgfo.lab.enclosure` under ``unshare``. It makes the private ``/run``, says its outer PID as
one line of JSON, and then only reaps orphans. It ends with the pipe on its standard input unless a line
``stay`` has come; with it, the kernel ends everything in the lab.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

MS_BIND: Final = 4096
RUN: Final = Path("/run")
WIREGUARD: Final = RUN / "wireguard"
WIREGUARD_OF: Final = RUN / "wireguard.d"
"""One directory of WireGuard sockets per node; each node sees its own as ``/run/wireguard``."""
PIDS: Final = RUN / "pids"
REAP_EVERY_S: Final = 1.0
STAY: Final = b"stay\n"

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Mount without the program of that name, which would follow ``/proc/…/fd/N`` to a hidden path.

    Raises:
        OSError: the kernel refused.
    """
    encoded = [text.encode() if text is not None else None for text in (source, str(target), kind, data)]
    if _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def furnish(state_dir: Path, outer_pid: str) -> None:
    """Make the private ``/run`` with the lab's state directory showing through, and a private ``/proc``."""
    state = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    mount("wgfo-lab", RUN, "tmpfs", data="mode=755")
    if state_dir.resolve().is_relative_to(RUN):
        state_dir.mkdir(parents=True)
        mount(f"/proc/{outer_pid}/fd/{state}", state_dir, None, MS_BIND)
    os.close(state)
    for directory in (RUN / "netns", WIREGUARD, WIREGUARD_OF, PIDS):
        directory.mkdir()
    if Path("/var/run").resolve() != RUN:
        mount(str(RUN), Path("/var/run"), None, MS_BIND)
    mount("proc", Path("/proc"), "proc")
    os.chdir("/")


def hold() -> NoReturn:
    """Reap orphans until the pipe on standard input ends; after the word ``stay`` until killed."""
    attached = True
    while True:
        _reap()
        readable, _, _ = select.select([0] if attached else [], [], [], REAP_EVERY_S)
        if readable:
            if os.read(0, 64) != STAY:
                os._exit(0)
            _let_go()
            attached = False


def _let_go() -> None:
    """Give up the builder's pipes, which it is about to close."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _reap() -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    os._exit(0)


def main() -> NoReturn:
    """Run as PID 1 of a lab."""
    signal.signal(signal.SIGTERM, _end)
    outer_pid = str(Path("/proc/self").readlink())
    try:
        furnish(Path(sys.argv[1]), outer_pid)
    except OSError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        sys.stdout.flush()
        os._exit(1)
    sys.stdout.write(json.dumps({"pid": int(outer_pid)}) + "\n")
    sys.stdout.flush()
    hold()


if __name__ == "__main__":
    main()
