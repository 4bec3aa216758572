"""A plugin whose offer imports its SDK when an instance is made, before it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel

from wgfo.plugin import RouteOffer, RouteProvider, hookimpl
from wgfo.testing.memory import MEMORY


def _open(options: BaseModel) -> RouteProvider:
    import xmlrpc.client  # noqa: F401, PLC0415 - the flaw

    return MEMORY.open(options)


@hookimpl
def wgfo_route_offers() -> Sequence[RouteOffer]:
    return (replace(MEMORY, open=_open),)
