"""The loop of probes that ask others once an interval, and report what changed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from wgfo.model import Layer, LayerReport, Verdict
from wgfo.plugin import ProbeContext
from wgfo.plugin.probe import Report
from wgfo.probes.secret import read_secret

INTERVAL_US: Final = 1_000_000

Said = tuple[Verdict, str]
Ask = Callable[[], Awaitable[Said]]


async def report_changes(context: ProbeContext, ask: Ask, emit: Callable[[Report], None], code: str) -> None:
    """Ask at every interval until cancelled; late answers delay the next question, they never pile up."""
    interval_us = context.interval_us or INTERVAL_US
    before: Said | None = None
    while True:
        started_us = context.monotonic_us()
        said = await ask()
        if said != before:
            before = said
            emit(LayerReport(Layer.DATAPLANE, *said, code=code))
        left_us = started_us + interval_us - context.monotonic_us()
        await asyncio.sleep(max(0, left_us) / 1_000_000)


def authorization(token_file: Path | None, username: str | None, password_file: Path | None) -> str:
    """Return the header ``Authorization``, empty for none; raises ``ConfigError`` for a bad file."""
    if token_file is not None:
        return f"Bearer {read_secret(token_file, 'token_file').reveal()}"
    if username is not None and password_file is not None:
        pair = f"{username}:{read_secret(password_file, 'password_file').reveal()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return ""
