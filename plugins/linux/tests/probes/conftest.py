"""Running a probe and waiting for what it says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from tests.support.netns import Namespace, namespaces
from tests.support.push import Reports

from wgfo.model import GroupName, PathName, PathView
from wgfo.plugin import ProbeContext, PushProbe


@contextlib.asynccontextmanager
async def _running(probe: PushProbe) -> AsyncIterator[Reports]:
    reports = Reports()
    task = asyncio.create_task(probe.run(reports.emit))
    try:
        yield reports
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await probe.aclose()


@pytest.fixture
def running() -> Callable[[PushProbe], contextlib.AbstractAsyncContextManager[Reports]]:
    """Run a probe for the length of a block; its failure is the test's."""
    return _running


@pytest.fixture
def make_context() -> Callable[..., ProbeContext]:
    def make(
        interface: str | None, *, interval_us: int | None = None, destinations=(), **path
    ) -> ProbeContext:
        view = PathView(GroupName("cloud"), PathName("primary"), interface=interface, **path)
        return ProbeContext(
            view, 800_000, lambda: 0, interval_us=interval_us, destinations=tuple(destinations)
        )

    return make


@pytest.fixture
def inside() -> Iterator[Namespace]:
    """The test runs inside a network namespace of its own."""
    with namespaces("probe") as (made,), made.entered():
        yield made
