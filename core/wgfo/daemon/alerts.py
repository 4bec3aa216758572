"""The alerts that the webhook heard, for the probes that want them.

Alertmanager sends the same word again (repeats, retries, twins of a cluster), late, and out of order. A word
about an alert is known by the alert's labels and by ``startsAt``:

    older start                   stale: changes nothing
    newer start                   takes the old one's place
    same, fires again             repeated: fresh again
    same, ends                    resolved
    same, fires after its end     within a minute doubtful (it came late, or fires again), then believed

Nothing is kept over a restart: an alert that is not repeated says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wgfo.plugin.alerts import Alert, AlertState
from wgfo.plugin.errors import WgfoError

MOST: Final = 4_096
"""Alerts kept. One that is dropped could be the one that fires, so more are refused."""
LATE_US: Final = 60_000_000
"""A word that was overtaken by its alert's end arrives within this: retries of one notification end sooner."""
KEPT_US: Final = 3_600_000_000
"""How long the end of an alert is remembered."""

Labels = Mapping[str, str]
Key = tuple[tuple[str, str], ...]


class TooManyAlerts(WgfoError):
    """More alerts are wanted than are kept."""


class Heard(StrEnum):
    """What a word did."""

    CHANGED = "changed"
    REPEATED = "repeated"
    STALE = "stale"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Word:
    """What a notification says of one alert."""

    labels: Labels
    firing: bool
    starts_us: int


@dataclass(frozen=True, slots=True, eq=False)
class _Subscriber:
    wants: Callable[[Labels], bool]
    wake: Callable[[], None]


class AlertBoard:
    """An :class:`~wgfo.plugin.alerts.AlertFeed` that the webhook fills."""

    def __init__(self, monotonic_us: Callable[[], int]) -> None:
        self._clock = monotonic_us
        self._known: dict[Key, Alert] = {}
        self._ended_us: dict[Key, int] = {}
        self._subscribers: list[_Subscriber] = []

    def alerts(self) -> Iterable[Alert]:
        """Return the alerts that any subscriber wants."""
        return tuple(self._known.values())

    def subscribe(self, wants: Callable[[Labels], bool], wake: Callable[[], None]) -> Callable[[], None]:
        """Keep alerts whose labels are wanted, and call ``wake`` after each change."""
        subscriber = _Subscriber(wants, wake)
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def forget(self) -> None:
        """Know nothing any more: the machine slept, and what was heard is older than it looks."""
        self._known.clear()
        self._ended_us.clear()
        self._wake()

    def hear(self, words: Sequence[Word]) -> Sequence[Heard]:
        """Take the words of one notification, all or none.

        Raises:
            TooManyAlerts: there would be more than :data:`MOST`; nothing is changed.
        """
        self._prune()
        wanted = [self._wanted(word.labels) for word in words]
        fresh = {key_of(word.labels) for word, wants in zip(words, wanted, strict=True) if wants}
        if len(fresh | self._known.keys()) > MOST:
            raise TooManyAlerts(
                f"more than {MOST} alerts match; narrow match and heartbeat of the alertmanager probes"
            )
        heard = [
            self._hear(word) if wants else Heard.UNMATCHED for word, wants in zip(words, wanted, strict=True)
        ]
        if any(one in (Heard.CHANGED, Heard.REPEATED) for one in heard):
            self._wake()
        return heard

    def _wanted(self, labels: Labels) -> bool:
        return any(subscriber.wants(labels) for subscriber in self._subscribers)

    def _hear(self, word: Word) -> Heard:
        key, now_us = key_of(word.labels), self._clock()
        old = self._known.get(key)
        if old is not None and word.starts_us < old.starts_us:
            return Heard.STALE
        again = old is not None and word.starts_us == old.starts_us
        if not again:
            self._ended_us.pop(key, None)
        state = self._state(key, word, now_us)
        if not word.firing:
            self._ended_us.setdefault(key, now_us)
        self._known[key] = Alert(dict(word.labels), state, word.starts_us, now_us)
        same = again and old is not None and old.state is state
        return Heard.REPEATED if same else Heard.CHANGED

    def _state(self, key: Key, word: Word, now_us: int) -> AlertState:
        if not word.firing:
            return AlertState.RESOLVED
        ended_us = self._ended_us.get(key)
        if ended_us is not None and now_us - ended_us < LATE_US:
            return AlertState.DOUBTFUL
        self._ended_us.pop(key, None)
        return AlertState.FIRING

    def _wake(self) -> None:
        for subscriber in self._subscribers:
            subscriber.wake()

    def _prune(self) -> None:
        """Forget what ended long ago, and the doubts about it."""
        before_us = self._clock() - KEPT_US
        over = [
            key
            for key, alert in self._known.items()
            if alert.state is not AlertState.FIRING and alert.heard_us < before_us
        ]
        for key in over:
            del self._known[key]
            self._ended_us.pop(key, None)


def key_of(labels: Labels) -> Key:
    """Return what makes two alerts the same; Alertmanager's fingerprint is a hash of it."""
    return tuple(sorted(labels.items()))
