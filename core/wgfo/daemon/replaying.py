"""Replaying a journal: every recorded event goes through the engine again, and every decision must be the same.

Byte for byte (invariant I12): decisions are compared as the texts that the journal stores, states likewise where
a checkpoint holds them. It does no I/O. A group that differs once is not followed further until the next point at
which its state is known, for what follows from a difference says nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wgfo.daemon import codec
from wgfo.daemon.records import Gap, Opened, Record, SessionHeader, Stepped
from wgfo.engine import engine
from wgfo.engine.decisions import Decision
from wgfo.engine.engine import RefusedEvent
from wgfo.engine.events import SessionStarted
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import GroupName


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay decides otherwise than the daemon did."""

    group: GroupName
    at_us: int
    what: str
    """The event, or the checkpoint."""
    recorded: str
    replayed: str


@dataclass(slots=True)
class Session:
    """What became of one recorded session."""

    header: SessionHeader
    steps: int = 0
    skipped: int = 0
    """Steps that cannot be replayed: the state before them is not known."""
    checkpoints: int = 0
    """States that were compared as a whole."""
    last_us: int = 0
    gaps: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def replay(records: Iterable[Record]) -> list[Session]:
    """Replay a journal's records, in their order, and return its sessions."""
    sessions: list[Session] = []
    states: dict[GroupName, GroupState | None] = {}
    for record in records:
        match record:
            case Opened():
                session = _opened(sessions, record)
                states = _known(session, record, states)
            case Gap():
                states = dict.fromkeys(states)
                if sessions:
                    sessions[-1].gaps.append(_gap(record))
            case Stepped() if sessions:
                _stepped(sessions[-1], states, record)
    return sessions


def _opened(sessions: list[Session], opened: Opened) -> Session:
    """Return the session that goes on; one whose beginning was trimmed begins at its checkpoint."""
    header = opened.header
    if not (opened.checkpoint and sessions and sessions[-1].header.session == header.session):
        sessions.append(Session(header, last_us=header.at_us))
    return sessions[-1]


def _gap(gap: Gap) -> str:
    return f"{gap.dropped} steps are missing: {gap.text}" if gap.dropped else gap.text


# --- where a state is known -------------------------------------------------------------------------------


def _known(
    session: Session, opened: Opened, before: Mapping[GroupName, GroupState | None]
) -> dict[GroupName, GroupState | None]:
    """Return the states from here on: what we have, where it equals what stands there; else what stands there.

    A group without a stored state begins with its ``SessionStarted``.
    """
    states: dict[GroupName, GroupState | None] = {}
    for name, policy in opened.header.policies.items():
        if name not in opened.states:
            states[name] = engine.initial(policy)
            continue
        stored = opened.states[name]
        ours = before.get(name)
        if ours is not None:
            session.checkpoints += 1
            _compare_state(session, opened, name, codec.dumps(stored), ours)
        states[name] = codec.decode(stored, GroupState, f"state of {name}")
    return states


def _compare_state(
    session: Session, opened: Opened, name: GroupName, recorded: bytes, ours: GroupState
) -> None:
    replayed = codec.dumps(codec.encode(ours, GroupState))
    if replayed != recorded:
        at_us = opened.header.at_us
        session.differences.append(
            Difference(name, at_us, "checkpoint", recorded.decode(), replayed.decode())
        )


# --- steps ------------------------------------------------------------------------------------------------


def _stepped(session: Session, states: dict[GroupName, GroupState | None], step: Stepped) -> None:
    session.last_us = max(session.last_us, step.event.at_us)
    policy = session.header.policies.get(step.group)
    state = states.get(step.group)
    if policy is None or state is None:
        session.skipped += 1
        return
    session.steps += 1
    states[step.group] = _again(session, policy, state, step)


def _again(session: Session, policy: GroupPolicy, state: GroupState, step: Stepped) -> GroupState | None:
    """Take one step again; None after a difference, from which nothing more follows."""
    if isinstance(step.event, SessionStarted):
        state = engine.initial(policy)
    recorded = decisions_text(step.decisions)
    try:
        made = engine.step(policy, state, step.event)
    except RefusedEvent as refused:
        replayed = f"refused: {refused}"
    else:
        replayed = decisions_text(made.decisions)
        if replayed == recorded:
            return made.state
    what = type(step.event).__name__
    session.differences.append(Difference(step.group, step.event.at_us, what, recorded, replayed))
    return None


def decisions_text(decisions: Iterable[Decision]) -> str:
    """Return decisions as the journal stores them."""
    return codec.dumps([codec.encode(one, Decision) for one in decisions]).decode()
