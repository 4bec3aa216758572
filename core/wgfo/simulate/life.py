"""One life of the daemon: the real core on the stage, from its start to its end or its death.

It stands in for the supervisor: it opens the store, keeps house, and lets nothing that a dead process still
asks for reach the world.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from wgfo.config.setup import Setup
from wgfo.daemon.core import Core
from wgfo.daemon.housekeeping import SAVE_US, SECOND_US, SleepWatch, periodically
from wgfo.daemon.lease import LeaseKeeper
from wgfo.daemon.reconciler import Reconciler
from wgfo.daemon.stored import Times
from wgfo.daemon.terms import Terms
from wgfo.daemon.unbound import Reference
from wgfo.engine.events import LeaseChanged, OperatorRequest
from wgfo.model import GroupName
from wgfo.simulate.disk import SimulatedStore
from wgfo.simulate.lean import LeanProber, LeanUnbound
from wgfo.simulate.offers import AnyOptions, reference_offer
from wgfo.simulate.plan import Ask, DiskState
from wgfo.simulate.timeline import What
from wgfo.telemetry.listener import Listener

if TYPE_CHECKING:
    from wgfo.simulate.stage import Stage

BOOT_ID: Final = "00000000-0000-4000-8000-000000000000"


class Life:
    """A process."""

    def __init__(self, stage: Stage, setup: Setup, listeners: Sequence[Listener], *, lean: bool) -> None:
        self._stage = stage
        self._setup = setup
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.dead = False
        times = Times(stage.clock, BOOT_ID)
        self.holder = f"wgfo-{stage.life}"
        self.store = SimulatedStore(stage.disk, times, self.holder, self._told)
        self._journal_works = True
        self.core = Core(stage.clock, self.store, self.spawn, self._notice)
        self.core.runtime.listeners = listeners
        self.keeper: LeaseKeeper | None = None
        if stage.lease is not None and stage.plan.lease is not None:
            ttl_us = stage.plan.lease.ttl_us
            self.keeper = LeaseKeeper(stage.lease, self.holder, ttl_us, stage.clock, self._leased)
            self._rule_by(self.keeper)
        if lean:
            self._be_lean()

    # --- beginning and end --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start."""
        self.spawn(self._start(), name="start")

    async def _start(self) -> None:
        loaded = self.store.load()
        for problem in loaded.problems:
            self._notice(problem)
        hosts = self._setup.daemon.reference
        reference = Reference(reference_offer(self._stage), AnyOptions(), hosts) if hosts else None
        await self.core.start(self._setup, loaded.groups, reference)
        if self.keeper is not None:
            self._leased(False, 0, "the lease is not held yet")
            self.spawn(self.keeper.run(), name="lease")
        sleep = SleepWatch(self._stage.clock, self._slept)

        def every_second() -> None:
            self._check_disk()
            sleep.look()

        for every_us, work in ((SECOND_US, every_second), (SAVE_US, self.core.runtime.save_all)):
            self.spawn(periodically(self._stage.clock, every_us, work), name="housekeeping")

    async def stop(self) -> None:
        """End in order."""
        await self.core.stop()
        await self.store.aclose()
        self.die()

    def die(self) -> None:
        """End on the spot: nothing is said, sent or stored any more."""
        self.dead = self.store.dead = True
        self._stage.disk.forget()
        self.core.runtime.listeners = ()
        self.core.runtime.configure(())
        for schedule in (self.core.prober, self.core.unbound):
            schedule.stop()
        for task in list(self._tasks):
            task.cancel()

    def freeze(self) -> None:
        """The process is about to die in this very turn of the loop: let nothing out before it does."""
        self.dead = self.store.dead = True

    # --- what it is asked ---------------------------------------------------------------------------------

    def ask(self, ask: Ask, request_id: str) -> None:
        """Hand an operator's request to every group."""
        now_us = self._stage.clock.monotonic_us()
        for group in self._setup.groups:
            request = OperatorRequest(
                now_us,
                request_id,
                ask.kind,
                ask.path,
                ask.reason,
                "operator",
                self._stage.clock.rfc3339(now_us),
                None if ask.for_us is None else now_us + ask.for_us,
                None if ask.for_us is None else self._stage.clock.rfc3339(now_us + ask.for_us),
                ask.clear_kind,
            )
            self.core.runtime.dispatch(group.name, request)

    def desired(self, group: GroupName) -> tuple[str | None, int]:
        """Return the desired path and the epoch; None and 0 where there is none (any more)."""
        running = self.core.runtime.group(group)
        if running is None:
            return None, 0
        return running.state.selection.desired, running.state.selection.epoch

    # --- surroundings -------------------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start a core task; an exception that leaves it ends the run."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        if self.dead:
            task.cancel()
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.dead:
            self._stage.broke(f"task {task.get_name()}: {type(error).__name__}: {error}")

    def _notice(self, text: str) -> None:
        if not self.dead:
            self._stage.scribe.note(What.NOTICE, text)
            if text.startswith("bug:"):
                self._stage.broke(text)

    def _told(self, healthy: bool, text: str) -> None:
        if not self.dead:
            self.core.runtime.store_told("state", healthy, text)

    def _check_disk(self) -> None:
        """The store tries again, and the journal, which writes every second, says how it fares."""
        self.store.check()
        works = self._stage.disk.state is DiskState.GOOD
        if works is not self._journal_works:
            self._journal_works = works
            text = "" if works else f"journal: the disk is {self._stage.disk.state.value}"
            self.core.runtime.store_told("journal", works, text)

    def _slept(self, for_us: int) -> None:
        self._notice(f"the machine slept for {for_us // SECOND_US} s")
        self.core.slept(for_us)

    def _leased(self, held: bool, term: int, text: str) -> None:
        if self.dead:
            return
        now_us = self._stage.clock.monotonic_us()
        for group in self._setup.groups:
            self.core.runtime.dispatch(group.name, LeaseChanged(now_us, held, term, text))

    def _rule_by(self, keeper: LeaseKeeper) -> None:
        """Have every permit ask the lease as well."""
        may_write = self.core.runtime.may_write

        def leave(group: GroupName, epoch: int) -> str | None:
            return keeper.veto() or may_write(group, epoch)

        terms = Terms(self._stage.clock, veto=leave, notice=self._notice)
        self.core.reconciler = Reconciler(terms, self.core.runtime.dispatch, self.spawn)
        self.core.runtime.carrier = self.core.reconciler

    def _be_lean(self) -> None:
        sink: Callable[..., None] = self.core.runtime.dispatch
        self.core.prober = LeanProber(self._stage, sink, self.spawn, self._notice)
        self.core.runtime.overdue = self.core.prober.overdue
        self.core.unbound = LeanUnbound(self._stage, sink, self.spawn, self._notice)
