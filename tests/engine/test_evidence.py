"""Alerts, queries and observers: they corroborate, and decide only where they are told to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.world import A, B, World, policy, seconds, set_policy, stream
from wgfo.engine import outlook
from wgfo.engine.decisions import Switch
from wgfo.engine.events import LayerReported, StoredGroup
from wgfo.engine.policy import SECOND_US, Act, EvidenceSource, GroupPolicy
from wgfo.model import Absent, Layer, LayerReport, PathHop, PathName, PathState, Verdict

UP, DOWN, UNKNOWN = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN


def with_probes(act: Act) -> GroupPolicy:
    """Packets are probed, and one source says what it says."""
    return policy(streams=(stream(),), sources=(EvidenceSource(1, "alertmanager", Layer.DATAPLANE, act),))


def led(*, interval_us: int = SECOND_US, **changes: object) -> GroupPolicy:
    """One source alone, and no packet of ours."""
    source = EvidenceSource(0, "alertmanager", Layer.DATAPLANE, Act.ALONE, interval_us)
    return policy(streams=(), sources=(source,), has_reference=False, **changes)


def say(world: World, path: PathName, verdict: Verdict, reason: str = "alert WgfoPathDown fires") -> None:
    source = len(world.policy.streams)
    world.dispatch(LayerReported(world.now, path, source, LayerReport(Layer.DATAPLANE, verdict, reason)))


def healthy(group: GroupPolicy, until: float = 60) -> World:
    world = World(group, stored=StoredGroup(desired=A, epoch=1))
    world.at(1, lambda: (say(world, A, UP, "no alert"), say(world, B, UP, "no alert")))
    return world.run(until)


# --- beside packets ------------------------------------------------------------------------------------------


def test_corroborating_evidence_never_moves_traffic() -> None:
    world = healthy(with_probes(Act.CORROBORATE))
    say(world, A, DOWN)
    world.run(180)
    assert world.switches == []
    assert world.state.judgements[A].state is PathState.UP


def test_corroborating_evidence_is_shown_to_whoever_asks_why() -> None:
    world = healthy(with_probes(Act.CORROBORATE))
    say(world, A, DOWN, "alert Loss fires")
    told = outlook.outlook(world.policy, world.state, world.now)[0].threats
    assert told == ("alertmanager says down, as evidence only: alert Loss fires",)


def test_a_source_that_may_decide_moves_traffic_though_packets_pass() -> None:
    world = healthy(with_probes(Act.ALONE))
    say(world, A, DOWN)
    world.run(63)
    assert [(target, rule) for _, target, rule in world.switches] == [(B, "signal_fail")]


def test_a_source_that_says_up_does_not_hold_a_path_whose_packets_die() -> None:
    world = healthy(with_probes(Act.ALONE))
    world.faults.append(dead_from(60))
    world.run(70)
    assert [target for _, target, _ in world.switches] == [B]


def dead_from(start: float):
    from tests.engine.world import Fault  # noqa: PLC0415 - the one test that breaks packets

    return Fault((A,), start)


# --- nothing but evidence ------------------------------------------------------------------------------------


def test_a_path_rises_once_it_was_vouched_for_long_enough() -> None:
    world = healthy(led(), until=10.9)
    assert world.state.judgements[A].state is PathState.UNKNOWN
    world.run(11.1)
    assert world.states(A) == [(11.0, "up", "rise")]


def test_slow_sources_need_as_many_of_their_own_intervals() -> None:
    world = healthy(led(interval_us=15 * SECOND_US), until=150)
    assert world.state.judgements[A].state is PathState.UNKNOWN
    assert healthy(led(interval_us=15 * SECOND_US), until=152).state.judgements[A].state is PathState.UP


def test_an_alert_alone_moves_traffic_to_the_path_that_is_still_vouched_for() -> None:
    world = healthy(led())
    say(world, A, DOWN)
    world.run(65)
    assert world.switches == [(61.0, B, "signal_fail")]
    assert [path for _, path, _ in world.writes] == [B]


def test_a_site_that_goes_dark_for_both_paths_moves_nothing() -> None:
    world = healthy(led())
    say(world, A, DOWN)
    world.at(60.4, lambda: say(world, B, DOWN))
    world.run(120)
    assert world.switches == []
    assert "no_usable_path" in world.alarms


def test_nothing_moves_onto_a_path_of_which_nothing_is_known() -> None:
    world = healthy(led())
    say(world, B, UNKNOWN, "no heartbeat")
    world.at(62, lambda: say(world, A, DOWN))
    world.run(90)
    assert world.switches == []


def test_silence_of_the_source_makes_paths_unknown_and_keeps_the_routes() -> None:
    world = healthy(led())
    for path in (A, B):
        say(world, path, UNKNOWN, "no heartbeat for 60 s")
    world.tables[set_policy().id].hop = PathHop(B)
    written = len(world.writes)
    world.run(180)
    judged = world.state.judgements
    assert (judged[A].state, judged[A].blind) == (PathState.UNKNOWN, "no heartbeat for 60 s")
    assert (world.switches, len(world.writes)) == ([], written)


def test_an_alert_that_expires_leaves_the_path_unknown_not_up() -> None:
    world = healthy(led())
    say(world, A, DOWN)
    world.run(70)
    say(world, A, UNKNOWN, "the alert was not repeated")
    world.run(200)
    assert world.state.judgements[A].state is PathState.UNKNOWN


def test_returns_once_vouched_for_during_the_whole_wait_to_restore() -> None:
    world = healthy(led(revertive=True, wait_to_restore_us=seconds(100)))
    say(world, A, DOWN)
    world.at(80, lambda: say(world, A, UP, "no alert"))
    world.run(300)
    assert [(at, target) for at, target, _ in world.switches] == [(61.0, B), (190.0, A)]


@pytest.mark.parametrize(("word", "risen_s"), [(UNKNOWN, 13), (DOWN, 20)])
def test_silence_pauses_the_count_and_an_alert_ends_it(word: Verdict, risen_s: int) -> None:
    world = World(led(), stored=StoredGroup(desired=B, epoch=1))
    for at, verdict in ((1, UP), (8, word), (10, UP)):
        world.at(at, lambda verdict=verdict: say(world, A, verdict))
    assert world.run(risen_s - 0.1).state.judgements[A].state is not PathState.UP
    assert world.run(risen_s + 0.1).state.judgements[A].state is PathState.UP


def test_a_path_that_rose_is_usable_again_as_soon_as_it_is_vouched_for_again() -> None:
    world = healthy(led())
    world.at(61, lambda: say(world, B, UNKNOWN, "no answer within 0.8 s"))
    world.at(62, lambda: say(world, B, UP))
    world.at(63, lambda: say(world, A, DOWN))
    world.run(70)
    assert world.switches == [(64.0, B, "signal_fail")]


@pytest.mark.parametrize(("word", "path"), [(UP, A), (DOWN, B), (UNKNOWN, None)])
def test_the_first_path_is_the_preferred_one_that_is_vouched_for(
    word: Verdict, path: PathName | None
) -> None:
    world = World(led())
    for table in world.tables.values():
        table.hop = Absent()
    world.at(1, lambda: (say(world, B, UP), say(world, A, word)))
    assert world.run(3).desired == path


def test_a_preferred_path_that_nobody_speaks_of_is_waited_for_no_longer_than_it_would_need_to_rise() -> None:
    world = World(led())
    for table in world.tables.values():
        table.hop = Absent()
    world.at(1, lambda: (say(world, B, UP), say(world, A, UNKNOWN)))
    assert world.run(10.5).desired is None
    assert world.run(12).desired == B


def test_rounds_of_packets_leave_nothing_to_lead_for_sources() -> None:
    assert with_probes(Act.ALONE).leading == ()
    assert [source.kind for source in led().leading] == ["alertmanager"]


WORDS = st.lists(
    st.tuples(st.integers(1, 300), st.sampled_from([A, B]), st.sampled_from([UP, DOWN, UNKNOWN])), max_size=40
)


@given(WORDS)
def test_traffic_escapes_only_from_a_path_that_is_said_down_to_one_that_is_vouched_for(words) -> None:
    world = World(led(), stored=StoredGroup(desired=A, epoch=1))
    said = {A: UNKNOWN, B: UNKNOWN}
    since = {A: 0.0, B: 0.0}
    passed = {A: 0.0, B: 0.0}

    def hear(path: PathName, verdict: Verdict) -> None:
        now = world.now / SECOND_US
        if verdict is not said[path]:
            vouched = now - since[path] if said[path] is UP else 0
            passed[path] = 0.0 if verdict is DOWN else passed[path] + vouched
            said[path], since[path] = verdict, now
        say(world, path, verdict)

    def check(_world: World, _event: object, decisions: tuple[object, ...]) -> None:
        for switch in decisions:
            if not isinstance(switch, Switch):
                continue
            now = switch.at_us / SECOND_US
            other = A if switch.target == B else B
            assert (said[other], said[switch.target]) == (DOWN, UP)
            assert passed[switch.target] + now - since[switch.target] >= 10
            assert now - since[other] >= 1

    world.watchers.append(check)
    for at, path, verdict in words:
        world.at(at, lambda path=path, verdict=verdict: hear(path, verdict))
    world.run(320)
