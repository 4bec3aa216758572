"""Attempts that go out one after the other and run beside each other: what tcp and http have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from wgfo.model import ProbeResult


async def staggered(
    targets: Sequence[str], stagger_us: int, attempt: Callable[[str], Awaitable[ProbeResult]]
) -> Sequence[ProbeResult]:
    """Run ``attempt`` for each target, begun ``stagger_us`` apart; return the results in order."""

    async def later(target: str, delay_us: int) -> ProbeResult:
        if delay_us:
            await asyncio.sleep(delay_us / 1_000_000)
        return await attempt(target)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(later(target, n * stagger_us)) for n, target in enumerate(targets)]
    return [task.result() for task in tasks]
