"""The running daemon as the control API sees it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from wgfo import __version__
from wgfo.config.setup import Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.control.flows import PathFlows
from wgfo.daemon.core import Core
from wgfo.engine.decisions import Decision, RequestAnswered
from wgfo.engine.events import Event, ObserveFailed, OperatorRequest, OverrideKind, RequestKind, SetObserved
from wgfo.engine.outlook import PathOutlook, outlook
from wgfo.engine.report import GroupReport, GroupState
from wgfo.model import GroupName, PathName, RouteSetId
from wgfo.telemetry.switches import SwitchLog, SwitchRecord

LATE_US: Final = 2_000_000
"""A decision loop that leaves a deadline so long is not healthy."""
ANSWER_S: Final = 5.0


class FirstReads:
    """A listener that knows when every set was read, or could not be read, for the first time."""

    def __init__(self) -> None:
        self._missing: set[RouteSetId] = set()
        self.done = asyncio.Event()

    def expect(self, sets: Sequence[RouteSetId]) -> None:
        """Wait for these."""
        self._missing = set(sets)
        if not self._missing:
            self.done.set()

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        report: Callable[[], GroupReport],
    ) -> None:
        """Note a read."""
        del group, decisions, report
        if isinstance(event, SetObserved):
            self._missing.discard(event.observation.set_id)
        elif isinstance(event, ObserveFailed):
            self._missing.discard(event.set_id)
        if not self._missing:
            self.done.set()


class Answers:
    """A listener that hands the engine's answers to whoever asked."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[RequestAnswered]] = {}
        self._numbers = itertools.count(1)

    def expect(self) -> tuple[str, asyncio.Future[RequestAnswered]]:
        """Return the id for a request, and where its answer will be."""
        request_id = f"r{next(self._numbers)}"
        answer: asyncio.Future[RequestAnswered] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        answer.add_done_callback(lambda _done: self._waiting.pop(request_id))
        return request_id, answer

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        report: Callable[[], GroupReport],
    ) -> None:
        """Pass an answer on."""
        del group, event, report
        for decision in decisions:
            if isinstance(decision, RequestAnswered):
                waiting = self._waiting.get(decision.request_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(decision)


class Live:
    """A :class:`~wgfo.daemon.control.source.Source`.

    Args:
        core: what runs.
        clock: the daemon's.
        switches: the latest switches.
        setup: what will run, until it does.
    """

    version = __version__

    def __init__(self, core: Core, clock: Clock, switches: SwitchLog, setup: Setup) -> None:
        self._core = core
        self._clock = clock
        self._switches = switches
        self._first = setup
        self._judged = False
        self.first_reads = FirstReads()
        self.answers = Answers()

    @property
    def setup(self) -> Setup:
        """What this process does; another object after a reload."""
        return self._core.setup or self._first

    def reports(self) -> Sequence[GroupReport]:
        """Return every group, in configured order."""
        return self._core.runtime.reports()

    def flows(self) -> PathFlows:
        """Return what the probes say of each path's flows."""
        return self._core.prober.flow_reports()

    def outlooks(self) -> Mapping[GroupName, Sequence[PathOutlook]]:
        """Return what the paths of every group lack, and what counts against them."""
        runtime = self._core.runtime
        groups = [(one.name, runtime.group(one.name)) for one in self.setup.groups]
        now_us = runtime.now_us()
        return {name: outlook(one.policy, one.state, now_us) for name, one in groups if one is not None}

    def switches(self) -> Sequence[SwitchRecord]:
        """Return the switches that are remembered, newest last."""
        return self._switches.records()

    async def request(
        self,
        group: GroupName,
        kind: RequestKind,
        path: PathName | None,
        *,
        reason: str,
        by: str,
        duration_us: int | None,
        clear_kind: OverrideKind | None,
    ) -> RequestAnswered:
        """Step an operator's request and return the engine's answer."""
        now_us = self.now_us()
        request_id, answer = self.answers.expect()
        ends_us = None if duration_us is None else now_us + duration_us
        event = OperatorRequest(
            now_us,
            request_id,
            kind,
            path,
            reason,
            by,
            self.rfc3339(now_us),
            ends_us,
            None if ends_us is None else self.rfc3339(ends_us),
            clear_kind,
        )
        self._core.runtime.dispatch(group, event)
        answered = await asyncio.wait_for(answer, ANSWER_S)
        return await self._given_back(group, answered) if kind is RequestKind.RELEASE else answered

    async def _given_back(self, group: GroupName, answered: RequestAnswered) -> RequestAnswered:
        """Say with the answer what became of the mark on the routes."""
        texts = await self._core.reconciler.give_back(group) if answered.accepted else ()
        return replace(answered, text="; ".join([answered.text, *filter(None, texts)]))

    def now_us(self) -> int:
        """Return the monotonic time of the session."""
        return self._core.runtime.now_us()

    def rfc3339(self, at_us: int) -> str:
        """Return the wall-clock text of a monotonic time."""
        return self._clock.rfc3339(at_us)

    def ready(self) -> bool:
        """Whether everything is open, was read once, and every group has had its first verdicts."""
        if not self.first_reads.done.is_set():
            return False
        self._judged = self._judged or all(one.state is not GroupState.STARTING for one in self.reports())
        return self._judged

    def healthy(self) -> bool:
        """Whether the decision loop keeps up with its deadlines."""
        return self._core.runtime.late_us() < LATE_US
