"""One process per state directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from wgfo.plugin.errors import WgfoError

LOCK_NAME: Final = "lock"


class StateInUse(WgfoError):
    """Another wgfo holds the state directory."""


class StateLock:
    """Holds ``DIR/lock`` from the constructor until :meth:`release`, or the end of the process.

    The kernel gives the lock up with the process, so that nothing stale can stay; the file itself remains.

    Raises:
        StateInUse: another process holds it; the text names that process and what to do.
        OSError: the directory cannot be made or written.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / LOCK_NAME
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StateInUse(_in_use(directory, holder)) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the directory."""
        os.close(self._descriptor)


def _in_use(directory: Path, holder: str) -> str:
    return (
        f"state directory {directory}: in use by another wgfo (process {holder}). Two processes on one host "
        "need a state_dir and a control socket each: set [daemon] state_dir and control, or give "
        "--state-dir and --control; --dry-run runs beside a live daemon"
    )
