"""The memory platform as the conformance suite sees it; also an example of how a world is written."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from wgfo.model import Hop, Prefix, TableName
from wgfo.plugin import RouteOffer
from wgfo.testing.memory.options import MEMORY
from wgfo.testing.memory.platform import (
    BLACKHOLE,
    DORMANT,
    Code,
    Entry,
    Faults,
    MemoryPlatform,
    Observer,
    PlatformError,
)
from wgfo.testing.requests import RequestLog
from wgfo.testing.world import Can, ProviderWorld, Spot, StandingRoute, TableSpec

OUTSIDER: Final = "somebody"
_SECRET: Final = secrets.token_hex(8)
_HOPS: Final = {"primary": "gateway-1", "secondary": "gateway-2"}


class MemoryWorld(ProviderWorld):
    """A fresh platform with two tables; it can do everything."""

    plugin: ClassVar[str] = "wgfo.testing.memory"
    sdks: ClassVar[Sequence[str]] = ()
    can = frozenset(Can)
    offer: RouteOffer = MEMORY
    tables = (TableSpec("East", _HOPS), TableSpec("west", _HOPS))
    prefixes = ("10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16", "fd20::/32", "192.0.2.0/24")
    unrelated = "10.99.0.0/16"
    retry_after_ms = 1_700
    slow_ms = 60
    deadline_ms = 200
    lag_ms = 200

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.secrets = (_SECRET,)
        self.platform = MemoryPlatform("conformance", "east", "west", observer=_Seen(self))
        self.options: Mapping[str, object] = {
            "platform": self.platform.name,
            "key": self.secrets[0],
            "visibility_ms": 2 * self.lag_ms,
            **options,
        }

    async def routes(self, table: TableName) -> Sequence[StandingRoute]:
        """List what stands."""
        return tuple(standing(self.platform.entries(table)))

    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        """Overwrite what carries the prefix."""
        self.platform.change(table, Entry(prefix, hop or "elsewhere", OUTSIDER))

    async def drop(self, table: TableName, prefix: Prefix) -> None:
        """Delete what carries the prefix."""
        self.platform.change(table, Entry(prefix, "", OUTSIDER), delete=True)

    async def inject(self, what: Can, spot: Spot) -> None:
        """Turn a knob of the platform."""
        faults = self.platform.faults
        match what:
            case Can.DORMANT:
                self.platform.change(spot.table, Entry(spot.prefix, spot.hop, OUTSIDER, DORMANT))
            case Can.REFUSE:
                faults.refused.add(spot.prefix)
            case Can.FAIL_LATER:
                faults.failing.add(spot.prefix)
            case Can.SLOW:
                faults.latency_ms = self.slow_ms
            case Can.STALL:
                faults.stall_write, faults.stall_reads = spot.writes, not spot.writes
            case Can.LOSE_ANSWER:
                faults.lose_answer = True
            case Can.STALE:
                faults.lag_ms = self.lag_ms
            case Can.GONE:
                self.platform.remove_table(spot.table)
            case Can.RACE:
                meddled = Entry(spot.prefix, "elsewhere", OUTSIDER)
                faults.race = lambda: self.platform.change(spot.table, meddled)
            case _:
                self._answer(what, spot)

    def _answer(self, what: Can, spot: Spot) -> None:
        key = self.secrets[0]
        code = {Can.THROTTLE: Code.THROTTLED, Can.DENY: Code.DENIED, Can.BREAK: Code.INTERNAL}[what]
        retry_after_ms = self.retry_after_ms if what is Can.THROTTLE else None
        error = PlatformError(code, f"request signed with {key} is not served", retry_after_ms)
        if spot.writes:
            self.platform.faults.writes = error
        else:
            self.platform.faults.reads = error

    async def release(self) -> None:
        """Let what is stalled land."""
        await self.platform.release()

    async def heal(self) -> None:
        """Make the platform well again; what is stalled is dropped."""
        self.platform.faults = Faults()
        await self.platform.release(land=False)


class _Seen(Observer):
    """Tells the world what the platform sees."""

    def __init__(self, world: ProviderWorld) -> None:
        self._world = world

    def handling(self, *, write: bool, table: str, prefix: str) -> contextlib.AbstractContextManager[None]:
        log: RequestLog = self._world.log
        return log.write(table, prefix) if write else log.read(table, prefix)

    def changed(self, table: str, entries: Sequence[Entry]) -> None:
        self._world.changed(TableName(table), standing(entries))


def standing(entries: Iterable[Entry]) -> list[StandingRoute]:
    """Translate the platform's entries."""
    entries = list(entries)
    best = {entry.prefix: entry.priority for entry in sorted(entries, key=lambda one: -one.priority)}
    return [
        StandingRoute(
            entry.prefix,
            entry.hop,
            detail=f"{entry.owner} {entry.priority}",
            carries=best[entry.prefix] == entry.priority,
            blackhole=entry.hop == BLACKHOLE,
        )
        for entry in entries
    ]
