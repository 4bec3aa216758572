"""VPC route tables as a route provider: one instance, one account in one region.

    open     SDK, credentials, client, one read (sdk.py)
    observe  one DescribeRouteTables for all sets, page by page (tables.py), summed up by observe.py
    point    the same for one table, then ReplaceRoute or CreateRoute for what differs (point.py)
    check    check.py

There is no watch: EC2 tells of changes through CloudTrail only, minutes late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

from wgfo.model import (
    Changed,
    Finding,
    PathView,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)
from wgfo.plugin import Capabilities, Permit, ProviderContext, ProviderError, RequestRates
from wgfo_aws.check import Preflight
from wgfo_aws.config import AwsOptions
from wgfo_aws.observe import read_set
from wgfo_aws.point import Lately, Standings, Writer, from_observation, from_table, may_trust
from wgfo_aws.sdk import Ec2
from wgfo_aws.tables import find, ping, read_tables

TABLES: Final = 4
WRITES: Final = 8
READERS: Final = 4
"""Threads beyond those that writes may occupy: reads never wait for them."""
CAPABILITIES: Final = Capabilities(
    parallel_tables=TABLES,
    parallel_writes=WRITES,
    # EC2 says "starting with a couple of seconds, up to a few minutes". Nearly all reads are right after a second
    # or two; one that is later than this costs a write that changes nothing, and `settle` may be set longer.
    visibility_ms=10_000,
    # A request that was given up may still be connecting (2 s), and EC2 takes up to some seconds to carry it out.
    late_write_ms=5_000,
    # EC2's documented buckets for one account and region: changes 50 and 5 a second, reads 100 and 20 a second; the
    # reserve is for everyone else in the account.
    rates=RequestRates(writes_per_s=5, write_burst=45, reads_per_s=10, read_burst=50),
)


class AwsProvider:
    """Routes in VPC route tables."""

    def __init__(self, options: AwsOptions) -> None:
        self._options = options
        self._ec2 = Ec2(options, TABLES * WRITES + READERS)
        self._lately = Lately(CAPABILITIES.visibility_ms, lambda: 0)
        self._configured: Mapping[TableName, frozenset[str]] = {}
        self._paths: tuple[PathView, ...] = ()

    @property
    def capabilities(self) -> Capabilities:
        """The same for every account."""
        return CAPABILITIES

    async def open(self, context: ProviderContext) -> None:
        """Make the client and read once. A table that is missing is told of by ``observe``.

        Raises:
            Denied: no credentials, or no right to read route tables.
            Unsupported: no region, or no such profile.
            Transient: EC2 cannot be reached.
        """
        self._lately = Lately(CAPABILITIES.visibility_ms, context.monotonic_us)
        self._configured = _configured(context.sets)
        self._paths = context.paths
        try:
            await self._ec2.open(context.permit)
            await ping(self._ec2, context.permit)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close connections and threads; the routes stay."""
        await self._ec2.aclose()

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Look for what would keep these routes from working."""
        preflight = Preflight(self._ec2, self._options, sets, self._paths, self._known(sets), permit)
        return await preflight.findings()

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read the sets: all tables in one request.

        Raises:
            NotFound: one of the tables does not exist.
        """
        tables = await read_tables(self._ec2, (one.table for one in sets), permit)
        known = self._known(sets)
        return {
            one.id: read_set(one, find(tables, one.table, self._ec2.region), known[one.table]) for one in sets
        }

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Read the table, then write what differs."""
        standings = await self._standings(change, permit)
        writer = Writer(self._ec2, change, permit, self._lately)
        return await writer.carry_out(standings, WRITES)

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Never called: ``capabilities.watches`` is not set."""
        for one in sets[:0]:
            yield Changed(one.id)

    async def _standings(self, change: SetChange, permit: Permit) -> Standings:
        name = change.route_set.table
        try:
            tables = await read_tables(self._ec2, (name,), permit)
        except ProviderError as error:
            seen = may_trust(change, error)
            if seen is None:
                raise
            return from_observation(change, seen)
        return from_table(change, find(tables, name, self._ec2.region))

    def _known(self, sets: Sequence[RouteSet]) -> Mapping[TableName, frozenset[str]]:
        """Return what is configured in each table, also by sets that were not asked about."""
        asked = _configured(sets)
        return {name: found | self._configured.get(name, frozenset()) for name, found in asked.items()}


def _configured(sets: Iterable[RouteSet]) -> Mapping[TableName, frozenset[str]]:
    found: dict[TableName, set[str]] = defaultdict(set)
    for one in sets:
        found[one.table].update(one.prefixes)
    return {name: frozenset(prefixes) for name, prefixes in found.items()}
