"""A provider on a stand-in, called as the daemon calls it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from tests.support.gcp_server import GcpServer

from wgfo.model import (
    GroupName,
    PathName,
    Prefix,
    PrefixSet,
    ProviderName,
    RouteSet,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)
from wgfo.plugin import Permit, ProviderContext
from wgfo.testing import RecordingPermit
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.plugin import GCP
from wgfo_gcp.provider import GcpProvider

PROJECT = "wgfo-test"
A, B = PathName("primary"), PathName("secondary")
HOPS = {A: "instance:europe-west1-b/gw-a", B: "instance:europe-west1-b/gw-b"}
PREFIX = Prefix("192.168.0.0/16")


class CutPermit(RecordingPermit):
    """Lets so many requests out, reads and writes together: the process is killed before the next one."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self._requests = requests

    async def _turn(self) -> None:
        await super()._turn()
        if self.reads + self.writes >= self._requests:
            self._refuse("killed")


def prefixes(count: int) -> tuple[Prefix, ...]:
    return tuple(Prefix(f"10.{100 + number // 250}.{number % 250}.0/24") for number in range(count))


def options_for(server: GcpServer, **options: Any) -> GcpOptions:
    return GcpOptions(project=PROJECT, endpoint_url=server.url, **options)


def route_set(
    options: GcpOptions,
    table: str = "prod",
    of: Sequence[Prefix] = (PREFIX,),
    hops: dict[PathName, str] | None = None,
    *,
    adopt: bool = False,
) -> RouteSet:
    parsed = {path: GCP.parse_hop(hop, options) for path, hop in (hops or HOPS).items()}
    name, group, instance = TableName(table), GroupName("cloud"), ProviderName("gcp")
    set_id = RouteSet.make_id(instance, name, group)
    return RouteSet(set_id, group, instance, name, PrefixSet(of), parsed, adopt, options)


@contextlib.asynccontextmanager
async def opened(options: GcpOptions, *sets: RouteSet) -> AsyncIterator[GcpProvider]:
    """Open a provider for the length of a block: a process."""
    provider = GcpProvider(options)
    await provider.open(ProviderContext(ProviderName("gcp"), (), sets, RecordingPermit()))
    try:
        yield provider
    finally:
        await provider.aclose()


async def point(
    provider: GcpProvider,
    one: RouteSet,
    path: PathName,
    permit: Permit | None = None,
    *,
    owned: bool = True,
    observed: SetObservation | None = None,
) -> SetOutcome:
    change = SetChange(one, path, 1, observed, owned=owned)
    return await provider.point(change, permit or RecordingPermit())


async def see(provider: GcpProvider, one: RouteSet) -> SetObservation:
    return (await provider.observe((one,), RecordingPermit()))[one.id]
