"""Permits that count what they let out, and lapse when a test says so."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from wgfo.plugin import Withdrawn

_LONG_MS: Final = 60_000


class RecordingPermit:
    """A :class:`~wgfo.plugin.route.Permit` that counts.

    Args:
        deadline_ms: time from now until it lapses.
        writes: how many writes it lets out before it lapses; None: any number.
        reads: the same for reads; running out of reads lapses the whole permit too.
    """

    def __init__(
        self, *, deadline_ms: int = _LONG_MS, writes: int | None = None, reads: int | None = None
    ) -> None:
        self.writes = 0
        """Writes that were let out."""
        self.reads = 0
        """Reads that were let out."""
        self.refused = 0
        """Times that it was asked after it had lapsed."""
        self._writes_left = writes
        self._reads_left = reads
        self._deadline = time.monotonic() + deadline_ms / 1000
        self._withdrawn = ""

    def withdraw(self, why: str = "a newer epoch") -> None:
        """Let nothing more out."""
        self._withdrawn = self._withdrawn or why

    async def write(self) -> None:
        """Let one write out; raises :class:`~wgfo.plugin.errors.Withdrawn`."""
        await self._turn()
        if self._writes_left == self.writes:
            self._refuse(f"a newer epoch, after {self.writes} writes")
        self.writes += 1

    async def read(self) -> None:
        """Let one read out; raises :class:`~wgfo.plugin.errors.Withdrawn`."""
        await self._turn()
        if self._reads_left == self.reads:
            self._refuse(f"a newer epoch, after {self.reads} reads")
        self.reads += 1

    def remaining_ms(self) -> int:
        """Time left until the deadline."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    async def _turn(self) -> None:
        """As the daemon's permits do: wait for the budget, then look whether it still holds."""
        await asyncio.sleep(0)
        if self._withdrawn:
            self._refuse(self._withdrawn)
        if not self.remaining_ms():
            self._refuse("the deadline of this call has passed")

    def _refuse(self, why: str) -> None:
        self.withdraw(why)
        self.refused += 1
        raise Withdrawn(why)


class WithdrawAfter(RecordingPermit):
    """A permit that lapses after so many writes: a newer epoch in the middle of a switch."""

    def __init__(self, writes: int) -> None:
        super().__init__(writes=writes)
