"""The ``http`` probe: a GET through one path, judged by status and size.

Its round trip time counts until the body is read: a full-size answer is what a path that drops large packets
fails on. A redirect is an answer like any other. After a stall of the process nobody can know when an answer
came: a request gets as long as the loop was late to finish, and is then believed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from wgfo.model import Outcome, ProbeResult
from wgfo.plugin import ProbeContext
from wgfo.probes.egress import Egress
from wgfo.probes.staggered import staggered
from wgfo.probes.targets import split_resolved_url
from wgfo.probes.tcp import check_egress
from wgfo.probes.verdicts import NO_REPLY

if TYPE_CHECKING:
    from wgfo.probes.http_client import Answer, HttpClient

T = TypeVar("T")
READ_AT_MOST_BYTES: Final = 64 * 1024
"""Of a body, unless ``min_bytes`` asks for more."""
_RANGE: Final = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")


class HttpOptions(BaseModel):
    """Options of ``kind = "http"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: int | str | tuple[int | str, ...] = "200-399"
    """What counts as good: a status (``200``), a range (``"200-399"``), or a list of these."""
    min_bytes: Annotated[int, Field(ge=0, le=64 * 1024 * 1024)] = 0
    """The body must have at least as many."""
    tls_verify: bool = True

    @field_validator("status")
    @classmethod
    def _is_status(cls, value: int | str | tuple[int | str, ...]) -> int | str | tuple[int | str, ...]:
        _ranges(value)
        return value

    def accepts(self, status: int) -> bool:
        """Whether an answer of ``status`` is good."""
        return any(low <= status <= high for low, high in _ranges(self.status))


def _ranges(value: int | str | tuple[int | str, ...]) -> list[tuple[int, int]]:
    """Return the ranges of statuses; ``ValueError`` says what is accepted."""
    return [_range(one) for one in (value if isinstance(value, tuple) else (value,))]


def _range(value: int | str) -> tuple[int, int]:
    match = _RANGE.fullmatch(str(value))
    if match and int(match[1]) <= int(match[2] or match[1]):
        return int(match[1]), int(match[2] or match[1])
    raise ValueError(f'{value!r} is no status such as 200, range such as "200-399", or list of these')


class HttpProbe:
    """GET requests through one path; implements :class:`wgfo.plugin.RoundProbe`."""

    def __init__(self, context: ProbeContext, options: HttpOptions) -> None:
        self._timeout_us = context.timeout_us
        self._clock = context.monotonic_us
        self._egress = Egress.of(context.path)
        self._options = options
        self._client: HttpClient | None = None

    async def open(self) -> None:
        """Make the client; ``ProbeError`` where this process may not set the mark."""
        from wgfo.probes.http_client import HttpClient  # noqa: PLC0415 - aiohttp takes 0.3 s; most need no http

        check_egress(self._egress)
        self._client = HttpClient(self._egress, tls_verify=self._options.tls_verify)

    async def aclose(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        """Request each URL (or ``URL at ADDRESS``), ``stagger_us`` apart, each over its own connection."""
        return await staggered(targets, stagger_us, self._attempt)

    async def _attempt(self, target: str) -> ProbeResult:
        assert self._client is not None, "open() comes first"
        url, address = split_resolved_url(target)
        read_at_most = max(READ_AT_MOST_BYTES, self._options.min_bytes)
        sent_us = self._clock()
        task = asyncio.create_task(self._client.get(url, address, sent_us, read_at_most))
        try:
            if not await finished_in_time(task, self._timeout_us):
                return self._too_late(url, sent_us)
            answer = task.result()
        finally:
            await _end(task)
        return answer if isinstance(answer, ProbeResult) else self._judge(answer, sent_us)

    def _too_late(self, url: str, sent_us: int) -> ProbeResult:
        assert self._client is not None, "open() comes first"
        if self._client.is_resolving(url):
            return ProbeResult(Outcome.UNKNOWN, sent_us, reason="name not resolved in time")
        return ProbeResult(Outcome.LOST, sent_us, reason=NO_REPLY)

    def _judge(self, answer: Answer, sent_us: int) -> ProbeResult:
        if not self._options.accepts(answer.status):
            return ProbeResult(Outcome.LOST, sent_us, reason=f"status {answer.status}")
        if answer.body_bytes < self._options.min_bytes:
            return ProbeResult(Outcome.LOST, sent_us, reason="body too short")
        return ProbeResult(Outcome.OK, sent_us, min(self._clock() - sent_us, self._timeout_us))


async def _end(task: asyncio.Task[T]) -> None:
    """Cancel ``task`` unless it is done, and wait for its end."""
    task.cancel()
    await asyncio.wait([task])


async def finished_in_time(event: asyncio.Future[T], timeout_us: int) -> bool:
    """Wait for ``event``; False once its deadline has passed, and with it the time that the loop was away.

    A loop that was stalled past the deadline has not yet seen what came before it. It is given as long as it
    was late, at most the timeout once more.
    """
    loop = asyncio.get_running_loop()
    timeout_s = timeout_us / 1_000_000
    deadline = loop.time() + timeout_s
    await asyncio.wait([event], timeout=timeout_s)
    late_s = min(loop.time() - deadline, timeout_s)
    if not event.done() and late_s > 0:
        await asyncio.wait([event], timeout=late_s)
    return event.done()
