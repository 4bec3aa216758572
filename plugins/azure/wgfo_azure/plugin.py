"""What this distribution offers to wgfo: the route provider ``azure``.

Found through the entry point ``azure``. The provider's modules load when a configuration selects it, the SDK
when it opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel

from wgfo.model import RouteSet
from wgfo.plugin import RouteOffer, RouteProvider, hookimpl
from wgfo_azure.config import AzureOptions, parse_hop, parse_table, scope


def _open(options: BaseModel) -> RouteProvider:
    from wgfo_azure.provider import AzureProvider  # noqa: PLC0415 - loads when it is selected

    assert isinstance(options, AzureOptions)
    return AzureProvider(options)


def _permissions(sets: Sequence[RouteSet], options: BaseModel) -> str:
    from wgfo_azure.rights import custom_role  # noqa: PLC0415 - only `emit permissions` asks

    assert isinstance(options, AzureOptions)
    return custom_role(sets, options)


AZURE: Final = RouteOffer(
    kind="azure",
    options_model=AzureOptions,
    parse_table=parse_table,
    parse_hop=parse_hop,
    open=_open,
    scope=scope,
    permissions=_permissions,
)


@hookimpl
def wgfo_route_offers() -> Sequence[RouteOffer]:
    """Offer Azure's route tables."""
    return (AZURE,)
