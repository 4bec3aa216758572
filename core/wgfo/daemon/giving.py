"""Giving routes back on ``release``: a provider that marks its routes takes the mark off, and they stay."""

from __future__ import annotations

from typing import Final

from wgfo.daemon.budget import Priority
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import patiently, redact, say
from wgfo.daemon.instances import GRACE_US, Instance
from wgfo.daemon.permit import CallPermit
from wgfo.model import RouteSet
from wgfo.plugin import GivesBack

WITHIN_US: Final = 4_000_000
"""The operator waits for it."""


def marks(instance: Instance) -> bool:
    """Whether there is a mark that can be taken off."""
    return isinstance(instance.provider, GivesBack)


async def give_back(instance: Instance, route_set: RouteSet, clock: Clock) -> str:
    """Return what became of a set, or why it keeps its mark; never raises for the provider."""
    permit = CallPermit(
        instance.budget,
        clock,
        deadline_us=clock.monotonic_us() + WITHIN_US,
        priority=Priority.REPAIR,
    )
    assert isinstance(instance.provider, GivesBack)
    try:
        text = await patiently(instance.provider.give_back(route_set, permit), WITHIN_US, GRACE_US)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return f"{route_set.id} keeps its mark: {say(error)}"
    finally:
        permit.withdraw("the call has ended")
    return redact(f"{route_set.id}: {text}")
