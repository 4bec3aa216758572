"""When each alarm holds, where a story does not reach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.unit.test_faults import evidence_of, long_scene
from tests.engine.world import ABSENT, A, B, C, policy, seconds, set_policy, stream
from wgfo.engine import alarms, engine
from wgfo.engine.actuation import Hold, SetTrack
from wgfo.engine.decisions import AlarmName, AlarmRaised
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.faults import Fault, FaultRule
from wgfo.engine.judgement import Judgement
from wgfo.engine.policy import Act, EvidenceSource, GroupPolicy, LossRule, PathPolicy, RecoverRule
from wgfo.engine.selection import Selection
from wgfo.engine.state import GroupState
from wgfo.model import Layer, Observed, PathHop, PathState, Prefix, RouteException, SetObservation

NOW = seconds(100)
GROUP = policy(
    paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C)),
    streams=(stream(targets=("t1", "t2")),),
    sources=(),
    sets=(set_policy("one"), set_policy("two"), set_policy("cloud", provider="aws")),
    loss=LossRule(percent=20, window_us=seconds(10)),
    recover=RecoverRule(percent=10, window_us=seconds(10)),
    hold_off_us=seconds(2),
)
CUT = Fault(FaultRule.BLACKOUT, "dead", 7)
UP = Judgement(PathState.UP)
DEAD = Judgement(PathState.DOWN, fault=CUT, live=True, proved=(B, C))


def group(
    a: Judgement = UP, b: Judgement = UP, c: Judgement = UP, rules: GroupPolicy = GROUP, **changes: object
) -> GroupState:
    plain = replace(engine.initial(rules), started=True, at_us=NOW, judgements={A: a, B: b, C: c})
    return replace(plain, **({"selection": Selection(desired=A, epoch=1)} | changes))


def text(name: AlarmName, state: GroupState, rules: GroupPolicy = GROUP) -> str | None:
    """Return an alarm's text, with an exclamation mark where it pages."""
    held = alarms.holding(rules, state, NOW).get(name)
    return None if held is None else f"{held.text}{'!' if held.page else ''}"


def sets(*changes: dict[str, object]) -> tuple[SetTrack, ...]:
    return tuple(SetTrack(one, **more) for one, more in zip(GROUP.sets, changes, strict=True))


def seen(hop: Observed, *others: Observed, **more: object) -> SetObservation:
    odd = tuple(RouteException(Prefix("10.0.0.0/8"), one) for one in others)
    return SetObservation(GROUP.sets[0].id, hop, odd, **more)


def test_only_what_says_so_pages() -> None:
    assert not alarms.Holding("text").page
    assert not AlarmRaised(NOW, AlarmName.DRIFT, "text").page


def test_one_round_is_the_grace_of_everything() -> None:
    two = policy(streams=(stream(interval_us=seconds(2)), stream(1, interval_us=seconds(1))))
    assert alarms.grace_us(two) == seconds(1)
    alerts = EvidenceSource(0, "alerts", Layer.DATAPLANE, Act.ALONE, interval_us=seconds(7))
    assert alarms.grace_us(policy(streams=(), sources=(alerts,))) == seconds(7)


# --- no usable path ---------------------------------------------------------------------------------------

UNFIT = Judgement(PathState.DOWN, fault=CUT)


@pytest.mark.parametrize(
    ("b", "c", "failing_since_us", "told"),
    [
        (UNFIT, UNFIT, None, "a is down (dead); b: down, recovering; c: down, recovering!"),
        (UNFIT, UP, None, None),
        (UP, UP, NOW - seconds(5) + 1, None),
        (
            UP,
            UNFIT,
            NOW - seconds(5),
            "a is down (dead); b: no answer newer than the fault; c: down, recovering!",
        ),
    ],
)
def test_nothing_is_usable_where_all_are_unfit_or_give_no_proof_for_three_rounds_and_the_hold_off(
    b: Judgement, c: Judgement, failing_since_us: int | None, told: str | None
) -> None:
    chosen = Selection(desired=A, epoch=1, failing_since_us=failing_since_us)
    assert text(AlarmName.NO_USABLE_PATH, group(DEAD, b, c, selection=chosen)) == told
    assert text(AlarmName.NO_USABLE_PATH, group(DEAD, b, c, selection=chosen, isolated=True)) is None
    assert text(AlarmName.NO_USABLE_PATH, group(UNFIT, b, c, selection=chosen)) is None


def test_a_group_of_one_path_has_no_other() -> None:
    one = replace(GROUP, paths=(PathPolicy(A),))
    state = replace(group(DEAD), judgements={A: replace(DEAD, fault=None)})
    assert text(AlarmName.NO_USABLE_PATH, state, one) == "a is down (); no other path!"


def test_before_a_path_is_found_all_that_are_seen_must_be_down() -> None:
    nowhere = Selection()
    some = replace(GROUP, paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C, visible=False)))
    both = group(UNFIT, replace(UNFIT, fault=None), UP, selection=nowhere)
    assert text(AlarmName.NO_USABLE_PATH, both, some) == "no path is up (a: dead; b: )!"
    assert text(AlarmName.NO_USABLE_PATH, both) is None
    assert text(AlarmName.NO_USABLE_PATH, group(UNFIT, UP, UNFIT, selection=nowhere)) is None
    none = replace(GROUP, paths=tuple(PathPolicy(one, visible=False) for one in (A, B, C)))
    assert text(AlarmName.NO_USABLE_PATH, group(UNFIT, UNFIT, UNFIT, selection=nowhere), none) is None


# --- routes -----------------------------------------------------------------------------------------------

LATE = {"out_since_us": NOW - seconds(1) - 1}


def test_sets_that_are_late_are_partial() -> None:
    late = sets(LATE, {"out_since_us": NOW - seconds(1)}, LATE | {"error": "403", "permanent": True})
    told = "2 of 3 route sets are not on a: linux/one/g; aws/cloud/g (permanent: 403)"
    assert text(AlarmName.PARTIAL, group(sets=late)) == told
    held = sets({}, {}, LATE | {"hold": Hold.FOREIGN})
    assert (
        text(AlarmName.PARTIAL, group(sets=held)) == "1 of 3 route sets are not on a: aws/cloud/g (foreign)"
    )
    assert text(AlarmName.PARTIAL, group(sets=late, selection=Selection())) is None
    released = Selection(desired=A, released=True)
    assert text(AlarmName.PARTIAL, group(sets=late, selection=released)) is None
    assert text(AlarmName.PARTIAL, group(sets=sets({}, {}, {}))) is None


def test_what_others_did_to_the_routes_is_told() -> None:
    told = sets(
        {"drift_us": 5},
        {"drift_us": 6, "hold": Hold.CONTENDED},
        {"hold": Hold.FOREIGN, "error": "met on the way"},
    )
    state = group(sets=told)
    assert text(AlarmName.DRIFT, state) == "changed by others: linux/one/g, linux/two/g"
    assert text(AlarmName.CONTENDED, state) == (
        "somebody keeps rewriting linux/two/g: repair stopped; find who, then clear!"
    )
    foreign = "routes that are not ours stand in our place (adopt them, or remove them): aws/cloud/g: "
    assert text(AlarmName.FOREIGN_ROUTE, state) == f"{foreign}met on the way"
    read = sets({}, {}, {"hold": Hold.FOREIGN, "observation": seen(ABSENT, text="via igw-1")})
    assert text(AlarmName.FOREIGN_ROUTE, group(sets=read)) == f"{foreign}via igw-1"


def test_at_most_five_shadows_are_named() -> None:
    many = seen(PathHop(A), shadows=tuple("uvwxyz"))
    state = group(sets=sets({"observation": many}, {}, {"observation": seen(PathHop(A))}))
    assert text(AlarmName.SHADOWED, state) == "routes of others win over ours: linux/one/g: u, v, w, x, y"


ON_A, ON_B = {"observation": seen(PathHop(A))}, {"observation": seen(PathHop(B))}
UNREAD: dict[str, object] = {}
MIXED = {"observation": seen(PathHop(A), ABSENT)}


@pytest.mark.parametrize(
    ("one", "two", "cloud", "told"),
    [
        (ON_B, ON_B, ON_A, "traffic leaves by one path and returns by another: linux on b, aws on a"),
        (ON_A, ON_A, ON_B, "traffic leaves by one path and returns by another: linux on a, aws on b"),
        (ON_A, ON_A, ON_A, None),
        (ON_A, ON_A, MIXED, None),
        (ON_A, ON_A, UNREAD, None),
        (UNREAD, UNREAD, ON_A, None),
    ],
)
def test_halves_on_two_paths_are_asymmetric(
    one: dict[str, object], two: dict[str, object], cloud: dict[str, object], told: str | None
) -> None:
    assert text(AlarmName.ASYMMETRIC, group(sets=sets(one | LATE, two, cloud))) == told
    assert text(AlarmName.ASYMMETRIC, group(sets=sets(one, two, cloud))) is None


def test_tables_of_one_provider_are_no_halves() -> None:
    rules = replace(GROUP, sets=GROUP.sets[:2])
    state = group(sets=sets(ON_A | LATE, ON_B, {})[:2])
    assert text(AlarmName.ASYMMETRIC, state, rules) is None


def test_a_forced_path_that_is_down_pages() -> None:
    forced = Selection(desired=A, overrides=(Override(OverrideKind.FORCED, B, "", "", ""),))
    told = "b is down, but a forced switch holds traffic on it: clear it!"
    assert text(AlarmName.FORCED_PATH_DOWN, group(b=UNFIT, selection=forced)) == told
    assert text(AlarmName.FORCED_PATH_DOWN, group(UNFIT, selection=forced)) is None
    nameless = Selection(desired=A, overrides=(Override(OverrideKind.FORCED, None, "", "", ""),))
    assert text(AlarmName.FORCED_PATH_DOWN, group(UNFIT, selection=nameless)) is None


# --- quality ----------------------------------------------------------------------------------------------

CLEAN = "oooooooooo oooooooooo oooooooooo"


def heard(a: str, b: str = CLEAN, c: str = CLEAN, judged: Judgement = UP) -> GroupState:
    evidence = {name: evidence_of(GROUP, rounds, name) for name, rounds in ((A, a), (B, b), (C, c))}
    return group(judged, evidence=evidence)


@pytest.mark.parametrize(
    ("rounds", "told"),
    [
        (CLEAN, None),
        ("oxoxoooooo oxoxoooooo o", "a: 4 of 20 probes lost over 10 s"),
        ("oxoxoxoooo oxoxoooooo o", "a: 5 of 20 probes lost over 10 s"),
        ("oxxxoooooo oooooooooo o", None),
        ("ooooooxxx? oooooooooo o", "a: t1 out of reach"),
        ("oooooooxxx oooooooxxx o", "a: t1, t2 out of reach; a: 6 of 20 probes lost over 10 s"),
    ],
)
def test_a_loss_that_brings_no_move_is_told(rounds: str, told: str | None) -> None:
    assert text(AlarmName.BACKGROUND_LOSS, heard(rounds)) == told


def test_a_loss_of_its_own_is_told_above_twice_what_a_return_asks_for() -> None:
    rules = replace(GROUP, loss=LossRule(percent=50, window_us=seconds(10)))
    assert text(AlarmName.BACKGROUND_LOSS, heard("oxoxoooooo oxoxoooooo o"), rules) is None
    told = "a: 5 of 20 probes lost over 10 s"
    assert text(AlarmName.BACKGROUND_LOSS, heard("oxoxoxoooo oxoxoooooo o"), rules) == told


def test_a_loss_is_measured_by_what_is_known() -> None:
    rules = replace(GROUP, recover=RecoverRule(percent=50, window_us=seconds(10)))
    known = "????????x? ????????o? o"
    assert text(AlarmName.BACKGROUND_LOSS, heard(known), rules) == "a: 1 of 2 probes lost over 10 s"
    assert text(AlarmName.BACKGROUND_LOSS, heard("oxxxoooooo oooooooooo o"), rules) is None


def test_a_window_of_one_probe_is_lost_with_it() -> None:
    short = LossRule(percent=60, window_us=seconds(1))
    rules = replace(GROUP, loss=short, recover=RecoverRule(percent=50, window_us=seconds(10)))
    assert text(AlarmName.BACKGROUND_LOSS, heard("x - -"), rules) == "a: 1 of 1 probes lost over 1 s"
    assert text(AlarmName.BACKGROUND_LOSS, heard("o - -"), rules) is None


@pytest.mark.parametrize(
    ("lost", "told"), [(50, None), (51, "a: 51 of 101 probes lost over 101 s"), (0, None)]
)
def test_the_limit_on_loss_is_exact_over_a_long_window(lost: int, told: str | None) -> None:
    scene = long_scene(lost)
    fresh = engine.initial(scene.policy)
    state = replace(fresh, started=True, at_us=NOW, judgements={A: UP, B: UP}, evidence=scene.evidence)
    assert text(AlarmName.BACKGROUND_LOSS, state, scene.policy) == told
    assert alarms._lossy(scene.policy, state, A) is (told is not None)


def test_a_path_that_is_down_or_unknown_or_dark_has_no_quality() -> None:
    lossy = "oxoxoxoooo oxoxoooooo o"
    for judged in (UNFIT, Judgement(), replace(UP, remote_dark=True)):
        assert text(AlarmName.BACKGROUND_LOSS, heard(lossy, judged=judged)) is None


def test_a_fault_that_holds_without_a_move_is_told_and_latency_once() -> None:
    large = Judgement(PathState.DEGRADED, fault=Fault(FaultRule.CLASS, "large dies", 1), live=True)
    assert text(AlarmName.BACKGROUND_LOSS, heard(CLEAN, judged=large)) == "a: large dies"
    assert text(AlarmName.BACKGROUND_LOSS, heard(CLEAN, judged=replace(large, live=False))) is None
    slow = Judgement(PathState.DEGRADED, fault=Fault(FaultRule.LATENCY, "slow", 1), live=True)
    assert text(AlarmName.BACKGROUND_LOSS, heard(CLEAN, judged=slow)) is None


def test_loss_on_every_path_that_is_seen_pages() -> None:
    lossy = "oxoxoxoooo oxoxoooooo o"
    everywhere = heard(lossy, lossy, lossy)
    found = text(AlarmName.BACKGROUND_LOSS, everywhere)
    assert found is not None
    assert found.endswith("!")
    one = text(AlarmName.BACKGROUND_LOSS, heard(lossy, lossy))
    assert one is not None
    assert not one.endswith("!")
    unseen = replace(GROUP, paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C, visible=False)))
    hidden = text(AlarmName.BACKGROUND_LOSS, heard(lossy, lossy), unseen)
    assert hidden is not None
    assert hidden.endswith("!")


@pytest.mark.parametrize(
    ("rounds", "lossy"), [("x - -", True), ("xooo o -", True), ("xoooo o -", False), ("? - -", False)]
)
def test_a_path_is_lossy_by_what_is_known_of_its_window(rounds: str, lossy: bool) -> None:
    state = heard(rounds)
    assert alarms._lossy(GROUP, state, A) is lossy
    assert not alarms._lossy(GROUP, replace(state, judgements={A: UNFIT, B: UP, C: UP}), A)


def test_a_lone_anchor_is_counted_where_there_are_no_targets() -> None:
    alone = policy(streams=(stream(targets=()),), sources=(), loss=GROUP.loss)
    state = engine.initial(alone)
    state = replace(state, evidence={**state.evidence, A: evidence_of(alone, "oxxo")})
    assert alarms.loss_over_window(alone, state, A) == (2, 4)
    bare = policy(
        paths=(PathPolicy(A, anchor=False), PathPolicy(B)), streams=(stream(targets=()),), sources=()
    )
    assert alarms.loss_over_window(bare, engine.initial(bare), A) == (0, 0)
    assert alarms.loss_over_window(GROUP, heard("xooooooooooo oxoooooooooo o"), A) == (0, 20)


def test_paths_whose_rounds_stopped_are_named() -> None:
    state = heard(CLEAN)
    stale = {
        name: replace(one, streams=tuple(replace(track, closed_us=0) for track in one.streams))
        for name, one in state.evidence.items()
    }
    told = "no probe round closes through a, b"
    partly = replace(state, evidence={**stale, C: state.evidence[C]})
    assert text(AlarmName.CONTACT_LOST, partly) == told
    unseen = replace(GROUP, paths=(PathPolicy(A), PathPolicy(B), PathPolicy(C, visible=False)))
    assert text(AlarmName.CONTACT_LOST, replace(state, evidence=stale), unseen) == told
    assert text(AlarmName.CONTACT_LOST, state) is None


# --- what is asked ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        {"out_since_us": 5},
        {"drift_us": 5},
        {"hold": Hold.FOREIGN},
        {"observation": seen(PathHop(A), shadows=("10.20.0.0/17",))},
    ],
)
def test_alarms_of_the_routes_are_asked_for_where_any_set_is_untidy(trouble: dict[str, object]) -> None:
    tidy, untidy = sets({"observation": seen(PathHop(A))}, trouble, {})[:2]
    assert not alarms._untidy(tidy)
    assert alarms._untidy(untidy)


def test_the_other_alarms_are_asked_for_all_the_time() -> None:
    assert set(alarms.CHECKS) - set(alarms.NOT_OF_ROUTES) == alarms.OF_ROUTES
    assert list(alarms.NOT_OF_ROUTES) == [name for name in alarms.CHECKS if name not in alarms.OF_ROUTES]
