"""One probe on one path: keeps it open, runs its rounds, and never lets it fail upwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from pydantic import BaseModel

from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import Backoff, guarded, patiently, say
from wgfo.daemon.rounds import Timing, judge, stagger_us, unknown
from wgfo.model import FlowReport, ProbeResult
from wgfo.plugin import ProbeContext, ProbeError, ProbeOffer, ReportsFlows, RoundProbe

OPEN_ROUNDS: Final = 4
"""Rounds that may be under way at once on one path, where the timeout is longer than the interval."""
OPEN_US: Final = 10_000_000
"""Time for a probe to open its sockets."""
_US: Final = 1_000_000

Closed = Callable[[int, tuple[ProbeResult, ...]], None]
"""Called with the round's number and its results, once per round, as soon as it is closed."""


@dataclass(frozen=True, slots=True)
class ChannelSetup:
    """What a channel probes with."""

    name: str
    """For messages: ``GROUP/PATH KIND``."""
    offer: ProbeOffer
    options: BaseModel
    context: ProbeContext
    addresses: tuple[str, ...]
    interval_us: int


class Channel:
    """Rounds of one probe through one path.

    Args:
        setup: what to probe.
        clock: the daemon's.
        closed: hears every round.
        problem: hears why the probe does not run, each time that it failed.
    """

    def __init__(
        self, setup: ChannelSetup, clock: Clock, closed: Closed, problem: Callable[[str], None]
    ) -> None:
        self._setup = setup
        self._clock = clock
        self._closed = closed
        self._problem = problem
        self._probe: RoundProbe | None = None
        self._why_not = "the probe is being opened"
        self._broken = asyncio.Event()
        self._under_way: dict[int, int] = {}
        self.first_open: asyncio.Future[ProbeError | None] = asyncio.get_running_loop().create_future()
        """Ends with the first attempt to open the probe; an error of another kind counts as none here."""

    async def keep_open(self) -> None:
        """Open the probe, and again whenever it broke, until cancelled."""
        await guarded(self._live, self._failed, Backoff(self._clock))

    async def _live(self) -> None:
        """One life of the probe, from opening to failing."""
        probe = cast("RoundProbe", self._setup.offer.open(self._setup.context, self._setup.options))
        try:
            async with asyncio.timeout(OPEN_US / _US):
                await probe.open()
            self._probe = probe
            self._broken.clear()
            self._opened(None)
            await self._broken.wait()
        except ProbeError as error:
            self._opened(error)
            raise
        finally:
            self._probe = None
            await _close(probe)
        raise ProbeError(self._why_not)

    def _opened(self, error: ProbeError | None) -> None:
        if not self.first_open.done():
            self.first_open.set_result(error)

    def _failed(self, why: str) -> None:
        self._opened(None)
        self._why_not = why
        self._problem(f"{self._setup.name}: {why}")

    async def round(self, number: int, nominal_us: int) -> None:
        """Run one round and report it; whatever happens, it is reported exactly once."""
        timing = self._timing(nominal_us)
        self._under_way[number] = timing.due_us
        slept_us = self._slept_us()
        try:
            results = await self._ask(timing)
            closed_us = self._clock.monotonic_us()
            believed = judge(results, timing, closed_us, self._slept_us() - slept_us)
        finally:
            del self._under_way[number]
        self._closed(number, believed)

    def flow_report(self) -> FlowReport | None:
        """Return what the probe says of its flows, if it does; one that raises is broken."""
        probe: object = self._probe
        if not isinstance(probe, ReportsFlows):
            return None
        try:
            return probe.flow_report()
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._why_not = say(error)
            self._broken.set()
            return None

    def overdue(self, by_us: int) -> bool:
        """Whether a round should have been closed by then and is not."""
        return any(due_us <= by_us for due_us in self._under_way.values())

    def _timing(self, nominal_us: int) -> Timing:
        probes = len(self._setup.addresses)
        interval_us = self._setup.interval_us
        return Timing(
            nominal_us,
            self._clock.monotonic_us(),
            interval_us,
            self._setup.context.timeout_us,
            stagger_us(interval_us, probes),
            probes,
        )

    def _slept_us(self) -> int:
        return self._clock.boottime_us() - self._clock.monotonic_us()

    async def _ask(self, timing: Timing) -> tuple[ProbeResult, ...]:
        """Have the round sent; a probe that raises, or hangs for an interval and a second, is broken."""
        if self._probe is None:
            return unknown(timing, self._why_not)
        if len(self._under_way) > OPEN_ROUNDS:
            return unknown(timing, "earlier rounds are still open")
        patience_us = timing.due_us + timing.interval_us + _US - self._clock.monotonic_us()
        try:
            work = _round(self._probe, self._setup.addresses, timing.stagger_us)
            return await patiently(work, patience_us, timing.interval_us)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._why_not = say(error)
            self._broken.set()
            return unknown(timing, self._why_not)


async def _round(probe: RoundProbe, targets: tuple[str, ...], stagger: int) -> tuple[ProbeResult, ...]:
    return tuple(await probe.round(targets, stagger))


async def _close(probe: RoundProbe) -> None:
    """Release the sockets; a probe that cannot even do that is beyond help."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(OPEN_US / _US):
            await probe.aclose()
