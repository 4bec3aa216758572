"""``wgfo run``: one life of the daemon.

    start   lock ─▶ control socket ─▶ providers ─▶ first session ─▶ probes ─▶ first reads ─▶ READY=1
    SIGHUP  read and resolve ─▶ try new providers ─▶ swap; on any failure all stays, and it says why
    stop    probes ─▶ writes ─▶ providers ─▶ control socket ─▶ stores; five seconds, routes stay

One TaskGroup holds all tasks. What a plugin raises is caught where it is called; an exception that reaches
the TaskGroup is a bug of the core, and ends the daemon rather than let it decide on a broken state.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any, Final

from wgfo.daemon import notify
from wgfo.daemon.clock import Clock, SystemClock
from wgfo.daemon.guard import patiently
from wgfo.daemon.house import House, Loaded, Options
from wgfo.plugin import ConfigError, WgfoError

log = logging.getLogger(__name__)
STOP_US: Final = 5_000_000

__all__ = ["Loaded", "Options", "Supervisor"]


class Supervisor:
    """One run of the daemon; made inside a running loop."""

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Event()

    def stop(self) -> None:
        """End in order; routes stay as they are."""
        self._stopping.set()

    def reload(self) -> None:
        """Read the configuration again."""
        self._reloading.set()

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reloads."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def run(self) -> None:
        """Run until stopped.

        Raises:
            WgfoError: it cannot start; the text says why and what to do.
        """
        loaded = self._options.load()
        try:
            async with asyncio.TaskGroup() as tasks:
                house = House(self._options, self._clock, loaded, tasks)
                try:
                    await self._live(house)
                finally:
                    await self._close(house)
        except BaseExceptionGroup as group:  # `except*` wraps what it raises anew before Python 3.11.4
            said, others = group.split(WgfoError)
            if said is None or others is not None:
                raise
            raise _first(said) from None

    async def _live(self, house: House) -> None:
        """Open, then reload whenever asked, until stopped; a start that hangs can be stopped too."""
        if not await self._unless_stopped(house.open()):
            return
        while await self._unless_stopped(self._reloading.wait()):
            self._reloading.clear()
            await self._unless_stopped(self._reload(house))

    async def _unless_stopped(self, work: Coroutine[Any, Any, object]) -> bool:
        """Do something to its end, or to the stop; return whether it ended."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            return task.done() and not self._stopping.is_set()
        finally:
            for one in (task, stop):
                one.cancel()
            await asyncio.wait({task, stop})

    async def _reload(self, house: House) -> None:
        notify.reloading()
        try:
            await house.reload(await self._load_again())
        except WgfoError as error:
            log.error("the configuration was not taken over, the old one goes on: %s", error)  # noqa: TRY400
            house.reloaded(successful=False)
        else:
            log.info("the configuration was taken over")
            house.reloaded(successful=True)

    async def _load_again(self) -> Loaded:
        """Read the configuration; a bug of ours or of a plugin's validator must not end a daemon that runs."""
        try:
            return await asyncio.to_thread(self._options.load)
        except WgfoError:
            raise
        except Exception as error:
            raise ConfigError(
                f"bug while reading the configuration: {type(error).__name__}: {error}"
            ) from error

    async def _close(self, house: House) -> None:
        try:
            await patiently(house.close(), STOP_US, 0)
        except TimeoutError:
            log.error("stopped after %d s with something still under way", STOP_US // 1_000_000)  # noqa: TRY400
        finally:
            house.end_tasks()


def _first(group: BaseExceptionGroup[WgfoError]) -> WgfoError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, WgfoError)
    return error
