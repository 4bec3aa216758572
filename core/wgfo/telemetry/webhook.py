"""What became of the notifications that the webhook was sent, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric


class Notification(StrEnum):
    """How a request to the webhook ended."""

    ACCEPTED = "accepted"
    UNAUTHORISED = "unauthorised"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    """More alerts match than are kept."""


WORDS: Final = ("changed", "repeated", "stale", "unmatched")
"""What the word about one alert did."""


class WebhookCounts:
    """Two counters; all their samples exist from the start."""

    def __init__(self) -> None:
        self._notifications: Counter[str] = Counter()
        self._alerts: Counter[str] = Counter()

    def notified(self, result: Notification) -> None:
        """Count one request."""
        self._notifications[result] += 1

    def heard(self, result: str) -> None:
        """Count one alert of an accepted request."""
        self._alerts[result] += 1

    def families(self) -> Iterator[Metric]:
        """Yield both counters."""
        yield _family(
            "wgfo_webhook_notifications", "Requests to the alert webhook.", Notification, self._notifications
        )
        yield _family("wgfo_webhook_alerts", "Alerts in accepted requests.", WORDS, self._alerts)


def _family(name: str, text: str, results: Iterable[str], counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, text, labels=("result",))
    for result in results:
        family.add_metric([str(result)], counts[result])
    return family
