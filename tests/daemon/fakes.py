"""Fake probes, providers and setups; each does what it is told and remembers what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from wgfo.config.setup import DaemonSetup, GroupSetup, ProbeSetup, ProviderSetup, Setup
from wgfo.engine.events import Event
from wgfo.engine.policy import EvidenceSource, GroupPolicy, PathPolicy, SetPolicy, StreamPolicy
from wgfo.model import (
    SMALL,
    Absent,
    Changed,
    Finding,
    GroupName,
    Hop,
    Layer,
    Observed,
    Outcome,
    PathHop,
    PathName,
    PathView,
    Prefix,
    PrefixSet,
    ProbeResult,
    ProviderName,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)
from wgfo.plugin import (
    Capabilities,
    Mode,
    Permit,
    ProbeContext,
    ProbeOffer,
    ProviderContext,
    Report,
    Role,
    RouteOffer,
)
from wgfo.simulate.loop import VirtualTime, run_virtually

SECOND_US = 1_000_000
MS_US = 1_000


class NoOptions(BaseModel):
    """A kind without options."""


@dataclass
class Sent:
    """One round that a fake probe was asked for."""

    at_us: int
    path: PathName
    targets: tuple[str, ...]
    stagger_us: int


Answer = Callable[[Sent, str], Outcome]


def all_good(_sent: Sent, _target: str) -> Outcome:
    return Outcome.OK


@dataclass
class FakeNet:
    """What all fake probes of a test share."""

    clock: VirtualTime
    answer: Answer = all_good
    rtt_us: int = 2 * MS_US
    sent: list[Sent] = field(default_factory=list)
    opened: list[PathName] = field(default_factory=list)
    closed: list[PathName] = field(default_factory=list)
    open_error: Callable[[PathName], Exception | None] = lambda _path: None
    during_round: Callable[[Sent], Awaitable[None]] | None = None

    def offer(self, kind: str = "fake") -> ProbeOffer:
        return ProbeOffer(
            kind,
            Layer.DATAPLANE,
            Role.AUTHORITY,
            Mode.ROUND,
            NoOptions,
            lambda context, _options: FakeProbe(self, context),
            probe_class=SMALL,
            default_when=lambda path: path.peer is not None,
        )

    def of(self, path: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.path == path]


class FakeProbe:
    """Answers after the round-trip time, or not before the timeout."""

    def __init__(self, net: FakeNet, context: ProbeContext) -> None:
        self._net = net
        self._context = context

    async def open(self) -> None:
        error = self._net.open_error(self._context.path.name)
        if error is not None:
            raise error
        self._net.opened.append(self._context.path.name)

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        now_us = self._net.clock.monotonic_us()
        sent = Sent(now_us, self._context.path.name, tuple(targets), stagger_us)
        self._net.sent.append(sent)
        if self._net.during_round is not None:
            await self._net.during_round(sent)
        outcomes = [self._net.answer(sent, target) for target in targets]
        good = all(outcome is Outcome.OK for outcome in outcomes)
        left = stagger_us * (len(targets) - 1) + (self._net.rtt_us if good else self._context.timeout_us)
        await self._net.clock.sleep_until_us(now_us + left)
        return [
            ProbeResult(
                outcome, now_us + place * stagger_us, self._net.rtt_us if outcome is Outcome.OK else 0
            )
            for place, outcome in enumerate(outcomes)
        ]

    async def aclose(self) -> None:
        self._net.closed.append(self._context.path.name)


class FakePush:
    """Runs whatever the test gives it."""

    def __init__(self, script: Callable[[Callable[[Report], None]], Awaitable[None]]) -> None:
        self._script = script

    async def run(self, emit: Callable[[Report], None]) -> None:
        await self._script(emit)

    async def aclose(self) -> None:
        pass


def push_offer(
    script: Callable[[Callable[[Report], None]], Awaitable[None]], layer: Layer = Layer.INTERFACE
) -> ProbeOffer:
    return ProbeOffer(
        "fakepush", layer, Role.EVIDENCE, Mode.PUSH, NoOptions, lambda _context, _options: FakePush(script)
    )


PATHS = (PathName("primary"), PathName("secondary"))


def views(group: str = "g", paths: Sequence[PathName] = PATHS) -> tuple[PathView, ...]:
    return tuple(
        PathView(GroupName(group), path, interface=f"wg{index}", peer=f"10.{index}.0.1")
        for index, path in enumerate(paths)
    )


def round_setup(
    offer: ProbeOffer,
    *,
    targets: Sequence[str] = ("10.9.0.1",),
    interval_us: int = SECOND_US,
    timeout_us: int = 800 * MS_US,
    paths: Sequence[PathName] = PATHS,
    index: int = 0,
    anchors: bool = True,
) -> ProbeSetup:
    stream = StreamPolicy(index, offer.kind, SMALL, interval_us, timeout_us, tuple(targets), base=True)
    return ProbeSetup(
        offer,
        NoOptions(),
        interval_us,
        timeout_us,
        stream=stream,
        paths=tuple(paths),
        addresses={path: tuple(targets) for path in paths},
        anchors={path: f"10.{place}.0.1" for place, path in enumerate(paths)} if anchors else {},
    )


def push_setup(offer: ProbeOffer, *, index: int = 1, paths: Sequence[PathName] = PATHS) -> ProbeSetup:
    source = EvidenceSource(index, offer.kind, offer.layer)
    return ProbeSetup(offer, NoOptions(), SECOND_US, SECOND_US, source=source, paths=tuple(paths))


def group_setup(name: str, *probes: ProbeSetup, **policy: Any) -> GroupSetup:
    streams = tuple(probe.stream for probe in probes if probe.stream)
    sources = tuple(probe.source for probe in probes if probe.source)
    made = GroupPolicy(
        GroupName(name),
        tuple(PathPolicy(path) for path in PATHS),
        streams=streams,
        sources=sources,
        **policy,
    )
    return GroupSetup(made, views(name), probes, ())


def route_set(group: str, table: str = "main", provider: str = "cloud") -> RouteSet:
    name = ProviderName(provider)
    return RouteSet(
        RouteSet.make_id(name, TableName(table), GroupName(group)),
        GroupName(group),
        name,
        TableName(table),
        PrefixSet([Prefix("10.20.0.0/16")]),
        {path: Hop(f"dev {path}") for path in PATHS},
    )


def with_sets(group: GroupSetup, *sets: RouteSet) -> GroupSetup:
    policies = tuple(SetPolicy(one.id, one.provider, one.table) for one in sets)
    return replace(group, policy=replace(group.policy, sets=policies), sets=sets)


@dataclass
class FakeCloud:
    """Tables of a platform, shared by all fake providers of a test."""

    clock: VirtualTime
    capabilities: Capabilities = field(default_factory=Capabilities)
    took_us: int = 10 * MS_US
    routes: dict[RouteSetId, Observed] = field(default_factory=dict)
    log: list[tuple[str, object]] = field(default_factory=list)
    """``("point", (set, path, epoch))``, ``("observe", [sets])``, ``("open", read_only)``, ``("close", None)``."""
    writing: dict[str, int] = field(default_factory=dict)
    most: int = 0
    """Writes that ran at once, at most, on one table."""
    before_point: Callable[[SetChange, Permit], Awaitable[None]] | None = None
    before_observe: Callable[[Sequence[RouteSet], Permit], Awaitable[None]] | None = None
    before_open: Callable[[ProviderContext], Awaitable[None]] | None = None
    hints: asyncio.Queue[Changed] = field(default_factory=asyncio.Queue)

    def provider(self) -> FakeProvider:
        return FakeProvider(self)

    def offer(self, kind: str = "fakecloud") -> RouteOffer:
        return RouteOffer(
            kind,
            NoOptions,
            lambda text, _options: TableName(text),
            lambda text, _options: Hop(text),
            lambda _options: self.provider(),
            lambda _options: "account",
        )

    def setup(self, name: str = "cloud", deadline_us: int = 5 * SECOND_US, **keys: Any) -> ProviderSetup:
        return ProviderSetup(ProviderName(name), self.offer(), NoOptions(), "account", deadline_us, **keys)

    def said(self, word: str) -> list[Any]:
        return [what for said, what in self.log if said == word]


class FakeProvider:
    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud

    @property
    def capabilities(self) -> Capabilities:
        return self.cloud.capabilities

    async def open(self, context: ProviderContext) -> None:
        self.cloud.log.append(("open", context.read_only))
        if self.cloud.before_open is not None:
            await self.cloud.before_open(context)

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        return ()

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        await permit.read()
        self.cloud.log.append(("observe", [one.id for one in sets]))
        if self.cloud.before_observe is not None:
            await self.cloud.before_observe(sets, permit)
        seen = {one.id: self.cloud.routes.get(one.id, Absent()) for one in sets}
        await asyncio.sleep(self.cloud.took_us / SECOND_US)
        return {set_id: SetObservation(set_id, majority, token="t") for set_id, majority in seen.items()}

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        cloud, one = self.cloud, change.route_set
        cloud.writing[one.table] = cloud.writing.get(one.table, 0) + 1
        cloud.most = max(cloud.most, cloud.writing[one.table])
        try:
            if cloud.before_point is not None:
                await cloud.before_point(change, permit)
            await permit.write()
            cloud.log.append(("point", (one.id, change.path, change.epoch)))
            await asyncio.sleep(cloud.took_us / SECOND_US)
            cloud.routes[one.id] = PathHop(change.path)
            return SetOutcome(one.id, written=len(one.prefixes))
        finally:
            cloud.writing[one.table] -= 1

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        while True:
            yield await self.cloud.hints.get()

    async def aclose(self) -> None:
        self.cloud.log.append(("close", None))


def whole_setup(tmp: Path, providers: Sequence[ProviderSetup], *groups: GroupSetup) -> Setup:
    return Setup(None, DaemonSetup(tmp / "state", tmp / "control.sock"), tuple(providers), groups)


class Heard:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[GroupName, Event]] = []
        self.problems: list[str] = []

    def __call__(self, group: GroupName, event: Event) -> None:
        self.events.append((group, event))

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def of(self, group: str, path: str) -> list[Any]:
        return [
            event for name, event in self.events if name == group and getattr(event, "path", None) == path
        ]


Spawned = Callable[..., asyncio.Task[None]]


def play(scenario: Callable[[VirtualTime, Spawned], Awaitable[None]]) -> None:
    """Run a scenario in virtual time; the tasks that it spawned are cancelled at its end."""
    clock = VirtualTime()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []

            def spawn(coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
                tasks.append(group.create_task(coroutine, name=name))
                return tasks[-1]

            await scenario(clock, spawn)
            for task in tasks:
                task.cancel()

    run_virtually(main(), clock)


async def until(condition: Callable[[], object]) -> None:
    """Let virtual time pass until something is true, an hour at most."""
    for _ in range(3_600_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")
