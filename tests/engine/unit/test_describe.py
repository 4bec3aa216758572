"""What is said of a group and its paths, where no situation of ``test_shown`` tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.unit.test_faults import evidence_of, long_scene
from tests.engine.world import A, B, C, PathName, policy, seconds, set_policy, stream
from wgfo.engine import describe, engine, outlook
from wgfo.engine.actuation import Phase
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import AlarmName
from wgfo.engine.detection import SourceTrack
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.judgement import Judgement, Restore
from wgfo.engine.policy import (
    Act,
    DampingRule,
    EvidenceSource,
    GroupPolicy,
    LossRule,
    PathPolicy,
    RecoverRule,
)
from wgfo.engine.report import GroupState as Told
from wgfo.engine.report import Mode, TargetReport, TargetVerdict
from wgfo.engine.selection import Selection, Wait
from wgfo.engine.state import Alarm, GroupState
from wgfo.model import LARGE, SMALL, Layer, LayerReport, PathHop, PathState, SetObservation, Verdict

NOW = seconds(100)
SOURCES = (
    EvidenceSource(2, "interface", Layer.INTERFACE),
    EvidenceSource(3, "alerts", Layer.DATAPLANE, Act.ALONE),
    EvidenceSource(4, "query", Layer.DATAPLANE),
)
LAYERS = frozenset(Layer)
GROUP = policy(
    paths=(PathPolicy(A, layers=LAYERS), PathPolicy(B, layers=LAYERS), PathPolicy(C, visible=False)),
    streams=(stream(targets=("t1", "t2")), stream(1, base=False, probe_class=LARGE, targets=("t1",))),
    sources=SOURCES,
    sets=(set_policy("one"), set_policy("two")),
    revertive=True,
    wait_to_restore_us=seconds(60),
    rise=3,
    class_fall=2,
    loss=LossRule(percent=20, window_us=seconds(10)),
    recover=RecoverRule(percent=10, window_us=seconds(10)),
)
UP = Judgement(PathState.UP, restore=Restore.GOOD)
DOWN = Judgement(PathState.DOWN)


def group(rules: GroupPolicy = GROUP, **changes: object) -> GroupState:
    fresh = engine.initial(rules)
    sets = tuple(
        replace(
            one,
            phase=Phase.SYNCED,
            observation=SetObservation(one.policy.id, PathHop(A)),
            epoch=1,
            converged_epoch=1,
        )
        for one in fresh.sets
    )
    plain = replace(
        fresh,
        started=True,
        at_us=NOW,
        judgements={A: UP, B: UP, C: Judgement(blind="not seen")},
        selection=Selection(desired=A, epoch=1),
        sets=sets,
    )
    return replace(plain, **changes)


def second(**changes: object) -> GroupState:
    one, two = group().sets
    return group(sets=(one, replace(two, **changes)))


# --- the group --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "converged"),
    [
        ({}, True),
        ({"converged_epoch": 0}, False),
        ({"phase": Phase.VERIFYING}, False),
        ({"phase": Phase.READING}, True),
        ({"phase": Phase.READING, "converged_epoch": 0}, True),
        ({"phase": Phase.READING, "written_us": 5}, False),
        ({"phase": Phase.READING, "doubtful": True}, False),
        ({"phase": Phase.READING, "observation": None}, False),
    ],
)
def test_a_group_is_converged_when_every_set_was_read_back(
    changes: dict[str, object], converged: bool
) -> None:
    assert describe.converged(second(**changes)) is converged
    assert not describe.converged(group(selection=Selection()))


def alarmed(name: AlarmName) -> dict[str, object]:
    return {"alarms": {name: Alarm(1, "text", page=False)}}


PAUSED = Selection(desired=A, epoch=1, overrides=(Override(OverrideKind.PAUSED, None, "", "", ""),))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, Told.OK),
        ({"isolated": True} | alarmed(AlarmName.NO_USABLE_PATH), Told.ISOLATED),
        (alarmed(AlarmName.NO_USABLE_PATH) | {"selection": Selection()}, Told.NO_USABLE_PATH),
        ({"selection": Selection()}, Told.STARTING),
        ({"judgements": {A: Judgement(), B: Judgement(), C: UP}}, Told.STARTING),
        ({"judgements": {A: Judgement(), B: UP, C: UP}}, Told.DEGRADED),
        ({"judgements": {A: Judgement(), B: Judgement(blind="x"), C: UP}}, Told.DEGRADED),
        (alarmed(AlarmName.PARTIAL) | alarmed(AlarmName.PARTIAL), Told.PARTIAL),
        (alarmed(AlarmName.REMOTE_DOWN) | {"selection": PAUSED}, Told.REMOTE_DOWN),
        ({"selection": PAUSED}, Told.PAUSED),
        ({"lease_text": "gone"}, Told.PAUSED),
        ({"selection": Selection(desired=B)}, Told.ON_STANDBY),
        ({"judgements": {A: UP, B: DOWN, C: UP}}, Told.DEGRADED),
        ({"judgements": {A: UP, B: UP, C: DOWN}}, Told.OK),
    ],
)
def test_the_worst_is_said_of_a_group(changes: dict[str, object], state: Told) -> None:
    assert describe.group_state(GROUP, group(**changes), NOW) is state


def test_a_set_that_is_late_is_partial_before_its_alarm() -> None:
    late = second(out_since_us=NOW - seconds(1) - 1)
    assert describe.group_state(GROUP, late, NOW) is Told.PARTIAL
    assert describe.group_state(GROUP, second(out_since_us=NOW - seconds(1)), NOW) is Told.OK


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({}, Mode.AUTO),
        ({"selection": PAUSED}, Mode.PAUSED),
        ({"selection": Selection(desired=A, released=True)}, Mode.PAUSED),
        ({"isolated": True}, Mode.FROZEN),
        (
            {"selection": replace(PAUSED, overrides=(Override(OverrideKind.FORCED, A, "", "", ""),))},
            Mode.FORCED,
        ),
        (
            {"selection": replace(PAUSED, overrides=(Override(OverrideKind.MANUAL, A, "", "", ""),))},
            Mode.MANUAL,
        ),
    ],
)
def test_who_decides(changes: dict[str, object], mode: Mode) -> None:
    assert describe.mode(GROUP, group(**changes), NOW) is mode


def test_routes_that_disagree_point_nowhere() -> None:
    assert describe.active_path(GROUP, group()) == A
    assert (
        describe.active_path(GROUP, second(observation=SetObservation(group().sets[1].policy.id, PathHop(B))))
        is None
    )
    bare = replace(GROUP, sets=())
    assert describe.active_path(bare, group(bare)) == A


def due(waits: dict[PathName, Wait], desired: PathName = C, **changes: object) -> int | None:
    chosen = Selection(desired=desired, epoch=1, waits=waits, **changes)
    return engine.report(GROUP, group(selection=chosen), NOW).restore_due_us


def test_a_return_is_due_when_the_first_wait_is_over() -> None:
    first, later = Wait(seconds(10), NOW - seconds(20)), Wait(0, NOW - seconds(20))
    assert due({A: first, B: later}) == NOW + seconds(30)
    assert due({A: later, B: first}) == NOW + seconds(30)
    assert due({A: later}) == NOW + seconds(40)
    assert due({A: Wait(seconds(10))}) is None
    assert due({C: first}, B) is None
    assert due({A: first}, A) is None
    locked = (Override(OverrideKind.LOCKOUT, A, "", "", ""),)
    assert due({A: first, B: later}, overrides=locked) == NOW + seconds(40)


# --- a path -----------------------------------------------------------------------------------------------


def verdicts(
    a: str, judged: Judgement = UP, said: tuple[Verdict | None, ...] = (None, None, None)
) -> list[str]:
    """Return what is said of the data plane and of the classes of A."""
    evidence = evidence_of(GROUP, a)
    tracks = tuple(
        SourceTrack(None if one is None else LayerReport(source.layer, one, f"{source.kind} {one}"), 5)
        for source, one in zip(SOURCES, said, strict=True)
    )
    streams = tuple(replace(one, closed_us=NOW) for one in evidence.streams)
    evidence = replace(evidence, sources=tracks, streams=streams)
    state = group(evidence={**group().evidence, A: evidence}, judgements={A: judged, B: UP, C: UP})
    path = engine.report(GROUP, state, NOW).paths[0]
    return [
        str(path.layers[Layer.DATAPLANE]),
        *map(str, path.classes.values()),
        str(path.layers[Layer.INTERFACE]),
    ]


@pytest.mark.parametrize(
    ("rounds", "told"),
    [
        ("o o o o", ["up", "up", "up", "unknown"]),
        ("xxx oxx o o", ["up", "up", "up", "unknown"]),
        ("xxx xxx o xxx", ["down", "down", "down", "unknown"]),
        ("xxx ooo o xx", ["up", "up", "up", "unknown"]),
        ("- - - -", ["unknown", "unknown", "unknown", "unknown"]),
        ("xxx - - -", ["down", "down", "unknown", "unknown"]),
    ],
)
def test_a_stream_is_up_where_anything_answers_and_down_where_all_is_condemned(
    rounds: str, told: list[str]
) -> None:
    assert verdicts(rounds) == told


def test_the_data_plane_is_what_the_rounds_and_sources_say_that_decide() -> None:
    up, down, unknown = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN
    assert verdicts("xxx xxx x o", said=(up, up, None))[0] == "up"
    assert verdicts("xxx xxx x o", said=(up, unknown, None))[0] == "down"
    assert verdicts("xxx xxx x o", said=(up, None, up))[0] == "down"
    assert verdicts("o o o o", DOWN, said=(up, down, None))[0] == "down"
    assert verdicts("o o o o", DOWN)[0] == "up"
    for judged in (replace(UP, remote_dark=True), replace(UP, blind="late")):
        assert verdicts("o o o o", judged)[0] == "unknown"
    assert verdicts("o o o o", said=(down, None, None))[3] == "down"


def test_a_class_is_the_worst_of_its_streams() -> None:
    two = replace(GROUP, streams=(stream(targets=("t1",)), stream(1, targets=("t2",))))
    for first, later, told in (
        ("o", "o", "up"),
        ("o", "xxx", "down"),
        ("xxx", "o", "down"),
        ("o", "-", "unknown"),
        ("xxx", "-", "down"),
        ("-", "xxx", "unknown"),
    ):
        evidence = evidence_of(two, f"{first} - {later} -")
        streams = tuple(replace(one, closed_us=NOW) for one in evidence.streams)
        state = group(two)
        state = replace(state, evidence={**state.evidence, A: replace(evidence, streams=streams)})
        [verdict] = engine.report(two, state, NOW).paths[0].classes.values()
        assert str(verdict) == told


def test_a_bad_class_is_down_and_what_is_not_seen_unknown() -> None:
    assert verdicts("o o o o", replace(UP, bad_classes=(1,)))[2] == "down"
    told = engine.report(GROUP, group(), NOW).paths[2]
    assert set(map(str, told.classes.values())) == {"unknown"}


def test_a_data_plane_whose_probes_prove_nothing_or_that_nobody_asks_is_unknown() -> None:
    filtered = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "replies are filtered", discredits=True)
    evidence = evidence_of(GROUP, "o o o o")
    doubtful = replace(evidence, sources=(SourceTrack(filtered), *evidence.sources[1:]))
    state = group(evidence={**group().evidence, A: doubtful})
    assert engine.report(GROUP, state, NOW).paths[0].layers[Layer.DATAPLANE] is Verdict.UNKNOWN
    bare = replace(GROUP, streams=(), sources=())
    assert engine.report(bare, group(bare), NOW).paths[0].layers[Layer.DATAPLANE] is Verdict.UNKNOWN


def closed(*times_us: int) -> GroupState:
    """Return a group whose streams closed their newest rounds through A at these times."""
    evidence = evidence_of(GROUP, "oox oxo ooo oo")
    streams = tuple(replace(one, closed_us=at) for one, at in zip(evidence.streams, times_us, strict=True))
    return group(evidence={**group().evidence, A: replace(evidence, streams=streams)})


def test_of_a_stream_whose_rounds_no_longer_close_nothing_is_shown() -> None:
    late = NOW - seconds(5) - 1
    told = engine.report(GROUP, closed(late, NOW), NOW).paths[0]
    assert (told.lost, told.known, told.rtt_us) == (0, 0, None)
    assert told.classes == {SMALL: Verdict.UNKNOWN, LARGE: Verdict.UP}
    silent = [TargetReport(one, SMALL, TargetVerdict.UNKNOWN, 0, 0, None) for one in ("t1", "t2", "peer")]
    assert list(told.targets[:3]) == silent
    assert [(one.name, one.state, one.known) for one in told.targets[3:]] == [("t1", TargetVerdict.UP, 2)]
    told = engine.report(GROUP, closed(NOW, late), NOW).paths[0]
    assert (told.lost, told.known) == (2, 6)
    assert told.classes == {SMALL: Verdict.UP, LARGE: Verdict.UNKNOWN}
    assert told.targets[-1] == TargetReport("t1", LARGE, TargetVerdict.UNKNOWN, 0, 0, None)
    assert [one.known for one in told.targets] == [3, 3, 3, 0]


# --- outlook ----------------------------------------------------------------------------------------------


def prospects(a: str, judged: Judgement = UP, **changes: object) -> outlook.PathOutlook:
    chosen = Selection(desired=B, epoch=1, waits={A: Wait(0, NOW - seconds(59))})
    state = group(selection=chosen, judgements={A: judged, B: UP, C: Judgement()})
    state = replace(state, evidence={**state.evidence, A: evidence_of(GROUP, a)}, **changes)
    return outlook.outlook(GROUP, state, NOW)[0]


WAITING = "wait-to-restore of 60 s: 59 s have passed"


def test_a_wait_that_is_over_is_not_told() -> None:
    assert prospects("o o o o").restore == (WAITING,)
    over = Selection(desired=B, epoch=1, waits={A: Wait(0, NOW - seconds(60))})
    assert prospects("o o o o", selection=over).restore == ()


@pytest.mark.parametrize(
    ("rounds", "told"),
    [
        ("oxoxooooo oxooooooo o o", "lost 3 of 20 probes over 10 s, at most 10 % is asked for"),
        ("oxoxooooo ooooooooo o o", "too little is known yet of the last 10 s"),
    ],
)
def test_what_keeps_a_path_from_being_returned_to(rounds: str, told: str) -> None:
    unsure = replace(UP, restore=Restore.UNSURE)
    assert prospects(rounds, unsure).restore == (told, WAITING)


def test_a_class_keeps_a_path_from_being_moved_and_returned_to() -> None:
    bad = Judgement(PathState.DOWN, clean=3, bad_classes=(1,), restore=Restore.BAD)
    told = prospects("o o o xx", bad)
    assert told.escape == ("down, recovering", "class large must pass 2 times running")
    assert told.restore == ("is down", "class large must pass 2 times running", WAITING)


@pytest.mark.parametrize(
    ("rounds", "told"), [("oxoxooooo oxoxooooo o o", True), ("oxoxooooo oxooooooo o o", False)]
)
def test_a_loss_at_the_limit_keeps_a_path_from_rising(rounds: str, told: bool) -> None:
    escape = prospects(rounds, Judgement(PathState.DOWN, clean=3)).escape
    loss = "lost 4 of 20 probes over 10 s by itself, must be below 20 %"
    assert (loss in escape) is told
    assert len(escape) == 1 + told


@pytest.mark.parametrize(("lost", "told"), [(50, False), (51, True)])
def test_the_limit_on_a_loss_is_exact_over_a_long_window(lost: int, told: bool) -> None:
    scene = long_scene(lost, others="x x")
    rising = Judgement(PathState.DOWN, clean=100)
    state = replace(engine.initial(scene.policy), evidence=scene.evidence, judgements={A: rising, B: UP})
    loss = f"lost {lost} of 101 probes over 101 s by itself, must be below 50 %"
    assert (loss in outlook.outlook(scene.policy, state, NOW)[0].escape) is told


def test_too_little_is_known_only_of_a_path_that_is_up_and_not_bad_for_other_reasons() -> None:
    bad = replace(UP, restore=Restore.BAD, bad_classes=(1,))
    assert prospects("o o o xx", bad).restore == ("class large must pass 2 times running", WAITING)
    unsure = Judgement(PathState.DEGRADED, restore=Restore.UNSURE)
    assert prospects("o o o o", unsure).restore == ("is degraded", WAITING)


@pytest.mark.parametrize(
    ("verdict", "place", "threats"),
    [
        (Verdict.DOWN, 2, ("query says down, as evidence only: it is",)),
        (Verdict.UP, 2, ()),
        (Verdict.DOWN, 1, ()),
        (Verdict.DOWN, 0, ()),
    ],
)
def test_what_may_not_decide_is_told_as_a_threat(
    verdict: Verdict, place: int, threats: tuple[str, ...]
) -> None:
    tracks = [SourceTrack()] * 3
    tracks[place] = SourceTrack(LayerReport(SOURCES[place].layer, verdict, "it is"))
    evidence = replace(evidence_of(GROUP, "o o o o"), sources=tuple(tracks))
    state = group(evidence={**group().evidence, A: evidence})
    assert outlook.outlook(GROUP, state, NOW)[0].threats == threats


def test_a_suppression_that_is_nearly_over_says_so() -> None:
    rules = replace(GROUP, damping=DampingRule(half_life_us=seconds(64), suppress=900, reuse=500))
    chosen = Selection(desired=B, epoch=1, waits={A: Wait(0, NOW - seconds(60))})
    for at, left in ((NOW - seconds(64), 0), (NOW - seconds(62), 2), (NOW - seconds(90), 0)):
        damped = group(rules, selection=chosen, damping=Damping(1000, at, suppressed=True))
        (told,) = outlook.outlook(rules, damped, NOW)[0].restore
        assert told.startswith(f"damped: too many switches lately; ends in {left} s (penalty ")
