"""The stand-in as the conformance suite sees it, and helpers for the other tests."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from tests.support.azure_server import Answer, AzureServer, Style, azure_server
from tests.support.azure_server.faults import DENIED, THROTTLED
from tests.support.azure_server.state import Table, hop_of

from wgfo.model import Hop, Prefix, TableName
from wgfo.testing import Can, ProviderWorld, Spot, StandingRoute, TableSpec
from wgfo_azure.plugin import AZURE

SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
HOPS = {"primary": "10.0.0.4", "secondary": "10.0.0.5"}
ELSEWHERE = {"nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.9.9.9"}


def hop_json(hop: str | None) -> Mapping[str, Any]:
    return ELSEWHERE if hop is None else {"nextHopType": "VirtualAppliance", "nextHopIpAddress": hop}


class AzureWorld(ProviderWorld):
    """Two route tables, over real HTTP."""

    plugin = "wgfo_azure.plugin"
    sdks = ("azure", "msal", "aiohttp")
    offer = AZURE
    tables = (TableSpec("rg-net/rt-spoke", HOPS), TableSpec("rg-net/rt-hub", HOPS))
    prefixes = ("10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16", "10.23.0.0/16", "192.0.2.0/24")
    unrelated = "10.99.0.0/16"
    can = frozenset(Can) - {Can.DORMANT}
    retry_after_ms = 2_000
    slow_ms = 120
    deadline_ms = 600
    stale_ms = 200

    def __init__(self, server: AzureServer) -> None:
        super().__init__()
        self.server = server
        self.platform = server.platform
        self.secrets = (secrets.token_hex(16),)
        self.options = {"subscription_id": SUBSCRIPTION, "endpoint_url": server.url}
        self.platform.listeners.append(self._note)
        server.entering = lambda writes, table, prefix: (
            self.log.write(table, prefix) if writes else self.log.read(table, prefix)
        )
        for spec in self.tables:
            self.platform.make_table(spec.table)

    def _note(self, table: Table) -> None:
        self.changed(TableName(table.path), standing(table))

    async def routes(self, table: TableName) -> Sequence[StandingRoute]:
        held = self.platform.tables[table]
        self.platform.settle(held)
        return standing(held)

    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        self.platform.put(table, prefix, hop_json(hop))

    async def drop(self, table: TableName, prefix: Prefix) -> None:
        self.platform.drop(table, prefix)

    async def inject(self, what: Can, spot: Spot) -> None:
        faults = self.platform.faults
        match what:
            case Can.REFUSE:
                faults.refused.add(spot.prefix)
            case Can.FAIL_LATER:
                faults.failing[spot.prefix] = ("Failed", "InternalServerError")
            case Can.SLOW:
                faults.latency_ms = self.slow_ms
            case Can.STALL:
                faults.stall_write, faults.stall_reads = spot.writes, not spot.writes
            case Can.LOSE_ANSWER:
                faults.lose_answer = True
            case Can.STALE:
                faults.stale_ms = self.stale_ms
            case Can.GONE:
                del self.platform.tables[spot.table]
            case Can.BREAK:
                faults.broken.add(spot.writes)
            case Can.RACE:
                faults.race = lambda: self.platform.put(spot.table, spot.prefix, ELSEWHERE)
            case _:
                self._answer(THROTTLED if what is Can.THROTTLE else DENIED, spot)

    def _answer(self, answer: Answer, spot: Spot) -> None:
        text = f"{answer.message} (Authorization: Bearer {self.secrets[0]})"
        said = Answer(answer.status, answer.code, text, retry_after=answer.retry_after)
        if spot.writes:
            self.platform.faults.writes = said
        else:
            self.platform.faults.reads = said

    async def release(self) -> None:
        await self.server.release()

    async def heal(self) -> None:
        faults = self.platform.faults
        await self.server.release(land=False)
        self.platform.faults = type(faults)(
            style=faults.style, lro_ms=faults.lro_ms, shared_etags=faults.shared_etags
        )


def standing(table: Table) -> tuple[StandingRoute, ...]:
    """Return what traffic follows; in the detail what a GET shows."""
    shown = {one["properties"]["addressPrefix"]: one for one in table.routes.values()}
    return tuple(
        StandingRoute(prefix, hop, detail=_detail(shown.get(prefix)))
        for prefix, hop in sorted(table.traffic.items())
    )


def _detail(route: Mapping[str, Any] | None) -> str:
    return f"{route['name']} {hop_of(route['properties'])}" if route else "gone"


@contextlib.asynccontextmanager
async def azure_world(
    style: Style = Style.STATUS, *, lro_ms: int = 0, shared_etags: bool = False
) -> AsyncIterator[AzureWorld]:
    async with azure_server(SUBSCRIPTION) as server:
        faults = server.platform.faults
        faults.style, faults.lro_ms, faults.shared_etags = style, lro_ms, shared_etags
        yield AzureWorld(server)
