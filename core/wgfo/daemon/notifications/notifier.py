"""One ``[[notify]]`` at work: a queue with an end, a task of its own, and failures that are said once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import redact
from wgfo.daemon.notifications.channel import Channel, NotDelivered

log = logging.getLogger(__name__)

QUEUED: Final = 100
PAUSES_US: Final = (1_000_000, 5_000_000, 25_000_000)
"""Between tries: the way to a webhook may lead through the very path that has just failed."""
_US: Final = 1_000_000


class Result(StrEnum):
    """What became of a message."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"
    """The queue was full: the oldest gave way."""


Counted = Callable[[str, Result], None]
"""Called with the channel's kind and what became of a message."""


class Notifier:
    """Delivers messages in order.

    Args:
        channel: how.
        timeout_us: for one try.
        clock: the daemon's.
        counted: hears what became of each message.
    """

    def __init__(self, channel: Channel, timeout_us: int, clock: Clock, counted: Counted) -> None:
        self._channel = channel
        self._timeout_us = timeout_us
        self._clock = clock
        self._counted = counted
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._failing = False

    def offer(self, body: bytes) -> None:
        """Put a message into the queue; returns at once."""
        if len(self._queue) >= QUEUED:
            self._queue.popleft()
            self._counted(self._channel.kind, Result.DROPPED)
            self._say_once(f"{QUEUED} messages wait already; the oldest are dropped")
        self._queue.append(body)
        self._filled.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                await self._deliver(self._queue.popleft())

    async def _deliver(self, body: bytes) -> None:
        try:
            await self._try(body)
        except NotDelivered as error:
            self._counted(self._channel.kind, Result.FAILED)
            self._say_once(str(error))
        else:
            self._counted(self._channel.kind, Result.DELIVERED)
            if self._failing:
                self._failing = False
                log.info("notify by %s works again", self._channel.name)

    async def _try(self, body: bytes) -> None:
        for pause_us in (*PAUSES_US, None):
            try:
                await self._once(body)
            except NotDelivered as error:
                if pause_us is None or not error.again:
                    raise
                self._say_once(str(error))
                await self._clock.sleep_until_us(self._clock.monotonic_us() + pause_us)
            else:
                return

    async def _once(self, body: bytes) -> None:
        try:
            async with asyncio.timeout(self._timeout_us / _US):
                await self._channel.deliver(body)
        except TimeoutError:
            again = self._channel.kind != "command"
            raise NotDelivered(f"not done within {self._timeout_us / _US:g} s", again=again) from None
        except NotDelivered:
            raise
        except Exception as error:  # a bug here must end neither the daemon nor the task
            log.exception("notify by %s", self._channel.name)
            raise NotDelivered(f"bug: {type(error).__name__}", again=False) from error

    def _say_once(self, text: str) -> None:
        if not self._failing:
            self._failing = True
            log.error(
                "notify by %s: %s; further failures are only counted, in wgfo_notifications_total",
                self._channel.name,
                redact(text),
            )
