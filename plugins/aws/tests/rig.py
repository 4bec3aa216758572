"""A provider on a cloud, called as the daemon calls it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from plugins.aws.tests.cloud import REGION, Cloud, Server

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
from wgfo.testing import RecordingPermit, RequestLog
from wgfo_aws.config import AwsOptions
from wgfo_aws.provider import AwsProvider

PROVIDER = ProviderName("aws")
GROUP = GroupName("cloud")
A, B = PathName("primary"), PathName("secondary")
PREFIXES = ("10.20.0.0/16", "10.21.0.0/16", "fd20::/32")


class Rig:
    """A cloud with one table and an interface for each of two paths."""

    def __init__(self, cloud: Cloud, url: str, log: RequestLog) -> None:
        self.cloud = cloud
        self.log = log
        self.url = url
        self.options = AwsOptions(region=REGION, endpoint_url=url)
        self.table = cloud.table()
        self.hops = {A: cloud.interface(), B: cloud.interface()}
        self.others = cloud.interface()
        self.epoch = 0

    def set(
        self,
        *prefixes: str,
        table: str = "",
        hops: Mapping[PathName, str] | None = None,
        adopt: bool = False,
        group: GroupName = GROUP,
    ) -> RouteSet:
        name = TableName(table or self.table)
        return RouteSet(
            RouteSet.make_id(PROVIDER, name, group),
            group,
            PROVIDER,
            name,
            PrefixSet(Prefix(one) for one in prefixes or PREFIXES),
            {path: Hop(hop) for path, hop in (hops or self.hops).items()},
            adopt,
        )

    @contextlib.asynccontextmanager
    async def open(
        self, *sets: RouteSet, options: AwsOptions | None = None, paths: Sequence[PathView] = ()
    ) -> AsyncIterator[AwsProvider]:
        provider = AwsProvider(options or self.options)
        await provider.open(self.context(*sets, paths=paths))
        try:
            yield provider
        finally:
            await provider.aclose()

    def context(self, *sets: RouteSet, paths: Sequence[PathView] = ()) -> ProviderContext:
        return ProviderContext(
            PROVIDER,
            tuple(paths),
            sets or (self.set(),),
            RecordingPermit(),
            monotonic_us=lambda: time.monotonic_ns() // 1000,
        )

    async def point(
        self,
        provider: AwsProvider,
        one: RouteSet,
        path: PathName,
        *,
        permit: RecordingPermit | None = None,
        observed: SetObservation | None = None,
        owned: bool = True,
    ) -> SetOutcome:
        self.epoch += 1
        change = SetChange(one, path, self.epoch, observed, owned=owned)
        return await provider.point(change, permit or RecordingPermit())

    async def observe(self, provider: AwsProvider, *sets: RouteSet) -> SetObservation:
        found = await provider.observe(sets, RecordingPermit())
        return found[sets[0].id]

    def standing(self, one: RouteSet) -> set[str | None]:
        """The targets of a set's routes, as the cloud has them."""
        return {self.cloud.target(one.table, prefix) for prefix in one.prefixes}

    def sent(self, action: str) -> int:
        return self.cloud.actions.count(action)


@contextlib.contextmanager
def rig_on(server: Server, **options: str) -> Iterator[Rig]:
    """Make a cloud and a rig on it."""
    log = RequestLog()
    cloud = Cloud(log, lambda _table: None, **options)
    with server.serving(cloud) as url:
        yield Rig(cloud, url, log)
