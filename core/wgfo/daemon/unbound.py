"""Rounds that follow the real routes, bound to no path: the reference hosts, and the service probes.

Neither judges a path. The reference tells a failed path from an isolated controller; a service probe gives
the first good packet after a switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from wgfo.config.setup import GroupSetup, ServiceSetup
from wgfo.daemon.channel import Channel, ChannelSetup
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import Spawn
from wgfo.daemon.prober import Schedule, Sink
from wgfo.engine.events import ReferenceClosed, ServiceClosed
from wgfo.model import GroupName, Layer, Outcome, PathName, PathView, ProbeResult
from wgfo.plugin import Mode, ProbeContext, ProbeOffer, Role

REFERENCE_INTERVAL_US: Final = 1_000_000
REFERENCE_TIMEOUT_US: Final = 800_000
_SAMPLE: Final = PathView(GroupName(""), PathName("reference"), peer="192.0.2.1")


@dataclass(frozen=True, slots=True)
class Reference:
    """How to reach the reference hosts."""

    offer: ProbeOffer
    options: BaseModel
    hosts: tuple[str, ...]


def reference_offer(offers: Iterable[ProbeOffer]) -> ProbeOffer | None:
    """Return the kind that would prove a path to a peer by default: good enough to ask a local host."""
    for offer in offers:
        proves = offer.layer is Layer.DATAPLANE and offer.role is Role.AUTHORITY
        if proves and offer.mode is Mode.ROUND and offer.default_when(_SAMPLE):
            return offer
    return None


@dataclass(slots=True)
class Liveness:
    """Folds rounds into *alive, dead, unknown* and remembers when the present silence began."""

    first_lost_us: int = 0
    _silent: bool = field(default=False)

    def fold(self, results: Sequence[ProbeResult]) -> bool | None:
        """True: somebody answered. False: nobody, and all were asked. None: nothing can be said."""
        if any(result.outcome is Outcome.OK for result in results):
            self._silent, self.first_lost_us = False, 0
            return True
        lost = [result.sent_us for result in results if result.outcome is Outcome.LOST]
        if len(lost) < len(results) or not lost:
            return None
        if not self._silent:
            self._silent, self.first_lost_us = True, min(lost)
        return False


class Unbound:
    """The reference and the services of all groups; arguments as those of the prober."""

    def __init__(self, clock: Clock, sink: Sink, spawn: Spawn, problem: Callable[[str], None]) -> None:
        self._clock = clock
        self._sink = sink
        self._spawn = spawn
        self._problem = problem
        self._schedules: list[Schedule] = []

    def configure(self, groups: Sequence[GroupSetup], reference: Reference | None) -> None:
        """Probe for these groups from now on."""
        self.stop()
        if reference is not None:
            self._start_reference(reference, [group.name for group in groups])
        for group in groups:
            for service in group.services:
                self._start_service(group.name, service)

    def stop(self) -> None:
        """Send nothing more."""
        for schedule in self._schedules:
            schedule.stop()
        self._schedules.clear()

    def _start_reference(self, reference: Reference, groups: Sequence[GroupName]) -> None:
        liveness = Liveness()

        def closed(_number: int, results: tuple[ProbeResult, ...]) -> None:
            alive = liveness.fold(results)
            for group in groups:
                at_us = self._clock.monotonic_us()
                self._sink(group, ReferenceClosed(at_us, alive, liveness.first_lost_us))

        context = self._context(GroupName(""), "reference", REFERENCE_TIMEOUT_US)
        setup = ChannelSetup(
            "reference", reference.offer, reference.options, context, reference.hosts, REFERENCE_INTERVAL_US
        )
        self._start(setup, closed)

    def _start_service(self, group: GroupName, service: ServiceSetup) -> None:
        policy = service.policy
        liveness = Liveness()

        def closed(_number: int, results: tuple[ProbeResult, ...]) -> None:
            alive = liveness.fold(results)
            at_us = self._clock.monotonic_us()
            self._sink(group, ServiceClosed(at_us, policy.index, alive, _told_at(results)))

        context = self._context(group, "service", service.timeout_us)
        name = f"{group} service {policy.kind}"
        setup = ChannelSetup(
            name, service.offer, service.options, context, policy.targets, policy.interval_us
        )
        self._start(setup, closed)

    def _context(self, group: GroupName, name: str, timeout_us: int) -> ProbeContext:
        view = PathView(group, PathName(name))
        return ProbeContext(view, timeout_us, self._clock.monotonic_us)

    def _start(self, setup: ChannelSetup, closed: Callable[[int, tuple[ProbeResult, ...]], None]) -> None:
        channel = Channel(setup, self._clock, closed, self._problem)
        schedule = Schedule(setup.name, [channel], setup.interval_us, self._clock)
        schedule.start(self._spawn)
        self._schedules.append(schedule)


def _told_at(results: Sequence[ProbeResult]) -> int:
    """When the probe that settles the round was sent: the first good one, else the first of all."""
    good = [result.sent_us for result in results if result.outcome is Outcome.OK]
    return min(good or [result.sent_us for result in results], default=0)
