"""Stands in for a provider that could not be opened: everything fails for now, and says why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NoReturn

from wgfo.model import Changed, Finding, RouteSet, RouteSetId, SetChange, SetObservation, SetOutcome
from wgfo.plugin import Capabilities, Permit, ProviderContext, Transient


class Unavailable:
    """A :class:`~wgfo.plugin.route.RouteProvider` whose every request fails, until the real one is there."""

    def __init__(self, why: str) -> None:
        self._why = why

    @property
    def capabilities(self) -> Capabilities:
        """What nobody knows: the defaults."""
        return Capabilities()

    async def open(self, context: ProviderContext) -> None:
        """Raise why."""
        self._refuse(context)

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Raise why."""
        self._refuse(sets, permit)

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Raise why."""
        self._refuse(sets, permit)

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Raise why."""
        self._refuse(change, permit)

    def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Raise why; never called, since it watches nothing."""
        self._refuse(sets)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _refuse(self, *asked: object) -> NoReturn:
        del asked
        raise Transient(self._why)
