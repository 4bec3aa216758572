"""Replays: the same events give the same decisions (I12), and what a standby loses never moves anything (I16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wgfo.daemon.records import Opened, Record, Stepped
from wgfo.engine import engine
from wgfo.engine.decisions import Switch
from wgfo.engine.engine import GroupState, Step
from wgfo.engine.events import RoundClosed, SessionStarted
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.selection import AUTOMATIC
from wgfo.model import GroupName, Outcome, ProbeResult
from wgfo.simulate.play import Run
from wgfo.simulate.timeline import Entry, What, clock_text

EVERY_ROUND = 7
"""One closed round of so many is tried with another outcome."""
DECIDED = frozenset({What.SWITCH, What.START, What.PATH, What.ALARM, What.CLEAR, What.SENT, What.SYNC})


def replay(records: Sequence[Record]) -> list[str]:
    """Step the recorded events again; return what came out differently."""
    policies: dict[GroupName, GroupPolicy] = {}
    states: dict[GroupName, GroupState] = {}
    problems: list[str] = []
    for number, record in enumerate(records):
        if isinstance(record, Opened):
            policies = dict(record.header.policies)
        if not isinstance(record, Stepped):
            continue
        policy = policies[record.group]
        if isinstance(record.event, SessionStarted):
            states[record.group] = engine.initial(policy)
        before = states[record.group]
        made = engine.step(policy, _unhurried(before), record.event)
        if made.decisions != record.decisions:
            problems.append(
                f"I12 at step {number}: a replay decides {made.decisions}, not {record.decisions}"
            )
            break
        if isinstance(record.event, RoundClosed) and number % EVERY_ROUND == 0:
            problems += _monotone(policy, before, record.event, made)
        states[record.group] = made.state
    return problems[:5]


def _unhurried(state: GroupState) -> GroupState:
    """Have every rule asked anew: what a step saves because nothing is new must never show."""
    return replace(state, quiet_until_us=-1, judged_until_us=-1)


def _monotone(policy: GroupPolicy, before: GroupState, event: RoundClosed, done: Step) -> list[str]:
    """I16: worse on a standby, or better on the active path, must not move anything.

    What an operator asked for and had to wait, because nothing was to be decided while isolated, is another thing;
    and a path that is dead, and waits for proof, may well be left for another fault if it is better than that.
    """
    desired = before.selection.desired
    if desired is None or any(isinstance(one, Switch) for one in done.decisions):
        return []
    if event.path == desired and done.state.judgements[desired].failing:
        return []
    other = _turned(event, Outcome.OK if event.path == desired else Outcome.LOST)
    made = engine.step(policy, before, other)
    moves = [one for one in made.decisions if isinstance(one, Switch) and one.rule in AUTOMATIC]
    word = "better" if event.path == desired else "worse"
    return [
        f"I16: had round {event.round} of {event.path} gone {word}, {one.source} -> {one.target} by {one.rule}"
        for one in moves
    ]


def _turned(event: RoundClosed, outcome: Outcome) -> RoundClosed:
    def turn(result: ProbeResult) -> ProbeResult:
        rtt_us = 3_000 if outcome is Outcome.OK else 0
        return replace(result, outcome=outcome, rtt_us=rtt_us, reason="")

    results = tuple(turn(one) for one in event.results)
    return replace(event, results=results, anchor=None if event.anchor is None else turn(event.anchor))


def compare_decisions(invariant: str, one: Run, other: Run) -> list[str]:
    """Return the first difference between what two runs decided and wrote."""
    for left, right in zip(_decided(one), _decided(other), strict=False):
        if left != right:
            return [f"{invariant} at {clock_text(left.at_us)}: {left.text!r}, but {right.text!r} in the twin"]
    counts = len(_decided(one)), len(_decided(other))
    return (
        [] if counts[0] == counts[1] else [f"{invariant}: {counts[0]} decisions, but {counts[1]} in the twin"]
    )


def _decided(run: Run) -> list[Entry]:
    """Return what was decided; what happened in the same microsecond has no order."""
    found = [entry for entry in run.entries if entry.what in DECIDED]
    return sorted(found, key=lambda entry: (entry.at_us, entry.text))
