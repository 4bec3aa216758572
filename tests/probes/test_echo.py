"""Echo packets, made and read without a socket."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.probes import options
from wgfo.probes.echo import (
    MIN_SIZE,
    Echo,
    build_request,
    internet_checksum,
    parse_quoted_request,
    parse_reply,
)

V4, V6 = socket.AF_INET, socket.AF_INET6
FAMILIES = st.sampled_from([V4, V6])
ECHOES = st.builds(
    Echo,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
)
IP_HEADER = bytes([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1]) + bytes(10)


def as_reply(family: int, request: bytes) -> bytes:
    return bytes([0 if family == V4 else 129]) + request[1:]


@given(FAMILIES, ECHOES, st.integers(MIN_SIZE, 2000))
def test_a_reply_brings_back_what_the_request_took_along(family: int, echo: Echo, size: int) -> None:
    reply = as_reply(family, build_request(family, echo, size))
    assert parse_reply(family, reply, with_ip_header=False) == echo


@given(ECHOES, st.integers(0, 10))
def test_an_ip_header_of_any_length_is_skipped(echo: Echo, options: int) -> None:
    header = bytes([0x45 + options]) + IP_HEADER[1:] + bytes(4 * options)
    reply = header + as_reply(V4, build_request(V4, echo, MIN_SIZE))
    assert parse_reply(V4, reply, with_ip_header=True) == echo


@pytest.mark.parametrize(("family", "header"), [(V4, 20), (V6, 40)])
def test_the_size_counts_the_ip_header(family: int, header: int) -> None:
    for size in (MIN_SIZE, 84, 1420):
        assert len(build_request(family, Echo(1, 2, 3, 4), size)) == size - header


@given(ECHOES, st.integers(MIN_SIZE, 1500))
def test_the_checksum_of_a_packet_with_its_checksum_is_zero(echo: Echo, size: int) -> None:
    packet = build_request(V4, echo, size)
    assert internet_checksum(packet + bytes(len(packet) % 2)) == 0


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2


@given(FAMILIES, st.binary(max_size=100), st.booleans())
def test_random_bytes_never_raise(family: int, data: bytes, with_ip_header: bool) -> None:
    parse_reply(family, data, with_ip_header=with_ip_header)
    parse_quoted_request(family, data)


@given(FAMILIES, ECHOES, st.integers(0, 23))
def test_a_reply_cut_off_before_the_end_of_its_stamp_is_none(family: int, echo: Echo, length: int) -> None:
    reply = as_reply(family, build_request(family, echo, MIN_SIZE))
    assert parse_reply(family, reply[:length], with_ip_header=False) is None


@pytest.mark.parametrize(
    ("what", "packet"),
    [
        ("a request", build_request(V4, Echo(1, 2, 3, 4), 84)),
        ("an unreachable", bytes([3]) + build_request(V4, Echo(1, 2, 3, 4), 84)[1:]),
        ("a code", bytes([0, 1]) + build_request(V4, Echo(1, 2, 3, 4), 84)[2:]),
        ("nothing", b""),
    ],
)
def test_what_is_no_reply_is_none(what: str, packet: bytes) -> None:
    assert parse_reply(V4, packet, with_ip_header=False) is None


@pytest.mark.parametrize(
    ("what", "header"),
    [
        ("version 6", bytes([0x65]) + IP_HEADER[1:]),
        ("a header shorter than its minimum", bytes([0x44]) + IP_HEADER[1:]),
        ("another protocol", IP_HEADER[:9] + bytes([17]) + IP_HEADER[10:]),
    ],
)
def test_a_wrong_ip_header_is_none(what: str, header: bytes) -> None:
    reply = header + as_reply(V4, build_request(V4, Echo(1, 2, 3, 4), 84))
    assert parse_reply(V4, reply, with_ip_header=True) is None


@given(FAMILIES, ECHOES)
def test_eight_quoted_bytes_name_the_request(family: int, echo: Echo) -> None:
    quoted = build_request(family, echo, MIN_SIZE)[:8]
    assert parse_quoted_request(family, quoted) == (echo.ident, echo.seq)


def test_a_quoted_reply_names_no_request() -> None:
    assert parse_quoted_request(V4, as_reply(V4, build_request(V4, Echo(1, 2, 3, 4), 84))) is None


def test_the_smallest_size_that_a_configuration_may_ask_for_is_that_of_a_request():
    assert options.MIN_SIZE == MIN_SIZE
