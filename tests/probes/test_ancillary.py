"""What the kernel says beside the bytes."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.probes.ancillary import IP_PKTINFO, IP_RECVERR, age_of, read_arrival, read_error
from wgfo.probes.verdicts import IcmpError

NOW_NS = 1_800_000_000 * 10**9


@pytest.mark.parametrize(
    ("what", "stamp_ns", "age_us"),
    [
        ("just now", NOW_NS, 0),
        ("a while ago", NOW_NS - 1_500_000, 1500),
        ("after a second's stall", NOW_NS - 10**9, 1_000_000),
        ("in the future: the clock was set back", NOW_NS + 5_000, 0),
        ("a day ago: the clock was set forward", NOW_NS - 86_400 * 10**9, 0),
        ("no stamp", 0, 0),
    ],
)
def test_a_stamp_becomes_an_age_and_an_implausible_one_none(what: str, stamp_ns: int, age_us: int) -> None:
    assert age_of(*divmod(stamp_ns, 10**9), wall_ns=NOW_NS) == age_us


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
