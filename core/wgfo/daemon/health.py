"""Whether a store works, told to the loop once per change."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

Told = Callable[[bool, str], None]
"""Called with (healthy, text) on the loop; the text says what is wrong, empty when all is well again."""


class Health:
    """Passes changes from any thread on to the loop that runs when it is made; without a loop, directly."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._healthy = True
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    @property
    def healthy(self) -> bool:
        """What was last said."""
        return self._healthy

    def say(self, healthy: bool, text: str = "") -> None:
        """Say how it is; only a change is passed on."""
        with self._lock:
            if healthy == self._healthy:
                return
            self._healthy = healthy
            self._pass_on(healthy, text)

    def _pass_on(self, healthy: bool, text: str) -> None:
        if self._loop is None:
            self._told(healthy, text)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._told, healthy, text)
