"""Keeps the textfile fresh while the daemon runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from wgfo.config.setup import Setup
from wgfo.engine.report import GroupReport
from wgfo.telemetry.textfile import write_textfile

log = logging.getLogger(__name__)

PERIOD_S: Final = 10.0
"""Below the scrape interval of most; node_exporter shows the file's age as node_textfile_mtime_seconds."""


class Exported(Protocol):
    """The part of the control API's source that is written."""

    @property
    def setup(self) -> Setup:
        """What this process does; its ``textfile`` is where to."""

    def reports(self) -> Sequence[GroupReport]:
        """Return every group."""


async def keep_textfile(
    source: Exported, exposition: Callable[[], bytes], period_s: float = PERIOD_S
) -> None:
    """Write the textfile every ``period_s`` until cancelled; trouble is logged once, and so is its end."""
    trouble = ""
    while True:
        found = await write_once(source, exposition)
        if found != trouble:
            log.log(logging.WARNING if found else logging.INFO, "textfile: %s", found or "written again")
            trouble = found
        await asyncio.sleep(period_s)


async def write_once(source: Exported, exposition: Callable[[], bytes]) -> str:
    """Write it, in a thread: a hung disk holds up nobody. Return what went wrong, empty if nothing."""
    path = source.setup.daemon.textfile
    if path is None:
        return ""
    try:
        await asyncio.to_thread(write_textfile, path, exposition(), source.reports(), source.setup)
    except OSError as error:
        return f"{path}: {error.strerror or error}; tried again"
    return ""
