"""The lease contract: several processes that may write the same routes agree on one holder.

The holder's deadline, on the boot-time clock, is in every permit: a writer that was stopped and continued
finds its permit lapsed (invariant I7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease that is held."""

    term: int
    """Number of the holder; grows each time that the lease changes hands."""
    ttl_us: int
    """How long it is valid, counted from *before* the request that obtained it was sent."""


class Lease(Protocol):
    """A named lease in an existing store."""

    async def open(self) -> None:
        """Reach the store once; raises :class:`~wgfo.plugin.errors.LeaseError`."""

    async def acquire(self, holder: str) -> Grant | None:
        """Take or renew the lease for ``holder``; None while another one holds it."""

    async def release(self, holder: str) -> None:
        """Give it up, if held."""

    async def aclose(self) -> None:
        """Release the connection."""


@dataclass(frozen=True, slots=True)
class LeaseOffer:
    """A kind of lease store."""

    kind: str
    options_model: type[BaseModel]
    open: Callable[[BaseModel], Lease]
