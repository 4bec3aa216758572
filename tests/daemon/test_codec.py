"""What is stored comes back equal, in the same bytes, or is refused with the place named."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfo.daemon import codec
from wgfo.daemon.codec import CodecError
from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event, Override, StoredGroup, Tick, WriteEnded
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import PathHop, SetObservation

EVENTS = get_args(Event)
DECISIONS = get_args(Decision)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_event_comes_back_equal_and_in_the_same_bytes(kind, data):
    event = data.draw(st.from_type(kind))
    text = codec.dumps(codec.encode(event, Event))
    again = codec.decode_any(codec.loads(text), Event)
    assert again == event
    assert codec.dumps(codec.encode(again, Event)) == text


@pytest.mark.parametrize("kind", DECISIONS, ids=lambda kind: kind.__name__)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_decision_comes_back_equal_and_in_the_same_bytes(kind, data):
    decision = data.draw(st.from_type(kind))
    text = codec.dumps(codec.encode(decision, Decision))
    again = codec.decode_any(codec.loads(text), Decision)
    assert again == decision
    assert codec.dumps(codec.encode(again, Decision)) == text


@settings(max_examples=30, deadline=None)
@given(stored=st.from_type(StoredGroup))
def test_a_stored_group_comes_back_equal(stored):
    assert codec.decode(codec.loads(codec.dumps(codec.encode(stored, StoredGroup))), StoredGroup) == stored


@settings(max_examples=20, deadline=None)
@given(policy=st.from_type(GroupPolicy))
def test_a_policy_comes_back_equal_so_that_a_replay_needs_no_configuration(policy):
    text = codec.dumps(codec.encode(policy, GroupPolicy))
    assert codec.decode(codec.loads(text), GroupPolicy) == policy


@settings(max_examples=20, deadline=None)
@given(state=st.from_type(GroupState))
def test_a_groups_whole_state_comes_back_equal_so_that_a_replay_can_begin_at_a_checkpoint(state):
    text = codec.dumps(codec.encode(state, GroupState))
    assert codec.decode(codec.loads(text), GroupState) == state


def test_a_mapping_is_written_in_the_order_of_its_keys():
    assert codec.dumps({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'


def test_a_member_of_a_union_bears_its_class_name():
    observation = SetObservation("linux/main/cloud", PathHop("primary"))
    assert codec.encode(observation, SetObservation)["majority"] == {"type": "PathHop", "path": "primary"}


def test_a_field_with_a_default_may_be_missing_from_an_older_text():
    assert codec.decode({"epoch": 4}, StoredGroup) == StoredGroup(epoch=4)


@pytest.mark.parametrize(
    ("data", "as_type", "says"),
    [
        ({"type": "Tick", "at_us": 1, "more": 2}, Event, "unknown field 'more'"),
        ({"type": "Tick"}, Event, "field 'at_us' is missing"),
        ({"type": "Tick", "at_us": True}, Event, "value.at_us: found True, accepted is int"),
        ({"type": "Tick", "at_us": "1"}, Event, "value.at_us: found '1', accepted is int"),
        ({"type": "Tock", "at_us": 1}, Event, "accepted is an object of type SessionStarted, Tick"),
        ({"at_us": 1}, Event, "accepted is an object of type"),
        ([], Event, "accepted is an object of type"),
        ({"overrides": {}}, StoredGroup, "value.overrides: found {}, accepted is an array"),
        ({"epoch": 1.5}, StoredGroup, "value.epoch: found 1.5, accepted is int"),
        (1, bytes, "value: found 1, accepted is hexadecimal text"),
        ("zz", bytes, "accepted is hexadecimal text"),
        ("x", StoredGroup, "accepted is an object (StoredGroup)"),
        (
            {"kind": "soft", "path": None, "reason": "", "by": "", "since": ""},
            Override,
            "accepted are forced",
        ),
    ],
)
def test_what_this_version_would_not_write_is_refused_with_its_place(data, as_type, says):
    with pytest.raises(CodecError) as refused:
        codec.decode_any(data, as_type)
    assert says in str(refused.value)


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1.5}', b"NaN", b'"\xff"', b"[" * 100_000])
def test_a_text_that_is_no_json_of_ours_is_refused(text):
    with pytest.raises(CodecError, match="journal 3: no JSON text"):
        codec.loads(text, "journal 3")


def test_a_write_with_unknown_outcome_keeps_its_null():
    event = WriteEnded(5, "linux/main/cloud", 1, 2, None, "timed out")
    assert codec.decode_any(codec.encode(event, Event), Event) == event


def test_a_type_without_a_codec_is_named_at_once():
    with pytest.raises(TypeError, match="no codec for <class 'float'>"):
        codec.encode(1.0, float)


def test_events_of_two_groups_share_one_plan():
    assert codec._plan(Tick) is codec._plan(Tick)
