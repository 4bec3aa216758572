"""Listening to a push probe: every report is waited for, none is polled for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wgfo.model import LayerReport
from wgfo.plugin import Report


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
