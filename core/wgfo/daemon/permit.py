"""The permit of one provider call: the only thing that lets a request out.

It holds the account's budget, the deadline of the call, the epoch, and the right of this process to write at
all (the lease, ``--dry-run``). It lapses at the deadline or when it is withdrawn, and stays lapsed: a request
that a provider was about to send minutes ago is not sent (invariants I2, I5 and I7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wgfo.daemon.budget import Budget, Line, Priority
from wgfo.daemon.clock import Clock
from wgfo.plugin import Withdrawn

_US: Final = 1_000_000

Veto = Callable[[], str | None]
"""Why this process must not write now; None: it may. Asked before and after every wait."""


def no_veto() -> str | None:
    """For processes that are the only writer."""
    return None


class CallPermit:
    """A :class:`~wgfo.plugin.route.Permit`."""

    def __init__(
        self,
        budget: Budget,
        clock: Clock,
        *,
        deadline_us: int,
        priority: Priority,
        order: int = 0,
        veto: Veto = no_veto,
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._deadline_us = deadline_us
        self._priority = priority
        self._order = order
        self._veto = veto
        self._withdrawn: str | None = None
        self._waits: dict[asyncio.Task[None], None] = {}
        self.writes = 0
        """Mutating requests that were let out."""

    def withdraw(self, why: str) -> None:
        """Let nothing more out; whoever waits is told at once."""
        if self._withdrawn is None:
            self._withdrawn = why
        for wait in self._waits:
            wait.cancel()

    async def write(self) -> None:
        """Wait for the budget; raises :class:`~wgfo.plugin.errors.Withdrawn`."""
        self._check(writing=True)
        await self._acquire(Line.WRITE, self._priority)
        self._check(writing=True)
        self.writes += 1

    async def read(self) -> None:
        """Wait for the budget of reads; raises :class:`~wgfo.plugin.errors.Withdrawn`."""
        self._check(writing=False)
        await self._acquire(Line.READ, self._priority)
        self._check(writing=False)

    def remaining_ms(self) -> int:
        """Time left until the deadline."""
        return max(0, self._deadline_us - self._clock.monotonic_us()) // 1_000

    def _check(self, *, writing: bool) -> None:
        if self._withdrawn is not None:
            raise Withdrawn(self._withdrawn)
        if self._clock.monotonic_us() >= self._deadline_us:
            raise Withdrawn("the deadline of this call has passed")
        why = self._veto() if writing else None
        if why is not None:
            raise Withdrawn(why)

    async def _acquire(self, line: Line, priority: Priority) -> None:
        """Wait in the account's line, at most until the deadline."""
        wait = asyncio.ensure_future(self._budget.acquire(line, priority, self._order))
        self._waits[wait] = None
        left_us = self._deadline_us - self._clock.monotonic_us()
        try:
            done, _ = await asyncio.wait({wait}, timeout=left_us / _US)
        finally:
            self._waits.pop(wait)
            wait.cancel()
        if not done:
            raise Withdrawn("the deadline passed while the request waited for the account's budget")
