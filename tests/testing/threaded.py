"""A provider whose SDK blocks: every request waits in a thread of the instance's own executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from wgfo.plugin import Permit, RouteProvider
from wgfo.testing.memory import MEMORY, MemoryOptions
from wgfo.testing.memory.errors import late, translated
from wgfo.testing.memory.platform import PlatformError
from wgfo.testing.memory.provider import MemoryProvider
from wgfo.testing.memory.world import MemoryWorld

T = TypeVar("T")


class ThreadedProvider(MemoryProvider):
    """Cancelling a call leaves its thread waiting: what it sent may land for ``late_write_ms``."""

    def __init__(self, options: MemoryOptions) -> None:
        super().__init__(options)
        self._executor = ThreadPoolExecutor(4, thread_name_prefix="sdk")

    async def request(
        self, sent: Coroutine[Any, Any, T], permit: Permit, table: str, *, writes: bool = False
    ) -> T:
        loop, timeout_s = asyncio.get_running_loop(), self.timeout_s(permit)

        def blocking() -> T:
            return asyncio.run_coroutine_threadsafe(sent, loop).result(timeout_s)

        try:
            return await loop.run_in_executor(self._executor, blocking)
        except concurrent.futures.TimeoutError:
            raise late(table, writes=writes) from None
        except PlatformError as error:
            raise translated(error, table, writes=writes) from None

    async def aclose(self) -> None:
        await super().aclose()
        self._executor.shutdown(wait=False, cancel_futures=True)


def _open(options: BaseModel) -> RouteProvider:
    assert isinstance(options, MemoryOptions)
    return ThreadedProvider(options)


class ThreadedWorld(MemoryWorld):
    """The memory platform behind an SDK that blocks."""

    offer = replace(MEMORY, open=_open)
