"""A namespace with two mock tunnels, and a provider that lives in it. The observer is ``ip``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.netns import Namespace, namespaces

from wgfo.model import (
    Bind,
    BindKind,
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
from wgfo.plugin import ProviderContext, Withdrawn
from wgfo_linux.config import LinuxOptions
from wgfo_linux.provider import LinuxProvider

A, B = PathName("primary"), PathName("secondary")
DEVICES = {A: "dev wg0", B: "dev wg1"}


@dataclass
class Leave:
    """A permit that counts, and lapses after so many writes."""

    writes_left: int = 1_000_000
    reads_left: int = 1_000_000
    writes: int = 0
    reads: int = 0

    async def write(self) -> None:
        if self.writes >= self.writes_left:
            raise Withdrawn("a newer epoch")
        self.writes += 1

    async def read(self) -> None:
        if self.reads >= self.reads_left:
            raise Withdrawn("a newer epoch")
        self.reads += 1

    def remaining_ms(self) -> int:
        return 5000


@dataclass
class Kernel:
    """One provider in one namespace."""

    namespace: Namespace
    provider: LinuxProvider
    options: LinuxOptions
    permit: Leave = field(default_factory=Leave)

    def ip(self, *words: str) -> str:
        return self.namespace.run("ip", *" ".join(words).split())

    def routes(self, prefix: str, table: str = "main") -> list[str]:
        """What ``ip route`` shows for exactly this prefix, one text a route."""
        version = "-6" if ":" in prefix else "-4"
        shown = self.ip(version, "route", "show", "table", table, "exact", prefix).splitlines()
        return [" ".join(line.split()) for line in shown]

    async def observe(self, route_set: RouteSet) -> SetObservation:
        return (await self.provider.observe((route_set,), self.permit))[route_set.id]

    async def point(self, route_set: RouteSet, path: PathName, *, owned: bool = False) -> SetOutcome:
        return await self.provider.point(SetChange(route_set, path, epoch=1, owned=owned), self.permit)


def routed(
    *prefixes: str,
    table: str = "main",
    group: str = "cloud",
    hops: dict[PathName, str] | None = None,
    adopt: bool = False,
    options: LinuxOptions | None = None,
) -> RouteSet:
    """A route set as the configuration would make it."""
    provider, name = ProviderName("linux"), TableName(table)
    return RouteSet(
        id=RouteSet.make_id(provider, name, GroupName(group)),
        group=GroupName(group),
        provider=provider,
        table=name,
        prefixes=PrefixSet(Prefix(prefix) for prefix in prefixes),
        hops={path: Hop(hop) for path, hop in (hops or DEVICES).items()},
        adopt=adopt,
        options=options,
    )


def paths(group: str = "cloud", **more: Any) -> tuple[PathView, ...]:
    """Two paths that probes are bound to by device."""
    return tuple(
        PathView(GroupName(group), path, **{"interface": device, "bind": Bind(BindKind.DEVICE), **more})
        for path, device in ((A, "wg0"), (B, "wg1"))
    )


def tunnels(namespace: Namespace) -> None:
    """Two veth devices in the place of tunnels (far0 and far1 are their other ends), with two families."""
    for number, device in enumerate(("wg0", "wg1")):
        namespace.run("ip", "link", "add", device, "type", "veth", "peer", "name", f"far{number}")
        namespace.run("ip", "link", "set", f"far{number}", "up")
        namespace.run("ip", "address", "add", f"10.{100 + number}.0.1/24", "dev", device)
        namespace.run("ip", "address", "add", f"fd00:{number}::1/64", "dev", device, "nodad")
        namespace.run("ip", "link", "set", device, "up")


@contextlib.asynccontextmanager
async def kernel(
    sets: Sequence[RouteSet] = (), views: Sequence[PathView] = (), *, read_only: bool = False, **options: Any
) -> AsyncIterator[Kernel]:
    """Make the namespace and the tunnels, and open a provider in it."""
    with namespaces("kernel") as (namespace,):
        tunnels(namespace)
        async with opened(namespace, sets, views, read_only=read_only, **options) as one:
            yield one


@contextlib.asynccontextmanager
async def opened(
    namespace: Namespace,
    sets: Sequence[RouteSet] = (),
    views: Sequence[PathView] = (),
    *,
    read_only: bool = False,
    **options: Any,
) -> AsyncIterator[Kernel]:
    """Open a provider in a namespace that stands."""
    chosen = LinuxOptions(netns=namespace.name, **options)
    one = Kernel(namespace, LinuxProvider(chosen), chosen)
    context = ProviderContext(
        ProviderName("linux"),
        tuple(views),
        tuple(sets),
        one.permit,
        read_only=read_only,
        monotonic_us=lambda: time.monotonic_ns() // 1000,
    )
    await one.provider.open(context)
    try:
        yield one
    finally:
        await one.provider.aclose()
