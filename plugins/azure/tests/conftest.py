"""Fixtures of the Azure provider's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from plugins.azure.tests.calls import PREFIX, TABLE, opened
from plugins.azure.tests.world import AzureWorld, azure_world, hop_json

from wgfo_azure.provider import AzureProvider


@pytest_asyncio.fixture
async def azure() -> AsyncIterator[AzureWorld]:
    """A stand-in with one route for PREFIX over the first hop, of an operator's own name."""
    async with azure_world() as world:
        world.platform.put(TABLE, PREFIX, hop_json("10.0.0.4"), "to-onprem")
        yield world


@pytest_asyncio.fixture
async def provider(azure: AzureWorld) -> AsyncIterator[AzureProvider]:
    async with opened(azure.server.url) as opened_one:
        yield opened_one
