"""How the daemon lives with what a plugin raises: caught, said once, tried again ever more rarely.

A plugin's exception never ends the daemon; what it was to do becomes *unknown*. Only exceptions of the core
itself pass, and they do end it: a daemon that decides on a broken state is worse than none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from wgfo.daemon.clock import Clock
from wgfo.plugin import WgfoError

T = TypeVar("T")
_US: Final = 1_000_000
FIRST_US: Final = 1_000_000
CAP_US: Final = 30_000_000
_LONGEST: Final = 400

_SECRETS: Final = (
    re.compile(r"(?i)\b(authorization|x-auth-token|x-amz-security-token)\b\s*[:=]\s*\S+(\s+\S{8,})?"),
    re.compile(r"(?i)\b([\w-]*(?:password|passwd|secret|token|api[-_]?key|private[-_]?key))\b\s*[:=]\s*\S+"),
    re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"),
    re.compile(r"(?<=://)([^/\s:@]+):[^/\s@]+@"),
    re.compile(r"\b((?:AKIA|ASIA)[A-Z0-9]{4})[A-Z0-9]{12}\b"),
    re.compile(r"\b()[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=(?![\w=])"),
)
"""Headers, assignments, bearer texts, URLs with a password, AWS key ids, WireGuard keys. A second line of
defence: plugins have to keep secrets out of their texts themselves (provider contract, rule 10)."""


def hide(text: str) -> str:
    """Return ``text`` with everything that looks like a secret taken out."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: f"{match.group(1) or ''} [redacted] ".strip(), text)
    return text


def redact(text: str) -> str:
    """Return ``text`` on one line, bounded, with everything that looks like a secret taken out."""
    line = " ".join(hide(text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def say(error: BaseException) -> str:
    """Return an exception as a sentence: our own as they are, any other one marked as a plugin's bug."""
    if isinstance(error, WgfoError):
        return redact(str(error))
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return redact(f"bug in a plugin: {type(error).__name__}: {error}")


class Spawn(Protocol):
    """Start a coroutine as a core task: an exception that leaves it ends the daemon."""

    def __call__(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Return the running task."""


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts: doubling from ``first_us`` to ``cap_us``.

    They start again after a life that was longer than the cap.
    """

    clock: Clock
    first_us: int = FIRST_US
    cap_us: int = CAP_US
    _next_us: int = 0
    _begun_us: int = 0

    def begin(self) -> None:
        """An attempt begins."""
        self._begun_us = self.clock.monotonic_us()

    async def pause(self) -> None:
        """Wait before the next attempt."""
        now_us = self.clock.monotonic_us()
        if now_us - self._begun_us > self.cap_us:
            self._next_us = 0
        self._next_us = min(self.cap_us, max(self.first_us, 2 * self._next_us))
        await self.clock.sleep_until_us(now_us + self._next_us)


async def guarded(
    attempt: Callable[[], Coroutine[Any, Any, None]], failed: Callable[[str], None], backoff: Backoff
) -> None:
    """Run a plugin's endless coroutine again and again; ``failed`` hears why it ended each time."""
    while True:
        backoff.begin()
        try:
            await attempt()
            failed("ended by itself, which it must not")
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            failed(say(error))
        await backoff.pause()


async def patiently(work: Coroutine[Any, Any, T], patience_us: int, grace_us: int) -> T:
    """Wait for a plugin's coroutine, then give it ``grace_us`` more, then cancel it and raise TimeoutError.

    The grace is for ourselves: after a stall of this process its timers are all due at once, and what was
    finished in time must have its turn before it is given up.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(_retrieve)
    try:
        for wait_us in (patience_us, grace_us):
            done, _ = await asyncio.wait({task}, timeout=max(0, wait_us) / _US)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        task.cancel()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the exception of a task that nobody waits for any more, so that asyncio does not report it."""
    if not task.cancelled():
        task.exception()
