"""The log: one line per decision, with the decision's fields; silence while nothing happens.

Under systemd a line bears its priority (``<4>``, sd-daemon(3)) and no time, since the journal has its own.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event, WriteEnded
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName
from wgfo.telemetry.changes import GroupChanged
from wgfo.telemetry.switches import SwitchRecord
from wgfo.telemetry.words import Line, change_line, decision_line, phases_line, write_line

ROOT: Final = "wgfo"
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)


class Style(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


def set_up(stream: TextIO, style: Style = Style.TEXT, level: int = logging.INFO) -> logging.Handler:
    """Log to ``stream``; called once, by the daemon. A stream that is systemd's is recognised."""
    handler = logging.StreamHandler(stream)
    priorities = is_journal(stream)
    handler.setFormatter(
        _Json(priorities=priorities) if style is Style.JSON else _Text(priorities=priorities)
    )
    root = logging.getLogger(ROOT)
    root.handlers = [handler]
    root.setLevel(level)
    root.propagate = False
    return handler


def is_journal(stream: TextIO) -> bool:
    """Whether systemd's journal reads the stream (``JOURNAL_STREAM``, systemd.exec(5)).

    The variable is inherited by children whose output goes elsewhere, hence device and inode.
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class LogListener:
    """Logs what was decided, writes that ended badly, how groups stand, and the phases of switches."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger(f"{ROOT}.engine")

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Log one step; most have nothing to say."""
        if isinstance(event, WriteEnded) and (line := write_line(event)) is not None:
            self._say(group, line, event)
        for decision in decisions:
            self._say(group, decision_line(decision), decision)

    def group_changed(self, change: GroupChanged) -> None:
        """Log that a group stands otherwise."""
        self._say(change.group, change_line(change), change)

    def switch_measured(self, record: SwitchRecord) -> None:
        """Log how long the phases of a switch took."""
        self._say(record.group, phases_line(record), record)

    def _say(
        self, group: GroupName, line: Line, value: Decision | WriteEnded | GroupChanged | SwitchRecord
    ) -> None:
        if self._log.isEnabledFor(line.level):
            self._log.log(
                line.level, "group %s: %s", group, line.text, extra={"group": group, "value": value}
            )


class _Text(logging.Formatter):
    """``2026-01-01T00:00:00.000Z WARNING group cloud: …``."""

    def __init__(self, *, priorities: bool) -> None:
        super().__init__()
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback becomes further lines of the same priority."""
        head = _priority(record) if self._priorities else f"{_time(record)} {record.levelname} "
        lines = [" ".join(record.getMessage().split())]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(head + line for line in lines)


class _Json(logging.Formatter):
    """One object a line: time, level, logger, text, and the decision's own fields."""

    def __init__(self, *, priorities: bool) -> None:
        super().__init__()
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        shown: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if (group := getattr(record, "group", None)) is not None:
            shown["group"] = group
        if (value := getattr(record, "value", None)) is not None:
            shown |= {"kind": type(value).__name__, "fields": _plain(value)}
        if record.exc_info:
            shown["traceback"] = self.formatException(record.exc_info)
        return (_priority(record) if self._priorities else "") + json.dumps(
            shown, ensure_ascii=False, default=str
        )


def _priority(record: logging.LogRecord) -> str:
    return next((f"<{number}>" for level, number in _PRIORITIES if record.levelno >= level), "<7>")


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    """Return a frozen value as JSON takes it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
