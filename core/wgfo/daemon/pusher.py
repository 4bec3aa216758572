"""Runs the probes that report by themselves: link events, handshakes, alerts, queries.

What a probe emits goes through a bounded mailbox and is stepped in the very next turn of the loop, so that
the engine never runs inside a plugin's call. A probe that fails makes its layer unknown and is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final, cast

from wgfo.config.setup import GroupSetup
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import Backoff, Spawn, guarded
from wgfo.daemon.prober import Sink
from wgfo.daemon.streams import PushEar, PushPlan, plan_pushes
from wgfo.engine.events import Event, HandshakeRead, LayerReported
from wgfo.model import GroupName, HandshakeReport, LayerReport, Verdict
from wgfo.plugin import ProbeContext, PushProbe, Report
from wgfo.plugin.alerts import AlertFeed

MAILBOX: Final = 256
"""Reports kept until the next turn of the loop; of more than that, the latest count."""
CLOSE_S: Final = 5


class Push:
    """One push probe and who hears it."""

    def __init__(
        self,
        plan: PushPlan,
        clock: Clock,
        sink: Sink,
        problem: Callable[[str], None],
        alerts: AlertFeed | None = None,
    ) -> None:
        self._plan = plan
        self._alerts = alerts
        self._clock = clock
        self._sink = sink
        self._problem = problem
        self._mailbox: deque[Report] = deque(maxlen=MAILBOX)

    async def run(self) -> None:
        """Run it, and again whenever it ended, until cancelled."""
        await guarded(self._live, self._failed, Backoff(self._clock))

    async def _live(self) -> None:
        plan = self._plan
        context = ProbeContext(
            path=plan.view,
            timeout_us=plan.setup.timeout_us,
            monotonic_us=self._clock.monotonic_us,
            interval_us=plan.setup.interval_us,
            destinations=plan.destinations,
            alerts=self._alerts,
        )
        probe = cast("PushProbe", plan.setup.offer.open(context, plan.setup.options))
        try:
            await probe.run(self._emit)
        finally:
            self._drain()
            with contextlib.suppress(Exception):  # a probe that cannot even be closed is beyond help
                async with asyncio.timeout(CLOSE_S):
                    await probe.aclose()

    def _emit(self, report: Report) -> None:
        """Enqueue; to be called on the loop's own thread."""
        if not self._mailbox:
            asyncio.get_running_loop().call_soon(self._drain)
        self._mailbox.append(report)

    def _drain(self) -> None:
        while self._mailbox:
            report = self._mailbox.popleft()
            for ear in self._plan.ears:
                self._sink(ear.group, self._event(ear, report))

    def _event(self, ear: PushEar, report: Report) -> Event:
        at_us = self._clock.monotonic_us()
        if isinstance(report, HandshakeReport):
            return HandshakeRead(at_us, ear.path, ear.source, report)
        return LayerReported(at_us, ear.path, ear.source, report)

    def _failed(self, why: str) -> None:
        self._problem(f"{self._plan.view.group}/{self._plan.view.name} {self._plan.setup.offer.kind}: {why}")
        layer = self._plan.setup.offer.layer
        self._mailbox.append(LayerReport(layer, Verdict.UNKNOWN, why, code="probe_failed"))
        self._drain()


class Pusher:
    """The push probes of all groups; arguments as those of :class:`~wgfo.daemon.prober.Prober`.

    ``alerts`` is what the webhook heard; None where none is served.
    """

    def __init__(
        self,
        clock: Clock,
        sink: Sink,
        spawn: Spawn,
        problem: Callable[[str], None],
        alerts: AlertFeed | None = None,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._spawn = spawn
        self._problem = problem
        self._alerts = alerts
        self._running: dict[PushPlan, asyncio.Task[None]] = {}

    def configure(self, groups: Iterable[GroupSetup], unchanged: Collection[GroupName] = ()) -> None:
        """Listen for these groups from now on.

        A probe goes on where all who hear it are unchanged; a group that begins anew must hear the present
        state again, which a probe reports when it starts.
        """
        before, self._running = self._running, {}
        for plan in plan_pushes(groups):
            goes_on = all(ear.group in unchanged for ear in plan.ears)
            task = before.pop(plan, None) if goes_on else None
            if task is None:
                push = Push(plan, self._clock, self._sink, self._problem, self._alerts)
                task = self._spawn(push.run(), name=f"push {plan.setup.offer.kind}")
            self._running[plan] = task
        for task in before.values():
            task.cancel()

    def stop(self) -> None:
        """Listen to nobody any more."""
        self.configure(())
