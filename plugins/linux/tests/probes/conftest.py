"""Running a probe and waiting for what it says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.support.netns import Namespace, namespaces
from wgfo.model import GroupName, LayerReport, PathName, PathView
from wgfo.plugin import ProbeContext, PushProbe, Report


class Reports:
    """What a probe has said and nobody has looked at yet."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Report] = asyncio.Queue()

    def emit(self, report: Report) -> None:
        self._queue.put_nowait(report)

    async def next(self, within_s: float = 1.0) -> Report:
        async with asyncio.timeout(within_s):
            return await self._queue.get()

    async def until(self, wanted: Callable[[Report], bool], within_s: float = 2.0) -> Report:
        """Return the first report that is wanted, and forget those before it."""
        async with asyncio.timeout(within_s):
            while True:
                report = await self._queue.get()
                if wanted(report):
                    return report

    async def code(self, code: str, within_s: float = 1.0) -> LayerReport:
        """Return the next report, which must bear this code."""
        report = await self.next(within_s)
        assert isinstance(report, LayerReport)
        assert report.code == code, report
        return report


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
