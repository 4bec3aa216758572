"""Plays a plan: lives of the real daemon on a stage, in virtual time, watched by the invariants."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from wgfo.config.load import Document
from wgfo.config.resolve import resolve
from wgfo.config.setup import Setup
from wgfo.daemon.journal import MemoryJournal
from wgfo.daemon.records import Record
from wgfo.daemon.session import header
from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.report import GroupReport
from wgfo.engine.state import GroupState
from wgfo.model import GroupName, PathName, PathState, Prefix, SetChange
from wgfo.simulate import chance
from wgfo.simulate.invariants import Checker, Violation
from wgfo.simulate.life import BOOT_ID, Life
from wgfo.simulate.loop import VirtualTime, run_virtually
from wgfo.simulate.offers import registry
from wgfo.simulate.plan import Ask, DiskState, Fault, Mishap, MishapKind, Plan, Rewrite, Trouble
from wgfo.simulate.stage import Stage
from wgfo.simulate.tables import Landing, TableId
from wgfo.simulate.timeline import Entry, What, clock_text
from wgfo.telemetry.listener import Listener

_US: Final = 1_000_000
PHASE_US: Final = 1_000_000
"""The daemon starts by chance within so long, so that faults meet its rounds at any phase."""
COLLECTED_AFTER: Final = 100_000
"""New objects between two looks for garbage while a plan is played."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to play."""

    seed: int = 1
    lean: bool = False
    """With the lean prober."""
    looks_us: tuple[int, ...] = ()
    """Moments at which to keep the group's report."""
    keep_records: bool = False
    """Keep every event and decision, for a replay."""
    quiet_end: bool = False
    """All trouble is over long before the end: everything must stand by then."""
    calm_after_us: int | None = None
    """From this moment on nothing happens any more: the run may end once everything is at rest."""


@dataclass(frozen=True, slots=True)
class Run:
    """How it went."""

    seed: int
    entries: tuple[Entry, ...]
    violations: tuple[Violation, ...]
    reports: Mapping[int, GroupReport]
    """The first group's, at the moments asked for."""
    tables: Mapping[TableId, PathName | None]
    """Where each table points at the end; None: not at one path."""
    requests: Mapping[str, int]
    policy: GroupPolicy
    lasted_us: int
    """Shorter than planned where it ended at rest."""
    records: tuple[Record, ...] = ()


def play(plan: Plan, document: Document, options: Options) -> Run:
    """Play a plan once. Raises :class:`~wgfo.config.problems.ConfigProblems` for a configuration that is wrong."""
    clock = VirtualTime()
    stage = Stage(plan, options.seed, clock)
    setup = resolve(document, registry(stage), hostname="simulation", environ={})
    show = Show(stage, setup, options)
    with _rarely_collected():
        run_virtually(show.run(), clock)
    return show.result()


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Look for garbage in cycles more rarely: a run makes very many values, and hardly a cycle among them."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(slots=True)
class _Trigger:
    """A mishap that waits for a count."""

    mishap: Mishap
    count: int = 0
    done: bool = False


class Show:
    """One performance."""

    def __init__(self, stage: Stage, setup: Setup, options: Options) -> None:
        self._stage = stage
        self._setup = setup
        self._options = options
        self._life: Life | None = None
        self._steps = 0
        self._triggers = [_Trigger(one) for one in stage.plan.mishaps if _waits(one)]
        self._tasks: list[asyncio.Task[None]] = []
        self._reports: dict[int, GroupReport] = {}
        self._journal = MemoryJournal()
        self.checker = Checker(stage, setup.groups, quiet_end=options.quiet_end)
        self.checker.desired = lambda group: self._life.desired(group) if self._life else (None, 0)
        self.checker.holder = lambda: self._life.holder if self._life else ""
        stage.watchers += [self.checker, _Landings(self._landed)]

    async def run(self) -> None:
        """Play it to its end."""
        stage = self._stage
        self._at(chance.mix(stage.seed) % PHASE_US, self._born)
        self._announce()
        for rewrite in stage.plan.rewrites:
            self._rewrite(rewrite)
        for number, ask in enumerate(stage.plan.asks):
            self._at(ask.at_us, self._ask, ask, f"request-{number}")
        for mishap in stage.plan.mishaps:
            if not _waits(mishap):
                self._at(mishap.at_us, self._suffer, mishap)
        for at_us in self._options.looks_us:
            self._at(at_us, self._look, at_us)
        await self._passed()
        self._end()
        await asyncio.sleep(0)

    async def _passed(self) -> None:
        """Wait for the end of the plan, or for the moment from which on only more of the same would come."""
        stage, calm_us = self._stage, self._options.calm_after_us
        if calm_us is not None:
            await stage.clock.sleep_until_us(stage.begin_us + calm_us)
            while stage.clock.monotonic_us() + _US < stage.end_us and not self._at_rest():
                await stage.clock.sleep_until_us(stage.clock.monotonic_us() + _US)
            if self._at_rest():
                return
        await stage.clock.sleep_until_us(stage.end_us)

    def _at_rest(self) -> bool:
        """Whether every path and route stands, long enough for the checks of the end, and nothing is waited for."""
        life = self._life
        if life is None or life.dead or self._stage.plan.lease is not None or not self.checker.idle():
            return False
        states = life.core.runtime.states()
        return bool(states) and all(
            one.name in states and rests(one.policy, states[one.name]) for one in self._setup.groups
        )

    def _announce(self) -> None:
        """Have the story say when faults and troubles begin and end."""
        plan, scribe = self._stage.plan, self._stage.scribe
        spans = [(one.start_us, one.end_us, describe_fault(one)) for one in plan.faults]
        spans += [(one.start_us, one.end_us, describe_trouble(one)) for one in plan.troubles]
        for start_us, end_us, text in spans:
            self._at(start_us, scribe.note, What.FAULT, f"{text} begins")
            if end_us < plan.duration_us:
                self._at(end_us, scribe.note, What.FAULT, f"{text} ends")

    def _end(self) -> None:
        self._stage.settle()
        self.checker.finish()
        if self._life is not None:
            self._life.die()

    def result(self) -> Run:
        """Return how it went."""
        stage = self._stage
        entries = sorted(stage.scribe.entries, key=lambda entry: entry.at_us)
        bugs = [Violation("core", at_us, text) for at_us, text in stage.broken]
        return Run(
            self._options.seed,
            tuple(entries),
            (*self.checker.violations, *bugs),
            self._reports,
            {table: stage.tables.path(table) for table in stage.tables.of},
            stage.requests,
            self._setup.groups[0].policy,
            stage.clock.monotonic_us() - stage.begin_us,
            tuple(self._journal.records),
        )

    # --- the clockwork ------------------------------------------------------------------------------------

    def _at(self, plan_us: int, work: Callable[..., None], *args: object) -> None:
        moment_us = self._stage.begin_us + plan_us
        asyncio.get_running_loop().call_at(moment_us / _US, work, *args)

    def _rewrite(self, rewrite: Rewrite) -> None:
        stage = self._stage
        moment_us = stage.begin_us + rewrite.at_us
        stage.tables.later(moment_us, lambda: stage.rewrite(rewrite, moment_us))
        self._at(rewrite.at_us, stage.settle)

    def _look(self, at_us: int) -> None:
        self._stage.settle()
        reports = self._life.core.runtime.reports() if self._life is not None else []
        if reports:
            self._reports[at_us] = reports[0]

    def _ask(self, ask: Ask, request_id: str) -> None:
        reason = f" ({ask.reason})" if ask.reason else ""
        self._stage.scribe.note(What.OPERATOR, f"{ask.kind} {ask.path or ''}{reason}", request=request_id)
        if self._life is not None and not self._life.dead:
            self.checker.asked(ask)
            self._life.ask(ask, request_id)

    # --- the daemon ---------------------------------------------------------------------------------------

    def _born(self) -> None:
        stage = self._stage
        stage.life += 1
        listeners: list[Listener] = [stage.scribe, self.checker, _Steps(self._stepped)]
        if self._options.keep_records:
            listeners.insert(0, self._journal)
        if stage.life > 1:
            stage.scribe.note(What.DAEMON, "the daemon starts again")
        self.checker.born()
        self._life = Life(stage, self._setup, listeners, lean=self._options.lean)
        self._life.core.begin = self._session
        self._life.begin()

    def _session(self, setup: Setup, _unchanged: Sequence[GroupName]) -> None:
        """Note what decides from here on, as the journal of a daemon does."""
        name = f"session-{self._stage.life}"
        self._journal.begin(header(name, BOOT_ID, self._stage.clock, setup, {}))

    def _suffer(self, mishap: Mishap) -> None:
        SUFFERING[mishap.kind](self, mishap)

    def _kill(self, mishap: Mishap) -> None:
        life = self._life
        if life is None:
            return
        self._life = None
        self._stage.scribe.note(What.DAEMON, "the daemon is killed")
        life.die()
        self._again(mishap.after_us)

    def _restart(self, mishap: Mishap) -> None:
        if self._life is not None and not self._life.dead:
            self._stage.scribe.note(What.DAEMON, "the daemon is stopped")
            stopping = self._stop(self._life, mishap.after_us)
            self._tasks.append(asyncio.get_running_loop().create_task(stopping))

    async def _stop(self, life: Life, after_us: int) -> None:
        await life.stop()
        if self._life is life:  # and was not killed while it stopped
            self._life = None
            self._again(after_us)

    def _again(self, after_us: int) -> None:
        now_us = self._stage.clock.monotonic_us() - self._stage.begin_us
        self._at(now_us + after_us, self._born)

    def _stall(self, mishap: Mishap) -> None:
        self._stage.scribe.note(What.DAEMON, f"the process stands still for {clock_text(mishap.after_us)}")
        self.checker.stalled(mishap.after_us)
        self._stage.clock.advance(mishap.after_us)

    def _sleep(self, mishap: Mishap) -> None:
        self._stage.scribe.note(What.DAEMON, f"the machine sleeps for {clock_text(mishap.after_us)}")
        self.checker.stalled(0)
        self._stage.clock.suspend(mishap.after_us)

    def _step_wall(self, mishap: Mishap) -> None:
        self._stage.scribe.note(What.DAEMON, f"the wall clock is set by {mishap.by_us // _US} s")
        self._stage.clock.step_wall(mishap.by_us)

    def _disk(self, mishap: Mishap) -> None:
        self._stage.scribe.note(What.DAEMON, f"the disk is {mishap.disk}")
        self._stage.disk.become(mishap.disk)
        self.checker.disk_was_bad()
        self._at(mishap.at_us + mishap.after_us, self._mend_disk)

    def _mend_disk(self) -> None:
        self._stage.scribe.note(What.DAEMON, "the disk is good again")
        self._stage.disk.become(DiskState.GOOD)

    # --- mishaps that wait for a count --------------------------------------------------------------------

    def _stepped(self) -> None:
        self._steps += 1
        for trigger in self._triggers:
            if trigger.mishap.step is not None and self._steps >= trigger.mishap.step:
                self._pull(trigger)

    def _landed(self, at_us: int) -> None:
        plan_us = at_us - self._stage.begin_us
        for trigger in self._triggers:
            if trigger.mishap.writes is not None and plan_us >= trigger.mishap.at_us:
                trigger.count += 1
                if trigger.count >= trigger.mishap.writes:
                    self._pull(trigger)

    def _pull(self, trigger: _Trigger) -> None:
        if trigger.done:
            return
        trigger.done = True
        if trigger.mishap.kind is MishapKind.KILL and self._life is not None:
            self._life.freeze()
        asyncio.get_running_loop().call_soon(self._suffer, trigger.mishap)


SUFFERING: Final[Mapping[MishapKind, Callable[[Show, Mishap], None]]] = {
    MishapKind.KILL: Show._kill,  # noqa: SLF001 - the table stands beside the class
    MishapKind.RESTART: Show._restart,  # noqa: SLF001
    MishapKind.STALL: Show._stall,  # noqa: SLF001
    MishapKind.SLEEP: Show._sleep,  # noqa: SLF001
    MishapKind.WALL_STEP: Show._step_wall,  # noqa: SLF001
    MishapKind.DISK: Show._disk,  # noqa: SLF001
}


def rests(policy: GroupPolicy, state: GroupState) -> bool:
    """Whether a group's decisions are over unless something happens to it: all is up, and nothing waits."""
    chosen = state.selection
    home = chosen.desired == policy.preferred or (chosen.desired is not None and not policy.revertive)
    up = all(one.state is PathState.UP and not one.live for one in state.judgements.values())
    return (
        home and up and not (state.alarms or chosen.overrides or chosen.planned or state.damping.suppressed)
    )


def describe_fault(fault: Fault) -> str:
    """Return a fault in words."""
    share = f"{fault.percent} % " if fault.percent < 100 else ""  # noqa: PLR2004 - per cent
    what = [*(fault.targets or ()), *(fault.classes or ())]
    of = f" of {', '.join(what)}" if what else ""
    return f"{share}{fault.kind}{of} on {', '.join(fault.paths) or 'no path'}"


def describe_trouble(trouble: Trouble) -> str:
    """Return a platform's trouble in words."""
    tables = f" {', '.join(trouble.tables)}" if trouble.tables else ""
    return f"{trouble.provider or 'every provider'}{tables}: {trouble.kind}"


def _waits(mishap: Mishap) -> bool:
    return mishap.writes is not None or mishap.step is not None


@dataclass(frozen=True, slots=True)
class _Steps:
    """Counts the engine's steps."""

    stepped_once: Callable[[], None]

    def stepped(
        self,
        _group: GroupName,
        _event: Event,
        _decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Count one."""
        self.stepped_once()


@dataclass(frozen=True, slots=True)
class _Landings:
    """Counts our writes."""

    landed_once: Callable[[int], None]

    def sent(self, change: SetChange, prefix: Prefix, lands_us: int) -> None:
        """Nothing landed yet."""

    def landed(self, landing: Landing) -> None:
        """Count one of ours."""
        if landing.by == "wgfo":
            self.landed_once(landing.at_us)
