"""Sets, permits and calls for the tests of the Azure provider."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from plugins.azure.tests.world import HOPS, SUBSCRIPTION

from wgfo.model import (
    GroupName,
    Hop,
    PathName,
    PathView,
    Prefix,
    PrefixSet,
    ProviderName,
    RouteSet,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)
from wgfo.plugin import ProviderContext
from wgfo.testing import RecordingPermit
from wgfo_azure.config import AzureOptions
from wgfo_azure.provider import AzureProvider

TABLE = "rg-net/rt-spoke"
A, B = PathName("primary"), PathName("secondary")
HOP_A, HOP_B = HOPS.values()
PREFIX = "10.20.0.0/16"


def route_set(
    *prefixes: str, table: str = TABLE, hops: Sequence[str] = (HOP_A, HOP_B), adopt: bool = False
) -> RouteSet:
    name, group, instance = TableName(table), GroupName("cloud"), ProviderName("azure")
    return RouteSet(
        id=RouteSet.make_id(instance, name, group),
        group=group,
        provider=instance,
        table=name,
        prefixes=PrefixSet(Prefix(one) for one in prefixes or (PREFIX,)),
        hops=dict(zip((A, B), map(Hop, hops), strict=True)),
        adopt=adopt,
    )


def options(url: str, **more: Any) -> AzureOptions:
    return AzureOptions(subscription_id=SUBSCRIPTION, endpoint_url=url, **more)


@contextlib.asynccontextmanager
async def opened(url: str, *sets: RouteSet) -> AsyncIterator[AzureProvider]:
    provider = AzureProvider(options(url))
    views = tuple(PathView(GroupName("cloud"), path) for path in (A, B))
    context = ProviderContext(
        ProviderName("azure"),
        views,
        sets or (route_set(),),
        RecordingPermit(),
        monotonic_us=time.monotonic_ns,
    )
    await provider.open(context)
    try:
        yield provider
    finally:
        await provider.aclose()


async def point(
    provider: AzureProvider,
    wanted: RouteSet,
    path: PathName = B,
    *,
    owned: bool = True,
    deadline_ms: int = 20_000,
    observed: SetObservation | None = None,
    permit: RecordingPermit | None = None,
) -> SetOutcome:
    change = SetChange(wanted, path, 1, observed, owned=owned)
    return await provider.point(change, permit or RecordingPermit(deadline_ms=deadline_ms))


async def observe(provider: AzureProvider, wanted: RouteSet) -> SetObservation:
    return (await provider.observe((wanted,), RecordingPermit()))[wanted.id]
