"""Evidence for a one-shot check: each probe is opened once, a few rounds, then each layer's source is heard.

The daemon's own prober and pusher do the work, at a shorter interval; the sources come after the rounds, so
that a WireGuard peer has been sent something before its handshake is read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from wgfo.config.setup import GroupSetup, ProbeSetup, Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.prober import Prober
from wgfo.daemon.pusher import Pusher
from wgfo.engine.events import Event, HandshakeRead, LayerReported, RoundClosed
from wgfo.model import GroupName, HandshakeReport, LayerReport, Outcome, PathName

ROUNDS: Final = 3
PATIENCE: Final = 2 * ROUNDS
"""Rounds after which a stream is given up: its probe cannot even be sent."""
INTERVAL_US: Final = 300_000
LONGEST_TIMEOUT_US: Final = 2_000_000
WITHIN_S: Final = 6.0
"""For the rounds, opening included."""
SOURCES_WITHIN_S: Final = 2.0

StreamKey = tuple[GroupName, PathName, int]


@dataclass(slots=True)
class Evidence:
    """What was heard."""

    rounds: dict[StreamKey, list[RoundClosed]] = field(default_factory=dict)
    """At most :data:`ROUNDS` each."""
    layers: dict[StreamKey, LayerReport] = field(default_factory=dict)
    """The latest report of each source."""
    handshakes: dict[StreamKey, HandshakeReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Why a probe did not run."""


async def gather(setup: Setup, clock: Clock) -> Evidence:
    """Probe every path once; takes about two seconds, and never more than ten."""
    hearing = _Hearing(setup.groups)
    groups = [_brief(group) for group in setup.groups]
    async with running() as spawn:
        prober = Prober(clock, hearing.hear, spawn, hearing.evidence.problems.append)
        prober.configure(groups)
        await _until(hearing.rounds_done, WITHIN_S)
        prober.stop()
        pusher = Pusher(clock, hearing.hear, spawn, hearing.evidence.problems.append)
        pusher.configure(groups)
        await _until(hearing.sources_done, SOURCES_WITHIN_S)
        pusher.stop()
    return hearing.evidence


def _brief(group: GroupSetup) -> GroupSetup:
    return replace(group, probes=tuple(_faster(probe) for probe in group.probes))


def _faster(probe: ProbeSetup) -> ProbeSetup:
    if probe.stream is None:
        return probe
    return replace(probe, interval_us=INTERVAL_US, timeout_us=min(probe.timeout_us, LONGEST_TIMEOUT_US))


async def _until(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class running:  # noqa: N801 - used as a function
    """Start tasks, and have them ended, and their probes closed, when the block ends."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    def __call__(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start one."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.append(task)
        return task

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Hearing:
    """Collects events, and knows when everyone was heard."""

    def __init__(self, groups: Iterable[GroupSetup]) -> None:
        self.evidence = Evidence()
        self.rounds_done = asyncio.Event()
        self.sources_done = asyncio.Event()
        probes = [(group, probe) for group in groups for probe in group.probes]
        self._streams = {
            (group.name, path, probe.stream.index)
            for group, probe in probes
            for path in probe.paths
            if probe.stream
        }
        self._sources = {
            (group.name, path, probe.source.index)
            for group, probe in probes
            for path in probe.paths
            if probe.source
        }
        self._heard: dict[StreamKey, int] = {}
        self._see_whether_done()

    def hear(self, group: GroupName, event: Event) -> None:
        """Take an event of the prober or the pusher."""
        if isinstance(event, RoundClosed):
            self._round((group, event.path, event.stream), event)
        elif isinstance(event, LayerReported):
            self._layer((group, event.path, event.source), event.report)
        elif isinstance(event, HandshakeRead):
            self.evidence.handshakes[(group, event.path, event.source)] = event.report
        self._see_whether_done()

    def _round(self, key: StreamKey, event: RoundClosed) -> None:
        """Keep a round; one of which nothing can be said gives way to a better one, within the time."""
        self._heard[key] = self._heard.get(key, 0) + 1
        kept = self.evidence.rounds.setdefault(key, [])
        kept.append(event)
        kept.sort(key=_blind)
        del kept[ROUNDS:]

    def _layer(self, key: StreamKey, report: LayerReport) -> None:
        self.evidence.layers[key] = report

    def _see_whether_done(self) -> None:
        heard = self.evidence
        if all(self._enough(key) for key in self._streams):
            self.rounds_done.set()
        if all(key in heard.layers or key in heard.handshakes for key in self._sources):
            self.sources_done.set()

    def _enough(self, key: StreamKey) -> bool:
        clear = sum(not _blind(event) for event in self.evidence.rounds.get(key, ()))
        return clear >= ROUNDS or self._heard.get(key, 0) >= PATIENCE


def _blind(event: RoundClosed) -> bool:
    results = (*event.results, *((event.anchor,) if event.anchor else ()))
    return all(result.outcome is Outcome.UNKNOWN for result in results)
