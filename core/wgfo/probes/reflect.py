"""What a STAMP reflector answers (RFC 8762 §4.3): sessions, limits, figures; no sockets, no clock of its own.

Stateful: each session has a sequence of its own, so that a sender can tell on which way a packet was lost.
A session is the pair of addresses with the sender's identifier (RFC 8972 §3), whatever the source port: a
sender that varies its ports still sees one sequence. Without an identifier the port takes its place. Where
the table is full, new senders are answered statelessly, by their own sequence number: a flood costs them the
direction of a loss, and nobody an answer.

A reply is never longer than its request. A request whose source port is privileged, or the reflector's own, is
dropped: forged, it would make two reflectors answer each other for ever.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final

from wgfo.probes.stamp_key import Key
from wgfo.probes.stamp_packet import (
    OPEN_BYTES,
    BadDigest,
    ErrorEstimate,
    PacketError,
    Reply,
    Request,
    decode_request,
    encode_reply,
    ntp_time,
    ptp_time,
)

IDLE_US: Final = 900_000_000
"""A session without packets for so long is forgotten (RFC 5357's REFWAIT)."""
MAX_SESSIONS: Final = 10_000
RATE: Final = 1_000
"""Packets a second from one source address; as many may come at once."""
_MAX_SOURCES: Final = 10_000
"""Source addresses whose rate is remembered; a flood of more makes room for itself."""
_PRIVILEGED: Final = 1024
_US: Final = 1_000_000
_NS: Final = 1_000_000_000

SessionKey = tuple[str, str, int, int]
"""Source address, our address, source port (0 with an identifier), identifier."""


@dataclass(slots=True)
class Statistics:
    """What was done since the start."""

    received: int = 0
    reflected: int = 0
    stateless: int = 0
    """Of those reflected: by the sender's own number, since the table was full."""
    malformed: int = 0
    unauthenticated: int = 0
    """Dropped: the HMAC did not fit our key."""
    limited: int = 0
    """Dropped: more from one address than the limit."""
    refused: int = 0
    """Dropped: from a port that no sender uses."""
    unsent: int = 0
    """This host could not send the reply."""
    sessions: int = 0
    expired: int = 0

    def fields(self) -> dict[str, int]:
        """Return them by name."""
        return asdict(self)

    def sentence(self) -> str:
        """Return them for a person."""
        dropped = {
            "malformed": self.malformed,
            "with another key": self.unauthenticated,
            "above the rate limit": self.limited,
            "from a refused port": self.refused,
            "unsent": self.unsent,
        }
        losses = ", ".join(f"{count} {what}" for what, count in dropped.items() if count)
        stateless = f" ({self.stateless} statelessly)" if self.stateless else ""
        return (
            f"{self.received} received, {self.reflected} reflected{stateless}, {self.sessions} sessions"
            + (f"; dropped: {losses}" if losses else "")
        )


@dataclass(frozen=True, slots=True)
class Datagram:
    """What came in, and how."""

    data: bytes
    source: str
    port: int
    local: str
    """The address that was asked."""
    local_port: int
    ttl: int
    received_ns: int
    """By the wall clock."""


@dataclass(slots=True)
class _Session:
    next: int = 0
    seen_us: int = 0


@dataclass(slots=True)
class _Bucket:
    """Packets that may still come, in millionths."""

    tokens: int
    filled_us: int


@dataclass(slots=True)
class Reflector:
    """Answers requests.

    Args:
        key: of the authenticated mode; None: the open one.
        max_sessions: how many sessions are remembered; 0: none, it is stateless.
        rate: packets a second from one source address.
        wall_clock_ns: for the time of the reply.
    """

    key: Key | None = None
    max_sessions: int = MAX_SESSIONS
    rate: int = RATE
    wall_clock_ns: Callable[[], int] = time.time_ns
    statistics: Statistics = field(default_factory=Statistics)
    _sessions: OrderedDict[SessionKey, _Session] = field(default_factory=OrderedDict)
    """Least recently used first."""
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def answer(self, asked: Datagram, now_us: int) -> bytes | None:
        """Return the reply; None where none is due, which is counted."""
        self.statistics.received += 1
        if not self._permitted(asked, now_us):
            return None
        try:
            request = decode_request(asked.data, self.key)
        except BadDigest:
            self.statistics.unauthenticated += 1
            return None
        except PacketError:
            self.statistics.malformed += 1
            return None
        return self._reply(asked, request, now_us)

    def _permitted(self, asked: Datagram, now_us: int) -> bool:
        if asked.port < _PRIVILEGED or asked.port == asked.local_port:
            self.statistics.refused += 1
            return False
        if not self._take_token(asked.source, now_us):
            self.statistics.limited += 1
            return False
        return True

    def _reply(self, asked: Datagram, request: Request, now_us: int) -> bytes:
        sequence = self._count(asked, request, now_us)
        if sequence is None:
            self.statistics.stateless += 1
        ptp = request.error.ptp
        reply = Reply(
            sequence=request.sequence if sequence is None else sequence,
            timestamp=self._time(self.wall_clock_ns(), ptp=ptp),
            received=self._time(asked.received_ns, ptp=ptp),
            sender_sequence=request.sequence,
            sender_timestamp=request.timestamp,
            sender_ttl=asked.ttl,
            ssid=request.ssid,
            error=ErrorEstimate(ptp=ptp),
            sender_error=request.error,
        )
        self.statistics.reflected += 1
        rest = asked.data[OPEN_BYTES:] if self.key is None else b""
        # RFC 8972 §4: a TLV that is not understood goes back as it came, its flag U still set by the sender.
        return encode_reply(reply, self.key) + rest

    def _time(self, wall_ns: int, *, ptp: bool) -> int:
        """Return a time in the format that was asked for."""
        if not ptp:
            return ntp_time(wall_ns)
        return ptp_time(wall_ns + _leap_seconds() * _NS)

    # --- sessions -------------------------------------------------------------------------------------------

    def _count(self, asked: Datagram, request: Request, now_us: int) -> int | None:
        """Return the session's next number; None where there is no room for a new session."""
        self._forget_idle(now_us)
        key = (asked.source, asked.local, 0 if request.ssid else asked.port, request.ssid)
        session = self._sessions.get(key)
        if session is None:
            if len(self._sessions) >= self.max_sessions:
                return None
            session = self._sessions[key] = _Session()
        self._sessions.move_to_end(key)
        number, session.next, session.seen_us = session.next, session.next + 1, now_us
        self.statistics.sessions = len(self._sessions)
        return number

    def _forget_idle(self, now_us: int) -> None:
        while self._sessions:
            key, oldest = next(iter(self._sessions.items()))
            if now_us - oldest.seen_us < IDLE_US:
                return
            del self._sessions[key]
            self.statistics.expired += 1

    # --- limits ---------------------------------------------------------------------------------------------

    def _take_token(self, source: str, now_us: int) -> bool:
        bucket = self._bucket(source, now_us)
        filled = bucket.tokens + (now_us - bucket.filled_us) * self.rate
        bucket.tokens, bucket.filled_us = min(filled, self.rate * _US), now_us
        if bucket.tokens < _US:
            return False
        bucket.tokens -= _US
        return True

    def _bucket(self, source: str, now_us: int) -> _Bucket:
        bucket = self._buckets.get(source)
        if bucket is None:
            if len(self._buckets) >= _MAX_SOURCES:
                self._buckets.popitem(last=False)
            bucket = self._buckets[source] = _Bucket(self.rate * _US, now_us)
        self._buckets.move_to_end(source)
        return bucket


def _leap_seconds() -> int:
    """Return by how much TAI is ahead of the wall clock, as far as this host was told; else 0."""
    return round((time.clock_gettime_ns(time.CLOCK_TAI) - time.time_ns()) / _NS)
