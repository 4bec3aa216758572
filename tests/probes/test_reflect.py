"""What the reflector answers, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.probes import reflect
from wgfo.probes.reflect import IDLE_US, Datagram, Reflector
from wgfo.probes.stamp_key import Key
from wgfo.probes.stamp_packet import (
    ErrorEstimate,
    Request,
    decode_reply,
    encode_reply,
    encode_request,
    ntp_time,
    ptp_time,
)

KEY = Key(b"sixteen octets !")
RECEIVED_NS, SENT_NS = 1_700_000_000_000_000_000, 1_700_000_000_000_250_000
SECOND = 1_000_000


def reflector(**changes):
    return Reflector(wall_clock_ns=lambda: SENT_NS, **changes)


def asked(
    sequence=1, ssid=7, *, port=50_000, source="10.100.0.2", local="10.20.1.10", key=None, rest=b"", **more
):
    data = encode_request(Request(sequence, 99, ssid, **more), key) + rest
    return Datagram(data, source, port, local, 862, 61, RECEIVED_NS)


def numbers(one, *requests, now_us=0):
    return [decode_reply(one.answer(request, now_us), one.key).sequence for request in requests]


def test_a_reply_repeats_the_request_and_adds_its_own():
    reply = decode_reply(reflector().answer(asked(41), 0), None)
    assert (reply.sequence, reply.sender_sequence, reply.sender_timestamp) == (0, 41, 99)
    assert (reply.ssid, reply.sender_ttl) == (7, 61)
    assert (reply.received, reply.timestamp) == (ntp_time(RECEIVED_NS), ntp_time(SENT_NS))
    assert not reply.error.synchronised


def test_a_reply_speaks_of_time_as_the_request_does():
    reply = decode_reply(reflector().answer(asked(error=ErrorEstimate(ptp=True)), 0), None)
    assert reply.error.ptp
    assert reply.timestamp - reply.received == ptp_time(250_000)


# --- sessions -----------------------------------------------------------------------------------------------


def test_a_session_counts_what_reaches_it_whatever_the_sender_counts():
    assert numbers(reflector(), asked(1), asked(5), asked(6)) == [0, 1, 2]


def test_an_identifier_makes_one_session_of_many_ports():
    assert numbers(reflector(), asked(port=50_000), asked(port=50_001)) == [0, 1]


def test_without_an_identifier_each_port_is_a_session():
    requests = [asked(ssid=0, port=50_000), asked(ssid=0, port=50_001), asked(ssid=0, port=50_000)]
    assert numbers(reflector(), *requests) == [0, 0, 1]


@pytest.mark.parametrize("other", [{"ssid": 8}, {"source": "10.200.0.2"}, {"local": "10.20.1.11"}])
def test_another_identifier_or_address_is_another_session(other):
    assert numbers(reflector(), asked(), asked(**other), asked()) == [0, 0, 1]


def test_an_idle_session_is_forgotten():
    one = reflector()
    assert numbers(one, asked(), asked()) == [0, 1]
    assert numbers(one, asked(), now_us=IDLE_US) == [0]
    assert (one.statistics.sessions, one.statistics.expired) == (1, 1)


def test_a_full_table_answers_statelessly_and_keeps_those_it_knows():
    one = reflector(max_sessions=2)
    assert numbers(one, asked(ssid=1), asked(ssid=2), asked(33, ssid=3), asked(ssid=1)) == [0, 0, 33, 1]
    assert (one.statistics.sessions, one.statistics.stateless) == (2, 1)


def test_a_flood_of_sources_leaves_the_tables_bounded(monkeypatch):
    monkeypatch.setattr(reflect, "_MAX_SOURCES", 20)
    one = reflector(max_sessions=10)
    for n in range(500):
        one.answer(asked(source=f"10.0.{n // 250}.{n % 250}"), n)
    assert len(one._sessions) == 10
    assert len(one._buckets) == 20


# --- what is dropped ----------------------------------------------------------------------------------------


def test_a_source_may_not_ask_more_than_its_rate():
    one = reflector(rate=10)
    answered = [one.answer(asked(n), 0) is not None for n in range(15)]
    assert answered == [True] * 10 + [False] * 5
    assert one.statistics.limited == 5
    assert one.answer(asked(source="10.200.0.2"), 0) is not None
    assert one.answer(asked(), SECOND // 10) is not None
    assert one.answer(asked(), SECOND // 10) is None


@pytest.mark.parametrize("port", [862, 53, 1023])
def test_a_port_that_no_sender_uses_is_not_answered(port):
    one = reflector()
    assert one.answer(asked(port=port), 0) is None
    assert one.statistics.refused == 1


def test_two_reflectors_do_not_answer_each_other():
    first, second = reflector(), reflector()
    reply = first.answer(asked(), 0)
    back = Datagram(reply, "10.20.1.10", 862, "10.100.0.2", 862, 61, RECEIVED_NS)
    assert second.answer(back, 0) is None


def test_too_short_a_request_is_malformed():
    one = reflector()
    assert (
        one.answer(Datagram(b"x" * 43, "10.100.0.2", 50_000, "10.20.1.10", 862, 61, RECEIVED_NS), 0) is None
    )
    assert one.statistics.malformed == 1


@pytest.mark.parametrize("theirs", [None, Key(b"another sixteen!")])
def test_without_the_key_there_is_no_answer_and_no_session(theirs):
    one = reflector(key=KEY)
    request = asked(key=theirs, rest=bytes(68) if theirs is None else b"")
    assert one.answer(request, 0) is None
    assert (one.statistics.unauthenticated, one.statistics.sessions) == (1, 0)


def test_with_the_key_the_answer_is_signed():
    one = reflector(key=KEY)
    assert numbers(one, asked(key=KEY), asked(key=KEY)) == [0, 1]


# --- no amplification ---------------------------------------------------------------------------------------


def test_what_follows_an_open_request_goes_back_as_it_came():
    rest = b"\x80\x01\x00\x04abcd"
    reply = reflector().answer(asked(rest=rest), 0)
    assert reply[44:] == rest


@given(st.binary(max_size=300), st.sampled_from([None, KEY]))
def test_a_reply_is_never_longer_than_its_request(data, key):
    reply = reflector(key=key).answer(
        Datagram(data, "10.100.0.2", 50_000, "10.20.1.10", 862, 61, RECEIVED_NS), 0
    )
    assert reply is None or len(reply) == len(data)


def test_what_follows_a_signed_request_is_not_signed_and_does_not_go_back():
    assert len(reflector(key=KEY).answer(asked(key=KEY, rest=b"x" * 50), 0)) == 112


def test_a_reply_under_the_same_key_is_no_request_from_a_port_of_a_sender():
    one = reflector(key=KEY)
    reply = decode_reply(one.answer(asked(key=KEY), 0), KEY)
    again = Datagram(encode_reply(reply, KEY), "10.20.9.9", 862, "10.20.1.10", 862, 61, RECEIVED_NS)
    assert one.answer(again, 0) is None


def test_the_figures_make_a_sentence():
    one = reflector(key=KEY, rate=2)
    for key in (KEY, None, KEY):
        one.answer(asked(key=key, rest=bytes(68) if key is None else b""), 0)
    assert one.statistics.sentence() == (
        "3 received, 1 reflected, 1 sessions; dropped: 1 with another key, 1 above the rate limit"
    )
