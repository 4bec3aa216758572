"""How long a full outage, a class that fails, and an expired handshake take to be found: closed forms.

An outage begins at a moment that knows nothing of the rounds: it is ``u`` after a round began, uniform in an
interval ``T``. A round is lost where enough of its probes were sent later than ``u``. With ``f`` rounds asked
for, a timeout ``tau`` and a round spread over ``o``:

    worst = f*T + tau + o          mean = (f - 1/2)*T + tau + o

The detection time of BFD (RFC 5880, 6.8.4) is the same bound with ``tau`` = ``o`` = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wgfo.engine.policy import HANDSHAKE_EXPIRED_US, SECOND_US
from wgfo.telemetry.figures.detector import ClassRounds, Detector, Rounds

REKEY_US: Final = 120 * SECOND_US
"""REKEY_AFTER_TIME of WireGuard (whitepaper, section 6.1): a key in use is at most this old."""
RETRY_US: Final = 5 * SECOND_US + SECOND_US // 6
"""REKEY_TIMEOUT and half of its jitter of up to a third of a second (kernel, ``timers.c``)."""
ATTEMPTS: Final = 12
"""Handshakes that fit between 120 s and 180 s: at 120 s, and each ``RETRY_US`` later."""
_STEPS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Span:
    """A time to detection over all moments at which a fault may begin."""

    mean_us: int
    worst_us: int


def blackout(detector: Detector) -> Span | None:
    """Return when a full outage is found; None without a probe of the base class.

    Where several stanzas are of the base class all must fall silent; their phases are taken as independent.
    """
    if not detector.streams:
        return None
    spans = [_uniform(rounds, rounds.fall, rounds.closing_us) for rounds in detector.streams]
    worst_us = max(high for _, high in spans)
    if len(spans) == 1:
        return Span(sum(spans[0]) // 2, worst_us)
    return Span(_mean_of_last(spans, worst_us), worst_us)


def class_fault(one: ClassRounds) -> Span:
    """Return when a class that fails altogether, while small packets pass, is found.

    Two targets are enough, so that the round in which the fault begins counts if two of its probes follow.
    """
    rounds = one.rounds
    saved_us = rounds.stagger_us * (rounds.pooled - one.needed)
    low, high = _uniform(rounds, rounds.fall, rounds.closing_us - saved_us)
    return Span((low + high) // 2, high)


def handshake() -> Span:
    """Return when a watch of the handshake's age alone would find a full outage.

    The last handshake is anything from 0 to 120 s old when the outage begins, and expires at 180 s.
    """
    return Span(HANDSHAKE_EXPIRED_US - REKEY_US // 2, HANDSHAKE_EXPIRED_US)


def handshake_by_loss(loss: float) -> float:
    """Return the mean seconds until a handshake expires where ``loss`` of all round trips are lost.

    A handshake is a round trip; it expires where all the attempts of one renewal are lost:
    ``loss ** ATTEMPTS`` a renewal (checked against wireguard-go: half of the runs at 50 % loss each way
    within 48 min).
    """
    expires = loss**ATTEMPTS
    retries = sum(loss**attempt for attempt in range(1, ATTEMPTS))
    renewal_s = (REKEY_US + RETRY_US * retries) / SECOND_US
    return renewal_s * (1 / expires - 1) + HANDSHAKE_EXPIRED_US / SECOND_US


def _uniform(rounds: Rounds, fall: int, closing_us: int) -> tuple[int, int]:
    """Return the earliest and the latest time; all between are as likely."""
    return (fall - 1) * rounds.interval_us + closing_us, fall * rounds.interval_us + closing_us


def _mean_of_last(spans: list[tuple[int, int]], worst_us: int) -> int:
    """Integrate the chance that the last of independent uniform times is still to come."""
    step = worst_us / _STEPS
    return round(sum(step * (1 - _all_by(spans, (place + 0.5) * step)) for place in range(_STEPS)))


def _all_by(spans: list[tuple[int, int]], at_us: float) -> float:
    chance = 1.0
    for low, high in spans:
        chance *= min(1.0, max(0.0, (at_us - low) / (high - low)))
    return chance
