"""How ``wgfo replay`` shows that decisions are the same, or where they are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import typer

from wgfo.cli.output import message
from wgfo.cli.screen import duration
from wgfo.daemon.records import SessionHeader
from wgfo.daemon.replaying import Difference, Session
from wgfo.daemon.session import OWN, installed

SHOWN: Final = 20
"""Differences shown to a person; ``--json`` has them all."""


def wall(header: SessionHeader, at_us: int) -> str:
    """Return the wall-clock text of a recorded moment, as the session's beginning relates both clocks."""
    try:
        moment = datetime.fromisoformat(header.wall) + timedelta(microseconds=at_us - header.at_us)
    except ValueError:
        return f"{at_us / 1_000_000:.3f} s"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1_000:03d}Z"


def sessions_json(sessions: Sequence[Session]) -> dict[str, object]:
    """Return the whole as JSON."""
    return {
        "identical": not any(one.differences for one in sessions),
        "sessions": [_session_json(one) for one in sessions],
    }


def _session_json(one: Session) -> dict[str, object]:
    return {
        "session": one.header.session,
        "from": wall(one.header, one.header.at_us),
        "to": wall(one.header, one.last_us),
        "versions": dict(one.header.versions),
        "groups": list(one.header.policies),
        "steps": one.steps,
        "skipped": one.skipped,
        "checkpoints": one.checkpoints,
        "gaps": one.gaps,
        "differences": [_difference_json(one.header, it) for it in one.differences],
    }


def _difference_json(header: SessionHeader, one: Difference) -> dict[str, object]:
    at = wall(header, one.at_us)
    return {
        "group": one.group,
        "at": at,
        "event": one.what,
        "recorded": one.recorded,
        "replayed": one.replayed,
    }


def print_sessions(sessions: Sequence[Session]) -> None:
    """Print one line a session, and what differs."""
    for one in sessions:
        for line in _session(one):
            typer.echo(line)
    steps = sum(one.steps for one in sessions)
    differences = sum(len(one.differences) for one in sessions)
    verdict = "every decision is the same" if not differences else f"{differences} differences"
    message(f"{steps} steps replayed: {verdict}")


def _session(one: Session) -> Iterator[str]:
    lasted = duration((one.last_us - one.header.at_us) / 1_000_000)
    same = "differs" if one.differences else "identical"
    yield (
        f"session {one.header.session} from {wall(one.header, one.header.at_us)}, {lasted}, "
        f"{len(one.header.policies)} groups, {one.steps} steps: {same}"
    )
    if one.skipped:
        yield f"  {one.skipped} steps were not replayed: the state before them is not known"
    yield from (f"  gap: {text}" for text in one.gaps)
    if one.differences:
        yield from _versions(one.header.versions)
    for difference in one.differences[:SHOWN]:
        yield f"  {difference.group}, {wall(one.header, difference.at_us)}, {difference.what}:"
        yield from _around(difference)
    if len(one.differences) > SHOWN:
        yield f"  … and {len(one.differences) - SHOWN} more; --json has them all"


def _versions(recorded: Mapping[str, str]) -> Iterator[str]:
    theirs, ours = recorded.get(OWN, "unknown"), installed()
    if theirs != ours:
        yield f"  recorded by wgfo {theirs}, replayed by wgfo {ours}: another version may decide otherwise"


_BEFORE: Final = 40
_AFTER: Final = 160


def _around(difference: Difference) -> Iterator[str]:
    """Show both texts from a little before they part."""
    pairs = zip(difference.recorded, difference.replayed, strict=False)
    shorter = min(len(difference.recorded), len(difference.replayed))
    parts_at = next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)
    begin = max(0, parts_at - _BEFORE)
    for name, text in (("recorded", difference.recorded), ("replayed", difference.replayed)):
        shown = text[begin : parts_at + _AFTER]
        before, after = "…" if begin else "", "…" if len(text) > parts_at + _AFTER else ""
        yield f"    {name}: {before}{shown}{after}"
