"""Sends the rounds: one schedule per stanza, on all its paths at once, under one number.

The next round starts an interval after the last one *really* started: rounds are never closer than an
interval (invariant I18 needs that), a stall makes one late round and never a burst, and drift does no harm.
An open round never holds up the next. Every closed round goes straight to the engine: there is no queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from wgfo.config.setup import GroupSetup
from wgfo.daemon.channel import Channel, ChannelSetup, Closed
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import Spawn
from wgfo.daemon.rounds import patience_us
from wgfo.daemon.streams import ChannelPlan, Ear, SchedulePlan, plan_rounds
from wgfo.engine.events import Event, RoundClosed
from wgfo.model import FlowReport, GroupName, PathName, ProbeResult
from wgfo.plugin import ProbeContext, ProbeError

Sink = Callable[[GroupName, Event], None]
"""Steps an event of a group at once."""

PHASE_US: Final = 5_000
PHASE_SCHEDULES: Final = 8
"""At start so many schedules begin together, and the next ones this much later: no burst of a thousand."""


class Schedule:
    """Rounds at an interval on some channels, from :meth:`start` to :meth:`stop`."""

    def __init__(self, name: str, channels: Sequence[Channel], interval_us: int, clock: Clock) -> None:
        self._name = name
        self._channels = channels
        self._interval_us = interval_us
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._running: dict[asyncio.Task[None], None] = {}
        self.number = 0
        """Of the next round."""

    @property
    def channels(self) -> Sequence[Channel]:
        """One per path."""
        return self._channels

    def start(self, spawn: Spawn, delay_us: int = 0, number: int = 0) -> None:
        """Begin with round ``number``; it goes out as soon as the probes are open."""
        self.number = number
        for channel in self._channels:
            self._tasks.append(spawn(channel.keep_open(), name=f"keep {self._name}"))
        self._tasks.append(spawn(self._run(delay_us), name=f"rounds {self._name}"))

    def stop(self) -> None:
        """End; open rounds are forgotten."""
        for task in (*self._tasks, *self._running):
            task.cancel()

    def overdue(self, by_us: int) -> bool:
        """Whether a round should have been closed by then and is not."""
        return any(channel.overdue(by_us) for channel in self._channels)

    async def _run(self, delay_us: int) -> None:
        await asyncio.gather(*(asyncio.shield(channel.first_open) for channel in self._channels))
        nominal_us = self._clock.monotonic_us() + delay_us
        async with asyncio.TaskGroup() as rounds:
            while True:
                await self._clock.sleep_until_us(nominal_us)
                start_us = self._clock.monotonic_us()
                for channel in self._channels:
                    task = rounds.create_task(channel.round(self.number, nominal_us))
                    self._running[task] = None
                    task.add_done_callback(self._running.pop)
                nominal_us = start_us + self._interval_us
                self.number += 1


class Prober:
    """The round probes of all groups.

    Args:
        clock: the daemon's.
        sink: gets every closed round, one event per group and path.
        spawn: starts core tasks.
        problem: hears why a probe does not run.
    """

    def __init__(self, clock: Clock, sink: Sink, spawn: Spawn, problem: Callable[[str], None]) -> None:
        self._clock = clock
        self._sink = sink
        self._spawn = spawn
        self._problem = problem
        self._schedules: dict[SchedulePlan, Schedule] = {}
        self._of_group: dict[GroupName, list[Schedule]] = {}

    def configure(self, groups: Iterable[GroupSetup]) -> None:
        """Probe for these groups from now on; schedules that stay the same go on undisturbed."""
        before, self._schedules = self._schedules, {}
        number = max((schedule.number for schedule in before.values()), default=0)
        fresh = 0
        for plan in plan_rounds(groups):
            schedule = before.pop(plan, None)
            if schedule is None:
                schedule = self._start(plan, PHASE_US * (fresh // PHASE_SCHEDULES), number)
                fresh += 1
            self._schedules[plan] = schedule
        for schedule in before.values():
            schedule.stop()
        self._of_group = _by_group(self._schedules)

    def stop(self) -> None:
        """Send nothing more."""
        self.configure(())

    async def opened(self) -> Sequence[ProbeError]:
        """Wait for every probe's first attempt to open, and return what went wrong."""
        channels = [channel for schedule in self._schedules.values() for channel in schedule.channels]
        errors = [await asyncio.shield(channel.first_open) for channel in channels]
        return [error for error in errors if error is not None]

    def overdue(self, group: GroupName, by_us: int) -> bool:
        """Whether a round of the group should have been closed by then and is not."""
        return any(schedule.overdue(by_us) for schedule in self._of_group.get(group, ()))

    def flow_reports(self) -> dict[tuple[GroupName, PathName], list[FlowReport]]:
        """Return what the probes of each path say of its flows, for those that do."""
        found: dict[tuple[GroupName, PathName], list[FlowReport]] = {}
        for plan, schedule in self._schedules.items():
            for planned, channel in zip(plan.channels, schedule.channels, strict=True):
                report = channel.flow_report()
                if report is None:
                    continue
                for ear in planned.ears:
                    found.setdefault((ear.group, ear.path), []).append(report)
        return found

    def _start(self, plan: SchedulePlan, delay_us: int, number: int) -> Schedule:
        """Round numbers never go back, also where a reload makes another schedule of a group's stream."""
        channels = [self._channel(plan, channel) for channel in plan.channels]
        schedule = Schedule(plan.setup.offer.kind, channels, plan.setup.interval_us, self._clock)
        schedule.start(self._spawn, delay_us, number)
        return schedule

    def _channel(self, plan: SchedulePlan, channel: ChannelPlan) -> Channel:
        setup, view = plan.setup, channel.view
        context = ProbeContext(
            path=view,
            timeout_us=patience_us(setup.timeout_us, setup.interval_us, len(channel.addresses)),
            monotonic_us=self._clock.monotonic_us,
            probe_class=setup.stream.probe_class if setup.stream else None,
            interval_us=setup.interval_us,
        )
        name = f"{view.group}/{view.name} {setup.offer.kind}"
        wanted = ChannelSetup(name, setup.offer, setup.options, context, channel.addresses, setup.interval_us)
        return Channel(wanted, self._clock, self._fan_out(channel.ears), self._problem)

    def _fan_out(self, ears: Sequence[Ear]) -> Closed:
        def closed(number: int, results: tuple[ProbeResult, ...]) -> None:
            for ear in ears:
                self._sink(ear.group, self._event(ear, number, results))

        return closed

    def _event(self, ear: Ear, number: int, results: tuple[ProbeResult, ...]) -> RoundClosed:
        return RoundClosed(
            at_us=self._clock.monotonic_us(),
            path=ear.path,
            stream=ear.stream,
            round=number,
            results=tuple(results[place] for place in ear.picks),
            anchor=None if ear.anchor is None else results[ear.anchor],
        )


def _by_group(schedules: Mapping[SchedulePlan, Schedule]) -> dict[GroupName, list[Schedule]]:
    found: dict[GroupName, list[Schedule]] = {}
    for plan, schedule in schedules.items():
        for group in dict.fromkeys(ear.group for channel in plan.channels for ear in channel.ears):
            found.setdefault(group, []).append(schedule)
    return found
