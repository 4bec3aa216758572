"""Shipped to authors of providers: the conformance suite, a permit that records, a provider in memory.

A test file of a provider is a world and three lines::

    from wgfo.testing import ProviderConformance, fixture

    class TestMyProvider(ProviderConformance):
        @fixture
        async def world(self):
            async with MyWorld() as world:
                yield world

The suite needs pytest and pytest-asyncio (``pip install 'wgfo[testing]'``); they are imported when it is named. The
rest, ``wgfo.testing.memory`` included, needs neither. See ``docs/reference/conformance.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgfo.testing.permit import RecordingPermit, WithdrawAfter
from wgfo.testing.requests import RequestLog
from wgfo.testing.world import Can, Moment, ProviderWorld, Spot, StandingRoute, TableSpec

if TYPE_CHECKING:
    from wgfo.testing.bench import Bench
    from wgfo.testing.conformance import ProviderConformance, fixture

__all__ = [
    "Bench",
    "Can",
    "Moment",
    "ProviderConformance",
    "ProviderWorld",
    "RecordingPermit",
    "RequestLog",
    "Spot",
    "StandingRoute",
    "TableSpec",
    "WithdrawAfter",
    "fixture",
]


def __getattr__(name: str) -> object:
    """Import the suite when it is asked for: a demonstration with the memory provider has no pytest."""
    if name not in {"Bench", "ProviderConformance", "fixture"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wgfo.testing import conformance  # noqa: PLC0415 - that is the point

    return getattr(conformance, name)
