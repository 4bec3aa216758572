"""The memory provider keeps the contract."""

from __future__ import annotations

from wgfo.testing import ProviderConformance, fixture
from wgfo.testing.memory.world import MemoryWorld


class TestMemory(ProviderConformance):
    @fixture
    async def world(self) -> MemoryWorld:
        return MemoryWorld()


class TestMemoryInParallel(ProviderConformance):
    @fixture
    async def world(self) -> MemoryWorld:
        return MemoryWorld(parallel_writes=3)
