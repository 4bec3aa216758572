"""The story of a run: what happened, what was decided and why, in the order of time.

The scribe hears the engine's steps and the world's events. Expectations are judged by the entries' fields, and
a person reads their texts; both are the same on every run with the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmRaised,
    Decision,
    Established,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    RequestAnswered,
    SetConverged,
    Switch,
)
from wgfo.engine.events import Event, WriteEnded
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, PathHop
from wgfo.simulate.tables import Landing

_US: Final = 1_000_000


class What(StrEnum):
    """Kinds of entry."""

    FAULT = "fault"
    DAEMON = "daemon"
    OPERATOR = "operator"
    ANSWER = "answer"
    START = "start"
    PATH = "path"
    SWITCH = "switch"
    ALARM = "alarm"
    CLEAR = "clear"
    OVERRIDE = "override"
    SENT = "sent"
    TABLE = "table"
    WRITE = "write"
    SYNC = "sync"
    NOTICE = "notice"
    VIOLATION = "violation"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story; times count from the beginning of the plan."""

    at_us: int
    what: What
    text: str
    fields: Mapping[str, str | int] = field(default_factory=dict)

    def line(self) -> str:
        """Return the entry for a person."""
        return f"{clock_text(self.at_us):>10}  {self.what:<9} {self.text}"

    def data(self) -> Mapping[str, object]:
        """Return the entry for a program."""
        return {"at_seconds": self.at_us / _US, "what": self.what.value, "text": self.text, **self.fields}


def clock_text(at_us: int) -> str:
    """Return minutes, seconds and milliseconds."""
    minutes, rest_us = divmod(at_us, 60 * _US)
    return f"{minutes}:{rest_us // _US:02d}.{rest_us % _US // 1_000:03d}"


class Scribe:
    """Writes the story.

    Args:
        now_us: time since the plan's beginning.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self.entries: list[Entry] = []

    def note(self, what: What, text: str, at_us: int | None = None, **fields: str | int) -> None:
        """Add an entry."""
        self.entries.append(Entry(self._now_us() if at_us is None else at_us, what, text, fields))

    def stepped(
        self,
        _group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Take note of a step."""
        if isinstance(event, WriteEnded):
            self._write_ended(event)
        for decision in decisions:
            teller = TELLERS.get(type(decision))
            if teller is not None:
                teller(self, decision)

    def landed(self, landing: Landing, begin_us: int) -> None:
        """Take note of a change of a table."""
        provider, table = landing.table
        to = landing.hop.path if isinstance(landing.hop, PathHop) else str(landing.hop)
        text = f"{provider} {table}: {landing.prefix} -> {to}, by {landing.by}"
        self.note(What.TABLE, text, landing.at_us - begin_us, table=table, to=to, by=landing.by)

    def _write_ended(self, event: WriteEnded) -> None:
        outcome = event.outcome
        if outcome is not None and outcome.ok:
            return
        texts = [failure.text for failure in outcome.failures] if outcome else [event.text]
        text = f"{event.set_id}: {'; '.join(dict.fromkeys(texts)) or 'not attempted'}"
        self.note(What.WRITE, f"{text} (epoch {event.epoch}, try {event.attempt})", set=event.set_id)


def _established(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, Established)
    scribe.note(
        What.START, f"{decision.path}: {decision.reason}", path=decision.path, found=decision.found_in
    )


def _switch(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, Switch)
    others = "; ".join(f"{one.path}: {one.why}" for one in decision.rejected)
    text = f"{decision.source} -> {decision.target} by {decision.rule}: {decision.reason}"
    scribe.note(
        What.SWITCH,
        text + (f" [rejected: {others}]" if others else ""),
        to=decision.target,
        rule=decision.rule.value,
        reason=decision.reason,
        epoch=decision.epoch,
    )


def _path(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, PathChanged)
    text = f"{decision.path} {decision.before} -> {decision.after}: {decision.reason}"
    scribe.note(
        What.PATH,
        text,
        path=decision.path,
        state=decision.after.value,
        rule=decision.rule,
        reason=decision.reason,
    )


def _raised(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, AlarmRaised)
    page = " (page)" if decision.page else ""
    scribe.note(
        What.ALARM,
        f"{decision.name}{page}: {decision.text}",
        alarm=decision.name.value,
        page=int(decision.page),
        reason=decision.text,
    )


def _cleared(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, AlarmCleared)
    scribe.note(What.CLEAR, decision.name.value, alarm=decision.name.value)


def _answered(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, RequestAnswered)
    word = "accepted" if decision.accepted else "refused"
    scribe.note(
        What.ANSWER,
        f"{word}: {decision.text}",
        request=decision.request_id,
        answer=word,
        reason=decision.text,
    )


def _override(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, OverrideSet)
    override = decision.override
    scribe.note(What.OVERRIDE, f"{override.kind} {override.path or ''} begins", kind=override.kind.value)


def _override_ended(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, OverrideEnded)
    override = decision.override
    text = f"{override.kind} {override.path or ''} ends: {decision.why}"
    scribe.note(What.OVERRIDE, text, kind=override.kind.value, ended=1)


def _converged(scribe: Scribe, decision: Decision) -> None:
    assert isinstance(decision, SetConverged)
    scribe.note(
        What.SYNC, f"{decision.set_id} is on {decision.path}", set=decision.set_id, path=decision.path
    )


TELLERS: Final[Mapping[type, Callable[[Scribe, Decision], None]]] = {
    Established: _established,
    Switch: _switch,
    PathChanged: _path,
    AlarmRaised: _raised,
    AlarmCleared: _cleared,
    RequestAnswered: _answered,
    OverrideSet: _override,
    OverrideEnded: _override_ended,
    SetConverged: _converged,
}
