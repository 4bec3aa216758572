"""Start: what is desired before anything was decided.

Decides the first desired path of a session: the stored one, else what most observed routes say, else the first
preferred path with one clean round. Finding it is no switch. Afterwards this module is never asked again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from wgfo.engine import vouching
from wgfo.engine.actuation import Phase, SetTrack
from wgfo.engine.faults import passes
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import PathHop, PathName, PathState


@dataclass(frozen=True, slots=True)
class Found:
    """The first desired path, where it was found, and a sentence about it."""

    path: PathName
    found_in: str
    reason: str


def find(policy: GroupPolicy, state: GroupState, stored: PathName | None) -> Found | None:
    """Return the first desired path; None while the routes are not read or no path answers."""
    if stored is not None and policy.path(stored) is not None:
        return Found(stored, "stored", f"{stored} was desired when the last session ended")
    if not all(_read(track) for track in state.sets):
        return None
    observed = _majority(policy, state.sets)
    if observed is not None:
        return Found(observed, "observed", f"most observed routes point at {observed}")
    preferred = _first_clean(policy, state)
    if preferred is None:
        return None
    return Found(preferred, "preference", f"{preferred} is the first preferred path that answers")


def _read(track: SetTrack) -> bool:
    """Whether the set was read, or reading it failed: a provider that is away must not hold up the others."""
    return track.observation is not None or track.phase is Phase.BACKOFF


def _majority(policy: GroupPolicy, sets: tuple[SetTrack, ...]) -> PathName | None:
    """Return the path at which most prefixes point; among equals the more preferred."""
    count: Counter[PathName] = Counter()
    for track in sets:
        if track.observation is not None and isinstance(track.observation.majority, PathHop):
            count[track.observation.majority.path] += track.policy.prefixes - len(
                track.observation.exceptions
            )
    known = [path.name for path in policy.paths if count[path.name] > 0]
    return max(known, key=lambda name: (count[name], -policy.rank(name)), default=None)


def _first_clean(policy: GroupPolicy, state: GroupState) -> PathName | None:
    """Return the first path with a clean round, once every more preferred one had its chance."""
    for path in policy.paths:
        if state.judgements[path.name].clean or passes(policy, state.evidence[path.name]):
            return path.name
        if path.visible and not _tried(policy, state, path.name):
            return None
    return None


def _tried(policy: GroupPolicy, state: GroupState, name: PathName) -> bool:
    if state.judgements[name].state is PathState.DOWN:
        return True
    evidence = state.evidence[name]
    if policy.leading:
        return vouching.tried(policy, evidence, state.at_us)
    return any(evidence.streams[stream.index].closed_us >= 0 for stream in policy.base_streams)
