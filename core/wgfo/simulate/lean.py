"""The prober without a task per round: the same schedule, judged by the same code, for many worlds in little time.

A round is worked out when it is sent and closed by one timer. What it leaves out, against the daemon's own
prober, is opening, guarding and giving up on a plugin's probe. That both make the same decisions is tested.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wgfo.daemon.channel import ChannelSetup, Closed
from wgfo.daemon.guard import Spawn
from wgfo.daemon.prober import Prober, Schedule, Sink
from wgfo.daemon.rounds import Timing, judge, patience_us, stagger_us
from wgfo.daemon.streams import SchedulePlan
from wgfo.daemon.unbound import Unbound
from wgfo.model import SMALL, PathView, ProbeClass, ProbeResult
from wgfo.simulate.network import Aim, Volley, aims

if TYPE_CHECKING:
    from wgfo.simulate.stage import Stage

_US = 1_000_000


@dataclass(slots=True)
class Lane:
    """One path of a schedule."""

    view: PathView
    aims: tuple[Aim, ...]
    probe_class: ProbeClass
    timeout_us: int
    interval_us: int
    closed: Closed
    open_until_us: list[int] = field(default_factory=list)
    stagger_us: int = 0

    def __post_init__(self) -> None:
        self.stagger_us = stagger_us(self.interval_us, len(self.aims))

    def timing(self, nominal_us: int, start_us: int) -> Timing:
        """Return when a round should have been sent, and when it was."""
        return Timing(
            nominal_us, start_us, self.interval_us, self.timeout_us, self.stagger_us, len(self.aims)
        )


@dataclass(slots=True)
class _Open:
    """A round under way."""

    lane: Lane
    number: int
    timing: Timing
    results: tuple[ProbeResult, ...]
    slept_us: int


class LeanSchedule(Schedule):
    """Rounds at an interval on some lanes."""

    def __init__(self, stage: Stage, name: str, lanes: Sequence[Lane], interval_us: int) -> None:
        super().__init__(name, (), interval_us, stage.clock)
        self._stage = stage
        self._lanes = lanes
        self._nominal_us = 0
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._stopped = False

    def start(self, spawn: Spawn, delay_us: int = 0, number: int = 0) -> None:
        """Begin with round ``number``."""
        del spawn
        self.number = number
        self._nominal_us = self._clock.monotonic_us() + delay_us
        self._at(self._nominal_us, self._go)

    def stop(self) -> None:
        """End; open rounds are forgotten."""
        self._stopped = True

    def overdue(self, by_us: int) -> bool:
        """Whether a round should have been closed by then and is not."""
        return any(due_us <= by_us for lane in self._lanes for due_us in lane.open_until_us)

    def _at(self, at_us: int, work: Callable[..., None], *args: object) -> None:
        asyncio.get_running_loop().call_at(at_us / _US, work, *args)

    def _go(self) -> None:
        if self._stopped:
            return
        start_us = self._clock.monotonic_us()
        ends: dict[int, list[_Open]] = {}
        for lane in self._lanes:
            timing = lane.timing(self._nominal_us, start_us)
            volley = Volley(lane.aims, lane.probe_class, start_us, lane.stagger_us, lane.timeout_us)
            results, end_us = self._stage.send(lane.view, volley)
            lane.open_until_us.append(timing.due_us)
            ends.setdefault(end_us, []).append(_Open(lane, self.number, timing, results, self._slept_us()))
        for end_us, rounds in ends.items():
            self._at(end_us, self._close, rounds)
        self._nominal_us = start_us + self._interval_us
        self.number += 1
        self._at(self._nominal_us, self._go)

    def _close(self, rounds: Sequence[_Open]) -> None:
        if self._stopped:
            return
        now_us = self._clock.monotonic_us()
        for one in rounds:
            one.lane.open_until_us.remove(one.timing.due_us)
            believed = judge(one.results, one.timing, now_us, self._slept_us() - one.slept_us)
            one.lane.closed(one.number, believed)

    def _slept_us(self) -> int:
        return self._clock.boottime_us() - self._clock.monotonic_us()


class LeanProber(Prober):
    """A prober of lean schedules."""

    def __init__(self, stage: Stage, sink: Sink, spawn: Spawn, problem: Callable[[str], None]) -> None:
        super().__init__(stage.clock, sink, spawn, problem)
        self._stage = stage

    def _start(self, plan: SchedulePlan, delay_us: int, number: int) -> Schedule:
        setup = plan.setup
        probe_class = setup.stream.probe_class if setup.stream else SMALL
        lanes = [
            Lane(
                channel.view,
                aims(channel.addresses, channel.view.peer),
                probe_class,
                patience_us(setup.timeout_us, setup.interval_us, len(channel.addresses)),
                setup.interval_us,
                self._fan_out(channel.ears),
            )
            for channel in plan.channels
        ]
        schedule = LeanSchedule(self._stage, setup.offer.kind, lanes, setup.interval_us)
        schedule.start(self._spawn, delay_us, number)
        return schedule


class LeanUnbound(Unbound):
    """Reference and services by lean schedules."""

    def __init__(self, stage: Stage, sink: Sink, spawn: Spawn, problem: Callable[[str], None]) -> None:
        super().__init__(stage.clock, sink, spawn, problem)
        self._stage = stage

    def _start(self, setup: ChannelSetup, closed: Callable[[int, tuple[ProbeResult, ...]], None]) -> None:
        lane = Lane(
            setup.context.path,
            aims(setup.addresses, None),
            SMALL,
            setup.context.timeout_us,
            setup.interval_us,
            closed,
        )
        schedule = LeanSchedule(self._stage, setup.name, [lane], setup.interval_us)
        schedule.start(self._spawn)
        self._schedules.append(schedule)
