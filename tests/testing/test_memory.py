"""The memory provider keeps the contract; so do one that makes before it breaks and one whose SDK blocks."""

from __future__ import annotations

from tests.testing.slots import SlotWorld
from tests.testing.threaded import ThreadedWorld
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


class TestMakeBeforeBreak(ProviderConformance):
    @fixture
    async def world(self) -> SlotWorld:
        return SlotWorld()


class TestBlockingSdk(ProviderConformance):
    @fixture
    async def world(self) -> ThreadedWorld:
        return ThreadedWorld()
