"""Where the first desired path is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.world import ABSENT, A, B, C, policy, set_policy, stream
from wgfo.engine import engine, start
from wgfo.engine.actuation import Phase
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import GroupPolicy, PathPolicy
from wgfo.engine.start import Found
from wgfo.engine.state import GroupState
from wgfo.engine.window import Tally
from wgfo.model import Observed, PathHop, PathName, PathState, Prefix, RouteException, SetObservation

THREE = (PathPolicy(A), PathPolicy(B), PathPolicy(C))


def group(*prefixes: int, **changes: object) -> GroupPolicy:
    sets = tuple(set_policy(f"t{place}", prefixes=count) for place, count in enumerate(prefixes))
    return policy(paths=THREE, sets=sets, **changes)


def seeing(rules: GroupPolicy, *hops: Observed | None, exceptions: int = 0) -> GroupState:
    state = engine.initial(rules)
    odd = tuple(RouteException(Prefix(f"10.{place}.0.0/16"), ABSENT) for place in range(exceptions))
    sets = tuple(
        replace(track, observation=SetObservation(track.policy.id, hop, odd) if hop is not None else None)
        for track, hop in zip(state.sets, hops, strict=True)
    )
    return replace(state, sets=sets)


def test_what_was_stored_is_taken_unread() -> None:
    rules = group(1)
    assert start.find(rules, seeing(rules, None), B) == Found(
        B, "stored", "b was desired when the last session ended"
    )
    assert start.find(rules, seeing(rules, None), PathName("x")) is None


@pytest.mark.parametrize(
    ("prefixes", "hops", "found"),
    [
        ((1, 1), (PathHop(B), PathHop(B)), B),
        ((1, 1), (PathHop(B), PathHop(A)), A),  # among equals the more preferred
        ((1, 2), (PathHop(A), PathHop(C)), C),
        ((1, 1, 1), (PathHop(C), PathHop(B), PathHop(C)), C),
        ((1, 1), (ABSENT, PathHop(C)), C),
        ((5, 1), (PathHop(PathName("x")), PathHop(C)), C),
    ],
)
def test_most_observed_prefixes_decide(
    prefixes: tuple[int, ...], hops: tuple[Observed, ...], found: PathName
) -> None:
    rules = group(*prefixes)
    assert start.find(rules, seeing(rules, *hops), None) == Found(
        found, "observed", f"most observed routes point at {found}"
    )


def test_prefixes_that_differ_from_the_majority_do_not_count_for_it() -> None:
    rules = group(2, 1)
    state = seeing(rules, PathHop(B), PathHop(C), exceptions=2)
    assert start.find(rules, state, None) is None


def test_a_set_that_was_not_read_is_waited_for_unless_its_reading_failed() -> None:
    rules = group(1, 1)
    state = seeing(rules, PathHop(B), None)
    assert start.find(rules, state, None) is None
    first, second = state.sets
    failed = replace(state, sets=(first, replace(second, phase=Phase.BACKOFF)))
    found = start.find(rules, failed, None)
    assert found is not None
    assert found.path == B


def judged(rules: GroupPolicy, **states: Judgement) -> GroupState:
    state = seeing(rules, *(ABSENT for _ in rules.sets))
    given = {PathName(name): one for name, one in states.items()}
    return replace(state, judgements={**state.judgements, **given})


DOWN, CLEAN = Judgement(PathState.DOWN), Judgement(clean=1)


def test_the_first_preferred_path_that_answers_is_taken_once_the_better_ones_were_tried() -> None:
    rules = group(1)
    assert start.find(rules, judged(rules), None) is None
    assert start.find(rules, judged(rules, a=CLEAN), None) == Found(
        A, "preference", "a is the first preferred path that answers"
    )
    assert start.find(rules, judged(rules, b=CLEAN), None) is None
    found = start.find(rules, judged(rules, a=DOWN, b=CLEAN, c=CLEAN), None)
    assert found is not None
    assert found.path == B
    assert start.find(rules, judged(rules, a=DOWN, b=DOWN, c=DOWN), None) is None


def with_round(rules: GroupPolicy, state: GroupState, path: PathName, tally: Tally) -> GroupState:
    evidence = state.evidence[path]
    [track] = evidence.streams
    track = replace(track, closed_us=0, targets=(tally, *track.targets[1:]))
    return replace(state, evidence={**state.evidence, path: replace(evidence, streams=(track,))})


def test_a_path_was_tried_when_a_round_of_it_closed_and_answers_when_a_target_does() -> None:
    rules = group(1)
    tried = with_round(rules, judged(rules, b=CLEAN), A, Tally(fails=1))
    found = start.find(rules, tried, None)
    assert found is not None
    assert found.path == B
    answers = with_round(rules, judged(rules), A, Tally(good=1))
    found = start.find(rules, answers, None)
    assert found is not None
    assert found.path == A


def test_a_path_was_tried_when_a_round_of_any_base_stream_closed() -> None:
    rules = group(1, streams=(stream(), stream(1)))
    state = judged(rules, b=CLEAN)
    assert start.find(rules, state, None) is None
    for place in (0, 1):
        evidence = state.evidence[A]
        streams = tuple(
            replace(one, closed_us=0) if one is evidence.streams[place] else one for one in evidence.streams
        )
        tried = replace(state, evidence={**state.evidence, A: replace(evidence, streams=streams)})
        found = start.find(rules, tried, None)
        assert found is not None
        assert found.path == B


def test_a_path_that_is_not_seen_is_not_waited_for() -> None:
    rules = policy(paths=(PathPolicy(A, visible=False), PathPolicy(B)))
    found = start.find(rules, judged(rules, b=CLEAN), None)
    assert found is not None
    assert found.path == B
