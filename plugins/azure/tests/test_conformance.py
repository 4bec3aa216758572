"""The Azure provider keeps the provider contract, over real HTTP with the real SDK, whatever Azure's manners."""

from __future__ import annotations

from collections.abc import AsyncIterator

from plugins.azure.tests.world import azure_world
from tests.support.azure_server import Style

from wgfo.testing import ProviderConformance, ProviderWorld, fixture


class TestOperationsWithAStatus(ProviderConformance):
    @fixture
    async def world(self) -> AsyncIterator[ProviderWorld]:
        async with azure_world(Style.STATUS, lro_ms=20) as world:
            yield world


class TestEtagsSharedByATable(ProviderConformance):
    @fixture
    async def world(self) -> AsyncIterator[ProviderWorld]:
        async with azure_world(Style.LOCATION, lro_ms=10, shared_etags=True) as world:
            yield world


class TestWritesThatAreDoneAtOnce(ProviderConformance):
    @fixture
    async def world(self) -> AsyncIterator[ProviderWorld]:
        async with azure_world(Style.AT_ONCE) as world:
            yield world
