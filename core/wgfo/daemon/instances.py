"""The provider instances of this process: opened, called within bounds, and never believed to be well-behaved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from wgfo.config.setup import ProviderSetup, Setup
from wgfo.daemon.budget import Budget, Priority
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import patiently, say
from wgfo.daemon.permit import CallPermit, no_veto
from wgfo.model import PathView, ProviderName, RouteSet
from wgfo.plugin import (
    Capabilities,
    ProviderContext,
    ProviderError,
    RouteProvider,
    Transient,
    WgfoError,
)

T = TypeVar("T")
CLOSE_US: Final = 3_000_000
GRACE_US: Final = 100_000
"""A call's result may be waiting when its deadline has passed: after a stall of ours everything is due."""


class Operation(StrEnum):
    """What an instance was asked for; a label of the request metrics."""

    OPEN = "open"
    OBSERVE = "observe"
    POINT = "point"


class Requests(Protocol):
    """Hears how every call to a provider went; for the metrics."""

    def __call__(self, provider: ProviderName, operation: Operation, result: str, took_us: int) -> None:
        """``result`` is ``ok``, ``partial``, ``timeout``, ``bug`` or the kind of failure."""


def unheard(provider: ProviderName, operation: Operation, result: str, took_us: int) -> None:
    """Nobody counts."""
    del provider, operation, result, took_us


def _read_only() -> str:
    return "nothing may be changed in a dry run or a trial"


class OpenFailed(WgfoError):
    """A selected provider instance cannot be used."""


@dataclass(slots=True)
class Instance:
    """One provider instance, open."""

    setup: ProviderSetup
    provider: RouteProvider
    budget: Budget
    context_key: tuple[object, ...]
    """What it was opened with, its options aside: another one means that it must be opened anew."""
    writing: int = 0
    observing: int = 0

    @property
    def name(self) -> ProviderName:
        """The instance's name in the configuration."""
        return self.setup.name

    @property
    def capabilities(self) -> Capabilities:
        """What it declared at open."""
        return self.provider.capabilities

    @property
    def parallel(self) -> int:
        """Writes that may run at once."""
        declared = max(1, self.capabilities.parallel_tables)
        return declared if self.setup.parallel is None else max(1, min(declared, self.setup.parallel))


@dataclass(slots=True)
class Accounts:
    """The budgets, one per scope: instances of one account share theirs."""

    clock: Clock
    _budgets: dict[tuple[str, str], Budget] = field(default_factory=dict)

    def of(self, setup: ProviderSetup) -> Budget:
        """Return the budget of an instance's account."""
        key = (setup.offer.kind, setup.scope)
        if key not in self._budgets:
            self._budgets[key] = Budget(self.clock)
        return self._budgets[key]


@dataclass(slots=True)
class Opener:
    """Opens and closes instances."""

    clock: Clock
    accounts: Accounts
    requests: Requests = unheard
    read_only: bool = False
    """Change nothing on the platform: a dry run, a plan, or the trial before a reload."""

    async def open(self, setup: ProviderSetup, whole: Setup) -> Instance:
        """Open an instance; raises :class:`OpenFailed` with a sentence for the operator."""
        sets, views = _sets(setup, whole), _views(setup, whole)
        deadline_us = self.clock.monotonic_us() + setup.deadline_us
        budget = self.accounts.of(setup)
        permit = CallPermit(
            budget,
            self.clock,
            deadline_us=deadline_us,
            priority=Priority.VERIFY,
            veto=_read_only if self.read_only else no_veto,
        )
        context = ProviderContext(setup.name, views, sets, permit, self.read_only, self.clock.monotonic_us)
        try:
            provider = setup.offer.open(setup.options)
            await self._timed(setup, provider.open(context))
        except Exception as error:
            raise OpenFailed(f"provider {setup.name}: cannot be opened: {say(error)}") from error
        budget.limit(provider.capabilities.rates)
        return Instance(setup, provider, budget, context_key(setup, whole))

    async def _timed(self, setup: ProviderSetup, work: Coroutine[Any, Any, None]) -> None:
        call = Call(self.clock, self.requests, setup.name, Operation.OPEN)
        await call.run(work, setup.deadline_us)

    async def close(self, instance: Instance) -> str | None:
        """Close an instance; return what went wrong."""
        try:
            await patiently(instance.provider.aclose(), CLOSE_US, GRACE_US)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            return f"provider {instance.name}: cannot be closed: {say(error)}"
        return None


@dataclass(slots=True)
class Call:
    """One call to a provider, bounded and timed."""

    clock: Clock
    requests: Requests
    provider: ProviderName
    operation: Operation
    word: Callable[[Any], str] = lambda _value: "ok"
    """The word for a result that is no exception."""

    async def run(self, work: Coroutine[Any, Any, T], within_us: int) -> T:
        """Return the result; raises what the provider raised, or TimeoutError."""
        begun_us = self.clock.monotonic_us()
        word = "cancelled"
        try:
            value = await patiently(work, within_us, GRACE_US)
            word = self.word(value)
        except Exception as error:
            word = result_word(error)
            raise
        else:
            return value
        finally:
            self.requests(self.provider, self.operation, word, self.clock.monotonic_us() - begun_us)


def result_word(error: Exception) -> str:
    """Return the label for a failed call."""
    if isinstance(error, ProviderError):
        return str(error.kind)
    return "timeout" if isinstance(error, TimeoutError) else "bug"


def provider_error(error: Exception) -> ProviderError:
    """Return what a provider raised as one of our kinds; anything unexpected is transient and named a bug."""
    return error if isinstance(error, ProviderError) else Transient(say(error))


def context_key(setup: ProviderSetup, whole: Setup) -> tuple[object, ...]:
    """Return what an instance is opened with, comparable between two configurations."""
    options = setup.options.model_dump_json()
    return (setup.offer.kind, options, setup.scope, _keys(_sets(setup, whole)), _view_keys(setup, whole))


def _sets(setup: ProviderSetup, whole: Setup) -> tuple[RouteSet, ...]:
    return tuple(one for group in whole.groups for one in group.sets if one.provider == setup.name)


def _views(setup: ProviderSetup, whole: Setup) -> tuple[PathView, ...]:
    return tuple(
        view
        for group in whole.groups
        if any(one.provider == setup.name for one in group.sets)
        for view in group.paths
    )


def _keys(sets: Sequence[RouteSet]) -> tuple[object, ...]:
    return tuple((one.id, one.prefixes.digest, _items(one.hops), one.adopt, str(one.options)) for one in sets)


def _view_keys(setup: ProviderSetup, whole: Setup) -> tuple[object, ...]:
    return tuple((view, _items(view.targets)) for view in _views(setup, whole))


def _items(mapping: Mapping[Any, str]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in mapping.items())


async def open_all(opener: Opener, setup: Setup) -> dict[ProviderName, Instance]:
    """Open every selected instance at once; if one fails, close the others and raise :class:`OpenFailed`."""
    opened: dict[ProviderName, Instance] = {}
    failures: list[OpenFailed] = []

    async def one(provider: ProviderSetup) -> None:
        try:
            opened[provider.name] = await opener.open(provider, setup)
        except OpenFailed as error:
            failures.append(error)

    whole = False
    try:
        await asyncio.gather(*(one(provider) for provider in setup.providers))
        whole = not failures
    finally:
        if not whole:
            await asyncio.gather(*(opener.close(instance) for instance in opened.values()))
    if failures:
        raise OpenFailed("; ".join(map(str, failures))) from failures[0]
    return {provider.name: opened[provider.name] for provider in setup.providers}
