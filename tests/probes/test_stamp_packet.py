"""Packets against octets written out by hand from the figures of RFC 8762 (and RFC 8972 for the identifier)."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.probes.stamp_key import Key
from wgfo.probes.stamp_packet import (
    BadDigest,
    ErrorEstimate,
    PacketError,
    Reply,
    Request,
    TooShort,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    ntp_time,
    ptp_time,
)

SECRET = b"sixteen octets !"
KEY = Key(SECRET)

REQUEST = Request(0x01020304, 0x1112131415161718, 0xABCD, ErrorEstimate(True, False, 5, 0x9F))
OPEN_REQUEST = bytes.fromhex(
    "01020304"  # Sequence Number
    "1112131415161718"  # Timestamp
    "859f"  # Error Estimate: S, Scale 5, Multiplier 0x9f
    "abcd" + "00" * 28  # SSID (RFC 8972 figure 1)  # MBZ
)
SIGNED_REQUEST = bytes.fromhex(
    "01020304"  # Sequence Number
    + "00" * 12  # MBZ
    + "1112131415161718"  # Timestamp
    "859f"  # Error Estimate
    "abcd"  # SSID (RFC 8972 figure 2)
     + "00" * 68  # MBZ
)  # then the HMAC
REPLY = Reply(
    sequence=7,
    timestamp=0x2122232425262728,
    received=0x3132333435363738,
    sender_sequence=0x01020304,
    sender_timestamp=0x1112131415161718,
    sender_ttl=0x3E,
    ssid=0xABCD,
    error=ErrorEstimate(False, True, 32, 1),
    sender_error=ErrorEstimate(True, False, 5, 0x9F),
)
OPEN_REPLY = bytes.fromhex(
    "00000007"  # Sequence Number
    "2122232425262728"  # Timestamp
    "6001"  # Error Estimate: Z, Scale 32, Multiplier 1
    "abcd"  # SSID (RFC 8972 figure 3)
    "3132333435363738"  # Receive Timestamp
    "01020304"  # Session-Sender Sequence Number
    "1112131415161718"  # Session-Sender Timestamp
    "859f"  # Session-Sender Error Estimate
    "0000"  # MBZ
    "3e"  # Ses-Sender TTL
    "000000"  # MBZ
)
SIGNED_REPLY = bytes.fromhex(
    "00000007"  # Sequence Number
    + "00" * 12  # MBZ
    + "2122232425262728"  # Timestamp
    "6001"  # Error Estimate
    "abcd"  # SSID (RFC 8972 figure 4)
    "00000000"  # MBZ
    "3132333435363738"  # Receive Timestamp
    "0000000000000000"  # MBZ
    "01020304"  # Session-Sender Sequence Number
    + "00"
    * 12  # MBZ
    + "1112131415161718"  # Session-Sender Timestamp
    "859f"  # Session-Sender Error Estimate
    "000000000000"  # MBZ
    "3e"  # Ses-Sender TTL
     + "00" * 15  # MBZ
)  # then the HMAC


def signed(body: bytes) -> bytes:
    """The first 128 bits of HMAC-SHA-256 over the first 96 octets (RFC 8762 §4.4)."""
    assert len(body) == 96
    return body + hmac.new(SECRET, body, hashlib.sha256).digest()[:16]


ALL = pytest.mark.parametrize(
    ("packet", "key", "octets", "encode", "decode"),
    [
        (REQUEST, None, OPEN_REQUEST, encode_request, decode_request),
        (REQUEST, KEY, signed(SIGNED_REQUEST), encode_request, decode_request),
        (REPLY, None, OPEN_REPLY, encode_reply, decode_reply),
        (REPLY, KEY, signed(SIGNED_REPLY), encode_reply, decode_reply),
    ],
    ids=["open request", "signed request", "open reply", "signed reply"],
)


@ALL
def test_a_packet_is_made_as_the_figure_has_it(packet, key, octets, encode, decode):
    assert encode(packet, key) == octets
    assert len(octets) == (44 if key is None else 112)


@ALL
def test_a_packet_is_read_as_the_figure_has_it(packet, key, octets, encode, decode):
    assert decode(octets, key) == packet


@ALL
def test_what_follows_the_packet_is_left_alone(packet, key, octets, encode, decode):
    assert decode(octets + b"\x80\x01\x00\x02ab", key) == packet


@ALL
def test_a_packet_that_was_cut_is_too_short(packet, key, octets, encode, decode):
    for length in (0, 1, len(octets) - 1):
        with pytest.raises(TooShort):
            decode(octets[:length], key)


@pytest.mark.parametrize("position", [0, 16, 25, 95, 96, 111])
def test_one_octet_changed_spoils_the_digest(position):
    spoilt = bytearray(signed(SIGNED_REQUEST))
    spoilt[position] ^= 1
    with pytest.raises(BadDigest):
        decode_request(bytes(spoilt), KEY)


def test_another_key_does_not_fit():
    with pytest.raises(BadDigest):
        decode_request(signed(SIGNED_REQUEST), Key(b"another key of sixteen octets"))


def test_octets_that_must_be_zero_are_ignored_when_they_are_not():
    assert decode_request(OPEN_REQUEST[:16] + b"\xff" * 28, None) == REQUEST


@pytest.mark.parametrize(
    ("unix_ns", "ntp", "ptp"),
    [
        (0, 0x83AA7E80_00000000, 0),
        (1_500_000_000, 0x83AA7E81_80000000, 0x00000001_1DCD6500),
        (1_700_000_000_250_000_000, 0xE8FE6F80_40000000, 0x6553F100_0EE6B280),
        ((0x1_0000_0000 - 2_208_988_800) * 1_000_000_000, 0, 0x7C558180_00000000),
    ],
    ids=["1970", "a second and a half", "a quarter of a second", "2036: NTP's seconds begin again"],
)
def test_times_in_both_formats(unix_ns, ntp, ptp):
    assert (ntp_time(unix_ns), ptp_time(unix_ns)) == (ntp, ptp)


@given(st.integers(0, 0xFFFF))
def test_every_error_estimate_has_a_meaning(bits):
    assert ErrorEstimate.decode(bits).encode() == bits


@given(st.binary(max_size=200), st.sampled_from([None, KEY]))
def test_random_octets_raise_nothing_but_a_packet_error(data, key):
    for decode in (decode_request, decode_reply):
        try:
            decode(data, key)
        except PacketError:
            continue


@given(
    st.builds(
        Request,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**64 - 1),
        st.integers(0, 0xFFFF),
        st.builds(ErrorEstimate.decode, st.integers(0, 0xFFFF)),
    ),
    st.sampled_from([None, KEY]),
)
def test_what_was_made_is_what_is_read(request_, key):
    assert decode_request(encode_request(request_, key), key) == request_
