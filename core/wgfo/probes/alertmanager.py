"""The ``alertmanager`` probe: what Alertmanager's webhook said of a path.

    a matching alert fires                         down
    it fired, and was not repeated for ``expiry``  unknown, never up
    none fires, and the heartbeat is fresh         up
    otherwise                                      unknown

Without a heartbeat the absence of alerts proves nothing. Alerts are kept beside the prober (``context.alerts``);
after a restart nothing is known until they, or the heartbeat, are heard again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wgfo.model import Layer, LayerReport, PathView, Verdict
from wgfo.plugin import ProbeContext
from wgfo.plugin.alerts import Alert, AlertFeed, AlertState
from wgfo.plugin.probe import Report
from wgfo.plugin.values import Duration
from wgfo.probes.template import filled, known_fields

SECOND_US: Final = 1_000_000
NO_WEBHOOK: Final = "alerts are heard by the daemon alone"


def _long_enough(value: Duration) -> Duration:
    if value.us < SECOND_US:
        raise ValueError(f"'{value}' is too short; accepted: a duration of at least 1s")
    return value


Labels = Annotated[dict[str, Annotated[str, AfterValidator(known_fields)]], Field(min_length=1)]


class AlertmanagerOptions(BaseModel):
    """Options of ``kind = "alertmanager"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Labels
    """Labels of the alerts that say that the path is down; ``{group}`` and ``{path}`` are filled in."""
    heartbeat: Labels | None = None
    """Labels of an alert that always fires: proof that alerts arrive."""
    expiry: Annotated[Duration, AfterValidator(_long_enough)] = Duration(300 * SECOND_US)
    """Alerts and heartbeats that were not repeated for so long say nothing any more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options as they read for one path."""

    match: Mapping[str, str]
    heartbeat: Mapping[str, str] | None
    expiry_us: int

    @classmethod
    def of(cls, options: AlertmanagerOptions, path: PathView) -> Wanted:
        """Fill in the group and the path."""
        heartbeat = options.heartbeat
        return cls(
            {name: filled(text, path) for name, text in options.match.items()},
            None if heartbeat is None else {name: filled(text, path) for name, text in heartbeat.items()},
            options.expiry.us,
        )

    def wants(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels says anything of the path."""
        alert = Alert(labels, AlertState.FIRING, 0, 0)
        return alert.matches(self.match) or (self.heartbeat is not None and alert.matches(self.heartbeat))


@dataclass(frozen=True, slots=True)
class Said:
    """What follows from the alerts that are known."""

    verdict: Verdict
    reason: str
    until_us: int | None = None
    """When the mere passing of time changes it; None: only a word does."""


def judge(wanted: Wanted, alerts: Iterable[Alert], now_us: int) -> Said:
    """Return what the alerts say of the path now."""
    known = list(alerts)
    matching = [alert for alert in known if alert.matches(wanted.match)]
    fresh = [alert for alert in matching if now_us - alert.heard_us < wanted.expiry_us]
    firing = [alert for alert in fresh if alert.state is AlertState.FIRING]
    if firing:
        latest_us = max(alert.heard_us for alert in firing)
        return Said(Verdict.DOWN, f"alert {_names(firing)} fires", latest_us + wanted.expiry_us)
    return _unsure(wanted, matching, fresh) or _quiet(wanted, known, now_us)


def _unsure(wanted: Wanted, matching: list[Alert], fresh: list[Alert]) -> Said | None:
    late = [alert for alert in matching if alert.state is AlertState.FIRING]
    if late:
        reason = f"alert {_names(late)} fired and was not repeated for {Duration(wanted.expiry_us)}"
        return Said(Verdict.UNKNOWN, reason)
    doubtful = [alert for alert in fresh if alert.state is AlertState.DOUBTFUL]
    if doubtful:
        until_us = max(alert.heard_us for alert in doubtful) + wanted.expiry_us
        reason = f"alert {_names(doubtful)} was said to fire just after it had ended"
        return Said(Verdict.UNKNOWN, reason, until_us)
    return None


def _quiet(wanted: Wanted, known: list[Alert], now_us: int) -> Said:
    """No alert speaks against the path: the heartbeat says whether one could."""
    if wanted.heartbeat is None:
        return Said(Verdict.UNKNOWN, "no alert fires, and no heartbeat says that alerts arrive")
    beats = [alert for alert in known if alert.state is AlertState.FIRING and alert.matches(wanted.heartbeat)]
    if not beats:
        return Said(Verdict.UNKNOWN, "no heartbeat is heard")
    until_us = max(alert.heard_us for alert in beats) + wanted.expiry_us
    if until_us <= now_us:
        return Said(Verdict.UNKNOWN, f"no heartbeat for {Duration(wanted.expiry_us)}")
    return Said(Verdict.UP, "no alert fires, and the heartbeat is fresh", until_us)


def _names(alerts: list[Alert]) -> str:
    return ", ".join(sorted({alert.name or "without a name" for alert in alerts}))


class AlertmanagerProbe:
    """Reports what the alerts say of one path; implements :class:`wgfo.plugin.PushProbe`."""

    def __init__(self, context: ProbeContext, options: AlertmanagerOptions) -> None:
        self._wanted = Wanted.of(options, context.path)
        self._clock = context.monotonic_us
        self._feed = context.alerts

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Report at once and at every change, until cancelled."""
        if self._feed is None:
            emit(LayerReport(Layer.DATAPLANE, Verdict.UNKNOWN, NO_WEBHOOK))
            await asyncio.Event().wait()
            return
        woken = asyncio.Event()
        unsubscribe = self._feed.subscribe(self._wanted.wants, woken.set)
        try:
            await self._follow(self._feed, woken, emit)
        finally:
            unsubscribe()

    async def _follow(self, feed: AlertFeed, woken: asyncio.Event, emit: Callable[[Report], None]) -> None:
        before: tuple[Verdict, str] | None = None
        while True:
            woken.clear()
            said = judge(self._wanted, feed.alerts(), self._clock())
            if (said.verdict, said.reason) != before:
                before = (said.verdict, said.reason)
                emit(LayerReport(Layer.DATAPLANE, said.verdict, said.reason, code="alert"))
            await self._until(woken, said.until_us)

    async def _until(self, woken: asyncio.Event, until_us: int | None) -> None:
        """Wait for a word, or for the time at which silence changes the verdict."""
        left_s = None if until_us is None else max(0.001, (until_us - self._clock()) / 1_000_000)
        try:
            async with asyncio.timeout(left_s):
                await woken.wait()
        except TimeoutError:
            return

    async def aclose(self) -> None:
        """Nothing is held."""
