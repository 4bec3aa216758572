"""Tracks: what is remembered of each route set, and what it is driven towards. Decides nothing.

The phases, and what leaves them, stand in ``actuation``, which alone changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wgfo.engine.decisions import Decision
from wgfo.engine.policy import SetPolicy
from wgfo.model import PathHop, PathName, SetObservation


class Phase(StrEnum):
    """Where a set stands; see the table of ``actuation``."""

    UNREAD = "unread"
    READING = "reading"
    WRITING = "writing"
    UNSURE = "unsure"
    VERIFYING = "verifying"
    SYNCED = "synced"
    BACKOFF = "backoff"
    HELD = "held"


class Hold(StrEnum):
    """Why a set is not written."""

    NONE = ""
    FOREIGN = "foreign"
    CONTENDED = "contended"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class SetTrack:
    """One route set."""

    policy: SetPolicy
    phase: Phase = Phase.UNREAD
    observation: SetObservation | None = None
    observed_us: int | None = None
    next_us: int | None = None
    """When something is due: the next read, the end of a wait, a call's deadline."""
    epoch: int = 0
    """Of the newest write."""
    attempt: int = 0
    """Writes of this epoch so far."""
    failures: int = 0
    """Failed tries running: the exponent of the back-off."""
    owned: bool = False
    """Seen in sync or written by us once: a change is drift from then on."""
    adopted: bool = False
    written_us: int | None = None
    """When the last write of this epoch ended well: until ``settle`` has passed, a read may be stale."""
    good_since_us: int | None = None
    """Since when reads are good, after a write."""
    converged_epoch: int = -1
    drift_us: int | None = None
    """When a change by others was last seen (kept until it is in sync again)."""
    rewrites_us: tuple[int, ...] = ()
    """Times of foreign rewrites that we repaired."""
    hold: Hold = Hold.NONE
    error: str = ""
    permanent: bool = False
    out_since_us: int | None = None
    """Since when it is out of step with the desired path."""
    unhurried: bool = False
    """The platform asked for the pause, or the tries are in vain: an escape does not shorten it."""
    hint: bool = False
    """Something changed while a call was under way: read again afterwards."""
    doubtful: bool = False
    """Written since it was read: what was read need not stand any more."""


@dataclass(slots=True)
class Goal:
    """What the sets are driven towards. ``writable``: False while nothing may be written."""

    desired: PathName | None
    epoch: int
    writable: bool
    blind: bool
    """Nothing is known of any path: only absent routes may be written (I5)."""
    urgent: bool
    """The epoch began with an escape."""
    futile: bool = False
    """The desired path's interface is down: what went with it cannot be repaired before it is back."""


@dataclass(frozen=True, slots=True)
class Driven:
    """A set after a step, and what is asked for."""

    track: SetTrack
    decisions: tuple[Decision, ...] = ()


# --- what is asked of them --------------------------------------------------------------------------------


def in_step(track: SetTrack, desired: PathName | None) -> bool:
    """Whether the newest read shows the desired path, and nothing was written since."""
    return not track.doubtful and seen_on(track, desired)


def seen_on(track: SetTrack, desired: PathName | None) -> bool:
    """Whether the newest read shows the desired path."""
    return desired is not None and track.observation is not None and track.observation.in_sync_with(desired)


def observed_path(track: SetTrack) -> PathName | None:
    """Return the path that the set's routes point at, if they agree."""
    observation = track.observation
    if observation is None or observation.exceptions or not isinstance(observation.majority, PathHop):
        return None
    return observation.majority.path
