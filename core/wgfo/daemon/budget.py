"""The request budget of one account: who may send a request to the platform now.

Two token buckets, writes and reads. Who waits stands in one line per bucket, ordered by :class:`Priority`,
then by configured order, then by arrival. An answer that names a retry-after pauses the whole account, both
buckets; afterwards it goes on in that same order. Everything is counted in integers: a token is one second of
refill divided by the rate, so nothing drifts.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from wgfo.daemon.clock import Clock
from wgfo.plugin import RequestRates

_SECOND_US: Final = 1_000_000
LONGEST_PAUSE_US: Final = 5 * 60 * _SECOND_US
"""However long a platform says to stay away: a day-long pause would be a denial of failover."""


class Priority(IntEnum):
    """First the writes that restore traffic, last the reads that only look for drift."""

    FAILOVER = 0
    REPAIR = 1
    VERIFY = 2
    RECONCILE = 3


class Line(IntEnum):
    """The two buckets."""

    WRITE = 0
    READ = 1


@dataclass(order=True, slots=True)
class _Waiter:
    priority: Priority
    order: int
    arrival: int
    ready: asyncio.Future[None] = field(compare=False)


@dataclass(slots=True)
class _Bucket:
    """``credit_us`` grows with time up to ``burst`` tokens of ``token_us`` each; 0: unbounded."""

    token_us: int = 0
    burst: int = 1
    credit_us: int = 0
    filled_us: int = 0
    waiting: list[_Waiter] = field(default_factory=list)

    def refill(self, now_us: int) -> None:
        limit = self.token_us * self.burst
        self.credit_us = min(limit, self.credit_us + now_us - self.filled_us)
        self.filled_us = now_us

    def missing_us(self) -> int:
        """How long until the next token; 0 where there is one."""
        return max(0, self.token_us - self.credit_us)

    def take(self) -> None:
        self.credit_us -= self.token_us


class Budget:
    """The budget that all provider instances of one scope share."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets = {line: _Bucket() for line in Line}
        self._paused_until_us = 0
        self._arrivals = 0
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, rates: RequestRates) -> None:
        """Apply what an instance declares; of several instances the strictest counts. Buckets start full."""
        self._limit(Line.WRITE, rates.writes_per_s, rates.write_burst)
        self._limit(Line.READ, rates.reads_per_s, rates.read_burst)

    def _limit(self, line: Line, per_s: int, burst: int) -> None:
        bucket = self._buckets[line]
        if per_s <= 0 or 0 < bucket.token_us >= _SECOND_US // per_s:
            return
        bucket.token_us = _SECOND_US // per_s
        bucket.burst = max(1, burst)
        bucket.filled_us = self._clock.monotonic_us()
        bucket.credit_us = bucket.token_us * bucket.burst

    def pause(self, for_us: int) -> None:
        """The platform asks to be left alone: nobody of this account sends anything for so long."""
        until_us = self._clock.monotonic_us() + min(for_us, LONGEST_PAUSE_US)
        self._paused_until_us = max(self._paused_until_us, until_us)

    def paused_for_us(self) -> int:
        """How long the account still rests."""
        return max(0, self._paused_until_us - self._clock.monotonic_us())

    async def acquire(self, line: Line, priority: Priority, order: int) -> None:
        """Wait for a token; the caller bounds the wait by cancelling it."""
        self._arrivals += 1
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._buckets[line].waiting, _Waiter(priority, order, self._arrivals, ready))
        self._pump()
        await ready

    def _pump(self) -> None:
        """Serve whoever can be served, and come back when the next one can."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waits = [wait for line in Line if (wait := self._serve(self._buckets[line])) is not None]
        if waits:
            self._timer = asyncio.get_running_loop().call_later(min(waits) / _SECOND_US, self._pump)

    def _serve(self, bucket: _Bucket) -> int | None:
        """Grant tokens in order; return how long until the next grant, None where nobody waits."""
        bucket.refill(self._clock.monotonic_us())
        while bucket.waiting:
            if bucket.waiting[0].ready.done():  # given up meanwhile
                heapq.heappop(bucket.waiting)
                continue
            wait_us = max(self.paused_for_us(), bucket.missing_us())
            if wait_us:
                return wait_us
            bucket.take()
            heapq.heappop(bucket.waiting).ready.set_result(None)
        return None
