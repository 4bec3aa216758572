"""The probe contract: how a plugin gathers evidence about a path.

A probe either answers *rounds* (the prober asks, one round per interval) or *pushes* reports (link events,
alerts). It never judges: it says what happened to the packets, and the engine decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from wgfo.model import (
    FlowReport,
    HandshakeReport,
    Layer,
    LayerReport,
    PathView,
    ProbeClass,
    ProbeResult,
)
from wgfo.plugin.alerts import AlertFeed


class Role(StrEnum):
    """``authority`` decides a path's state; ``evidence`` supports it."""

    AUTHORITY = "authority"
    EVIDENCE = "evidence"


class Mode(StrEnum):
    """``round``: asked once an interval. ``push``: reports by itself."""

    ROUND = "round"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe is given when it is opened: one for each (path, stanza) pair."""

    path: PathView
    timeout_us: int
    monotonic_us: Callable[[], int] = field(repr=False)
    """The daemon's clock; in a simulation it is virtual."""
    probe_class: ProbeClass | None = None
    """The stanza's class; None: the offer's own. A ``large`` packet must not be fragmented."""
    interval_us: int | None = None
    """The stanza's interval, for probes that push at a pace of their own; None: the kind's default."""
    destinations: tuple[str, ...] = ()
    """What the group's data-plane probes reach through this path (addresses, ``host:port``, URLs), the anchor
    left out: a probe of a lower layer judges by it whether their replies can come back."""
    alerts: AlertFeed | None = field(default=None, repr=False, compare=False)
    """What Alertmanager's webhook heard; None where no webhook is served, as in a one-shot check."""


class RoundProbe(Protocol):
    """Sends one round to some targets through one path."""

    async def open(self) -> None:
        """Acquire sockets; raises :class:`~wgfo.plugin.errors.ProbeError` with what to do."""

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        """Probe each target once, ``stagger_us`` apart, and return the results in order.

        Returns when every target has answered or its deadline (its own send time + ``timeout_us``) has
        passed. Before anything is called lost, what waits in the sockets is read to the end, and a reply
        whose kernel time stamp is within the deadline counts, however late it was read.
        """

    async def aclose(self) -> None:
        """Release the sockets."""


@runtime_checkable
class ReportsFlows(Protocol):
    """A round probe that knows more of a path's losses may have this as well."""

    def flow_report(self) -> FlowReport | None:
        """Return what is known now, without waiting; None before the first results. Called for status."""


Report = LayerReport | HandshakeReport


class PushProbe(Protocol):
    """Reports by itself, until cancelled."""

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Report the present state first, then every change at once. ``emit`` only enqueues."""

    async def aclose(self) -> None:
        """Release what ``run`` holds; called after ``run`` has ended."""


@dataclass(frozen=True, slots=True)
class ProbeOffer:
    """A kind of probe."""

    kind: str
    layer: Layer
    role: Role
    mode: Mode
    options_model: type[BaseModel]
    """The keys of ``[[group.probe]]`` without the core's own (kind, targets, interval, timeout, sites, fall,
    act, class)."""
    open: Callable[[ProbeContext, BaseModel], RoundProbe | PushProbe]
    """Make an instance; sockets are opened by ``RoundProbe.open`` or by ``PushProbe.run``."""
    probe_class: ProbeClass | None = None
    """The class when the stanza names none; None for layers below the data plane."""
    parse_target: Callable[[str], str] | None = None
    """Check a target's text, or raise ``ValueError`` that says what is accepted; None: the kind has no targets."""
    resolve_target: Callable[[str, PathView], str] | None = None
    """The target's address as seen through this path (names of ``path.targets`` replaced)."""
    default_when: Callable[[PathView], bool] = lambda _path: False
    """Whether a path without a stanza of this layer gets this probe anyway."""
    hears_alerts: bool = False
    """It reads ``ProbeContext.alerts``: the webhook must be configured."""
