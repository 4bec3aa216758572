"""The Linux kernel as a route provider: one instance, one network namespace.

    open     sockets, the index of the configured prefixes, notifications, probe rules
    observe  one dump per table and family (reader.py), summed up by observe.py
    point    the same dump, then point.py
    watch    notifications through watch.py
    check    check.py

The kernel has no compare-and-swap for routes, so there is no token: ``point`` reads the table right before it
writes, and what is foreign then is refused. Reads are consistent and a write is carried out while it is sent:
``visibility_ms`` and ``late_write_ms`` are 0. Nothing is retried, and nothing read is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from wgfo.model import Changed, Finding, RouteSet, RouteSetId, SetChange, SetObservation, SetOutcome
from wgfo.plugin import Capabilities, Permit, ProviderContext
from wgfo_linux.bulk import BATCH, RouteSocket
from wgfo_linux.catalogue import Catalogue
from wgfo_linux.check import Subject, findings
from wgfo_linux.config import LinuxOptions
from wgfo_linux.giving import give_back
from wgfo_linux.netlink import Netlink
from wgfo_linux.observe import read_set
from wgfo_linux.point import carry_out, plan
from wgfo_linux.reader import Reader
from wgfo_linux.rules import ProbeRules, tunnels
from wgfo_linux.watch import Hints, Listener, Notifications


class LinuxProvider:
    """Routes in the kernel's tables."""

    def __init__(self, options: LinuxOptions) -> None:
        self._options = options
        self._netlink = Netlink(options.netns)
        self._routes = RouteSocket(options.netns)
        self._catalogue = Catalogue(options)
        self._reader = Reader(self._netlink, self._routes, self._catalogue)
        self._watchers: list[Hints] = []
        self._tunnels: tuple[str, ...] = ()
        self._rules: ProbeRules | None = None
        self._notifications = Notifications(options.netns, self._listener())

    @property
    def capabilities(self) -> Capabilities:
        """A batch is written at once; changes are told of."""
        return Capabilities(parallel_writes=BATCH, watches=True)

    async def open(self, context: ProviderContext) -> None:
        """Connect, resolve the tables, pack the prefixes, and make the probe rules.

        Rules that cannot be made are no reason to fail: ``check`` tells of them, and they are tried again.

        Raises:
            NotFound: the namespace or a table's name does not exist.
            Denied: the namespace may not be entered.
            Conflict: two spellings name one table.
        """
        try:
            await self._open(context)
        except BaseException:
            await self.aclose()
            raise

    async def _open(self, context: ProviderContext) -> None:
        await context.permit.read()
        await self._netlink.open()
        self._routes.open()
        await self._catalogue.learn(context.sets)
        self._notifications.open()
        wanted = tunnels(context.paths, context.sets)
        self._tunnels = tuple(tunnel.name for tunnel in wanted)
        if self._options.probe_table and not context.read_only:
            self._rules = ProbeRules(self._netlink, self._routes, self._options, wanted)
            await self._rules.start()

    async def aclose(self) -> None:
        """Remove the probe rules and close the sockets; the managed routes stay."""
        self._notifications.close()
        if self._rules is not None:
            await self._rules.close()
            self._rules = None
        self._routes.close()
        self._netlink.close()

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Look for what would keep these routes from working."""
        observed = await self.observe(sets, permit)
        subject = Subject(
            options=self._options,
            sets=sets,
            observed=tuple(observed.values()),
            tunnels=self._tunnels,
            strangers=await self._reader.strangers(sets, permit),
            rules_problem=self._rules.problem if self._rules else "",
            tables={one.table: self._catalogue.number(one) for one in sets},
        )
        await permit.read()
        return await findings(subject, self._netlink)

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read the sets: each table once, whatever the number of its sets."""
        await self._catalogue.learn(sets)
        found: dict[RouteSetId, SetObservation] = {}
        for table, members in self._catalogue.by_table(sets).items():
            seen = await self._reader.table(table, members, permit)
            for route_set in members:
                view = await self._reader.view(route_set, seen[route_set.id], permit)
                found[route_set.id] = await read_set(view, seen[route_set.id])
        return found

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Read the table, then write what differs."""
        route_set = change.route_set
        await self._catalogue.learn((route_set,))
        table = self._catalogue.number(route_set)
        seen = (await self._reader.table(table, (route_set,), permit))[route_set.id]
        view = await self._reader.view(route_set, seen, permit)
        made = await plan(view, seen, change, table)
        return await carry_out(self._routes, made, view, change, permit)

    async def give_back(self, route_set: RouteSet, permit: Permit) -> str:
        """Make our routes and fallbacks those of an administrator: ``proto static``, in place."""
        await self._catalogue.learn((route_set,))
        table = self._catalogue.number(route_set)
        seen = (await self._reader.table(table, (route_set,), permit))[route_set.id]
        return await give_back(self._routes, seen, self._catalogue.options(route_set), table, permit)

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield a hint within milliseconds of a change by others that concerns one of the sets."""
        await self._catalogue.learn(sets)
        self._notifications.open()
        hints = Hints(route_set.id for route_set in sets)
        self._watchers.append(hints)
        try:
            while True:
                for set_id in await hints.take():
                    yield Changed(set_id)
        finally:
            self._watchers.remove(hints)

    # --- notifications ------------------------------------------------------------------------------------

    def _listener(self) -> Listener:
        return Listener(
            route=self._route_changed,
            link=lambda name: self._hint(self._catalogue.depending_on(name)),
            surroundings=self._surroundings_changed,
            lost=self._events_lost,
            is_ours=self._routes.wrote,
        )

    def _route_changed(self, table: int, destination: bytes) -> None:
        if self._rules is not None and self._rules.owns(table):
            self._rules.touch()
        concerned = self._catalogue.concerned(table, destination)
        if concerned is not None:
            self._hint((concerned,))

    def _surroundings_changed(self) -> None:
        if self._rules is not None:
            self._rules.touch()

    def _events_lost(self) -> None:
        self._hint(self._catalogue)
        self._surroundings_changed()
        if not self._notifications.is_open:
            for hints in self._watchers:
                hints.fail()

    def _hint(self, sets: Iterable[RouteSetId]) -> None:
        changed = tuple(sets)
        for hints in self._watchers:
            hints.add(changed)
