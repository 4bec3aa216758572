"""Replays: the same events give the same decisions (I12), and what a standby loses never moves anything (I16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wgfo.daemon.records import Opened, Record, Stepped
from wgfo.engine import engine
from wgfo.engine.decisions import Switch
from wgfo.engine.engine import GroupState, Step
from wgfo.engine.events import RoundClosed, SessionStarted
from wgfo.engine.faults import FaultRule
from wgfo.engine.judgement import Judgement
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

    What an operator asked for and had to wait, because nothing was to be decided while isolated, is another thing.
    """
    desired = before.selection.desired
    if desired is None or any(isinstance(one, Switch) for one in done.decisions):
        return []
    better = event.path == desired
    other = _turned(event, Outcome.OK if better else Outcome.LOST)
    made = engine.step(policy, before, other)
    moves = [one for one in made.decisions if isinstance(one, Switch) and one.rule in AUTOMATIC]
    if better and _left_for_another(done.state.judgements[desired], made.state.judgements[desired]):
        return []
    word = "better" if better else "worse"
    return [
        f"I16: had round {event.round} of {event.path} gone {word}, {one.source} -> {one.target} by {one.rule}"
        for one in moves
    ]


def _left_for_another(was: Judgement, better: Judgement) -> bool:
    """Whether a path that is better may well be left, for a fault that the better round does not speak against.

    A path that is dead, and waits for proof, shows its other faults when it is not; and of a class that fails, that
    small packets pass is a part.
    """
    by_class = better.fault is not None and better.fault.rule is FaultRule.CLASS
    return was.failing or by_class


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
