"""Long-running operations: what an accepted write says of itself, and how it is followed to its end.

The rules of Azure Resource Manager, in this order: an ``Azure-AsyncOperation`` URL tells a ``status``; a
``Location`` URL answers 202 until it is over; without either, the route's own ``provisioningState`` tells. The
SDK's poller would wait 30 s between polls where no Retry-After is given, also for 0, ask no permit, and return
quietly at its timeout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from wgfo_azure.errors import Refusal, refusal, retry_after_ms

_ACCEPTED: Final = 202
_FIRST_MOST_MS: Final = 10_000
_LONGEST_MS: Final = 5_000
_SHORTEST_MS: Final = 50


class Ending(StrEnum):
    """How an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


_ENDINGS: Final = {
    "succeeded": Ending.SUCCEEDED,
    "failed": Ending.FAILED,
    "canceled": Ending.CANCELED,
    "cancelled": Ending.CANCELED,
}


class Way(StrEnum):
    """Where the end of an operation is told."""

    STATUS = "Azure-AsyncOperation"
    LOCATION = "Location"
    ROUTE = "the route itself"


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at an operation."""

    ending: Ending
    way: Way
    url: str = ""
    """Where to look next; empty: at the route."""
    retry_after_ms: int | None = None
    refused: Refusal | None = None
    """Why it failed or was cancelled."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as plain data."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """Decoded JSON; None where there was none."""
    now_s: float
    """Wall clock at its arrival."""


def begun(answer: Response) -> Progress:
    """Read the answer to a write."""
    asked_ms = retry_after_ms(answer.headers, answer.now_s)
    url = answer.headers.get("Azure-AsyncOperation", "")
    if url:
        return Progress(Ending.RUNNING, Way.STATUS, url, asked_ms)
    url = answer.headers.get("Location", "")
    if url:
        return Progress(Ending.RUNNING, Way.LOCATION, url, asked_ms)
    return looked(answer, Way.ROUTE, "")


def looked(answer: Response, way: Way, url: str) -> Progress:
    """Read the answer to a poll."""
    asked_ms = retry_after_ms(answer.headers, answer.now_s)
    url = answer.headers.get(way, url) if way is not Way.ROUTE else ""
    if way is Way.LOCATION and answer.status == _ACCEPTED:
        return Progress(Ending.RUNNING, way, url, asked_ms)
    state = _status(answer.body) if way is Way.STATUS else provisioning_state(answer.body)
    if not state:
        running = way is Way.STATUS or answer.status == _ACCEPTED
        ending = Ending.RUNNING if running else Ending.SUCCEEDED
    else:
        ending = _ENDINGS.get(state.lower(), Ending.RUNNING)
    if way is Way.LOCATION and (ending is Ending.RUNNING or not state):
        return Progress(Ending.RUNNING, Way.ROUTE)  # the operation is over; how it ended the route tells
    bad = ending in (Ending.FAILED, Ending.CANCELED)
    why = refusal(0, answer.body, {}, answer.now_s) if bad else None
    return Progress(ending, way, url, asked_ms, why)


def _status(body: Any) -> str:
    return str(body.get("status") or "") if isinstance(body, Mapping) else ""


def provisioning_state(body: Any) -> str:
    """Return the provisioning state in a resource's body; empty where there is none."""
    properties = body.get("properties") if isinstance(body, Mapping) else None
    return str(properties.get("provisioningState") or "") if isinstance(properties, Mapping) else ""


class Pace:
    """How long to wait before the next poll, where Azure does not say.

    Learned from the operations before: the first poll comes when they were about to end, and at once as long
    as they ended at once.
    """

    def __init__(self) -> None:
        self._typical_ms = 0

    @property
    def typical_ms(self) -> int:
        """How long an operation takes, by those seen so far; 0: none, or no time at all."""
        return self._typical_ms

    def wait_ms(self, polls: int, asked_ms: int | None) -> int:
        """Return the wait before poll number ``polls`` (0 is the first)."""
        if asked_ms:
            return asked_ms
        if polls == 0:
            return min(_FIRST_MOST_MS, self._typical_ms * 9 // 10)
        step_ms = max(_SHORTEST_MS, self._typical_ms // 8)
        return min(_LONGEST_MS, step_ms << min(polls - 1, 16))

    def ended(self, polls: int, took_ms: int) -> None:
        """Learn from an operation that ended at poll number ``polls``, so long after it was accepted."""
        known_ms = self._typical_ms
        if polls == 0:
            self._typical_ms = known_ms * 9 // 10
        else:
            self._typical_ms = took_ms if not known_ms else (known_ms + took_ms) // 2
