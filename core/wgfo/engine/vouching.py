"""Vouching: what is known of a path whose group has no data-plane rounds, from sources that may decide alone.

Alerts, queries and observers with ``act = "alone"`` then stand in for rounds: a source that says up for an
interval counts as a clean round, and a path that all of them know nothing of is unknown, which pauses the count
as rounds of unknown outcome do. A source says a thing once and means it until it says another (the contract of
push probes), so time does the rest.

May not be added here: anything of a group that has rounds of its base class; its packets speak for themselves.
Words: semantics.md, "Proof newer than the fault" and "Recovery".
"""

from __future__ import annotations

from collections.abc import Sequence

from wgfo.engine.detection import PathEvidence, SourceTrack
from wgfo.engine.policy import GroupPolicy
from wgfo.model import Verdict


def vouches(policy: GroupPolicy, evidence: PathEvidence) -> bool:
    """Whether a leading source says that the path is up, and none says that it is down."""
    return up_since_us(policy, evidence) is not None


def up_since_us(policy: GroupPolicy, evidence: PathEvidence) -> int | None:
    """Return since when the path is vouched for, pauses left out; None where it is not."""
    tracks = _said(policy, evidence)
    if any(track.report is not None and track.report.verdict is Verdict.DOWN for track in tracks):
        return None
    return min((track.since_us - track.vouched_us for track in tracks if _says_up(track)), default=None)


def rounds(policy: GroupPolicy, evidence: PathEvidence, now_us: int) -> int:
    """Return how many intervals the path has been vouched for: its clean rounds."""
    since_us = up_since_us(policy, evidence)
    return 0 if since_us is None else (now_us - since_us) // policy.vouch_us


def proves(policy: GroupPolicy, evidence: PathEvidence, fault_us: int, now_us: int) -> bool:
    """Whether the path is still vouched for an interval after a fault of another began.

    A site that goes dark for every path is told of path by path: the interval lets the second word come in.
    """
    return vouches(policy, evidence) and now_us - fault_us >= policy.vouch_us


def word(policy: GroupPolicy, evidence: PathEvidence) -> str:
    """Return what is said for the path, in the words of the first source that does."""
    tracks = _said(policy, evidence)
    return next((track.report.reason for track in tracks if track.report and _says_up(track)), "")


def silence(policy: GroupPolicy, evidence: PathEvidence) -> str:
    """Return why the leading sources know nothing of the path; empty while one of them says up or down."""
    if not policy.leading:
        return ""
    tracks = _said(policy, evidence)
    if any(track.report is not None and track.report.verdict is not Verdict.UNKNOWN for track in tracks):
        return ""
    reasons = (track.report.reason for track in tracks if track.report is not None)
    return next((reason for reason in reasons if reason), "no source has said anything yet")


def tried(policy: GroupPolicy, evidence: PathEvidence, now_us: int) -> bool:
    """Whether the path had its chance at start: as many intervals as a path needs to rise have passed."""
    since = [track.since_us for track in _said(policy, evidence)]
    return bool(since) and now_us - min(since) >= policy.rise * policy.vouch_us


def deadlines_us(
    policy: GroupPolicy, evidence: PathEvidence, clean: int, fault_us: int | None
) -> tuple[int, ...]:
    """Return when time alone makes the path rise, or proves it better than one that failed at ``fault_us``."""
    since_us = up_since_us(policy, evidence)
    if since_us is None:
        return ()
    risen = () if clean >= policy.rise else (since_us + policy.rise * policy.vouch_us,)
    return risen if fault_us is None else (*risen, fault_us + policy.vouch_us)


def _said(policy: GroupPolicy, evidence: PathEvidence) -> Sequence[SourceTrack]:
    first = len(policy.streams)
    tracks = (evidence.sources[source.index - first] for source in policy.leading)
    return [track for track in tracks if track.report is not None]


def _says_up(track: SourceTrack) -> bool:
    return track.report is not None and track.report.verdict is Verdict.UP
