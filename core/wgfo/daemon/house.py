"""The core in its surroundings: stores, listeners, metrics, control API, housekeeping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from wgfo import __version__
from wgfo.config.setup import DaemonSetup, Setup
from wgfo.daemon import codec, notify
from wgfo.daemon.alerts import AlertBoard
from wgfo.daemon.clock import Clock
from wgfo.daemon.codec import Json
from wgfo.daemon.control.access import access_for
from wgfo.daemon.control.alerts import Webhook
from wgfo.daemon.control.api import ControlApi
from wgfo.daemon.control.endpoint import Views
from wgfo.daemon.control.server import ControlServer
from wgfo.daemon.core import Core
from wgfo.daemon.health import Told
from wgfo.daemon.housekeeping import (
    SAVE_US,
    SECOND_US,
    TEXTFILE_US,
    SleepWatch,
    SlowFile,
    Watchdog,
    periodically,
)
from wgfo.daemon.live import Live
from wgfo.daemon.notifications.desk import Desk
from wgfo.daemon.notifications.message import Occasions
from wgfo.daemon.session import header, session_name, versions
from wgfo.daemon.stored import Times, read_boot_id
from wgfo.daemon.stores import memory_stores, open_stores
from wgfo.daemon.unbound import Reference, reference_offer
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import GroupName
from wgfo.plugin.manager import Registry
from wgfo.probes.secret import Secret, read_secret
from wgfo.telemetry.changes import Changes
from wgfo.telemetry.feed import Feed
from wgfo.telemetry.log import LogListener
from wgfo.telemetry.measured import Measured
from wgfo.telemetry.metrics import Metrics
from wgfo.telemetry.switches import SwitchLog, SwitchRecord
from wgfo.telemetry.textfile import write_textfile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration as it was just read, with the plugins that it was resolved with."""

    setup: Setup
    registry: Registry


@dataclass(frozen=True, slots=True)
class Options:
    """How to run."""

    load: Callable[[], Loaded]
    """Read and resolve the configuration; raises :class:`~wgfo.plugin.errors.WgfoError` with what is wrong."""
    dry_run: bool = False
    """Decide and observe, write nothing: neither routes nor the state directory."""
    control: bool = True
    """Serve the control API."""
    http: bool = True
    """Serve ``[daemon] http`` too."""


class House:
    """Everything of one run. The state directory is locked from the constructor on.

    Raises:
        WgfoError: another process runs on the state directory, or it cannot be written.
    """

    def __init__(self, options: Options, clock: Clock, loaded: Loaded, tasks: asyncio.TaskGroup) -> None:
        self._options = options
        self._clock = clock
        self._loaded = loaded
        self._tasks = tasks
        self._running: dict[asyncio.Task[None], None] = {}
        times = Times(clock, read_boot_id())
        self._times = times
        session = session_name(times.boot_id, clock)
        daemon = loaded.setup.daemon
        if options.dry_run:
            self._stores = memory_stores(daemon, session, times)
        else:
            self._stores = open_stores(daemon, session, times, self._states, self._told)
        self._stored = self._stores.load()
        self._board = AlertBoard(clock.monotonic_us)
        self.core = Core(
            clock,
            self._stores.state,
            self.spawn,
            log.warning,
            self._requested,
            options.dry_run,
            self._begin,
            self._board,
        )
        self._metrics = Metrics(__version__, self.core.runtime.reports, lambda: clock.wall_ns() // 1_000, {})
        self._webhook = Webhook(self._board, self._metrics.webhook, clock.monotonic_us)
        self._switches = SwitchLog({}, clock.rfc3339, self._switch_changed, self._stored.switches)
        self.live = Live(self.core, clock, self._switches, loaded.setup)
        self._views = Views(Feed(session, clock.rfc3339))
        self._metrics.audience = self._views.audience
        said = LogListener()
        self._desk = Desk(clock, self.spawn, self._metrics.notified)
        self._occasions = Occasions(clock.rfc3339, self._desk.tell)
        self._changes = Changes(
            self._later,
            (self._views.feed.group_changed, said.group_changed, self._occasions.group_changed),
        )
        self._measured = Measured((self._views.feed.switch_measured, said.switch_measured))
        self.control: ControlServer | None = None
        """Where the control API is served, once it is."""
        self.core.runtime.listeners = (
            self._stores.journal,
            said,
            self._views.feed,
            self._switches,
            self._metrics,
            self._views.trends,
            self._occasions,
            self._changes,
            self.live.first_reads,
            self.live.answers,
        )

    # --- tasks --------------------------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start a core task: an exception that leaves it ends the daemon."""
        task = self._tasks.create_task(coroutine, name=name)
        self._running[task] = None
        task.add_done_callback(self._running.pop)
        return task

    # --- start, reload, stop ------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start everything, and return when every route was read once."""
        for problem in self._stored.problems:
            log.warning("%s", problem)
        await self._listen()
        setup = self._loaded.setup
        await self.core.start(setup, self._stored.groups, self._reference(self._loaded))
        await self.live.first_reads.done.wait()
        self._keep_house()
        notify.ready(_status(setup))
        log.info("ready: %s", _status(setup))

    async def reload(self, loaded: Loaded) -> None:
        """Go over to another configuration; raises :class:`WgfoError` and changes nothing where that fails."""
        for text in _fixed(self._loaded.setup.daemon, loaded.setup.daemon):
            log.warning("%s", text)
        token = token_of(loaded.setup.daemon)
        daemon = replace(
            self._loaded.setup.daemon,
            reference=loaded.setup.daemon.reference,
            webhook_token_file=loaded.setup.daemon.webhook_token_file,
        )
        loaded = replace(loaded, setup=replace(loaded.setup, daemon=daemon))
        before, self._loaded = self._loaded, loaded
        try:
            await self.core.reload(loaded.setup, self._stores.load().groups, self._reference(loaded))
        except BaseException:
            self._loaded = before
            raise
        self._webhook.token = token

    def reloaded(self, *, successful: bool) -> None:
        """Note how the last reload ended."""
        self._metrics.reloaded(successful=successful)
        notify.ready(_status(self.live.setup))

    async def close(self) -> None:
        """Stop in order; routes stay as they are."""
        notify.stopping()
        await self.core.stop()
        self._views.feed.close()
        if self.control is not None:
            await self.control.aclose()
        if not await self._stores.aclose():
            log.error("state or journal: the last entries could not be written")

    def end_tasks(self) -> None:
        """Cancel whatever still runs."""
        for task in list(self._running):
            task.cancel()

    # --- surroundings -------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        if not self._options.control:
            return
        daemon = self._loaded.setup.daemon
        self._webhook.token = token_of(daemon)
        access = access_for(daemon.operators)
        api = ControlApi(self.live, self._metrics.negotiated, access, self._views, self._webhook)
        shown = daemon if self._options.http else replace(daemon, http=None)
        self.control = ControlServer(api, shown, access)
        await self.control.start()

    def _keep_house(self) -> None:
        runtime = self.core.runtime
        sleep = SleepWatch(self._clock, self._slept)
        chores: list[tuple[str, int, Callable[[], None]]] = [
            ("check stores", SECOND_US, self._stores.check),
            ("notice sleep", SECOND_US, sleep.look),
            ("save timers", SAVE_US, runtime.save_all),
        ]
        watchdog_us = notify.watchdog_us()
        if watchdog_us is not None:
            chores.append(("feed watchdog", max(1, watchdog_us // 3), Watchdog(runtime).feed))
        if self._loaded.setup.daemon.textfile is not None and not self._options.dry_run:
            textfile = SlowFile(self._textfile, self.spawn, log.error)
            textfile.refresh()
            chores.append(("textfile", TEXTFILE_US, textfile.refresh))
        for name, every_us, work in chores:
            self.spawn(periodically(self._clock, every_us, work), name=name)

    def _textfile(self) -> Callable[[], None]:
        path = self._loaded.setup.daemon.textfile
        assert path is not None
        reports = self.live.reports()
        return partial(write_textfile, path, self._metrics.exposition(), reports, self.live.setup)

    def _reference(self, loaded: Loaded) -> Reference | None:
        hosts = loaded.setup.daemon.reference
        if not hosts:
            return None
        offer = reference_offer(loaded.registry.probes.values())
        if offer is None:
            log.error("reference: no installed probe can reach it, so isolation cannot be told")
            return None
        return Reference(offer, offer.options_model(), hosts)

    # --- what the core and the stores say -----------------------------------------------------------------

    def _begin(self, setup: Setup, unchanged: Sequence[GroupName]) -> None:
        """Open a session in the journal, and let the listeners know the groups."""
        policies: Mapping[GroupName, GroupPolicy] = {group.name: group.policy for group in setup.groups}
        times = self._times
        session = session_name(times.boot_id, self._clock)
        found = versions(self._loaded.registry)
        going_on = {name: state for name, state in self._states().items() if name in unchanged}
        self._stores.journal.begin(header(session, times.boot_id, self._clock, setup, found), going_on)
        self._switches.configure(policies)
        self._metrics.configure(policies)
        self._views.trends.configure(policies)
        self._changes.configure(list(policies))
        self._occasions.configure(list(policies))
        if not self._options.dry_run:
            self._desk.configure(setup)
        self.live.first_reads.expect([one.id for group in setup.groups for one in group.sets])

    def _states(self) -> Mapping[GroupName, Json]:
        return {name: codec.encode(state, GroupState) for name, state in self.core.runtime.states().items()}

    def _told(self, what: str) -> Told:
        def told(healthy: bool, text: str) -> None:
            log.log(logging.INFO if healthy else logging.ERROR, "%s: %s", what, text or "works again")
            self.core.runtime.store_told(what, healthy, text)

        return told

    def _slept(self, for_us: int) -> None:
        log.warning("the machine slept for %d s: all evidence is gathered anew", for_us // SECOND_US)
        self._board.forget()
        self.core.slept(for_us)

    @staticmethod
    def _later(work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(work)

    def _requested(self, provider: str, operation: str, result: str, took_us: int) -> None:
        self._metrics.requested(provider, operation, result, took_us)

    def _switch_changed(self, record: SwitchRecord) -> None:
        self._metrics.switch_changed(record)
        self._measured.switch_changed(record)
        self._stores.state.save_switches(self._switches.records())


def token_of(daemon: DaemonSetup) -> Secret | None:
    """Return the webhook's token; :class:`ConfigError` where its file holds none."""
    path = daemon.webhook_token_file
    return None if path is None else read_secret(path, "[daemon] webhook_token_file")


def _status(setup: Setup) -> str:
    groups, providers = len(setup.groups), len(setup.providers)
    return f"{groups} group{'s' * (groups != 1)}, {providers} provider{'s' * (providers != 1)}"


def _fixed(before: DaemonSetup, after: DaemonSetup) -> list[str]:
    """Say which changes of ``[daemon]`` only a restart can bring."""
    keys = ("state_dir", "control", "http", "textfile", "operators", "journal_max_size", "journal_max_age_us")
    return [
        f"[daemon] {key}: {getattr(after, key)} takes effect at the next start, until then it is "
        f"{getattr(before, key)}"
        for key in keys
        if getattr(before, key) != getattr(after, key)
    ]
