"""Routes of VPC networks keep the provider contract, over HTTP with the real SDK. The observer is the stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from tests.support.gcp_server import Fault, GcpServer, Harm, Row, Verdict
from tests.support.gcp_server.server import API

from wgfo.model import Hop, Prefix, TableName
from wgfo.testing import (
    Can,
    Moment,
    ProviderConformance,
    ProviderWorld,
    Spot,
    StandingRoute,
    TableSpec,
    fixture,
)
from wgfo_gcp.config import DEFAULT_PRIORITY
from wgfo_gcp.plugin import GCP

PROJECT = "wgfo-test"
HOPS = {"primary": "instance:europe-west1-b/gw-a", "secondary": "ip:10.132.0.9"}
RETRY_AFTER_S = 7
STALE_S = 0.3


class GcpWorld(ProviderWorld):
    """One project with two networks, behind HTTP."""

    plugin = "wgfo_gcp.plugin"
    sdks = ("google",)
    offer = GCP
    tables = (TableSpec("prod", HOPS), TableSpec("dev", HOPS))
    prefixes = ("192.168.0.0/20", "192.168.16.0/20", "192.168.32.0/20", "192.168.48.0/20", "fd20::/32")
    unrelated = "172.20.0.0/16"
    can = frozenset(Can) - {Can.RACE}
    retry_after_ms = RETRY_AFTER_S * 1000

    def __init__(self, server: GcpServer) -> None:
        super().__init__()
        self.server = server
        self.options = {"project": PROJECT, "endpoint_url": server.url}
        server.log_write, server.log_read = self.log.write, self.log.read
        server.on_change = self.on_change

    async def routes(self, table: TableName) -> Sequence[StandingRoute]:
        return standing(self.server.timeline.instants[-1].rows, table)

    def on_change(self) -> None:
        for spec in self.tables:
            now = standing(self.server.timeline.instants[-1].rows, spec.table)
            if not self._moments[TableName(spec.table)] or self._moments[TableName(spec.table)][-1] != now:
                self.changed(TableName(spec.table), now)

    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        carrying = self.server.timeline.standing(table, prefix).winners
        for row in carrying:
            del self.server.routes[row["name"]]
        fields = written(hop) if hop else {}
        self.server.put(table, prefix, carrying[0]["priority"] if carrying else 1000, **fields)

    async def drop(self, table: TableName, prefix: Prefix) -> None:
        for row in self.server.timeline.standing(table, prefix).rows:
            self.server.drop(row["name"])

    async def inject(self, what: Can, spot: Spot) -> None:
        match what:
            case Can.DORMANT:
                self.server.put(spot.table, spot.prefix, 2000, **written(spot.hop))
            case Can.STALE:
                self.server.stale_s = STALE_S
            case Can.GONE:
                self.server.remove_network(spot.table)
            case _:
                self.server.faults.add(self.fault(what, spot))

    def fault(self, what: Can, spot: Spot) -> Fault:  # noqa: PLR0911 - a case for each
        match what:
            case Can.REFUSE:
                text = "Invalid value for field 'resource.destRange'"
                return Fault(
                    Harm.ANSWER,
                    method="compute.routes.insert",
                    prefix=spot.prefix,
                    status=400,
                    reason="invalid",
                    text=text,
                )
            case Can.FAIL_LATER:
                return Fault(Harm.FAIL_LATER, prefix=spot.prefix, reason="INVALID_USAGE", text="not now")
            case Can.SLOW:
                self.server.faults.add(Fault(Harm.DELAY, delay_s=self.slow_ms / 1000, writes=False))
                return Fault(Harm.DELAY, delay_s=self.slow_ms / 1000)
            case Can.STALL:
                times = 1 if spot.writes else 1000
                return Fault(Harm.STALL, writes=spot.writes, times=times)
            case Can.LOSE_ANSWER:
                return Fault(Harm.DROP_AFTER, times=1)
            case Can.THROTTLE:
                return Fault(
                    Harm.ANSWER,
                    writes=spot.writes,
                    status=403,
                    reason="rateLimitExceeded",
                    text="Rate Limit Exceeded",
                    retry_after_s=RETRY_AFTER_S,
                )
            case Can.DENY:
                text = "Required 'compute.routes.x' permission for 'projects/wgfo-test'"
                return Fault(Harm.ANSWER, writes=spot.writes, status=403, reason="forbidden", text=text)
            case Can.BREAK:
                return Fault(Harm.GARBAGE, writes=spot.writes)
        raise AssertionError(what)

    async def release(self) -> None:
        await self.server.release()

    async def heal(self) -> None:
        self.server.faults.clear()
        self.server.stale_s = 0
        await self.server.release(carry_out=False)


def standing(rows: Sequence[Row], table: str) -> Moment:
    """Say which of a network's routes carry: of each destination those of the lowest priority."""
    mine = [row for row in rows if row["network"].endswith(f"/networks/{table}")]
    best: dict[str, int] = {}
    for row in mine:
        best[row["destRange"]] = min(row["priority"], best.get(row["destRange"], row["priority"]))
    return tuple(
        StandingRoute(
            row["destRange"],
            canonical(row),
            f"{row['name']} {row['priority']}",
            row["priority"] == best[row["destRange"]],
        )
        for row in sorted(mine, key=lambda row: str(row["name"]))
    )


def canonical(row: Row) -> str:
    found = {written(Hop(hop)).popitem(): hop for hop in HOPS.values()}
    pairs = [(name, str(value)) for name, value in row.items() if name.startswith("nextHop")]
    return found.get(pairs[0], pairs[0][1])


def written(hop: Hop) -> dict[str, str]:
    word, _, rest = hop.partition(":")
    if word == "ip":
        return {"nextHopIp": rest}
    zone, _, name = rest.partition("/")
    return {"nextHopInstance": f"{API}/projects/{PROJECT}/zones/{zone}/instances/{name}"}


def instance(name: str, network: str = "prod", **fields: object) -> Row:
    return {
        "name": name,
        "status": "RUNNING",
        "canIpForward": True,
        "networkInterfaces": [{"network": f"{API}/projects/{PROJECT}/global/networks/{network}"}],
        **fields,
    }


class TestGcpProvider(ProviderConformance):
    @fixture
    async def world(self) -> AsyncIterator[ProviderWorld]:
        async with GcpServer(project=PROJECT) as server:
            server.resources["zones/europe-west1-b/instances/gw-a"] = instance("gw-a")
            yield GcpWorld(server)


async def test_the_timeline_would_show_a_gap_and_an_equal_pair() -> None:
    async with GcpServer(project=PROJECT) as server:
        first = server.put("prod", "10.0.0.0/8", DEFAULT_PRIORITY)
        second = server.put("prod", "10.0.0.0/8", DEFAULT_PRIORITY)
        server.drop(first["name"])
        server.drop(second["name"])
        await asyncio.sleep(0)
        found = [verdict for _, verdict in server.timeline.faults("prod", "10.0.0.0/8")]
        assert found == [Verdict.NONE, Verdict.EQUAL, Verdict.NONE]
