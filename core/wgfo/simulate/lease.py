"""A lease store in the simulated world, and a rival that wants the lease too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wgfo.plugin import Grant
from wgfo.simulate.plan import LeasePlan

RIVAL: Final = "rival"
RIVAL_LOOKS_US: Final = 500_000
"""How long after the lease ran out the rival notices."""


@dataclass(slots=True)
class LeaseStore:
    """Who holds the lease, and until when.

    ``seized`` is called, with the moment, when the rival takes it.
    """

    plan: LeasePlan
    now_us: Callable[[], int]
    seized: Callable[[int], None]
    holder: str = ""
    term: int = 0
    until_us: int = -1
    history: list[tuple[int, str]] = field(default_factory=list)

    async def open(self) -> None:
        """Nothing to open."""

    async def acquire(self, holder: str) -> Grant | None:
        """Take or renew the lease."""
        self.settle()
        now_us = self.now_us()
        if self.holder not in ("", holder) and now_us < self.until_us:
            return None
        self._give(holder, now_us, now_us + self.plan.ttl_us)
        return Grant(self.term, self.plan.ttl_us)

    async def release(self, holder: str) -> None:
        """Give it up."""
        if self.holder == holder:
            self.until_us = self.now_us()

    async def aclose(self) -> None:
        """Nothing to release."""

    def settle(self) -> None:
        """Let the rival take what has run out; it never gives it back."""
        looks_us = self.until_us + RIVAL_LOOKS_US
        if self.plan.rival is None or self.holder in ("", RIVAL) or self.now_us() < looks_us:
            return
        self._give(RIVAL, looks_us, 1 << 62)
        self.seized(looks_us)

    def holds(self, holder: str) -> bool:
        """Whether somebody holds the lease now."""
        self.settle()
        return self.holder == holder and self.now_us() < self.until_us

    def _give(self, holder: str, at_us: int, until_us: int) -> None:
        if holder != self.holder:
            self.term += 1
            self.holder = holder
            self.history.append((at_us, holder))
        self.until_us = until_us
