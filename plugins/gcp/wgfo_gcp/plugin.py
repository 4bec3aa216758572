"""What this distribution offers to wgfo: routes of VPC networks. Importing it imports no SDK."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from wgfo.model import RouteSet
from wgfo.plugin import RouteOffer, RouteProvider, hookimpl
from wgfo_gcp.config import GcpOptions, parse_hop, parse_table, scope


def _open(options: BaseModel) -> RouteProvider:
    from wgfo_gcp.provider import GcpProvider  # noqa: PLC0415 - loads when it is selected

    assert isinstance(options, GcpOptions)
    return GcpProvider(options)


def _permissions(sets: Sequence[RouteSet], options: BaseModel) -> str:
    from wgfo_gcp.rights import role  # noqa: PLC0415 - only `emit permissions` asks

    assert isinstance(options, GcpOptions)
    return role(sets, options)


GCP = RouteOffer(
    kind="gcp",
    options_model=GcpOptions,
    parse_table=parse_table,
    parse_hop=parse_hop,
    open=_open,
    scope=scope,
    route_keys=frozenset({"priority", "tags"}),
    permissions=_permissions,
)


@hookimpl
def wgfo_route_offers() -> Sequence[RouteOffer]:
    """Offer the routes of VPC networks."""
    return (GCP,)
