"""What this distribution offers to wgfo: a route provider and the WireGuard probes of Linux.

Found through the entry point ``linux``. Importing it imports no netlink library: the provider's modules load
when a configuration selects it, pyroute2 when it opens.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from wgfo.model import RouteSet
from wgfo.plugin import ProbeOffer, RouteOffer, RouteProvider, hookimpl
from wgfo_linux.config import LinuxOptions, parse_hop, parse_table, scope
from wgfo_linux.probes import offers

ROUTE_KEYS = frozenset({"metric", "protocol", "fallback"})


def _open(options: BaseModel) -> RouteProvider:
    from wgfo_linux.provider import LinuxProvider  # noqa: PLC0415 - loads when it is selected

    assert isinstance(options, LinuxOptions)
    return LinuxProvider(options)


def _permissions(sets: Sequence[RouteSet], options: BaseModel) -> str:
    from wgfo_linux.rights import systemd_drop_in  # noqa: PLC0415 - only `emit permissions` asks

    assert isinstance(options, LinuxOptions)
    return systemd_drop_in(sets, options)


LINUX = RouteOffer(
    kind="linux",
    options_model=LinuxOptions,
    parse_table=parse_table,
    parse_hop=parse_hop,
    open=_open,
    scope=scope,
    route_keys=ROUTE_KEYS,
    permissions=_permissions,
)


@hookimpl
def wgfo_route_offers() -> Sequence[RouteOffer]:
    """Offer the kernel's routing tables."""
    return (LINUX,)


@hookimpl
def wgfo_probe_offers() -> Sequence[ProbeOffer]:
    """Offer the interface and handshake probes."""
    return offers()
