"""The daemon without its surroundings: providers, decision loop, probes, reconciler, put together.

It knows no signal, no file, no socket of its own: those are the supervisor's. The simulator drives this very
object in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wgfo.config.setup import GroupSetup, ProviderSetup, Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.compare import same_group
from wgfo.daemon.guard import Backoff, Spawn
from wgfo.daemon.instances import (
    Accounts,
    Instance,
    Opener,
    OpenFailed,
    Requests,
    context_key,
    open_all,
    unheard,
)
from wgfo.daemon.prober import Prober
from wgfo.daemon.pusher import Pusher
from wgfo.daemon.reconciler import Reconciler
from wgfo.daemon.runtime import Beginning, Runtime
from wgfo.daemon.state import Store
from wgfo.daemon.stored import Restored
from wgfo.daemon.terms import Terms
from wgfo.daemon.unavailable import Unavailable
from wgfo.daemon.unbound import Reference, Unbound
from wgfo.engine.events import StoredGroup
from wgfo.engine.policy import SetPolicy
from wgfo.model import GroupName, ProviderName
from wgfo.plugin import Capabilities, WgfoError
from wgfo.plugin.alerts import AlertFeed

STOP_WRITES_US: Final = 2_500_000

Begin = Callable[[Setup, Sequence[GroupName]], None]
"""Called before the groups begin a session, with those that merely go on."""


class NotPermitted(WgfoError):
    """A probe may not do here what it must: no round of it could ever be sent."""


@dataclass(slots=True)
class Core:
    """Everything that decides and acts.

    ``begin`` is told of each session before its first event; the journal opens one there.
    """

    clock: Clock
    store: Store
    spawn: Spawn
    notice: Callable[[str], None]
    requests: Requests = unheard
    dry_run: bool = False
    begin: Begin = field(default=lambda _setup, _unchanged: None)
    alerts: AlertFeed | None = None
    """What the webhook heard; None where none is served."""
    setup: Setup | None = None
    """What runs; None before the start."""
    instances: dict[ProviderName, Instance] = field(default_factory=dict)
    runtime: Runtime = field(init=False)
    reconciler: Reconciler = field(init=False)
    prober: Prober = field(init=False)
    pusher: Pusher = field(init=False)
    unbound: Unbound = field(init=False)
    _opener: Opener = field(init=False)

    def __post_init__(self) -> None:
        self.runtime = Runtime(self.clock, self.store, self.spawn, self.notice)
        sink = self.runtime.dispatch
        terms = Terms(self.clock, self.requests, self.runtime.may_write, self.dry_run, self.notice)
        self.reconciler = Reconciler(terms, sink, self.spawn)
        self.prober = Prober(self.clock, sink, self.spawn, self.notice)
        self.pusher = Pusher(self.clock, sink, self.spawn, self.notice, self.alerts)
        self.unbound = Unbound(self.clock, sink, self.spawn, self.notice)
        self.runtime.carrier = self.reconciler
        self.runtime.overdue = self.prober.overdue
        self._opener = Opener(self.clock, Accounts(self.clock), self.requests, self.dry_run)

    # --- start and stop -----------------------------------------------------------------------------------

    async def start(
        self, setup: Setup, restored: Mapping[GroupName, Restored], reference: Reference | None
    ) -> None:
        """Open everything and begin.

        Raises:
            OpenFailed: a selected provider cannot be used.
            NotPermitted: a probe lacks a right that it will not get by waiting.
        """
        self.instances = await open_all(self._opener, setup)
        self._adopt(setup, restored, (), reference)
        for error in await self.prober.opened():
            if isinstance(error.__cause__, PermissionError):
                raise NotPermitted(f"probe: {error}") from error

    async def stop(self) -> None:
        """Send nothing more, let writes end, and close the providers; routes stay as they are. Bounded."""
        self.prober.stop()
        self.pusher.stop()
        self.unbound.stop()
        await self.reconciler.close(STOP_WRITES_US)
        self.runtime.save_all()
        await self._close(list(self.instances.values()))

    async def _close(self, instances: Sequence[Instance]) -> None:
        for problem in await asyncio.gather(*(self._opener.close(instance) for instance in instances)):
            if problem is not None:
                self.notice(problem)

    def _adopt(
        self,
        setup: Setup,
        restored: Mapping[GroupName, Restored],
        unchanged: Sequence[GroupName],
        reference: Reference | None,
    ) -> None:
        """Make a setup the one that runs, in one turn of the loop."""
        setup = replace(setup, groups=tuple(self._informed(group) for group in setup.groups))
        beginnings = [self._beginning(group, restored) for group in setup.groups]
        self.setup = setup
        self.reconciler.configure(self.instances, setup.groups)
        self.begin(setup, unchanged)
        self.runtime.configure(beginnings, unchanged)
        self.prober.configure(setup.groups)
        self.pusher.configure(setup.groups, unchanged)
        self.unbound.configure(setup.groups, reference)

    def _beginning(self, group: GroupSetup, restored: Mapping[GroupName, Restored]) -> Beginning:
        """A group that runs goes on from where it is; another one from what is stored, if anything is."""
        running = self.runtime.group(group.name)
        if running is not None:
            return Beginning(group.policy, running.stored(self.runtime.now_us()))
        found = restored.get(group.name)
        if found is None:
            return Beginning(group.policy, StoredGroup())
        return Beginning(group.policy, found.stored, found.downtime_us)

    def _informed(self, group: GroupSetup) -> GroupSetup:
        """Put in what only an open provider can say."""
        sets = tuple(_informed(one, self.instances[one.provider].capabilities) for one in group.policy.sets)
        return replace(group, policy=replace(group.policy, sets=sets))

    def slept(self, for_us: int) -> None:
        """The machine was suspended: begin a session anew, since all evidence is older than it looks."""
        setup = self.setup
        if setup is None:
            return
        now_us = self.runtime.now_us()
        beginnings = [
            Beginning(group.policy, _aged(running.stored(now_us), for_us), for_us)
            for group in setup.groups
            if (running := self.runtime.group(group.name)) is not None
        ]
        self.begin(setup, ())
        self.runtime.configure(beginnings)
        self.pusher.configure(setup.groups)

    # --- another configuration ----------------------------------------------------------------------------

    async def reload(
        self, setup: Setup, restored: Mapping[GroupName, Restored], reference: Reference | None
    ) -> None:
        """Go over to another setup, or raise :class:`OpenFailed` and change nothing."""
        anew = [one for one in setup.providers if self._differs(one, setup)]
        await self._try(anew, setup)
        names = {one.name for one in setup.providers}
        gone = [
            instance
            for name, instance in self.instances.items()
            if name not in names or any(one.name == name for one in anew)
        ]
        await self.reconciler.release([instance.name for instance in gone])
        await self._close(gone)
        for one in setup.providers:
            if one.name in self.instances:
                self.instances[one.name].setup = one
        kept = {name: one for name, one in self.instances.items() if one not in gone}
        opened = {one.name: await self._open_or_stand_in(one, setup) for one in anew}
        self.instances = {**kept, **opened}
        self._adopt(setup, restored, self._unchanged(setup), reference)
        for instance in opened.values():
            if isinstance(instance.provider, Unavailable):
                self.spawn(self._retry(instance, setup), name=f"open {instance.name}")

    def _differs(self, one: ProviderSetup, setup: Setup) -> bool:
        instance = self.instances.get(one.name)
        return instance is None or instance.context_key != context_key(one, setup)

    async def _try(self, anew: Sequence[ProviderSetup], setup: Setup) -> None:
        """Open the new instances read-only beside the old ones, and close them again."""
        trial = replace(setup, providers=tuple(anew))
        opener = replace(self._opener, read_only=True)
        await self._close(list((await open_all(opener, trial)).values()))

    async def _open_or_stand_in(self, one: ProviderSetup, setup: Setup) -> Instance:
        """The trial went well; should the platform fail just now, go on without it for the moment."""
        try:
            return await self._opener.open(one, setup)
        except OpenFailed as error:
            self.notice(f"{error}; tried again")
            budget = self._opener.accounts.of(one)
            return Instance(one, Unavailable(str(error)), budget, context_key(one, setup))

    async def _retry(self, missing: Instance, setup: Setup) -> None:
        """Open an instance again and again, until it is there or another reload took its place."""
        backoff = Backoff(self.clock)
        while True:
            backoff.begin()
            await backoff.pause()
            if self.instances.get(missing.name) is not missing:
                return
            try:
                opened = await self._opener.open(missing.setup, setup)
            except OpenFailed as error:
                self.notice(f"{error}; tried again")
            else:
                await self._put(opened, missing)
                return

    async def _put(self, opened: Instance, missing: Instance) -> None:
        """Take an instance in, unless another reload was quicker."""
        if self.setup is None or self.instances.get(opened.name) is not missing:
            await self._close([opened])
            return
        self.instances[opened.name] = opened
        self.reconciler.configure(self.instances, self.setup.groups)

    def _unchanged(self, setup: Setup) -> list[GroupName]:
        """Return the groups that go on undisturbed."""
        before = {group.name: group for group in (self.setup.groups if self.setup else ())}
        return [
            group.name
            for group in setup.groups
            if group.name in before and same_group(before[group.name], self._informed(group))
        ]


def _aged(stored: StoredGroup, by_us: int) -> StoredGroup:
    """Overrides end by the boot-time clock, which went on while the monotonic one stood still."""
    overrides = tuple(
        one if one.expires_us is None else replace(one, expires_us=one.expires_us - by_us)
        for one in stored.overrides
    )
    return replace(stored, overrides=overrides)


def _informed(one: SetPolicy, capabilities: Capabilities) -> SetPolicy:
    """Where reads are consistent nothing has to settle; elsewhere it takes at least what the platform needs."""
    visible_us = capabilities.visibility_ms * 1_000
    settle_us = max(one.settle_us, visible_us) if visible_us else 0
    return replace(one, settle_us=settle_us, late_write_us=capabilities.late_write_ms * 1_000)
