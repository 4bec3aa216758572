"""What may go wrong on the stand-in, and how it answers writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Style(StrEnum):
    """How the end of a long-running operation is told."""

    STATUS = "azure-asyncoperation"
    LOCATION = "location"
    BODY = "body"
    """By the route's provisioningState alone."""
    AT_ONCE = "at once"
    """200, and it is done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as Azure Resource Manager words it."""

    status: int
    code: str
    message: str = "refused"
    detail: tuple[str, str] | None = None
    """An inner code and message."""
    retry_after: str | None = None
    """The header, literally."""


THROTTLED = Answer(429, "TooManyRequests", "too many", retry_after="2")
DENIED = Answer(403, "AuthorizationFailed", "the client has no authorization to perform the action")
BUSY = Answer(
    429,
    "RetryableError",
    "A retryable error occurred.",
    (
        "RetryableErrorDueToAnotherOperation",
        "Operation PutRouteOperation (1) is updating resource rt. The call can be retried in 11 seconds.",
    ),
)


@dataclass(slots=True)
class Faults:
    """What is wrong now, and the platform's manners."""

    # manners
    style: Style = Style.STATUS
    lro_ms: int = 0
    """How long an operation lasts, from its acceptance."""
    retry_after: str | None = None
    """The header of accepted writes and of polls: None is absent."""
    accepted: int | None = None
    """Status of an accepted write, in place of 201 for a new route and 200 for another."""
    shared_etags: bool = False
    """Whether every write in a table changes the etags of all its routes."""
    busy: Answer = Answer(409, "AnotherOperationInProgress", "Another operation on this table is in progress")
    page: int = 2
    """Items of one page of a list."""
    write_quota: int | None = None
    """Writes that are let in before 429."""
    # faults
    latency_ms: int = 0
    refused: set[str] = field(default_factory=set)
    """Prefixes whose writes are invalid."""
    failing: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Prefix to (Failed or Canceled, code): accepted, and then it ends so."""
    stall_write: bool = False
    """The next write is received, and waits for ``release``."""
    stall_reads: bool = False
    lose_answer: bool = False
    """The next write is carried out; then the connection breaks."""
    break_before: bool = False
    """The connection breaks before the next write is carried out."""
    writes: Answer | None = None
    """Answer to every write."""
    reads: Answer | None = None
    """Answer to every read."""
    polls: Answer | None = None
    """Answer to every poll."""
    denied_tables: set[str] = field(default_factory=set)
    broken: set[bool] = field(default_factory=set)
    """Whether writes (True) or reads (False) end in a closed connection."""
    garbage: set[bool] = field(default_factory=set)
    """Whether writes or reads are answered by something that is no JSON."""
    stale_ms: int = 0
    """How old is what reads of routes show."""
    race: Callable[[], None] | None = None
    """Happens right before the next write is carried out."""
    before: Callable[[int, str], None] | None = None
    """Called with number and method of every request before it is handled; may raise."""
    stalled: list[asyncio.Future[bool]] = field(default_factory=list)
