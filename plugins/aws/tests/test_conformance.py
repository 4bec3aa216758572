"""VPC route tables keep the provider contract. The observer is the stand-in's own state."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

import pytest
from plugins.aws.tests.cloud import REGION, Cloud, Refusal, Server, destination_of, target_of

from wgfo.model import Hop, Prefix, TableName
from wgfo.testing import (
    Can,
    ProviderConformance,
    ProviderWorld,
    Spot,
    StandingRoute,
    TableSpec,
    fixture,
)
from wgfo_aws.plugin import AWS

HOPS = ("primary", "secondary")


class VpcWorld(ProviderWorld):
    """One VPC with two tables and two gateways' interfaces."""

    plugin = "wgfo_aws.plugin"
    sdks = ("boto3", "botocore")
    offer = AWS
    prefixes = ("10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16", "fd20::/32", "fd21::/32")
    unrelated = "10.99.0.0/16"
    can = frozenset(Can) - {Can.DORMANT, Can.FAIL_LATER, Can.RACE}
    retry_after_ms = 2_000
    deadline_ms = 700
    slow_ms = 300

    def __init__(self) -> None:
        super().__init__()
        self.cloud = Cloud(self.log, self._changed)
        self.elsewhere = self.cloud.interface()
        hops = {path: self.cloud.interface() for path in HOPS}
        self.tables = (TableSpec(self.cloud.table(), hops), TableSpec(self.cloud.table(), hops))
        self.secrets = (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(60))

    def _changed(self, table: str) -> None:
        self.changed(TableName(table), self._standing(table))

    def _standing(self, table: str) -> list[StandingRoute]:
        return [
            StandingRoute(destination_of(one), target_of(one), one.origin, blackhole=one.state != "active")
            for one in self.cloud.routes(table)
        ]

    async def routes(self, table: TableName) -> Sequence[StandingRoute]:
        return self._standing(table)

    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        self.cloud.put(table, prefix, hop or self.elsewhere)

    async def drop(self, table: TableName, prefix: Prefix) -> None:
        self.cloud.drop(table, prefix)

    async def inject(self, what: Can, spot: Spot) -> None:
        faults = self.cloud.faults
        match what:
            case Can.REFUSE:
                refused = Refusal("InvalidParameterValue", f"signed with {' '.join(self.secrets)}")
                faults.writes = lambda _table, prefix: refused if prefix == spot.prefix else None
            case Can.SLOW:
                faults.latency_ms = self.slow_ms
            case Can.STALL:
                faults.stall_write, faults.stall_reads = spot.writes, not spot.writes
            case Can.LOSE_ANSWER:
                faults.lose_answer = True
            case Can.STALE:
                faults.lag_ms = 500
            case Can.THROTTLE | Can.DENY:
                self._refuse(what, spot)
            case Can.GONE:
                self.cloud.remove_table(spot.table)
            case Can.BREAK:
                faults.broken_writes, faults.broken_reads = spot.writes, not spot.writes
            case _:
                await super().inject(what, spot)

    def _refuse(self, what: Can, spot: Spot) -> None:
        text = f"{' '.join(self.secrets)} is not authorized. Encoded authorization failure message: eNq1-x_y"
        refusal = {
            Can.DENY: Refusal("UnauthorizedOperation", text, "403 Forbidden"),
            Can.THROTTLE: Refusal(
                "RequestLimitExceeded", text, "503 Service Unavailable", (("Retry-After", "2"),)
            ),
        }[what]
        if spot.writes:
            self.cloud.faults.writes = lambda _table, _prefix: refusal
        else:
            self.cloud.faults.reads = refusal

    async def release(self) -> None:
        self.cloud.release()
        while self.cloud.busy:  # noqa: ASYNC110 - its requests end in threads
            await asyncio.sleep(0.005)

    async def heal(self) -> None:
        self.cloud.heal()


class TestAwsProvider(ProviderConformance):
    @fixture
    async def world(
        self, aws_server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[ProviderWorld]:
        world = VpcWorld()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.secrets[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.secrets[1])
        monkeypatch.setenv("AWS_SESSION_TOKEN", world.secrets[2])
        with aws_server.serving(world.cloud) as url:
            world.options = {"region": REGION, "endpoint_url": url}
            yield world
