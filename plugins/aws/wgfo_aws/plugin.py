"""What this distribution offers to wgfo: VPC route tables. Importing it imports no SDK."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from wgfo.model import RouteSet
from wgfo.plugin import RouteOffer, RouteProvider, hookimpl
from wgfo_aws.config import AwsOptions, parse_destination, parse_hop, parse_table, scope


def _open(options: BaseModel) -> RouteProvider:
    from wgfo_aws.provider import AwsProvider  # noqa: PLC0415 - loads when it is selected

    assert isinstance(options, AwsOptions)
    return AwsProvider(options)


def _permissions(sets: Sequence[RouteSet], options: BaseModel) -> str:
    from wgfo_aws.rights import policy  # noqa: PLC0415 - only `emit permissions` asks

    assert isinstance(options, AwsOptions)
    return policy(sets, options)


AWS = RouteOffer(
    kind="aws",
    options_model=AwsOptions,
    parse_table=parse_table,
    parse_hop=parse_hop,
    parse_destination=parse_destination,
    open=_open,
    scope=scope,
    permissions=_permissions,
)


@hookimpl
def wgfo_route_offers() -> Sequence[RouteOffer]:
    """Offer VPC route tables."""
    return (AWS,)
