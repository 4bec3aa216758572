"""Azure's route tables as a route provider: one instance, one subscription.

    open     imports the SDK (in a thread), makes the client, reads every table once
    observe  one GET of each table, summed up by routes.py
    point    the same GET, then point.py: one PUT a route, each followed to its end by writer.py
    check    check.py

Route tables have no notifications, so there is nothing to watch. A write that was given up may land until
Azure's own time for it is over; its etag keeps it from undoing anything newer (unsettled.py).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Final

from wgfo.model import Changed, Finding, RouteSet, RouteSetId, SetChange, SetObservation, SetOutcome
from wgfo.plugin import (
    Capabilities,
    Permit,
    ProviderContext,
    ProviderError,
    RequestRates,
    Unsupported,
    Withdrawn,
)
from wgfo_azure.config import AzureOptions, TableRef
from wgfo_azure.operation import Pace
from wgfo_azure.routes import Table, read_table, sum_up
from wgfo_azure.unsettled import Unsettled

if TYPE_CHECKING:
    from wgfo_azure.client import ArmClient

CAPABILITIES: Final = Capabilities(
    parallel_tables=8,
    parallel_writes=1,
    visibility_ms=3_000,
    late_write_ms=10_000,
    rates=RequestRates(writes_per_s=9, write_burst=190, reads_per_s=22, read_burst=225),
)
"""Azure Resource Manager: 200 writes and 10 more a second, 250 reads and 25 more a second, for a principal in a
subscription and region. A tenth is left to others."""


class AzureProvider:
    """Routes in the route tables of one subscription."""

    def __init__(self, options: AzureOptions) -> None:
        self._options = options
        self._client: ArmClient | None = None
        self._unsettled = Unsettled()
        self._pace = Pace()
        self._configured: defaultdict[TableRef, frozenset[str]] = defaultdict(frozenset)

    @property
    def capabilities(self) -> Capabilities:
        """Constant."""
        return CAPABILITIES

    @property
    def _arm(self) -> ArmClient:
        assert self._client is not None, "open() comes first"
        return self._client

    async def open(self, context: ProviderContext) -> None:
        """Import the SDK, connect, fetch a token and read every table once.

        A table that cannot be read is no reason to leave the others alone: its own reads tell of it.

        Raises:
            Denied: there are no credentials, or they may read no table.
            NotFound: no table is there.
            Unsupported: the SDK is not installed as it should be.
        """
        try:
            await _import_sdk()
            from wgfo_azure.client import connect  # noqa: PLC0415 - the SDK loads here

            self._client = connect(self._options)
            self._learn(context.sets)
            await self._read_first(context)
        except BaseException:
            await self.aclose()
            raise

    async def _read_first(self, context: ProviderContext) -> None:
        tables = {TableRef.of(one.table): None for one in context.sets}
        errors: list[ProviderError] = []
        for table in tables:
            try:
                await self._read(table, context.permit)
            except Withdrawn:
                raise
            except ProviderError as error:
                errors.append(error)
        if errors and len(errors) == len(tables):
            raise errors[0]

    async def aclose(self) -> None:
        """Close the connections; routes stay as they are."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Look for what would keep these routes from working."""
        from wgfo_azure.check import findings  # noqa: PLC0415 - after the SDK, which its errors are about

        return await findings(self._arm, sets, permit)

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read each table once."""
        self._learn(sets)
        refs = {TableRef.of(one.table): None for one in sets}
        tables = {ref: await self._read(ref, permit) for ref in refs}
        return {one.id: self._sum_up(one, tables[TableRef.of(one.table)]) for one in sets}

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Read the table, compare it with the fence, then write what differs."""
        from wgfo_azure.point import carry_out, fenced, plan  # noqa: PLC0415 - they import the SDK
        from wgfo_azure.writer import Writer  # noqa: PLC0415

        self._learn((change.route_set,))
        table = await self._read(TableRef.of(change.route_set.table), permit)
        conflict = fenced(change, table)
        if conflict is not None:
            return conflict
        writer = Writer(self._arm, table, self._unsettled, self._pace)
        return await carry_out(plan(change, table, writer), change, writer, permit)

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield nothing: Azure does not tell."""
        for route_set in sets[:0]:
            yield Changed(route_set.id)

    async def _read(self, ref: TableRef, permit: Permit) -> Table:
        table = read_table(ref, await self._arm.table(ref, permit))
        self._unsettled.look(table)
        return table

    def _learn(self, sets: Sequence[RouteSet]) -> None:
        for route_set in sets:
            self._configured[TableRef.of(route_set.table)] |= frozenset(route_set.prefixes)

    def _sum_up(self, route_set: RouteSet, table: Table) -> SetObservation:
        found = (table.by_prefix.get(prefix) for prefix in route_set.prefixes)
        residue = tuple(
            f"a write of route {route.name!r} that was not answered may still land"
            for route in found
            if route is not None and self._unsettled.may_land(table.ref, route)
        )
        return sum_up(route_set, table, self._configured[table.ref], residue)


async def _import_sdk() -> None:
    """Import the SDK in a thread of its own: it takes most of a second, during which the loop goes on."""
    with ThreadPoolExecutor(1, "wgfo-azure-import") as thread:
        try:
            await asyncio.get_running_loop().run_in_executor(thread, import_module, "wgfo_azure.client")
        except ImportError as error:
            raise Unsupported(
                f"the Azure SDK cannot be imported: {error}; install it with pip install 'wgfo[azure]'"
            ) from None
