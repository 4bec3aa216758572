"""Alerts as a probe hears them: what others say fires, kept by the daemon and read by push probes.

Times of the sender (``starts_us``) are its wall clock: they put words about one alert in order and are compared
with nothing else. ``heard_us`` is monotonic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class AlertState(StrEnum):
    """What is known of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"
    DOUBTFUL = "doubtful"
    """It was said to fire shortly after its own end: a word that came late, or it fires again."""


@dataclass(frozen=True, slots=True)
class Alert:
    """The latest word about one alert; its labels are its identity."""

    labels: Mapping[str, str] = field(hash=False)
    state: AlertState
    starts_us: int
    heard_us: int

    @property
    def name(self) -> str:
        """The label ``alertname``; empty without it."""
        return self.labels.get("alertname", "")

    def matches(self, wanted: Mapping[str, str]) -> bool:
        """Whether every wanted label has that value; a label that is missing counts as empty."""
        return all(self.labels.get(name, "") == value for name, value in wanted.items())


class AlertFeed(Protocol):
    """Where a probe hears alerts."""

    def alerts(self) -> Iterable[Alert]:
        """Return the alerts that any subscriber wants."""

    def subscribe(
        self, wants: Callable[[Mapping[str, str]], bool], wake: Callable[[], None]
    ) -> Callable[[], None]:
        """Keep alerts whose labels are wanted, call ``wake`` after each change; returns how to end that.

        Alerts that nobody wants are not kept: what came before the subscription may be unknown to it.
        """
