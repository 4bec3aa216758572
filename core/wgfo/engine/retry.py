"""Retry: how a failed request is told, and when it may be tried again. Decides nothing about routes.

Pauses double, with a jitter that derives from (epoch, index, tries) and never from names (I15); what the platform
asks for is the least. May not be added here: what a failure means for the set.
"""

from __future__ import annotations

from typing import Final

from wgfo.engine.policy import SECOND_US, GroupPolicy
from wgfo.model import FailureKind, RouteSetId, SetOutcome

BACKOFF_FIRST_US: Final = SECOND_US
BACKOFF_MOST_US: Final = 30 * SECOND_US
BACKOFF_URGENT_US: Final = 6 * SECOND_US
"""After an escape: routes stand within 10 s of the return of an API that was away, however long."""
PERMANENT_RETRY_US: Final = 300 * SECOND_US
"""Rights may be granted and tables created while we run: a permanent failure is retried, rarely."""
PERMANENT: Final = frozenset({FailureKind.DENIED, FailureKind.NOT_FOUND, FailureKind.UNSUPPORTED})


def unknown(outcome: SetOutcome) -> bool:
    """Whether any part of a write may or may not have happened."""
    return any(failure.kind is FailureKind.UNKNOWN for failure in outcome.failures)


def first_text(outcome: SetOutcome | None) -> str:
    """Return the first failure in words, and how many more there are."""
    if outcome is None or not outcome.failures:
        return ""
    first = outcome.failures[0]
    more = len(outcome.failures) - 1
    where = f"{first.prefix}: " if first.prefix else ""
    return f"{where}{first.text}" + (f" (and {more} more)" if more else "")


def delay_us(
    policy: GroupPolicy,
    set_id: RouteSetId,
    epoch: int,
    failures: int,
    *,
    permanent: bool,
    asked_us: int | None,
) -> int:
    """Return the pause before the next try: doubling, with jitter; ``asked_us`` is the platform's own wish."""
    if permanent and failures > 1:
        return PERMANENT_RETRY_US
    base_us = min(BACKOFF_FIRST_US << min(failures - 1, 10), BACKOFF_MOST_US)
    index = next(i for i, candidate in enumerate(policy.sets) if candidate.id == set_id)
    jitter = (epoch * 2654435761 + index * 40503 + failures * 65537) % 256
    return max(base_us - base_us // 4 + base_us // 4 * jitter // 256, asked_us or 0)
