"""The suite against every broken provider; test_broken.py runs this file in a process of its own."""

from __future__ import annotations

from tests.testing.cases import CASES, Case
from wgfo.testing import ProviderConformance, fixture
from wgfo.testing.memory.world import MemoryWorld


def against(case: Case) -> type[ProviderConformance]:
    """Make the test class of a case."""

    class World(MemoryWorld):
        offer = case.offer
        plugin = case.plugin
        sdks = ("xmlrpc",)
        patience_ms = 2_000

    class Against(ProviderConformance):
        @fixture
        async def world(self) -> MemoryWorld:
            return World()

    return Against


for _case in CASES:
    globals()[f"Test{_case.name}"] = against(_case)
