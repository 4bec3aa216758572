"""STAMP test packets (RFC 8762 §4.2 and §4.3, session identifier of RFC 8972 §3): made and read; pure.

A sender's and a reflector's packet have the same length: 44 octets, or 112 in authenticated mode, where the
last 16 are an HMAC-SHA-256 over the 96 before them, cut to 128 bits (§4.4). Octets that must be zero are
written as zero and never looked at. What follows the 44 octets (TLVs of RFC 8972) is nobody's business here.

Times stay the 64 bits that are on the wire: seconds and fraction (NTP), or seconds and nanoseconds (the
truncated PTP format). Which of the two, the error estimate beside them says.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from wgfo.probes.stamp_key import Key

PORT: Final = 862
"""The well-known port of a reflector (RFC 8762 §4.1)."""
OPEN_BYTES: Final = 44
SIGNED_BYTES: Final = 112
_DIGEST_BYTES: Final = 16
_COVERED_BYTES: Final = SIGNED_BYTES - _DIGEST_BYTES

_OPEN_REQUEST: Final = struct.Struct("!IQHH28x")
_SIGNED_REQUEST: Final = struct.Struct("!I12xQHH68x")
_OPEN_REPLY: Final = struct.Struct("!IQHHQIQH2xB3x")
_SIGNED_REPLY: Final = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x")

_NTP_EPOCH_S: Final = 2_208_988_800
"""1970 as seconds since 1900."""
_NS: Final = 1_000_000_000
_SEQUENCES: Final = 1 << 32


class PacketError(ValueError):
    """What came is no test packet of this mode."""


class TooShort(PacketError):
    """Fewer octets than the mode's packet has."""


class BadDigest(PacketError):
    """The HMAC is not the one that our key gives."""


@dataclass(frozen=True, slots=True)
class ErrorEstimate:
    """How far a clock may be off (RFC 4656 §4.1.2), and the format of the time beside it (bit Z)."""

    synchronised: bool = False
    """Whether the clock follows UTC by an external source; we never claim so."""
    ptp: bool = False
    scale: int = 32
    multiplier: int = 1
    """multiplier · 2^(scale - 32) seconds; by default one second."""

    def encode(self) -> int:
        """Return the 16 bits."""
        return self.synchronised << 15 | self.ptp << 14 | (self.scale & 0x3F) << 8 | self.multiplier & 0xFF

    @classmethod
    def decode(cls, bits: int) -> ErrorEstimate:
        """Read the 16 bits; every value has a meaning."""
        return cls(bool(bits >> 15 & 1), bool(bits >> 14 & 1), bits >> 8 & 0x3F, bits & 0xFF)


@dataclass(frozen=True, slots=True)
class Request:
    """A sender's test packet."""

    sequence: int
    timestamp: int
    ssid: int = 0
    """The session's identifier; 0: the sender knows none."""
    error: ErrorEstimate = ErrorEstimate()


@dataclass(frozen=True, slots=True)
class Reply:
    """A reflector's test packet: its own figures, then what it copied from the request."""

    sequence: int
    """The reflector's own count in this session, or (stateless) the sender's again."""
    timestamp: int
    received: int
    sender_sequence: int
    sender_timestamp: int
    sender_ttl: int
    ssid: int = 0
    error: ErrorEstimate = ErrorEstimate()
    sender_error: ErrorEstimate = ErrorEstimate()


# --- times --------------------------------------------------------------------------------------------------


def ntp_time(unix_ns: int) -> int:
    """Return a wall-clock time in the NTP format; the seconds wrap in 2036, as NTP's do."""
    seconds, nanoseconds = divmod(unix_ns, _NS)
    return (seconds + _NTP_EPOCH_S) % _SEQUENCES << 32 | (nanoseconds << 32) // _NS


def ptp_time(tai_ns: int) -> int:
    """Return a time in the truncated PTP format (RFC 8186 §2.1); its time scale is TAI."""
    seconds, nanoseconds = divmod(tai_ns, _NS)
    return seconds % _SEQUENCES << 32 | nanoseconds


# --- requests -----------------------------------------------------------------------------------------------


def encode_request(request: Request, key: Key | None) -> bytes:
    """Return the packet; signed where there is a key."""
    form = _OPEN_REQUEST if key is None else _SIGNED_REQUEST
    sequence = request.sequence % _SEQUENCES
    return _sealed(form.pack(sequence, request.timestamp, request.error.encode(), request.ssid), key)


def decode_request(data: bytes, key: Key | None) -> Request:
    """Read a sender's packet; raises :class:`PacketError` and nothing else."""
    form = _OPEN_REQUEST if key is None else _SIGNED_REQUEST
    sequence, timestamp, error, ssid = form.unpack_from(_opened(data, key))
    return Request(sequence, timestamp, ssid, ErrorEstimate.decode(error))


# --- replies ------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, key: Key | None) -> bytes:
    """Return the packet; signed where there is a key."""
    form = _OPEN_REPLY if key is None else _SIGNED_REPLY
    return _sealed(
        form.pack(
            reply.sequence % _SEQUENCES,
            reply.timestamp,
            reply.error.encode(),
            reply.ssid,
            reply.received,
            reply.sender_sequence % _SEQUENCES,
            reply.sender_timestamp,
            reply.sender_error.encode(),
            reply.sender_ttl,
        ),
        key,
    )


def decode_reply(data: bytes, key: Key | None) -> Reply:
    """Read a reflector's packet; raises :class:`PacketError` and nothing else."""
    form = _OPEN_REPLY if key is None else _SIGNED_REPLY
    sequence, timestamp, error, ssid, received, of, sent, their_error, ttl = form.unpack_from(
        _opened(data, key)
    )
    return Reply(
        sequence,
        timestamp,
        received,
        of,
        sent,
        ttl,
        ssid,
        ErrorEstimate.decode(error),
        ErrorEstimate.decode(their_error),
    )


# --- authentication -----------------------------------------------------------------------------------------


def _sealed(body: bytes, key: Key | None) -> bytes:
    return body if key is None else body + key.digest(body)[:_DIGEST_BYTES]


def _opened(data: bytes, key: Key | None) -> bytes:
    """Return what the format describes, once the length and the digest are right."""
    needed = OPEN_BYTES if key is None else SIGNED_BYTES
    if len(data) < needed:
        raise TooShort(f"{len(data)} octets; a test packet of this mode has {needed}")
    if key is None:
        return data
    body, digest = data[:_COVERED_BYTES], data[_COVERED_BYTES:SIGNED_BYTES]
    if not hmac.compare_digest(digest, key.digest(body)[:_DIGEST_BYTES]):
        raise BadDigest("the HMAC does not fit: another key, or none")
    return body
