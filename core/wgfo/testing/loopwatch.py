"""What a provider does to the event loop, its default executor and the process's threads."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final, TypeVar
from unittest import mock

T = TypeVar("T")
_BEAT_S: Final = 0.005
_inside: ContextVar[bool] = ContextVar("wgfo_inside_provider", default=False)
"""True in the tasks of a provider's call, so that the world's own doings are not held against it."""


@contextlib.contextmanager
def provider_code() -> Iterator[None]:
    """Mark what is begun inside as done by the provider."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


class Heartbeat:
    """Measures for how long the loop gave nobody else a turn."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def _beat(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(_BEAT_S)
            now = time.monotonic()
            self.longest_ms = max(self.longest_ms, (now - last - _BEAT_S) * 1000)
            last = now


@contextlib.asynccontextmanager
async def heartbeat() -> AsyncIterator[Heartbeat]:
    """Beat for the length of a block; ``longest_ms`` is complete after it."""
    heart = Heartbeat()
    task = asyncio.create_task(heart._beat())  # noqa: SLF001 - its own module's
    await asyncio.sleep(_BEAT_S)
    try:
        yield heart
        await asyncio.sleep(2 * _BEAT_S)  # a stall that just ended is still to be noticed
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class SpyExecutor(ThreadPoolExecutor):
    """A default executor that remembers what providers gave it. Looking up names is asyncio's own use."""

    def __init__(self) -> None:
        super().__init__(max_workers=4, thread_name_prefix="default-executor")
        self.used_for: list[str] = []

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Remember, then do it."""
        name = _name(fn)
        if _inside.get() and not name.endswith(("getaddrinfo", "getnameinfo", "_getaddrinfo_debug")):
            self.used_for.append(name)
        return super().submit(fn, *args, **kwargs)


def _name(fn: Callable[..., Any]) -> str:
    """Name what is run; ``asyncio.to_thread`` wraps it in ``partial(Context.run, function)``."""
    if isinstance(fn, functools.partial):
        return _name(fn.args[0] if fn.args else fn.func)
    return getattr(fn, "__qualname__", repr(fn))


class ThreadSpy:
    """Remembers threads which were started by a provider's code."""

    def __init__(self) -> None:
        self._started: list[threading.Thread] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[ThreadSpy]:
        """Watch for the length of a block."""
        start = threading.Thread.start

        def started(thread: threading.Thread) -> None:
            if _inside.get():
                self._started.append(thread)
            start(thread)

        with mock.patch.object(threading.Thread, "start", started):
            yield self

    def alive(self) -> list[str]:
        """Return the names of those that still run."""
        return [thread.name for thread in self._started if thread.is_alive()]
