"""Keeps the lease: renews it in time, and says at every write whether it still holds.

The deadline counts on the boot-time clock from *before* the request that obtained it was sent, so that a
process that was stopped, or a machine that slept, finds its lease run out before its next write (I7). A store
that cannot be reached loses the lease when its time is over: blind, nobody writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import patiently, say
from wgfo.plugin import Grant, Lease

RENEWALS: Final = 3
"""Times that the lease is renewed within its time to live."""

Told = Callable[[bool, int, str], None]
"""Hears whether the lease is held, its term, and why it is not held."""


class LeaseKeeper:
    """Holds one lease for this process.

    Args:
        lease: the store's.
        holder: this process' name, no other's.
        ttl_us: the lease's time to live, which paces the renewals.
        clock: the daemon's.
        told: called when the lease is won or lost.
    """

    def __init__(self, lease: Lease, holder: str, ttl_us: int, clock: Clock, told: Told) -> None:
        self._lease = lease
        self._holder = holder
        self._step_us = ttl_us // RENEWALS
        self._clock = clock
        self._told = told
        self._until_us = -1
        self._held: bool | None = None

    def veto(self) -> str | None:
        """Return why nothing must be written now; None: the lease is held."""
        if self._clock.boottime_us() < self._until_us:
            return None
        return "the lease has run out"

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await self._renew()
            await self._clock.sleep_until_us(self._clock.monotonic_us() + self._step_us)

    async def _renew(self) -> None:
        asked_us = self._clock.boottime_us()
        try:
            grant = await patiently(self._lease.acquire(self._holder), self._step_us, 0)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._keep_while_valid(f"the lease cannot be renewed: {say(error)}")
            return
        if grant is None:
            self._until_us = -1
            self._tell(held=False, term=0, text="another process holds the lease")
        else:
            self._granted(grant, asked_us)

    def _granted(self, grant: Grant, asked_us: int) -> None:
        self._until_us = asked_us + grant.ttl_us
        if self.veto() is None:
            self._tell(held=True, term=grant.term, text="")

    def _keep_while_valid(self, text: str) -> None:
        """An unreachable store takes nothing away before the time is over."""
        if self.veto() is not None:
            self._tell(held=False, term=0, text=text)

    def _tell(self, *, held: bool, term: int, text: str) -> None:
        if held is not self._held:
            self._held = held
            self._told(held, term, text)
