"""What each event means by itself, and which events cannot have happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.world import A, B, C, PathName, policy, seconds, set_policy
from wgfo.engine import engine
from wgfo.engine.actuation import Hold
from wgfo.engine.damping import Damping
from wgfo.engine.decisions import Decision, RequestAnswered
from wgfo.engine.events import (
    Event,
    HandshakeRead,
    LayerReported,
    LeaseChanged,
    ObserveFailed,
    OperatorRequest,
    Override,
    OverrideKind,
    ReferenceClosed,
    RequestKind,
    RoundClosed,
    ServiceClosed,
    SessionStarted,
    SetChanged,
    SetObserved,
    StoreChanged,
    StoredGroup,
    Tick,
    WriteEnded,
)
from wgfo.engine.policy import DampingRule, ServicePolicy
from wgfo.engine.selection import Wait
from wgfo.engine.state import GroupState, ServiceTrack
from wgfo.model import (
    HandshakeReport,
    Layer,
    LayerReport,
    Outcome,
    PathHop,
    ProbeResult,
    RouteSetId,
    SetObservation,
    Verdict,
)

ONE, TWO = set_policy("one"), set_policy("two")
GROUP = policy(
    sets=(ONE, TWO),
    services=(
        ServicePolicy(0, "http", ("x",)),
        ServicePolicy(1, "http", ("y",)),
        ServicePolicy(2, "tcp", ("z",)),
    ),
    damping=DampingRule(half_life_us=seconds(10)),
)


def after(*events: Event, group: object = None) -> tuple[GroupState, tuple[Decision, ...]]:
    rules = group or GROUP
    state, decisions = engine.initial(rules), ()
    for event in events:
        done = engine.step(rules, state, event)
        state, decisions = done.state, done.decisions
    return state, decisions


STARTED = SessionStarted(100)


# --- what an event does not say ---------------------------------------------------------------------------


def test_what_was_never_stored_is_nothing() -> None:
    assert SessionStarted(5) == SessionStarted(5, StoredGroup(), downtime_us=0)
    assert StoredGroup() == StoredGroup(
        desired=None,
        epoch=0,
        overrides=(),
        owned=(),
        restore_done_us=0,
        penalty=0,
        suppressed=False,
        service_latched=False,
        released=False,
    )


def test_what_an_event_leaves_out_is_nothing() -> None:
    assert ReferenceClosed(5, alive=True) == ReferenceClosed(5, alive=True, first_lost_us=0)
    assert ServiceClosed(5, 0, alive=True) == ServiceClosed(5, 0, alive=True, sent_us=0)
    assert LeaseChanged(5, held=True) == LeaseChanged(5, held=True, term=0, text="")
    assert StoreChanged(5, healthy=True) == StoreChanged(5, healthy=True, text="")
    assert ObserveFailed(5, ONE.id, "no") == ObserveFailed(
        5, ONE.id, "no", permanent=False, retry_after_us=None
    )


# --- a round ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("discredits", "lost"), [(True, 0), (False, 1)])
def test_what_is_lost_counts_where_the_link_does_not_say_that_it_proves_nothing(
    discredits: bool, lost: int
) -> None:
    said = LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, "filtered", "rp_filter", discredits=discredits)
    gone = ProbeResult(Outcome.LOST, 120)
    events = LayerReported(110, A, 1, said), RoundClosed(130, A, 0, 0, (gone,) * 3)
    state, _ = after(STARTED, *events)
    track = state.evidence[A].streams[0]
    assert [(tally.lost, tally.known, tally.fails) for tally in track.targets] == [(lost,) * 3] * 3
    silent = RoundClosed(140, A, 0, 1, (ProbeResult(Outcome.UNKNOWN, 135),) * 3)
    assert after(STARTED, *events, silent)[0].evidence[A].streams[0].untold == 1


# --- a session --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("desired", "downtime_us", "wait"),
    [
        (B, 0, Wait(50)),
        (B, 20, Wait(30)),
        (B, 50, Wait(0)),
        (B, 80, Wait(0)),
        (None, 0, Wait(50)),
        (A, 0, None),
        (C, 0, Wait(50)),
    ],
)
def test_a_session_resumes_the_wait_less_the_time_that_nobody_watched(
    desired: PathName | None, downtime_us: int, wait: Wait | None
) -> None:
    stored = StoredGroup(desired, 4, restore_done_us=50)
    state, _ = after(SessionStarted(100, stored, downtime_us))
    assert state.selection.waits.get(A) == wait
    assert state.selection.desired == (None if desired == C else desired)


def test_a_session_takes_over_what_was_stored() -> None:
    forced = Override(OverrideKind.FORCED, B, "why", "who", "when")
    paused = Override(OverrideKind.PAUSED, None, "why", "who", "when")
    gone = Override(OverrideKind.LOCKOUT, C, "why", "who", "when")
    stored = StoredGroup(
        B,
        4,
        (forced, paused, gone),
        (TWO.id,),
        penalty=70,
        suppressed=True,
        service_latched=True,
        released=True,
    )
    state, _ = after(SessionStarted(100, stored))
    chosen = state.selection
    assert (chosen.desired, chosen.epoch, chosen.overrides) == (B, 4, (forced, paused))
    assert (chosen.latched, chosen.released) == (True, True)
    assert state.damping == Damping(70, 100, suppressed=True)
    assert (state.started, state.at_us, state.epoch_us) == (True, 100, 100)
    assert [track.owned for track in state.sets] == [False, True]
    assert [track.epoch for track in state.sets] == [4, 4]
    assert engine.stored(GROUP, state, 100) == replace(stored, overrides=(forced, paused))


def test_a_tick_ends_a_suppression_that_is_over() -> None:
    stored = StoredGroup(A, 1, penalty=1000, suppressed=True)
    state, _ = after(SessionStarted(0, stored), Tick(seconds(4)))
    assert state.damping.suppressed
    assert not engine.step(GROUP, state, Tick(seconds(5))).state.damping.suppressed


def test_what_is_stored_of_a_group_survives_a_restart() -> None:
    state, _ = after(SessionStarted(0, StoredGroup(B, 4, penalty=1000)))
    waiting = replace(state.selection, waits={A: Wait(seconds(100), 0)})
    state = replace(state, selection=waiting)
    told = engine.stored(GROUP, state, seconds(10))
    assert (told.desired, told.epoch, told.restore_done_us, told.penalty) == (B, 4, seconds(110), 500)
    assert engine.stored(GROUP, state, seconds(900)).restore_done_us == GROUP.wait_to_restore_us


# --- references and services ------------------------------------------------------------------------------


def test_reference_rounds_without_answer_count_until_one_answers() -> None:
    counts = []
    events: list[Event] = [STARTED]
    for alive in (False, None, False, True, False):
        events.append(ReferenceClosed(100, alive))
        counts.append(after(*events)[0].reference.fails)
    assert counts == [1, 1, 2, 0, 1]


def services(*closed: ServiceClosed, in_step: bool = True, epoch_us: int = 100) -> GroupState:
    state, _ = after(SessionStarted(100, StoredGroup(A, 1)))
    read = tuple(
        replace(track, observation=SetObservation(track.policy.id, PathHop(A if in_step or place else B)))
        for place, track in enumerate(state.sets)
    )
    escaped = replace(state.selection, escaped_from=B, latched=True)
    state = replace(state, sets=read, selection=escaped, epoch_us=epoch_us)
    for event in closed:
        state = engine.step(GROUP, state, event).state
    return state


def test_a_service_counts_its_silence_since_the_routes_stood() -> None:
    lost = ServiceClosed(200, 1, alive=False, sent_us=150)
    assert services(lost, lost).services == (ServiceTrack(), ServiceTrack(2, 2), ServiceTrack())
    assert services(lost, in_step=False).services[1] == ServiceTrack(1, 0)
    assert services(lost, epoch_us=150).services[1] == ServiceTrack(1, 0)
    assert services(lost, epoch_us=149).services[1] == ServiceTrack(1, 1)
    unknown = ServiceClosed(200, 1, alive=None)
    assert services(lost, unknown).services[1] == ServiceTrack(1, 1)


def test_a_service_that_answers_ends_the_escape() -> None:
    alive = ServiceClosed(200, 1, alive=True, sent_us=150)
    lost = ServiceClosed(200, 1, alive=False, sent_us=150)
    state = services(lost, alive)
    assert (state.services[1].fails, state.services[1].fails_on_new) == (0, 0)
    assert (state.selection.escaped_from, state.selection.latched) == (None, False)
    before = services(lost)
    assert (before.selection.escaped_from, before.selection.latched) == (B, True)


# --- requests, store, lease -------------------------------------------------------------------------------


def asked(kind: RequestKind, **more: object) -> tuple[GroupState, tuple[Decision, ...]]:
    state, _ = after(SessionStarted(100, StoredGroup(A, 1)))
    first, second = state.sets
    sets = (
        replace(first, owned=True, adopted=True, hold=Hold.CONTENDED, rewrites_us=(7,)),
        replace(second, hold=Hold.FOREIGN),
    )
    state = replace(state, sets=sets, selection=replace(state.selection, latched=True))
    done = engine.step(GROUP, state, OperatorRequest(200, "r7", kind, **more))
    return done.state, done.decisions


def test_adopt_makes_sets_ours_and_release_gives_them_up() -> None:
    adopted, _ = asked(RequestKind.ADOPT)
    assert [(one.adopted, one.owned) for one in adopted.sets] == [(True, True), (True, False)]
    released, _ = asked(RequestKind.RELEASE)
    assert [(one.adopted, one.owned) for one in released.sets] == [(False, False), (False, False)]
    paused, _ = asked(RequestKind.PAUSE)
    assert [(one.adopted, one.owned) for one in paused.sets] == [(True, True), (False, False)]


@pytest.mark.parametrize("kind", [one for one in RequestKind if one is not RequestKind.CLEAR])
def test_only_a_clear_forgets_the_brakes(kind: RequestKind) -> None:
    path = (
        B if kind in (RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN) else None
    )
    state, _ = asked(kind, path=path)
    assert state.sets[0].rewrites_us == (7,)


def test_clear_of_everything_forgets_the_brakes() -> None:
    cleared, decisions = asked(RequestKind.CLEAR)
    assert [(one.hold, one.rewrites_us) for one in cleared.sets] == [(Hold.NONE, ())] * 2
    assert not cleared.selection.latched
    assert decisions[0] == RequestAnswered(200, "r7", accepted=True, text="nothing stood; nothing cleared")
    one_kind, _ = asked(RequestKind.CLEAR, clear_kind=OverrideKind.FORCED)
    assert [(one.hold, one.rewrites_us) for one in one_kind.sets] == [
        (Hold.CONTENDED, (7,)),
        (Hold.FOREIGN, ()),
    ]
    assert one_kind.selection.latched


def test_a_store_or_a_lease_that_is_lost_says_why() -> None:
    state, _ = after(STARTED, StoreChanged(100, healthy=False), LeaseChanged(100, held=False))
    assert state.store_text == "the state or the journal cannot be written"
    assert state.lease_text == "another process holds the lease"
    state, _ = after(
        STARTED, StoreChanged(100, healthy=False, text="full"), LeaseChanged(100, held=False, text="gone")
    )
    assert (state.store_text, state.lease_text) == ("full", "gone")
    state, _ = after(
        STARTED, StoreChanged(100, healthy=True, text="ok"), LeaseChanged(100, held=True, text="ok")
    )
    assert (state.store_text, state.lease_text) == ("", "")


# --- what cannot have happened ----------------------------------------------------------------------------

GOOD = ProbeResult(Outcome.OK, 0)
SAID = LayerReport(Layer.INTERFACE, Verdict.UP, "up")
READ = HandshakeReport(1, 2, 3)
X = PathName("x")
NOWHERE = RouteSetId("linux/other/g")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Tick(99), "event at 99 µs, but the group is at 100 µs already"),
        (SessionStarted(100), "a session starts once"),
        (RoundClosed(100, X, 0, 0, (GOOD,) * 3), "group g has no path 'x'"),
        (LayerReported(100, X, 1, SAID), "group g has no path 'x'"),
        (HandshakeRead(100, X, 2, READ), "group g has no path 'x'"),
        (RoundClosed(100, A, -1, 0, (GOOD,) * 3), "group g has no stream -1"),
        (RoundClosed(100, A, 1, 0, (GOOD,) * 3), "group g has no stream 1"),
        (RoundClosed(100, A, 0, 0, (GOOD,) * 2), "stream 0 has 3 targets, the round has 2"),
        (LayerReported(100, A, 0, SAID), "group g has no source 0"),
        (LayerReported(100, A, 3, SAID), "group g has no source 3"),
        (HandshakeRead(100, A, 0, READ), "group g has no source 0"),
        (HandshakeRead(100, A, 3, READ), "group g has no source 3"),
        (ServiceClosed(100, -1, alive=True), "group g has no service -1"),
        (ServiceClosed(100, 3, alive=True), "group g has no service 3"),
        (SetObserved(100, SetObservation(NOWHERE, PathHop(A))), "group g has no route set 'linux/other/g'"),
        (ObserveFailed(100, NOWHERE, ""), "group g has no route set 'linux/other/g'"),
        (SetChanged(100, NOWHERE), "group g has no route set 'linux/other/g'"),
        (WriteEnded(100, NOWHERE, 1, 1, None), "group g has no route set 'linux/other/g'"),
    ],
)
def test_an_event_that_cannot_have_happened_is_refused(event: Event, why: str) -> None:
    state, _ = after(STARTED)
    with pytest.raises(engine.RefusedEvent, match=why):
        engine.step(GROUP, state, event)


def test_nothing_happens_before_the_session_started() -> None:
    with pytest.raises(engine.RefusedEvent, match="a session starts once, with its first event"):
        after(Tick(100))


@pytest.mark.parametrize(
    "event",
    [
        Tick(100),
        RoundClosed(100, A, 0, 0, (GOOD,) * 3),
        LayerReported(100, A, 1, SAID),
        LayerReported(100, A, 2, SAID),
        HandshakeRead(100, A, 2, READ),
        ServiceClosed(100, 0, alive=True),
        ServiceClosed(100, 2, alive=True),
        SetChanged(100, TWO.id),
    ],
)
def test_what_the_group_has_is_accepted(event: Event) -> None:
    state, _ = after(STARTED, event)
    assert state.at_us == 100


def test_only_the_present_epoch_may_write_and_only_while_nothing_is_frozen() -> None:
    state, _ = after(SessionStarted(100, StoredGroup(A, 4)))
    assert engine.may_write(GROUP, state, 4)
    assert not engine.may_write(GROUP, state, 3)
    assert not engine.may_write(GROUP, replace(state, lease_text="gone"), 4)
