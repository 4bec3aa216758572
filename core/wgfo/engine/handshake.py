"""What WireGuard's handshakes say of a path: evidence, never proof.

Ages are counted from when the reported stamp last *changed*, on the monotonic clock, so that a step of the
wall clock decides nothing (I13). WireGuard's own constants (whitepaper, section 6; kernel ``timers.c``): a key
is rejected after 180 s; an initiator that hears nothing back handshakes anew every 15 s or so, which on a
path whose data packets die keeps the handshake *fresh for ever* - the mark that ``churning`` looks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wgfo.engine.policy import HANDSHAKE_EXPIRED_US, SECOND_US
from wgfo.engine.values import replace
from wgfo.model import HandshakeReport, Verdict

SENDING_WITHIN_US: Final = 30 * SECOND_US
NEVER_WITHIN_US: Final = 15 * SECOND_US
"""Three attempts (REKEY_TIMEOUT is 5 s): sent for so long and never an answer."""
CHURN_WINDOW_US: Final = 60 * SECOND_US
CHURN_HANDSHAKES: Final = 3
CHURN_BYTES_EACH: Final = 256
"""A handshake response has 92 bytes, a keepalive 32: growth below this is no data."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """One observed change of the handshake's stamp, and the bytes received by then."""

    at_us: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class Handshake:
    """The figures of one path's peer over time; ``first_us`` is None until something was read."""

    first_us: int | None = None
    stamp: int = 0
    changed_us: int | None = None
    """When the stamp was last seen to change; None while only one value was ever seen."""
    sent_grew_us: int | None = None
    received_bytes: int = 0
    sent_bytes: int = 0
    renewals: tuple[Renewal, ...] = ()
    error: str = ""


def read(handshake: Handshake, report: HandshakeReport, at_us: int) -> Handshake:
    """Return the figures after one more reading."""
    if report.error:
        return replace(handshake, error=report.error)
    if handshake.first_us is None:
        return Handshake(
            first_us=at_us,
            stamp=report.stamp,
            received_bytes=report.received_bytes,
            sent_bytes=report.sent_bytes,
        )
    changed = report.stamp != handshake.stamp
    renewal = (Renewal(at_us, report.received_bytes),) if changed and report.stamp else ()
    grew = report.sent_bytes > handshake.sent_bytes
    return Handshake(
        first_us=handshake.first_us,
        stamp=report.stamp,
        changed_us=at_us if changed else handshake.changed_us,
        sent_grew_us=at_us if grew else handshake.sent_grew_us,
        received_bytes=report.received_bytes,
        sent_bytes=report.sent_bytes,
        renewals=(handshake.renewals + renewal)[-CHURN_HANDSHAKES:],
    )


def age_us(handshake: Handshake, now_us: int) -> int | None:
    """Return a lower bound of the handshake's age; None where there never was one or nothing was read."""
    if handshake.first_us is None or not handshake.stamp:
        return None
    since = handshake.first_us if handshake.changed_us is None else handshake.changed_us
    return now_us - since


def sending(handshake: Handshake, now_us: int) -> bool:
    """Whether bytes were sent to the peer lately."""
    return handshake.sent_grew_us is not None and now_us - handshake.sent_grew_us <= SENDING_WITHIN_US


def churning(handshake: Handshake) -> bool:
    """Whether handshakes are renewed every few seconds while almost nothing else is received."""
    renewals = handshake.renewals
    if len(renewals) < CHURN_HANDSHAKES:
        return False
    received = renewals[-1].received_bytes - renewals[0].received_bytes
    within = renewals[-1].at_us - renewals[0].at_us <= CHURN_WINDOW_US
    return within and 0 <= received <= CHURN_BYTES_EACH * (CHURN_HANDSHAKES - 1)


def verdict(handshake: Handshake, now_us: int) -> tuple[Verdict, str]:
    """Return what the layer says, and why."""
    if handshake.error:
        return Verdict.UNKNOWN, handshake.error
    if handshake.first_us is None:
        return Verdict.UNKNOWN, "not read yet"
    if not handshake.stamp:
        return _never(handshake, now_us)
    age = age_us(handshake, now_us) or 0
    if age <= HANDSHAKE_EXPIRED_US:
        return Verdict.UP, _fresh(handshake, age)
    if sending(handshake, now_us):
        return Verdict.DOWN, f"handshake older than {age // SECOND_US} s while sending"
    return Verdict.UNKNOWN, f"handshake older than {age // SECOND_US} s, but nothing was sent: idle"


def expiry_us(handshake: Handshake) -> int | None:
    """Return when the verdict changes by the mere passing of time."""
    if handshake.first_us is None or handshake.error:
        return None
    since = handshake.first_us if handshake.changed_us is None else handshake.changed_us
    return since + (HANDSHAKE_EXPIRED_US if handshake.stamp else NEVER_WITHIN_US) + 1


def idle_us(handshake: Handshake) -> int:
    """Return when ``sending`` ends if nothing more is sent; -1 where nothing was."""
    return -1 if handshake.sent_grew_us is None else handshake.sent_grew_us + SENDING_WITHIN_US + 1


def lasts(known: Handshake, told: Handshake) -> bool:
    """Whether the verdict lasts no less long after one more reading."""
    known_us, told_us = expiry_us(known), expiry_us(told)
    return known_us is not None and told_us is not None and told_us >= known_us


def _never(handshake: Handshake, now_us: int) -> tuple[Verdict, str]:
    watched_us = now_us - (handshake.first_us or 0)
    if sending(handshake, now_us) and watched_us > NEVER_WITHIN_US:
        return Verdict.DOWN, "there never was a handshake, while sending"
    return Verdict.UNKNOWN, "there never was a handshake"


def _fresh(handshake: Handshake, age: int) -> str:
    if churning(handshake):
        return "fresh, but renewed every few seconds with almost nothing received: the data plane is dead"
    return f"fresh, {age // SECOND_US} s"
