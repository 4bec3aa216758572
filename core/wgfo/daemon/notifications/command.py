"""A command that gets the message on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from typing import Final

from wgfo.daemon.notifications.channel import NotDelivered

_SHELL: Final = ("/bin/sh", "-c", 'exec "$0" "$@"')
"""The loop stands still until a child has replaced itself: here that is the local shell, at once. Should the
command lie on a file system that hangs, the child hangs alone."""
_NOT_EXECUTABLE: Final = 126
_NOT_FOUND: Final = 127
END_S: Final = 5.0


class Command:
    """Runs it anew for every message; it is not tried again, since it may have done half of its work."""

    kind = "command"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self.name = f"command {command[0]}"

    async def deliver(self, body: bytes) -> None:
        """Run it to its end; whatever it started is killed with it where it takes too long."""
        try:
            process = await _started((*_SHELL, *self._command))
        except OSError as error:
            raise NotDelivered(f"no process can be started: {error.strerror}", again=True) from None
        try:
            await process.communicate(body)
        finally:
            if process.returncode is None:
                await _kill(process)
        if process.returncode:
            raise NotDelivered(_why(process.returncode), again=False)


async def _started(command: Sequence[str]) -> Process:
    """Start it in a session of its own; who is cancelled meanwhile must not leave it running unknown to all."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _kill(await starting)
        raise


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), END_S)


def _why(code: int) -> str:
    if code == _NOT_FOUND:
        return "there is no such command; give its whole path, and make it executable by the daemon's user"
    if code == _NOT_EXECUTABLE:
        return "it cannot be executed; make it executable by the daemon's user"
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
