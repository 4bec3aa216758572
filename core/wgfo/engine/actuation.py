"""Actuation: desired against observed, per route set.

Decides when a set is read, when it is written, and when to stop. Level-triggered: whatever happens, the set is
compared with the desired path and written until equal, then read back every period; no edge is relied upon.

Phases and what leaves them:

    unread      nothing was read yet            -> reading
    reading     an Observe is under way         -> any
    writing     a Point is under way            -> verifying, backoff, unsure
    unsure      the outcome of a write is unknown; wait until it cannot land any more, then read -> reading
    verifying   written; read back, until good reads have lasted the settle time                 -> synced
    synced      equal to desired; read again after ``reconcile``                                 -> reading
    backoff     a write or a read failed; try again at ``next_us``                               -> reading
    held        not to be written: foreign, contended, reported drift                            -> reading

A write is always preceded by a read of the same set after its last write, so that an unknown or partial
outcome is never written over blindly. May not be added here: which path is desired, what a platform is.
"""

from __future__ import annotations

from typing import Final

from wgfo.engine import retry
from wgfo.engine.decisions import Observe, Point, SetConverged
from wgfo.engine.events import ObserveFailed, SetObserved, WriteEnded
from wgfo.engine.policy import (
    CONTENDED_REWRITES,
    CONTENDED_WINDOW_US,
    SECOND_US,
    Drift,
    GroupPolicy,
)
from wgfo.engine.track import Driven, Goal, Hold, Phase, SetTrack, in_step, observed_path, seen_on
from wgfo.engine.values import replace
from wgfo.model import (
    Absent,
    FailureKind,
    Foreign,
    PathHop,
    PathName,
    SetObservation,
    SetOutcome,
)

__all__ = [
    "Driven",
    "Goal",
    "Hold",
    "Phase",
    "SetTrack",
    "drive",
    "in_step",
    "is_foreign",
    "observe_failed",
    "observed",
    "observed_path",
    "write_ended",
]

LOST_CALL_US: Final = 60 * SECOND_US
"""Beyond its own deadline, after so long a call that never ended is taken for an unknown outcome."""
SETTLE_READS: Final = 5
"""Reads within the settle time."""


# --- what came back ---------------------------------------------------------------------------------------


def observed(policy: GroupPolicy, track: SetTrack, event: SetObserved, goal: Goal) -> Driven:
    """Take in a read."""
    if track.phase in (Phase.WRITING, Phase.UNSURE):
        return Driven(replace(track, hint=True))  # it may show the state before the write: read again later
    now_us = event.at_us
    read = replace(
        track,
        observation=event.observation,
        observed_us=now_us,
        next_us=None,
        error="" if not track.permanent else track.error,
        doubtful=False,
    )
    if goal.desired is not None and event.observation.in_sync_with(goal.desired):
        return _seen_in_sync(read, goal, now_us)
    if track.written_us is not None and now_us - track.written_us >= track.policy.settle_us:
        return Driven(_write_in_vain(policy, read, now_us))
    return Driven(replace(_seen_out_of_step(read, goal, now_us), phase=Phase.VERIFYING))


def _seen_in_sync(track: SetTrack, goal: Goal, now_us: int) -> Driven:
    good_since = track.good_since_us if track.good_since_us is not None else now_us
    track = replace(
        track,
        good_since_us=good_since,
        owned=True,
        error="",
        permanent=False,
        failures=0,
        out_since_us=None,
        hold=Hold.CONTENDED if track.hold is Hold.CONTENDED else Hold.NONE,
    )
    settled = track.written_us is None or now_us - good_since >= track.policy.settle_us
    if not settled:
        step_us = max(1, track.policy.settle_us // SETTLE_READS)
        return Driven(replace(track, phase=Phase.VERIFYING, next_us=now_us + step_us))
    done = replace(track, phase=Phase.SYNCED, written_us=None, drift_us=None, converged_epoch=goal.epoch)
    if track.converged_epoch == goal.epoch or goal.desired is None:
        return Driven(done)
    return Driven(done, (SetConverged(now_us, track.policy.id, goal.epoch, goal.desired),))


def _write_in_vain(policy: GroupPolicy, track: SetTrack, now_us: int) -> SetTrack:
    """A write was reported done and the settle time is over, yet the read differs: try again, ever more rarely."""
    failures = track.failures + 1
    return replace(
        track,
        phase=Phase.BACKOFF,
        failures=failures,
        written_us=None,
        good_since_us=None,
        out_since_us=track.out_since_us if track.out_since_us is not None else now_us,
        next_us=now_us + _pause_us(policy, track, failures),
        unhurried=True,
        error="what was written is not what is read back",
    )


def _seen_out_of_step(track: SetTrack, goal: Goal, now_us: int) -> SetTrack:
    """Note a difference; one that appears after we had converged in this epoch was made by others."""
    by_others = track.converged_epoch == goal.epoch and track.phase is not Phase.WRITING
    first = by_others and track.drift_us is None
    return replace(
        track,
        good_since_us=None,
        out_since_us=track.out_since_us if track.out_since_us is not None else now_us,
        drift_us=now_us if first else track.drift_us,
    )


def observe_failed(policy: GroupPolicy, track: SetTrack, event: ObserveFailed) -> Driven:
    """Take in a failed read."""
    if track.phase in (Phase.WRITING, Phase.UNSURE):
        return Driven(replace(track, hint=True))
    failures = track.failures + 1
    pause_us = _pause_us(policy, track, failures, permanent=event.permanent, asked_us=event.retry_after_us)
    return Driven(
        replace(
            track,
            phase=Phase.BACKOFF,
            failures=failures,
            next_us=event.at_us + pause_us,
            unhurried=event.permanent or event.retry_after_us is not None,
            error=event.text,
            permanent=event.permanent,
            hint=False,
        )
    )


def write_ended(policy: GroupPolicy, track: SetTrack, event: WriteEnded) -> Driven:
    """Take in the end of a write; one of an older epoch or attempt only says: read again."""
    if (event.epoch, event.attempt) != (track.epoch, track.attempt) or track.phase is not Phase.WRITING:
        return Driven(replace(track, hint=True))
    if event.outcome is None or retry.unknown(event.outcome):
        until_us = event.at_us + track.policy.late_write_us
        text = event.text or retry.first_text(event.outcome) or "the outcome of a write is unknown"
        return Driven(replace(track, phase=Phase.UNSURE, next_us=until_us, error=text))
    if event.outcome.ok:
        good = replace(track, owned=True, written_us=event.at_us, good_since_us=None)
        return _read(good, event.at_us, urgent=True, cause="verify")
    return _write_failed(policy, track, event.outcome, event.at_us)


def _write_failed(policy: GroupPolicy, track: SetTrack, outcome: SetOutcome, now_us: int) -> Driven:
    kinds = {failure.kind for failure in outcome.failures}
    foreign = FailureKind.FOREIGN in kinds
    owned = track.owned or (outcome.written > 0 and not foreign)
    if kinds and kinds <= {FailureKind.WITHDRAWN}:
        return Driven(replace(track, phase=Phase.BACKOFF, next_us=now_us, owned=owned))
    failures = track.failures + 1
    permanent = bool(kinds & retry.PERMANENT)
    asked = [failure.retry_after_ms for failure in outcome.failures if failure.retry_after_ms is not None]
    asked_us = max(asked) * 1000 if asked else None
    soon = kinds == {FailureKind.CONFLICT} and failures == 1
    pause_us = 0 if soon else _pause_us(policy, track, failures, permanent=permanent, asked_us=asked_us)
    return Driven(
        replace(
            track,
            phase=Phase.BACKOFF,
            failures=failures,
            next_us=now_us + pause_us,
            unhurried=permanent or asked_us is not None,
            error=retry.first_text(outcome),
            permanent=permanent,
            hold=Hold.FOREIGN if foreign else track.hold,
            owned=owned,
        )
    )


def _pause_us(
    policy: GroupPolicy,
    track: SetTrack,
    failures: int,
    *,
    permanent: bool = False,
    asked_us: int | None = None,
) -> int:
    one = track.policy.id
    return retry.delay_us(policy, one, track.epoch, failures, permanent=permanent, asked_us=asked_us)


# --- what is asked for ------------------------------------------------------------------------------------


def drive(policy: GroupPolicy, track: SetTrack, goal: Goal, now_us: int) -> Driven:
    """Bring a set one step nearer to the goal; called after every event that may matter."""
    track = _hurried(_uncontended(_new_epoch(track, goal, now_us), goal, now_us), goal, now_us)
    if track.phase is Phase.WRITING:
        return _overtake(track, goal, now_us)
    if track.phase in (Phase.READING, Phase.UNSURE):
        return _wait(track, now_us)
    if track.phase in (Phase.UNREAD, Phase.BACKOFF):
        waits = track.next_us is not None and now_us < track.next_us
        return Driven(track) if waits else _read(track, now_us, urgent=goal.urgent, cause="read again")
    return _level(policy, track, goal, now_us)


def _level(policy: GroupPolicy, track: SetTrack, goal: Goal, now_us: int) -> Driven:
    """Compare what was read with what is desired; what was written since may stand only where it would be right."""
    if track.hint:
        return _read(track, now_us, urgent=False, cause="changed")
    if track.doubtful and seen_on(track, goal.desired):
        return _read(track, now_us, urgent=goal.urgent, cause="written since")
    if goal.desired is None or in_step(track, goal.desired):
        return _keep(policy, track, goal, now_us)
    return _repair(policy, track, goal, now_us)


def _new_epoch(track: SetTrack, goal: Goal, now_us: int) -> SetTrack:
    """Forget what belonged to an older epoch: tries, drift, back-off; the table itself is what it is."""
    if goal.epoch == track.epoch or track.phase is Phase.WRITING:
        return track
    settled = track.phase in (Phase.SYNCED, Phase.BACKOFF, Phase.HELD) or _merely_read(track)
    ready = settled and track.observation is not None
    out_since_us = track.out_since_us if track.out_since_us is not None else now_us
    return replace(
        track,
        phase=Phase.VERIFYING if ready else track.phase,
        next_us=None if ready or track.phase is Phase.BACKOFF else track.next_us,
        epoch=goal.epoch,
        attempt=0,
        failures=0,
        written_us=None,
        good_since_us=None,
        drift_us=None,
        permanent=False,
        hold=Hold.NONE,
        out_since_us=None if in_step(track, goal.desired) else out_since_us,
    )


def _hurried(track: SetTrack, goal: Goal, now_us: int) -> SetTrack:
    """Shorten the pause after a transient failure while traffic still goes where it cannot pass."""
    soon_us = now_us + retry.BACKOFF_URGENT_US
    waits = track.phase is Phase.BACKOFF and track.next_us is not None and track.next_us > soon_us
    if not (waits and goal.urgent) or track.unhurried or in_step(track, goal.desired):
        return track
    return replace(track, next_us=soon_us)


def _merely_read(track: SetTrack) -> bool:
    """Whether the read under way is one of the period: a new epoch need not wait for it, least of all an escape."""
    return track.phase is Phase.READING and track.converged_epoch == track.epoch


def _overtake(track: SetTrack, goal: Goal, now_us: int) -> Driven:
    """A write is under way: a newer epoch asks at once (the reconciler withdraws the older request)."""
    if goal.epoch != track.epoch and goal.writable and goal.desired is not None:
        return _point(replace(track, attempt=0, failures=0), goal, now_us, "newer epoch")
    return _wait(track, now_us)


def _wait(track: SetTrack, now_us: int) -> Driven:
    if track.next_us is None or now_us < track.next_us:
        return Driven(track)
    if track.phase is Phase.WRITING:
        until_us = now_us + track.policy.late_write_us
        return Driven(replace(track, phase=Phase.UNSURE, next_us=until_us, error="a write never ended"))
    return _read(track, now_us, urgent=track.phase is Phase.UNSURE, cause="outcome unknown")


def _keep(policy: GroupPolicy, track: SetTrack, goal: Goal, now_us: int) -> Driven:
    """Equal: announce it once, and read again when the period is over."""
    if goal.desired is not None and (track.phase is not Phase.SYNCED or track.converged_epoch != goal.epoch):
        driven = _seen_in_sync(track, goal, now_us)
        if driven.decisions or driven.track.phase is Phase.SYNCED:
            track = driven.track
            due_us = now_us + policy.reconcile_us
            return Driven(replace(track, next_us=due_us), driven.decisions)
        if track.next_us is not None and now_us >= track.next_us:
            return _read(track, now_us, urgent=False, cause="settling")
        return driven if track.next_us is None else Driven(track)
    due_us = (
        track.next_us if track.next_us is not None else (track.observed_us or now_us) + policy.reconcile_us
    )
    if now_us >= due_us:
        return _read(track, now_us, urgent=False, cause="reconcile")
    return Driven(replace(track, next_us=due_us))


def _repair(policy: GroupPolicy, track: SetTrack, goal: Goal, now_us: int) -> Driven:
    """Different: write it, unless it must not be written (now)."""
    observation = track.observation
    assert observation is not None
    stale = track.written_us is not None and now_us - track.written_us < track.policy.settle_us
    if stale:
        return _read_later(track, now_us, max(1, track.policy.settle_us // SETTLE_READS), "stale read")
    futile = goal.futile and track.converged_epoch == goal.epoch
    if not goal.writable or futile or (goal.blind and not _only_absent(observation, goal.desired)):
        return _read_later(track, now_us, policy.reconcile_us, "not writable")
    fresh_drift = track.drift_us is not None and track.converged_epoch == goal.epoch
    hold = _hold(policy, track, goal.desired, now_us, fresh_drift=fresh_drift)
    if hold is not Hold.NONE:
        held = replace(track, phase=Phase.HELD, hold=hold)
        return _read_later(held, now_us, policy.reconcile_us, "held")
    if fresh_drift:
        rewrites = (*_recent_rewrites(track, now_us), now_us)
        track = replace(track, rewrites_us=rewrites, converged_epoch=-1, hold=Hold.NONE)
        return _point(track, goal, now_us, "drift")
    return _point(replace(track, hold=Hold.NONE), goal, now_us, "switch" if track.attempt == 0 else "retry")


def _hold(
    policy: GroupPolicy, track: SetTrack, desired: PathName | None, now_us: int, *, fresh_drift: bool
) -> Hold:
    """Return why the set may not be written although it differs."""
    if is_foreign(track, desired):
        return Hold.FOREIGN
    if track.hold is Hold.CONTENDED:
        return Hold.CONTENDED
    if not fresh_drift:
        return Hold.NONE
    if policy.drift is Drift.REPORT:
        return Hold.REPORTED
    if len(_recent_rewrites(track, now_us)) >= CONTENDED_REWRITES - 1:
        return Hold.CONTENDED
    return Hold.NONE


def is_foreign(track: SetTrack, desired: PathName | None) -> bool:
    """Whether all that differs are routes of others, which were never ours and are not adopted.

    Where only some are, the set is written: the provider leaves the foreign ones and moves the rest.
    """
    if track.owned or track.adopted or track.policy.adopt or track.observation is None:
        return False
    seen = [track.observation.majority, *(exception.observed for exception in track.observation.exceptions)]
    different = [one for one in seen if one != PathHop(desired)] if desired is not None else seen
    return bool(different) and all(isinstance(one, Foreign) and not one.written_by_us for one in different)


def _recent_rewrites(track: SetTrack, now_us: int) -> tuple[int, ...]:
    return tuple(at for at in track.rewrites_us if now_us - at < CONTENDED_WINDOW_US)


def _uncontended(track: SetTrack, goal: Goal, now_us: int) -> SetTrack:
    """A contended set that stands right again, with the rewrites long past, is no longer contended."""
    over = in_step(track, goal.desired) and not _recent_rewrites(track, now_us)
    return replace(track, hold=Hold.NONE) if track.hold is Hold.CONTENDED and over else track


def _only_absent(observation: SetObservation, desired: PathName | None) -> bool:
    """Whether every difference from the desired path is a missing route."""
    seen = [observation.majority, *(exception.observed for exception in observation.exceptions)]
    return all(isinstance(one, Absent) or (isinstance(one, PathHop) and one.path == desired) for one in seen)


def _read(track: SetTrack, now_us: int, *, urgent: bool, cause: str) -> Driven:
    reading = replace(
        track, phase=Phase.READING, next_us=now_us + track.policy.deadline_us + LOST_CALL_US, hint=False
    )
    return Driven(reading, (Observe(now_us, track.policy.id, urgent, cause),))


def _read_later(track: SetTrack, now_us: int, wait_us: int, cause: str) -> Driven:
    if track.next_us is None:
        return Driven(replace(track, next_us=now_us + wait_us))
    if now_us >= track.next_us:
        return _read(track, now_us, urgent=False, cause=cause)
    return Driven(track)


def _point(track: SetTrack, goal: Goal, now_us: int, cause: str) -> Driven:
    assert goal.desired is not None
    attempt = track.attempt + 1
    writing = replace(
        track,
        phase=Phase.WRITING,
        doubtful=True,
        epoch=goal.epoch,
        attempt=attempt,
        next_us=now_us + track.policy.deadline_us + track.policy.late_write_us + LOST_CALL_US,
        good_since_us=None,
        out_since_us=track.out_since_us if track.out_since_us is not None else now_us,
    )
    owned = track.owned or track.adopted or track.policy.adopt
    point = Point(now_us, track.policy.id, goal.desired, goal.epoch, attempt, goal.urgent, owned, cause)
    return Driven(writing, (point,))
