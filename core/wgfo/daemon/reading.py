"""Reads of route sets: several in one call, and one that cannot be read does not blind us to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wgfo.daemon.budget import Priority
from wgfo.daemon.guard import say
from wgfo.daemon.instances import Call, Instance, Operation, provider_error
from wgfo.daemon.permit import CallPermit
from wgfo.daemon.terms import Terms
from wgfo.model import RouteSet, RouteSetId, SetObservation
from wgfo.plugin import ProviderError, Transient, Withdrawn

Reads = dict[RouteSetId, SetObservation | ProviderError]


async def read_sets(
    instance: Instance, sets: Sequence[RouteSet], terms: Terms, *, urgent: bool, order: int = 0
) -> Reads:
    """Return what each set shows, or why it could not be read. Never raises for the provider."""
    whole = await _read(instance, sets, terms, urgent, order)
    error = next((one for one in whole.values() if isinstance(one, ProviderError)), None)
    if error is None or len(sets) == 1 or _everywhere(error):
        return whole
    places = asyncio.Semaphore(instance.parallel)

    async def alone(one: RouteSet) -> Reads:
        async with places:
            return await _read(instance, [one], terms, urgent, order)

    singles = await asyncio.gather(*(alone(one) for one in sets))
    return {set_id: read for single in singles for set_id, read in single.items()}


def _everywhere(error: ProviderError) -> bool:
    """Whether asking for each set alone would only make it worse: throttled, or out of time."""
    return (
        (error.retry_after_ms is not None and not error.busy)
        or isinstance(error, Withdrawn)
        or isinstance(error.__cause__, TimeoutError)
    )


async def _read(
    instance: Instance, sets: Sequence[RouteSet], terms: Terms, urgent: bool, order: int
) -> Reads:
    deadline_us = instance.setup.deadline_us
    permit = CallPermit(
        instance.budget,
        terms.clock,
        deadline_us=terms.clock.monotonic_us() + deadline_us,
        priority=Priority.VERIFY if urgent else Priority.RECONCILE,
        order=order,
    )
    call = Call(terms.clock, terms.requests, instance.name, Operation.OBSERVE)
    try:
        found = await call.run(_observe(instance, sets, permit), deadline_us)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        failure = _failure(error, deadline_us)
        if failure.retry_after_ms and not failure.busy:
            instance.budget.pause(failure.retry_after_ms * 1_000)
        return dict.fromkeys((one.id for one in sets), failure)
    missing = Transient(f"bug in a plugin: observe() of {instance.setup.offer.kind} left the set out")
    return {one.id: found.get(one.id, missing) for one in sets}


async def _observe(instance: Instance, sets: Sequence[RouteSet], permit: CallPermit) -> Reads:
    return dict(await instance.provider.observe(sets, permit))


def _failure(error: Exception, deadline_us: int) -> ProviderError:
    if isinstance(error, TimeoutError):
        late = Transient(f"no answer within {deadline_us / 1_000_000:g} s")
        late.__cause__ = error
        return late
    failure = provider_error(error)
    return type(failure)(say(failure), retry_after_ms=failure.retry_after_ms, busy=failure.busy)
