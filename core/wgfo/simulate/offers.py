"""The simulated plugins: probes of every kind, and route providers of every platform, all on one stage.

They are resolved from a configuration like any plugin's, under the kinds' own names; options are taken as they
come, since what they mean to a real platform matters to no decision.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from wgfo.model import HTTP, SMALL, TCP, Hop, Layer, PathView, ProbeClass, ProbeResult, TableName
from wgfo.plugin import Mode, ProbeContext, ProbeOffer, Report, Role, RouteOffer, hookimpl
from wgfo.plugin.manager import Registry, registry_of
from wgfo.simulate.chance import key
from wgfo.simulate.network import Volley, aims

if TYPE_CHECKING:
    from wgfo.simulate.stage import Stage

ROUTE_KINDS: Final = ("linux", "aws", "azure", "gcp", "openstack")
CLASSES: Final = {"icmp": SMALL, "tcp": TCP, "http": HTTP}


class AnyOptions(BaseModel):
    """Options of a kind that is only simulated."""

    model_config = ConfigDict(extra="allow", frozen=True)


class RoundOfProbes:
    """Sends rounds into the simulated network; they end when the last answer is there or overdue."""

    def __init__(self, stage: Stage, context: ProbeContext, probe_class: ProbeClass) -> None:
        self._stage = stage
        self._context = context
        self._class = context.probe_class or probe_class

    async def open(self) -> None:
        """Nothing to open."""

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        """Probe each target once."""
        clock = self._stage.clock
        context = self._context
        sent = aims(targets, context.path.peer)
        volley = Volley(sent, self._class, clock.monotonic_us(), stagger_us, context.timeout_us)
        results, end_us = self._stage.send(context.path, volley)
        await clock.sleep_until_us(end_us)
        return results

    async def aclose(self) -> None:
        """Nothing to release."""


class LinkEvents:
    """The interface layer: the present state first, then every change at once."""

    def __init__(self, stage: Stage, context: ProbeContext) -> None:
        self._stage = stage
        self._path = context.path.name

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Report until cancelled."""
        clock, network = self._stage.clock, self._stage.network
        while True:
            emit(network.link(self._path, clock.monotonic_us()))
            change_us = network.next_change_us(self._path, clock.monotonic_us())
            if change_us is None:
                await asyncio.Event().wait()  # nothing more will ever be told
            else:
                await clock.sleep_until_us(change_us)

    async def aclose(self) -> None:
        """Nothing to release."""


class HandshakeReader:
    """The handshake layer, read at intervals."""

    INTERVAL_US: Final = 5_000_000

    def __init__(self, stage: Stage, context: ProbeContext) -> None:
        self._stage = stage
        self._path = context.path.name

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Report at once and then at intervals."""
        clock = self._stage.clock
        while True:
            emit(self._stage.network.handshake(self._path, clock.monotonic_us()))
            await clock.sleep_until_us(clock.monotonic_us() + self.INTERVAL_US)

    async def aclose(self) -> None:
        """Nothing to release."""


class Observer:
    """Somebody elsewhere who says whether a path carries traffic: at the start, and then what has changed."""

    def __init__(self, stage: Stage, context: ProbeContext) -> None:
        self._stage = stage
        self._path = context.path
        self._interval_us = context.interval_us or 1_000_000

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Look at each path at a moment of its own, until cancelled."""
        clock, said = self._stage.clock, None
        await clock.sleep_until_us(clock.monotonic_us() + key(self._path.peer or "") % self._interval_us)
        while True:
            seen = self._stage.network.observed(self._path.name, clock.monotonic_us())
            if seen != said:
                emit(seen)
                said = seen
            await clock.sleep_until_us(clock.monotonic_us() + self._interval_us)

    async def aclose(self) -> None:
        """Nothing to release."""


class SimulatedPlugin:
    """Offers what happens on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @hookimpl
    def wgfo_probe_offers(self) -> Sequence[ProbeOffer]:
        """Return the portable kinds, both lower layers, and an observer."""
        rounds = [self._round_offer(kind, probe_class) for kind, probe_class in CLASSES.items()]
        return [
            *rounds,
            self._push_offer("interface", LinkEvents),
            self._push_offer("handshake", HandshakeReader),
            self._observer_offer(),
        ]

    @hookimpl
    def wgfo_route_offers(self) -> Sequence[RouteOffer]:
        """Return every first-party platform."""
        return [self._route_offer(kind) for kind in ROUTE_KINDS]

    def _round_offer(self, kind: str, probe_class: ProbeClass) -> ProbeOffer:
        stage = self._stage
        return ProbeOffer(
            kind,
            Layer.DATAPLANE,
            Role.AUTHORITY,
            Mode.ROUND,
            AnyOptions,
            lambda context, _options: RoundOfProbes(stage, context, probe_class),
            probe_class=probe_class,
            parse_target=str if probe_class == SMALL else _no_bare_address,
            default_when=_has_peer if probe_class == SMALL else lambda _view: False,
        )

    def _push_offer(self, kind: str, probe: type[LinkEvents | HandshakeReader]) -> ProbeOffer:
        stage = self._stage
        return ProbeOffer(
            kind,
            Layer(kind),
            Role.AUTHORITY if probe is LinkEvents else Role.EVIDENCE,
            Mode.PUSH,
            AnyOptions,
            lambda context, _options: probe(stage, context),
            default_when=_has_interface,
        )

    def _observer_offer(self) -> ProbeOffer:
        stage = self._stage
        return ProbeOffer(
            "observer",
            Layer.DATAPLANE,
            Role.EVIDENCE,
            Mode.PUSH,
            AnyOptions,
            lambda context, _options: Observer(stage, context),
            default_when=lambda _view: False,
        )

    def _route_offer(self, kind: str) -> RouteOffer:
        return RouteOffer(
            kind,
            AnyOptions,
            parse_table=lambda text, _options: TableName(text),
            parse_hop=lambda text, _options: Hop(text),
            open=lambda _options: self._stage.provider(kind),
            scope=lambda _options: kind,
        )


def registry(stage: Stage) -> Registry:
    """Return the simulated plugins as if they were installed."""
    return registry_of(SimulatedPlugin(stage))


def _no_bare_address(text: str) -> str:
    """A class that needs more than an address cannot probe an anchor."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text
    raise ValueError(f"{text!r} names no port; accepted: a target with one")


def _has_peer(view: PathView) -> bool:
    return view.peer is not None


def _has_interface(view: PathView) -> bool:
    return view.interface is not None


def reference_offer(stage: Stage) -> ProbeOffer:
    """Return the kind of probe that asks the reference hosts."""
    return registry(stage).probe("icmp")
