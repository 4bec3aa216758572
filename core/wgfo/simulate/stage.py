"""The stage: a network, tables, a disk and a clock on which lives of the daemon are played, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from wgfo.model import (
    Outcome,
    PathName,
    PathView,
    Prefix,
    ProbeResult,
    ProviderName,
    RouteSet,
    SetChange,
    TableName,
)
from wgfo.simulate.disk import Disk
from wgfo.simulate.lease import RIVAL, LeaseStore
from wgfo.simulate.loop import VirtualTime
from wgfo.simulate.network import Network, Volley
from wgfo.simulate.plan import REFERENCE, Plan, Platform, Rewrite
from wgfo.simulate.provider import SimulatedProvider
from wgfo.simulate.tables import Landing, Table, TableId, Tables, content
from wgfo.simulate.timeline import Scribe, What

SERVICE: Final = "service"


class Watcher(Protocol):
    """Hears what reaches the tables."""

    def sent(self, change: SetChange, prefix: Prefix, lands_us: int) -> None:
        """A request that writes one destination is sent this very moment."""

    def landed(self, landing: Landing) -> None:
        """A table changed."""


class Stage:
    """Everything of a world but the daemon.

    Args:
        plan: what happens.
        seed: of the luck.
        clock: the virtual one, not started yet.
    """

    def __init__(self, plan: Plan, seed: int, clock: VirtualTime) -> None:
        self.plan = plan
        self.seed = seed
        self.clock = clock
        self.begin_us = clock.monotonic_us()
        self.end_us = self.begin_us + plan.duration_us
        self.network = Network(plan, seed, self.begin_us)
        self.network.followed = self._followed
        self.tables = Tables(clock.monotonic_us, self._landed)
        self.disk = Disk()
        self.scribe = Scribe(lambda: clock.monotonic_us() - self.begin_us)
        self.watchers: list[Watcher] = []
        self.life = 0
        self.requests: dict[str, int] = {}
        self.broken: list[tuple[int, str]] = []
        self.lease: LeaseStore | None = None
        if plan.lease is not None:
            self.lease = LeaseStore(plan.lease, clock.boottime_us, self._seized)

    # --- probes -------------------------------------------------------------------------------------------

    def send(self, view: PathView, volley: Volley) -> tuple[tuple[ProbeResult, ...], int]:
        """Return what becomes of a round, and when the last of it is settled."""
        if view.name == SERVICE:
            return self._serve(volley)
        return self.network.round(view.name if view.group else REFERENCE, volley)

    def _serve(self, volley: Volley) -> tuple[tuple[ProbeResult, ...], int]:
        passes = self.network.serves(volley.start_us)
        outcome, rtt_us = (Outcome.OK, self.plan.rtt_us) if passes else (Outcome.LOST, 0)
        sent = volley.sent_us()
        results = tuple(ProbeResult(outcome, at_us, rtt_us) for at_us in sent)
        return results, sent[-1] + (rtt_us or volley.timeout_us)

    def _followed(self, _at_us: int) -> PathName | None:
        paths = {self.tables.path(table): None for table in self.tables.of}
        return next(iter(paths)) if len(paths) == 1 else None

    # --- routes -------------------------------------------------------------------------------------------

    def provider(self, kind: str) -> SimulatedProvider:
        """Return a provider instance for the present life."""
        return SimulatedProvider(self, kind)

    def platform(self, instance: ProviderName) -> Platform:
        """Return how a platform works in good times; kernels are quick, clouds are not."""
        quick = Platform(1_000, 1_000) if instance == "linux" else Platform()
        return self.plan.platforms.get(instance, quick)

    def furnish(self, kind: str, sets: Sequence[RouteSet]) -> None:
        """Make the tables that the sets name, with what stands in them at the beginning."""
        for one in sets:
            table = self.tables.of.setdefault(TableId((ProviderName(kind), one.table)), Table({}))
            for prefix in one.prefixes:
                table.routes.setdefault(prefix, content(self.plan.begin))

    def rewrite(self, rewrite: Rewrite, at_us: int, by: str = "another") -> None:
        """Let somebody else write tables."""
        for table in self.tables.of:
            named = rewrite.tables is None or table[1] in rewrite.tables
            if named and rewrite.provider in (None, table[0]):
                self.tables.rewrite(at_us, table, rewrite.to, by)

    def request(self, operation: str, provider: ProviderName, table: TableName) -> int:
        """Count a request; return its number among those of its kind to this table."""
        key = f"{operation} {provider} {table}"
        self.requests[key] = self.requests.get(key, 0) + 1
        return self.requests[key]

    def land(self, landing: Landing) -> None:
        """Let a write land at its time, whoever still waits for it."""
        self.tables.land(landing)
        asyncio.get_running_loop().call_at(landing.at_us / 1_000_000, self.settle)

    def sent(self, change: SetChange, prefix: Prefix, lands_us: int) -> None:
        """A request that writes is sent now."""
        text = f"{change.route_set.table}: {prefix} -> {change.path} (epoch {change.epoch})"
        self.scribe.note(What.SENT, text, table=change.route_set.table, to=change.path, epoch=change.epoch)
        for watcher in self.watchers:
            watcher.sent(change, prefix, lands_us)

    def _landed(self, landing: Landing) -> None:
        self.scribe.landed(landing, self.begin_us)
        for watcher in self.watchers:
            watcher.landed(landing)

    def _seized(self, at_us: int) -> None:
        lease = self.plan.lease
        self.scribe.note(What.DAEMON, "the rival takes the lease", at_us - self.begin_us)
        if lease is not None and lease.rival is not None:
            self.rewrite(Rewrite(0, lease.rival), at_us, RIVAL)

    # --- the world's own clockwork ------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything happen that is due."""
        self.tables.settle()
        if self.lease is not None:
            self.lease.settle()

    def broke(self, text: str) -> None:
        """The core raised what it must not raise."""
        self.scribe.note(What.VIOLATION, f"bug of the core: {text}")
        self.broken.append((self.clock.monotonic_us() - self.begin_us, text))
