"""Calls that may hang (files, the resolver) in a thread that nobody waits for at the end.

The loop's default executor has few threads, and the interpreter waits for them when it ends: a hung network file
system would use them up and then hold up the exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class StillBusy(Exception):
    """The call before has not returned yet."""


class Aside:
    """One call at a time."""

    def __init__(self) -> None:
        self._busy = False

    async def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or raise what it raises.

        Raises:
            StillBusy: an earlier call hangs; no second thread is started beside it.
        """
        if self._busy:
            raise StillBusy
        self._busy = True
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(
            target=self._run, args=(work, answer, loop), name="wgfo-notify", daemon=True
        )
        thread.start()
        return await answer

    def _run(self, work: Callable[[], T], answer: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
        give: Callable[[], None]
        try:
            give = partial(answer.set_result, work())
        except Exception as error:  # noqa: BLE001 - whoever asked gets it, whatever it is
            give = partial(answer.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            loop.call_soon_threadsafe(self._returned, answer, give)

    def _returned(self, answer: asyncio.Future[T], give: Callable[[], None]) -> None:
        self._busy = False
        if not answer.done():
            give()
