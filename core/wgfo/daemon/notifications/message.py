"""What is told, and when: switches, alarms that begin and end, groups that freeze and thaw."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wgfo.config.models import Occasion
from wgfo.engine.decisions import AlarmCleared, AlarmName, AlarmRaised, Decision, Switch
from wgfo.engine.events import Event
from wgfo.engine.report import GroupReport, Mode
from wgfo.model import GroupName
from wgfo.telemetry.changes import GroupChanged
from wgfo.telemetry.happenings import of_decision

API_VERSION: Final = 1


class Moment(StrEnum):
    """A switch happens; an alarm or a freeze begins and ends."""

    HAPPENS = "happens"
    BEGINS = "begins"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Message:
    """One notification."""

    on: Occasion
    moment: Moment
    group: GroupName
    at: str
    """RFC 3339."""
    text: str
    details: Mapping[str, object] = field(default_factory=dict)

    def body(self, site: str | None, host: str) -> bytes:
        """Return the JSON object that commands and webhooks get."""
        shown = {
            "api_version": API_VERSION,
            "on": self.on,
            "moment": self.moment,
            "group": self.group,
            "at": self.at,
            "text": self.text,
            "site": site,
            "host": host,
            "details": dict(self.details),
        }
        return (json.dumps(shown, ensure_ascii=False) + "\n").encode()


class Occasions:
    """A listener that makes messages.

    Args:
        rfc3339: the wall-clock text of a monotonic time.
        told: hears of each message; must not block.
    """

    def __init__(self, rfc3339: Callable[[int], str], told: Callable[[Message], None]) -> None:
        self._rfc3339 = rfc3339
        self._told = told
        self._active: dict[tuple[GroupName, AlarmName], str] = {}

    def configure(self, groups: Sequence[GroupName]) -> None:
        """Forget the alarms of groups that are gone."""
        self._active = {key: text for key, text in self._active.items() if key[0] in groups}

    def stepped(
        self,
        group: GroupName,
        _event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Tell what one step decided."""
        for decision in decisions:
            match decision:
                case Switch():
                    self._switched(group, decision)
                case AlarmRaised():
                    self._raised(group, decision)
                case AlarmCleared():
                    self._cleared(group, decision)
                case _:
                    pass

    def _switched(self, group: GroupName, switch: Switch) -> None:
        source = f"from {switch.source} " if switch.source else ""
        text = f"{group}: switches {source}to {switch.target} by {switch.rule}: {switch.reason}"
        happening = of_decision(group, switch)
        details = happening.fields if happening is not None else {}
        at = self._rfc3339(switch.at_us)
        self._told(Message(Occasion.SWITCH, Moment.HAPPENS, group, at, text, details))

    def _raised(self, group: GroupName, alarm: AlarmRaised) -> None:
        """An alarm whose text changes is no new one."""
        key = (group, alarm.name)
        begins = key not in self._active
        self._active[key] = alarm.text
        if begins:
            at, text = self._rfc3339(alarm.at_us), f"{group}: {alarm.name}: {alarm.text}"
            self._told(Message(Occasion(alarm.name), Moment.BEGINS, group, at, text, {"page": alarm.page}))

    def _cleared(self, group: GroupName, alarm: AlarmCleared) -> None:
        self._active.pop((group, alarm.name), None)
        at, text = self._rfc3339(alarm.at_us), f"{group}: {alarm.name} is over"
        self._told(Message(Occasion(alarm.name), Moment.ENDS, group, at, text))

    def group_changed(self, change: GroupChanged) -> None:
        """Tell that a group freezes or thaws."""
        was = change.before is not None and change.before.mode is Mode.FROZEN
        frozen = change.after.mode is Mode.FROZEN
        if was == frozen:
            return
        moment = Moment.BEGINS if frozen else Moment.ENDS
        what = "is frozen: nothing is decided and nothing written" if frozen else "decides and writes again"
        text = f"{change.group}: {what}: {change.reason}"
        at = self._rfc3339(change.at_us)
        self._told(Message(Occasion.FROZEN, moment, change.group, at, text, {"state": change.after.state}))
