"""One step of one route set: exactly what it changes in the track, and what it asks for."""

from __future__ import annotations

from dataclasses import fields, replace

from tests.engine.unit.story import line, lines
from tests.engine.world import ABSENT, A, B, policy, seconds, set_policy
from wgfo.engine import actuation
from wgfo.engine.actuation import Driven, Goal, Hold, Phase, SetTrack
from wgfo.engine.events import ObserveFailed, SetObserved, WriteEnded
from wgfo.engine.policy import Drift
from wgfo.model import (
    FailureKind,
    Foreign,
    Observed,
    PathHop,
    PathName,
    Prefix,
    RouteException,
    SetObservation,
    SetOutcome,
    WriteFailure,
)

ONE = set_policy(settle_us=seconds(10), late_write_us=seconds(2))
GROUP = policy(sets=(ONE,))
NOW = seconds(100)


def seen(hop: Observed, *others: Observed) -> SetObservation:
    odd = tuple(RouteException(Prefix(f"10.{place}.0.0/16"), one) for place, one in enumerate(others))
    return SetObservation(ONE.id, hop, odd)


AT_A, AT_B = seen(PathHop(A)), seen(PathHop(B))
FULL = SetTrack(
    policy=ONE,
    phase=Phase.READING,
    observation=AT_B,
    observed_us=seconds(50),
    next_us=seconds(105),
    epoch=3,
    attempt=2,
    failures=1,
    owned=False,
    adopted=False,
    written_us=seconds(97),
    good_since_us=seconds(98),
    converged_epoch=2,
    drift_us=seconds(44),
    rewrites_us=(seconds(40),),
    hold=Hold.FOREIGN,
    error="old error",
    permanent=True,
    out_since_us=seconds(43),
    unhurried=True,
    hint=True,
    doubtful=True,
)
"""Every field has a value, so that nothing is put back to its default unseen."""
SOUND = SetTrack(ONE, Phase.SYNCED, AT_A, seconds(90), None, epoch=3, owned=True, converged_epoch=3)
"""In step with A, as nearly always."""


def goal(desired: PathName | None = A, epoch: int = 3, **changes: bool) -> Goal:
    flags = {"writable": True, "blind": False, "urgent": False, "futile": False} | changes
    return Goal(desired, epoch, **flags)


def change(before: SetTrack, driven: Driven) -> list[str]:
    """Return what differs after the step, and what it asks for."""
    names = [one.name for one in fields(SetTrack)]
    differ = [name for name in names if getattr(before, name) != getattr(driven.track, name)]
    changed = [
        f"{name}: {_told(getattr(before, name))} -> {_told(getattr(driven.track, name))}" for name in differ
    ]
    return [*changed, *(line(one) for one in driven.decisions)]


def _told(value: object) -> str:
    if isinstance(value, SetObservation):
        return str(value.majority)
    return "none" if value == "" else str(value)


def observe(before: SetTrack, observation: SetObservation, to: Goal | None = None) -> list[str]:
    return change(before, actuation.observed(GROUP, before, SetObserved(NOW, observation), to or goal()))


def drive(before: SetTrack, to: Goal | None = None, now_us: int = NOW, **rules: object) -> list[str]:
    return change(before, actuation.drive(replace(GROUP, **rules), before, to or goal(), now_us))


def end(
    before: SetTrack, *kinds: FailureKind, written: int = 0, after_ms: int | None = None, **more: object
) -> list[str]:
    failures = tuple(WriteFailure(kind, kind.value, None, after_ms) for kind in kinds)
    event = WriteEnded(NOW, ONE.id, 3, 2, SetOutcome(ONE.id, written, failures=failures))
    return change(before, actuation.write_ended(GROUP, before, replace(event, **more)))


def test_nothing_is_in_vain_unless_it_is_said() -> None:
    assert not Goal(A, 3, writable=True, blind=False, urgent=False).futile


# --- reads ------------------------------------------------------------------------------------------------


def test_a_read_during_a_write_is_a_hint_alone() -> None:
    for phase in (Phase.WRITING, Phase.UNSURE):
        before = replace(FULL, phase=phase, hint=False)
        assert observe(before, AT_A) == ["hint: False -> True"]
        failed = ObserveFailed(NOW, ONE.id, "unreachable")
        assert change(before, actuation.observe_failed(GROUP, before, failed)) == ["hint: False -> True"]


def test_a_good_read_settles_first() -> None:
    assert observe(FULL, AT_A) == lines(
        """
        phase: reading -> verifying
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> 102000000
        failures: 1 -> 0
        owned: False -> True
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, good_since_us=None), AT_A) == lines(
        """
        phase: reading -> verifying
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> 102000000
        failures: 1 -> 0
        owned: False -> True
        good_since_us: None -> 100000000
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, policy=set_policy(settle_us=4)), AT_A) == lines(
        """
        phase: reading -> synced
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        failures: 1 -> 0
        owned: False -> True
        written_us: 97000000 -> None
        converged_epoch: 2 -> 3
        drift_us: 44000000 -> None
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        100.000 converged linux/main/g on a epoch 3
        """
    )


def test_a_good_read_after_the_settle_time_converges() -> None:
    assert observe(replace(FULL, good_since_us=seconds(90)), AT_A) == lines(
        """
        phase: reading -> synced
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        failures: 1 -> 0
        owned: False -> True
        written_us: 97000000 -> None
        converged_epoch: 2 -> 3
        drift_us: 44000000 -> None
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        100.000 converged linux/main/g on a epoch 3
        """
    )
    assert observe(replace(FULL, good_since_us=seconds(90) + 1), AT_A) == lines(
        """
        phase: reading -> verifying
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> 102000000
        failures: 1 -> 0
        owned: False -> True
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, written_us=None), AT_A) == lines(
        """
        phase: reading -> synced
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        failures: 1 -> 0
        owned: False -> True
        converged_epoch: 2 -> 3
        drift_us: 44000000 -> None
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        100.000 converged linux/main/g on a epoch 3
        """
    )
    assert observe(replace(FULL, written_us=None, converged_epoch=3), AT_A) == lines(
        """
        phase: reading -> synced
        observation: PathHop(path='b') -> PathHop(path='a')
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        failures: 1 -> 0
        owned: False -> True
        drift_us: 44000000 -> None
        hold: foreign -> none
        error: old error -> none
        permanent: True -> False
        out_since_us: 43000000 -> None
        doubtful: True -> False
        """
    )


def test_a_contended_set_stays_so_when_it_is_read_well() -> None:
    assert observe(replace(SOUND, hold=Hold.CONTENDED), AT_A) == [
        "observed_us: 90000000 -> 100000000",
        "good_since_us: None -> 100000000",
    ]


def test_a_read_that_differs_after_a_write_is_stale_until_the_settle_time_is_over() -> None:
    assert observe(FULL, AT_B) == lines(
        """
        phase: reading -> verifying
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        good_since_us: 98000000 -> None
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, permanent=False), AT_B) == lines(
        """
        phase: reading -> verifying
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        good_since_us: 98000000 -> None
        error: old error -> none
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, written_us=seconds(90)), AT_B) == lines(
        """
        phase: reading -> backoff
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        written_us: 90000000 -> None
        good_since_us: 98000000 -> None
        error: old error -> what was written is not what is read back
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, written_us=seconds(90) + 1, out_since_us=None), AT_B) == lines(
        """
        phase: reading -> verifying
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> None
        good_since_us: 98000000 -> None
        out_since_us: None -> 100000000
        doubtful: True -> False
        """
    )
    assert observe(replace(FULL, written_us=seconds(90), out_since_us=None), AT_B) == lines(
        """
        phase: reading -> backoff
        observed_us: 50000000 -> 100000000
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        written_us: 90000000 -> None
        good_since_us: 98000000 -> None
        error: old error -> what was written is not what is read back
        out_since_us: None -> 100000000
        doubtful: True -> False
        """
    )


def test_after_a_write_in_vain_an_escape_does_not_hurry() -> None:
    before = replace(FULL, written_us=seconds(90), unhurried=False)
    assert "unhurried: False -> True" in observe(before, AT_B)


def test_a_difference_after_convergence_was_made_by_others() -> None:
    assert observe(SOUND, AT_B) == lines(
        """
        phase: synced -> verifying
        observation: PathHop(path='a') -> PathHop(path='b')
        observed_us: 90000000 -> 100000000
        drift_us: None -> 100000000
        out_since_us: None -> 100000000
        """
    )
    assert observe(replace(SOUND, drift_us=5), AT_B) == lines(
        """
        phase: synced -> verifying
        observation: PathHop(path='a') -> PathHop(path='b')
        observed_us: 90000000 -> 100000000
        out_since_us: None -> 100000000
        """
    )
    assert observe(replace(SOUND, converged_epoch=2), AT_B) == lines(
        """
        phase: synced -> verifying
        observation: PathHop(path='a') -> PathHop(path='b')
        observed_us: 90000000 -> 100000000
        out_since_us: None -> 100000000
        """
    )


def test_a_read_without_a_desired_path_is_only_taken_in() -> None:
    assert observe(replace(SOUND, converged_epoch=-1), AT_A, goal(None)) == lines(
        """
        phase: synced -> verifying
        observed_us: 90000000 -> 100000000
        out_since_us: None -> 100000000
        """
    )


def test_a_failed_read_backs_off() -> None:
    told: list[str] = []
    for event in (
        ObserveFailed(NOW, ONE.id, "unreachable"),
        ObserveFailed(NOW, ONE.id, "slow down", retry_after_us=seconds(60)),
        ObserveFailed(NOW, ONE.id, "forbidden", permanent=True),
    ):
        for before in (FULL, replace(SOUND, hint=True)):
            told += ["", *change(before, actuation.observe_failed(GROUP, before, event))]
    assert told[1:] == lines(
        """
        phase: reading -> backoff
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        error: old error -> unreachable
        permanent: True -> False
        unhurried: True -> False
        hint: True -> False

        phase: synced -> backoff
        next_us: None -> 100769531
        failures: 0 -> 1
        error: none -> unreachable
        hint: True -> False

        phase: reading -> backoff
        next_us: 105000000 -> 160000000
        failures: 1 -> 2
        error: old error -> slow down
        permanent: True -> False
        hint: True -> False

        phase: synced -> backoff
        next_us: None -> 160000000
        failures: 0 -> 1
        error: none -> slow down
        unhurried: False -> True
        hint: True -> False

        phase: reading -> backoff
        next_us: 105000000 -> 400000000
        failures: 1 -> 2
        error: old error -> forbidden
        hint: True -> False

        phase: synced -> backoff
        next_us: None -> 100769531
        failures: 0 -> 1
        error: none -> forbidden
        permanent: False -> True
        unhurried: False -> True
        hint: True -> False
        """
    )


# --- the ends of writes -----------------------------------------------------------------------------------

WRITING = replace(FULL, phase=Phase.WRITING, permanent=False, hint=False)


def test_the_end_of_an_older_write_is_a_hint_alone() -> None:
    for stale in ({"epoch": 2}, {"attempt": 1}):
        assert end(WRITING, **stale) == ["hint: False -> True"]
    for phase in set(Phase) - {Phase.WRITING}:
        assert end(replace(WRITING, phase=phase)) == ["hint: False -> True"]


def test_a_write_that_ended_well_is_read_back() -> None:
    assert end(WRITING, written=1) == lines(
        """
        phase: writing -> reading
        next_us: 105000000 -> 165000000
        owned: False -> True
        written_us: 97000000 -> 100000000
        good_since_us: 98000000 -> None
        100.000 observe linux/main/g (urgent): verify
        """
    )


def test_an_unknown_outcome_is_waited_out() -> None:
    assert end(WRITING, outcome=None, text="timed out") == lines(
        """
        phase: writing -> unsure
        next_us: 105000000 -> 102000000
        error: old error -> timed out
        """
    )
    assert end(WRITING, outcome=None) == lines(
        """
        phase: writing -> unsure
        next_us: 105000000 -> 102000000
        error: old error -> the outcome of a write is unknown
        """
    )
    assert end(WRITING, FailureKind.TRANSIENT, FailureKind.UNKNOWN, written=1) == lines(
        """
        phase: writing -> unsure
        next_us: 105000000 -> 102000000
        error: old error -> transient (and 1 more)
        """
    )


def test_a_withdrawn_write_is_tried_again_at_once() -> None:
    assert end(WRITING, FailureKind.WITHDRAWN, FailureKind.WITHDRAWN) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 100000000
        """
    )
    assert end(WRITING, FailureKind.WITHDRAWN, written=1) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 100000000
        owned: False -> True
        """
    )


def test_a_failed_write_backs_off() -> None:
    assert end(WRITING, FailureKind.WITHDRAWN, FailureKind.TRANSIENT) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        error: old error -> withdrawn (and 1 more)
        unhurried: True -> False
        """
    )
    assert end(WRITING, FailureKind.TRANSIENT, written=2) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        owned: False -> True
        error: old error -> transient
        unhurried: True -> False
        """
    )
    assert end(replace(WRITING, unhurried=False), FailureKind.TRANSIENT, after_ms=60_000) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 160000000
        failures: 1 -> 2
        error: old error -> transient
        unhurried: False -> True
        """
    )
    assert end(replace(WRITING, unhurried=False), FailureKind.DENIED) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 400000000
        failures: 1 -> 2
        error: old error -> denied
        permanent: False -> True
        unhurried: False -> True
        """
    )
    assert end(replace(WRITING, hold=Hold.NONE), FailureKind.FOREIGN, written=1) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        hold: none -> foreign
        error: old error -> foreign
        unhurried: True -> False
        """
    )
    assert end(replace(WRITING, hold=Hold.NONE), FailureKind.FOREIGN, FailureKind.NOT_FOUND) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 400000000
        failures: 1 -> 2
        hold: none -> foreign
        error: old error -> foreign (and 1 more)
        permanent: False -> True
        """
    )


def test_a_conflict_is_tried_again_at_once_but_once() -> None:
    first = replace(WRITING, failures=0)
    assert end(first, FailureKind.CONFLICT) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 100000000
        failures: 0 -> 1
        error: old error -> conflict
        unhurried: True -> False
        """
    )
    assert end(WRITING, FailureKind.CONFLICT)[1:2] == lines(
        """
        next_us: 105000000 -> 101541015
        """
    )
    assert end(first, FailureKind.CONFLICT, FailureKind.TRANSIENT)[1:2] == lines(
        """
        next_us: 105000000 -> 100769531
        """
    )


def test_what_was_not_attempted_is_tried_again_without_a_failure() -> None:
    outcome = SetOutcome(ONE.id, 1, not_attempted=2)
    assert end(WRITING, outcome=outcome) == lines(
        """
        phase: writing -> backoff
        next_us: 105000000 -> 101541015
        failures: 1 -> 2
        owned: False -> True
        error: old error -> none
        unhurried: True -> False
        """
    )


# --- a new epoch ------------------------------------------------------------------------------------------


def test_a_new_epoch_forgets_the_older_one() -> None:
    told: list[str] = []
    for phase in (Phase.SYNCED, Phase.BACKOFF, Phase.HELD, Phase.VERIFYING, Phase.READING, Phase.UNSURE):
        before = replace(FULL, phase=phase, hint=False, doubtful=False)
        told += ["", phase.value, *drive(before, goal(A, 4))]
    assert told[1:] == lines(
        """
        synced
        phase: synced -> writing
        next_us: 105000000 -> 167000000
        epoch: 3 -> 4
        attempt: 2 -> 1
        failures: 1 -> 0
        written_us: 97000000 -> None
        good_since_us: 98000000 -> None
        drift_us: 44000000 -> None
        hold: foreign -> none
        permanent: True -> False
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 4 attempt 1: switch

        backoff
        phase: backoff -> writing
        next_us: 105000000 -> 167000000
        epoch: 3 -> 4
        attempt: 2 -> 1
        failures: 1 -> 0
        written_us: 97000000 -> None
        good_since_us: 98000000 -> None
        drift_us: 44000000 -> None
        hold: foreign -> none
        permanent: True -> False
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 4 attempt 1: switch

        held
        phase: held -> writing
        next_us: 105000000 -> 167000000
        epoch: 3 -> 4
        attempt: 2 -> 1
        failures: 1 -> 0
        written_us: 97000000 -> None
        good_since_us: 98000000 -> None
        drift_us: 44000000 -> None
        hold: foreign -> none
        permanent: True -> False
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 4 attempt 1: switch

        verifying
        phase: verifying -> writing
        next_us: 105000000 -> 167000000
        epoch: 3 -> 4
        attempt: 2 -> 1
        failures: 1 -> 0
        written_us: 97000000 -> None
        good_since_us: 98000000 -> None
        drift_us: 44000000 -> None
        hold: foreign -> none
        permanent: True -> False
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 4 attempt 1: switch

        reading
        epoch: 3 -> 4
        attempt: 2 -> 0
        failures: 1 -> 0
        written_us: 97000000 -> None
        good_since_us: 98000000 -> None
        drift_us: 44000000 -> None
        hold: foreign -> none
        permanent: True -> False

        unsure
        epoch: 3 -> 4
        attempt: 2 -> 0
        failures: 1 -> 0
        written_us: 97000000 -> None
        good_since_us: 98000000 -> None
        drift_us: 44000000 -> None
        hold: foreign -> none
        permanent: True -> False
        """
    )


def test_a_new_epoch_is_in_step_where_the_routes_are_there_already() -> None:
    assert drive(replace(SOUND, out_since_us=7, hold=Hold.CONTENDED), goal(A, 4)) == lines(
        """
        next_us: None -> 130000000
        epoch: 3 -> 4
        good_since_us: None -> 100000000
        converged_epoch: 3 -> 4
        hold: contended -> none
        out_since_us: 7 -> None
        100.000 converged linux/main/g on a epoch 4
        """
    )
    assert drive(replace(SOUND, next_us=5), goal(B, 4)) == lines(
        """
        phase: synced -> writing
        next_us: 5 -> 167000000
        epoch: 3 -> 4
        attempt: 0 -> 1
        out_since_us: None -> 100000000
        doubtful: False -> True
        100.000 point linux/main/g at b epoch 4 attempt 1 (owned): switch
        """
    )


def test_a_read_of_the_period_is_not_waited_for_and_another_is() -> None:
    assert drive(replace(SOUND, phase=Phase.READING, next_us=seconds(160)), goal(B, 4)) == lines(
        """
        phase: reading -> writing
        next_us: 160000000 -> 167000000
        epoch: 3 -> 4
        attempt: 0 -> 1
        out_since_us: None -> 100000000
        doubtful: False -> True
        100.000 point linux/main/g at b epoch 4 attempt 1 (owned): switch
        """
    )
    assert drive(
        replace(SOUND, phase=Phase.READING, next_us=seconds(160), converged_epoch=2), goal(B, 4)
    ) == lines(
        """
        epoch: 3 -> 4
        out_since_us: None -> 100000000
        """
    )


def test_without_a_read_a_new_epoch_waits_for_one() -> None:
    unread = SetTrack(ONE, Phase.BACKOFF, next_us=seconds(160), epoch=3, failures=4)
    assert drive(unread, goal(B, 4)) == lines(
        """
        phase: backoff -> reading
        next_us: 160000000 -> 165000000
        epoch: 3 -> 4
        failures: 4 -> 0
        out_since_us: None -> 100000000
        100.000 observe linux/main/g: read again
        """
    )
    assert drive(replace(unread, phase=Phase.READING), goal(B, 4)) == lines(
        """
        epoch: 3 -> 4
        failures: 4 -> 0
        out_since_us: None -> 100000000
        """
    )


def test_a_write_under_way_is_overtaken_where_it_may_be() -> None:
    writing = replace(WRITING, next_us=seconds(160))
    assert drive(writing, goal(B, 4, urgent=True)) == lines(
        """
        next_us: 160000000 -> 167000000
        epoch: 3 -> 4
        attempt: 2 -> 1
        failures: 1 -> 0
        good_since_us: 98000000 -> None
        100.000 point linux/main/g at b epoch 4 attempt 1 (urgent): newer epoch
        """
    )
    assert drive(writing, goal(B, 4, writable=False)) == []
    assert drive(writing, goal(None, 4)) == []
    assert drive(writing, goal(B, 3)) == []


# --- waiting ----------------------------------------------------------------------------------------------


def test_calls_that_never_end_are_given_up_at_their_time() -> None:
    told: list[str] = []
    for phase in (Phase.WRITING, Phase.READING, Phase.UNSURE):
        before = replace(WRITING, phase=phase, next_us=NOW)
        assert drive(before, now_us=NOW - 1) == []
        assert drive(replace(before, next_us=None)) == []
        told += ["", phase.value, *drive(before)]
    assert told[1:] == lines(
        """
        writing
        phase: writing -> unsure
        next_us: 100000000 -> 102000000
        error: old error -> a write never ended

        reading
        next_us: 100000000 -> 165000000
        100.000 observe linux/main/g: outcome unknown

        unsure
        phase: unsure -> reading
        next_us: 100000000 -> 165000000
        100.000 observe linux/main/g (urgent): outcome unknown
        """
    )


def test_a_pause_is_waited_out() -> None:
    before = replace(FULL, phase=Phase.BACKOFF, next_us=NOW, hint=True)
    assert drive(before, now_us=NOW - 1) == []
    assert drive(before, goal(urgent=True)) == lines(
        """
        phase: backoff -> reading
        next_us: 100000000 -> 165000000
        hint: True -> False
        100.000 observe linux/main/g (urgent): read again
        """
    )
    assert drive(SetTrack(ONE), goal(None, 0)) == lines(
        """
        phase: unread -> reading
        next_us: None -> 165000000
        100.000 observe linux/main/g: read again
        """
    )


def test_an_escape_shortens_a_pause_that_nobody_asked_for() -> None:
    paused = replace(FULL, phase=Phase.BACKOFF, next_us=seconds(130), unhurried=False, doubtful=False)
    assert drive(paused, goal(A, 3, urgent=True)) == ["next_us: 130000000 -> 106000000"]
    assert drive(replace(paused, next_us=seconds(106)), goal(urgent=True)) == []
    assert drive(paused) == []
    assert drive(replace(paused, unhurried=True), goal(urgent=True)) == []
    assert drive(paused, goal(B, 3, urgent=True)) == []
    assert drive(replace(paused, phase=Phase.READING), goal(urgent=True)) == []


# --- in step ----------------------------------------------------------------------------------------------


def test_a_hint_is_followed_by_a_read() -> None:
    assert drive(replace(SOUND, hint=True), goal(urgent=True)) == lines(
        """
        phase: synced -> reading
        next_us: None -> 165000000
        hint: True -> False
        100.000 observe linux/main/g: changed
        """
    )


def test_what_was_written_since_is_read_before_it_is_believed() -> None:
    assert drive(replace(SOUND, doubtful=True), goal(urgent=True)) == lines(
        """
        phase: synced -> reading
        next_us: None -> 165000000
        100.000 observe linux/main/g (urgent): written since
        """
    )


def test_a_set_in_step_is_read_every_period() -> None:
    assert drive(SOUND) == ["next_us: None -> 120000000"]
    assert drive(replace(SOUND, observed_us=None)) == ["next_us: None -> 130000000"]
    assert drive(replace(SOUND, next_us=NOW), now_us=NOW - 1) == []
    assert drive(replace(SOUND, next_us=NOW)) == lines(
        """
        phase: synced -> reading
        next_us: 100000000 -> 165000000
        100.000 observe linux/main/g: reconcile
        """
    )
    assert drive(replace(SOUND, observed_us=seconds(70))) == lines(
        """
        phase: synced -> reading
        next_us: None -> 165000000
        100.000 observe linux/main/g: reconcile
        """
    )


def test_a_set_found_in_step_converges_once() -> None:
    assert drive(replace(SOUND, phase=Phase.VERIFYING, converged_epoch=-1)) == lines(
        """
        phase: verifying -> synced
        next_us: None -> 130000000
        good_since_us: None -> 100000000
        converged_epoch: -1 -> 3
        100.000 converged linux/main/g on a epoch 3
        """
    )
    assert drive(replace(SOUND, phase=Phase.VERIFYING)) == lines(
        """
        phase: verifying -> synced
        next_us: None -> 130000000
        good_since_us: None -> 100000000
        """
    )
    assert drive(replace(SOUND, converged_epoch=2)) == lines(
        """
        next_us: None -> 130000000
        good_since_us: None -> 100000000
        converged_epoch: 2 -> 3
        100.000 converged linux/main/g on a epoch 3
        """
    )


def test_a_set_that_settles_is_read_in_steps() -> None:
    settling = replace(
        SOUND, phase=Phase.VERIFYING, written_us=seconds(95), good_since_us=seconds(96), converged_epoch=-1
    )
    assert drive(settling) == ["next_us: None -> 102000000"]
    assert drive(replace(settling, next_us=seconds(101))) == []
    assert drive(replace(settling, next_us=NOW)) == lines(
        """
        phase: verifying -> reading
        next_us: 100000000 -> 165000000
        100.000 observe linux/main/g: settling
        """
    )


def test_without_a_desired_path_a_set_is_read_every_period() -> None:
    assert drive(replace(SOUND, phase=Phase.VERIFYING, converged_epoch=-1), goal(None)) == [
        "next_us: None -> 120000000"
    ]


# --- out of step ------------------------------------------------------------------------------------------

OFF = replace(SOUND, phase=Phase.VERIFYING, observation=AT_B, converged_epoch=-1, out_since_us=seconds(99))


def test_a_difference_is_written() -> None:
    assert drive(OFF, goal(urgent=True)) == lines(
        """
        phase: verifying -> writing
        next_us: None -> 167000000
        attempt: 0 -> 1
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 3 attempt 1 (urgent) (owned): switch
        """
    )
    assert drive(replace(OFF, attempt=1, owned=False, out_since_us=None, hold=Hold.REPORTED)) == lines(
        """
        phase: verifying -> writing
        next_us: None -> 167000000
        attempt: 1 -> 2
        hold: reported -> none
        out_since_us: None -> 100000000
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 3 attempt 2: retry
        """
    )
    assert drive(replace(OFF, owned=False, adopted=True))[-1:] == lines(
        """
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        """
    )


def test_a_stale_read_is_repeated_within_the_settle_time() -> None:
    stale = replace(OFF, written_us=seconds(90) + 1)
    assert drive(stale) == ["next_us: None -> 102000000"]
    assert drive(replace(stale, next_us=NOW + 1)) == []
    assert drive(replace(stale, next_us=NOW)) == lines(
        """
        phase: verifying -> reading
        next_us: 100000000 -> 165000000
        100.000 observe linux/main/g: stale read
        """
    )
    assert drive(replace(stale, written_us=seconds(90)))[-1:] == lines(
        """
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        """
    )
    tiny = replace(stale, policy=set_policy(settle_us=4), written_us=NOW - 1)
    assert drive(tiny) == ["next_us: None -> 100000001"]


def test_nothing_is_written_that_may_not_be() -> None:
    wait = ["next_us: None -> 130000000"]
    assert drive(OFF, goal(writable=False)) == wait
    assert drive(replace(OFF, converged_epoch=3), goal(futile=True)) == wait
    assert drive(OFF, goal(futile=True))[-1:] == lines(
        """
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        """
    )
    assert drive(OFF, goal(blind=True)) == wait
    assert drive(replace(OFF, observation=seen(ABSENT)), goal(blind=True))[-1:] == lines(
        """
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        """
    )
    assert drive(replace(OFF, next_us=NOW), goal(writable=False))[-1:] == lines(
        """
        100.000 observe linux/main/g: not writable
        """
    )


def test_blind_as_it_is_only_what_is_missing_may_be_written() -> None:
    for observation, alone in (
        (seen(ABSENT), True),
        (seen(ABSENT, PathHop(A)), True),
        (seen(PathHop(A), ABSENT), True),
        (seen(ABSENT, PathHop(B)), False),
        (seen(PathHop(B)), False),
        (seen(Foreign("x")), False),
        (seen(PathHop(A), Foreign("x")), False),
    ):
        assert actuation._only_absent(observation, A) is alone


def test_foreign_routes_hold_a_set_that_was_never_ours() -> None:
    theirs, ours = Foreign("igw"), Foreign("ours", written_by_us=True)
    for observation, foreign in (
        (seen(theirs), True),
        (seen(ours), False),
        (seen(PathHop(A), theirs), True),
        (seen(PathHop(B), theirs), False),
        (seen(theirs, ABSENT), False),
        (seen(theirs, PathHop(A)), True),
        (seen(PathHop(A)), False),
    ):
        track = replace(OFF, owned=False, observation=observation)
        assert actuation.is_foreign(track, A) is foreign
        for kind in ({"owned": True}, {"adopted": True}, {"policy": set_policy(adopt=True)}):
            assert not actuation.is_foreign(replace(track, **kind), A)
    assert not actuation.is_foreign(SetTrack(ONE), A)
    assert actuation.is_foreign(replace(OFF, owned=False, observation=seen(theirs)), None)
    assert not actuation.is_foreign(replace(OFF, owned=False, observation=seen(PathHop(A), theirs)), None)
    assert drive(replace(OFF, owned=False, observation=seen(theirs))) == lines(
        """
        phase: verifying -> held
        next_us: None -> 130000000
        hold: none -> foreign
        """
    )


def test_drift_is_repaired_twice_within_five_minutes_and_then_left() -> None:
    drifted = replace(OFF, converged_epoch=3, drift_us=seconds(99))
    assert drive(drifted) == lines(
        """
        phase: verifying -> writing
        next_us: None -> 167000000
        attempt: 0 -> 1
        converged_epoch: 3 -> -1
        rewrites_us: () -> (100000000,)
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): drift
        """
    )
    late = seconds(100) - seconds(300)
    assert drive(replace(drifted, rewrites_us=(late, late + 1))) == lines(
        """
        phase: verifying -> writing
        next_us: None -> 167000000
        attempt: 0 -> 1
        converged_epoch: 3 -> -1
        rewrites_us: (-200000000, -199999999) -> (-199999999, 100000000)
        doubtful: False -> True
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): drift
        """
    )
    assert drive(replace(drifted, rewrites_us=(late + 1, late + 2))) == lines(
        """
        phase: verifying -> held
        next_us: None -> 130000000
        hold: none -> contended
        """
    )
    assert drive(replace(drifted, converged_epoch=2))[-1:] == lines(
        """
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        """
    )
    assert "hold: reported -> none" in drive(replace(drifted, hold=Hold.REPORTED))
    assert drive(drifted, drift=Drift.REPORT) == lines(
        """
        phase: verifying -> held
        next_us: None -> 130000000
        hold: none -> reported
        """
    )
    assert drive(OFF, drift=Drift.REPORT)[-1:] == lines(
        """
        100.000 point linux/main/g at a epoch 3 attempt 1 (owned): switch
        """
    )
    assert drive(replace(OFF, hold=Hold.CONTENDED)) == lines(
        """
        phase: verifying -> held
        next_us: None -> 130000000
        """
    )


def test_a_contended_set_is_free_when_it_stands_right_and_the_rewrites_are_past() -> None:
    right = replace(SOUND, hold=Hold.CONTENDED, next_us=seconds(120))
    assert drive(replace(right, rewrites_us=(seconds(-200),))) == ["hold: contended -> none"]
    assert drive(replace(right, rewrites_us=(seconds(-200) + 1,))) == []
    assert drive(replace(right, hold=Hold.REPORTED)) == []


def test_where_routes_point() -> None:
    assert actuation.observed_path(SetTrack(ONE)) is None
    assert actuation.observed_path(replace(SOUND, observation=seen(PathHop(B)))) == B
    assert actuation.observed_path(replace(SOUND, observation=seen(PathHop(B), ABSENT))) is None
    assert actuation.observed_path(replace(SOUND, observation=seen(ABSENT))) is None
    assert actuation.in_step(SOUND, A)
    assert not actuation.in_step(SOUND, B)
    assert not actuation.in_step(SOUND, None)
    assert not actuation.in_step(SetTrack(ONE), A)
    assert not actuation.in_step(replace(SOUND, doubtful=True), A)


def test_a_track_begins_with_nothing() -> None:
    assert SetTrack(ONE) == SetTrack(
        policy=ONE,
        phase=Phase.UNREAD,
        observation=None,
        observed_us=None,
        next_us=None,
        epoch=0,
        attempt=0,
        failures=0,
        owned=False,
        adopted=False,
        written_us=None,
        good_since_us=None,
        converged_epoch=-1,
        drift_us=None,
        rewrites_us=(),
        hold=Hold.NONE,
        error="",
        permanent=False,
        out_since_us=None,
        unhurried=False,
        hint=False,
        doubtful=False,
    )
