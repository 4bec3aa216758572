"""Contexts and probes for tests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, cast

from wgfo.model import Bind, BindKind, GroupName, Outcome, PathName, PathView, ProbeClass, ProbeResult
from wgfo.plugin import ProbeContext, ProbeOffer, RoundProbe

LOST, OK, UNKNOWN, TOO_BIG = Outcome.LOST, Outcome.OK, Outcome.UNKNOWN, Outcome.TOO_BIG
BY_DEVICE = Bind(BindKind.DEVICE)
BY_ADDRESS = Bind(BindKind.ADDRESS)


def monotonic_us() -> int:
    return time.monotonic_ns() // 1000


def path_view(
    interface: str | None = None,
    bind: Bind = BY_DEVICE,
    *,
    peer: str | None = None,
    targets: Mapping[str, str] | None = None,
) -> PathView:
    return PathView(GroupName("g"), PathName("p"), interface, peer, bind, targets=targets or {})


def context(
    interface: str | None = None,
    bind: Bind = BY_DEVICE,
    *,
    timeout_ms: int = 250,
    probe_class: ProbeClass | None = None,
    peer: str | None = None,
) -> ProbeContext:
    view = path_view(interface, bind, peer=peer)
    return ProbeContext(view, timeout_ms * 1000, monotonic_us, probe_class=probe_class)


def made(offer: ProbeOffer, given: ProbeContext, **options: Any) -> RoundProbe:
    return cast("RoundProbe", offer.open(given, offer.options_model(**options)))


@contextlib.asynccontextmanager
async def opened(offer: ProbeOffer, given: ProbeContext, **options: Any) -> AsyncIterator[RoundProbe]:
    probe = made(offer, given, **options)
    await probe.open()
    try:
        yield probe
    finally:
        await probe.aclose()


async def stalled(
    running: Coroutine[Any, Any, Sequence[ProbeResult]], stall: Callable[[], object], *, turns: int = 1
) -> Sequence[ProbeResult]:
    """Run a round whose event loop stands still in ``stall`` as soon as its probes are under way.

    ``turns`` of the loop bring them there: one for the round, a second for the tasks that it starts.
    """
    task = asyncio.create_task(running)
    for _ in range(turns):
        await asyncio.sleep(0)
    assert not task.done()
    stall()
    return await task


def said(results: Sequence[ProbeResult]) -> list[tuple[Outcome, str]]:
    """Outcomes and reasons alone."""
    return [(one.outcome, one.reason) for one in results]
