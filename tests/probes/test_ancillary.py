"""What the kernel says beside the bytes."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.probes.ancillary import IP_PKTINFO, IP_RECVERR, read_arrival, read_error, received_us
from wgfo.probes.verdicts import IcmpError

WALL_NS = 1_800_000_000 * 10**9
NOW_US = 50_000_000
SENT_US = NOW_US - 2_000_000


@pytest.mark.parametrize(
    ("what", "age_us", "received"),
    [
        ("just now", 0, NOW_US),
        ("a while ago", 1500, NOW_US - 1500),
        ("after a second's stall", 1_000_000, NOW_US - 1_000_000),
        ("when it was sent, give or take the clocks' reading", 2_000_300, SENT_US),
        ("well before it was sent: the clock was set", 2_100_000, NOW_US),
        ("in the future: the clock was set back", -5, NOW_US),
        ("a day ago: the clock was set forward", 86_400 * 10**6, NOW_US),
        ("no stamp", WALL_NS // 1000, NOW_US),
    ],
)
def test_a_stamp_becomes_a_monotonic_time_and_an_implausible_one_is_the_time_of_receipt(
    what: str, age_us: int, received: int
) -> None:
    stamp_ns = WALL_NS - age_us * 1000
    assert received_us(stamp_ns, SENT_US, lambda: NOW_US, lambda: WALL_NS) == received


def test_a_pause_between_the_readings_of_the_clocks_is_not_taken_for_lateness() -> None:
    readings = iter([NOW_US, NOW_US + 40_000, NOW_US + 40_001, NOW_US + 40_002])
    walls = iter([WALL_NS, WALL_NS + 40_001_000])
    stamp_ns = WALL_NS - 10_000_000
    assert received_us(stamp_ns, SENT_US, lambda: next(readings), lambda: next(walls)) == NOW_US - 10_000


def test_the_interface_of_arrival_is_read_and_other_messages_are_not() -> None:
    pktinfo = struct.pack("@i4s4s", 7, bytes(4), bytes(4))
    assert read_arrival([(99, 99, b"?"), (socket.IPPROTO_IP, IP_PKTINFO, pktinfo)]) == (7, 0)
    assert read_arrival([]) == (0, 0)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=28))
def test_an_icmp_error_is_read_whatever_it_says(
    icmp_type: int, code: int, info: int, offender: bytes
) -> None:
    entry = struct.pack("@IBBBBII", 113, 2, icmp_type, code, 0, info, 0) + offender.ljust(28, b"\0")
    error = read_error(socket.AF_INET, [(socket.IPPROTO_IP, IP_RECVERR, entry)])
    assert error is not None
    assert error.reason()


def test_this_host_s_own_errors_are_left_to_the_send() -> None:
    entry = struct.pack("@IBBBBII", 90, 1, 0, 0, 0, 1400, 0) + bytes(16)
    assert read_error(socket.AF_INET, [(socket.IPPROTO_IP, IP_RECVERR, entry)]) is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (IcmpError(socket.AF_INET, 3, 13, 0, "10.1.0.2"), "prohibited (from 10.1.0.2)"),
        (
            IcmpError(socket.AF_INET, 3, 4, 1300, "10.1.0.2"),
            "fragmentation needed, next-hop MTU 1300 (from 10.1.0.2)",
        ),
        (
            IcmpError(socket.AF_INET6, 2, 0, 1280, "fd01::2"),
            "fragmentation needed, next-hop MTU 1280 (from fd01::2)",
        ),
        (IcmpError(socket.AF_INET6, 1, 1, 0, "fd01::2"), "prohibited (from fd01::2)"),
        (IcmpError(socket.AF_INET6, 3, 4, 9, ""), "ICMP type 3 code 4"),
        (IcmpError(socket.AF_INET, 11, 0, 0, ""), "time to live exceeded"),
    ],
)
def test_an_icmp_error_is_told_in_words_with_its_sender(error: IcmpError, reason: str) -> None:
    assert error.reason() == reason
