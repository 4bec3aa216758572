"""The log says what was decided, once, in a line that a person and a machine can read."""

from __future__ import annotations

import io
import json
import logging
import os

import pytest

from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmName,
    AlarmRaised,
    Established,
    Observe,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    Point,
    Rejected,
    RequestAnswered,
    Rule,
    SetConverged,
    Switch,
)
from wgfo.engine.events import Override, OverrideKind, RoundClosed, Tick, WriteEnded
from wgfo.model import FailureKind, PathState, SetOutcome, WriteFailure
from wgfo.telemetry.log import LogListener, Style, is_journal, set_up

OVERRIDE = Override(OverrideKind.LOCKOUT, "primary", "work", "ann", "then", 5, "2026-01-01T01:00:00.000Z")
SWITCH = Switch(
    9,
    4,
    "primary",
    "secondary",
    Rule.SIGNAL_FAIL,
    "all targets dead",
    5,
    {"fall": 3},
    (Rejected("third", "down"),),
)


@pytest.fixture(autouse=True)
def quiet_afterwards():
    root = logging.getLogger("wgfo")
    before = (root.handlers, root.level, root.propagate)
    yield
    root.handlers, root.level, root.propagate = before


def logged(*decisions, event=None, style=Style.TEXT, level=logging.INFO):
    stream = io.StringIO()
    set_up(stream, style, level)
    LogListener().stepped("cloud", event or Tick(9), decisions, lambda: pytest.fail("no report is needed"))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("decision", "level", "text"),
    [
        (SWITCH, "WARNING", "switches from primary to secondary by signal_fail: all targets dead"),
        (
            Established(9, 1, "primary", "stored", "as before"),
            "INFO",
            "desired path is primary (stored): as before",
        ),
        (
            PathChanged(9, "primary", PathState.UP, PathState.DOWN, "blackout", "3 rounds lost"),
            "WARNING",
            "path primary is down, was up: 3 rounds lost",
        ),
        (
            PathChanged(9, "primary", PathState.DOWN, PathState.UP, "rise", "10 clean rounds"),
            "INFO",
            "path primary is up, was down: 10 clean rounds",
        ),
        (AlarmRaised(9, AlarmName.DRIFT, "route changed"), "WARNING", "alarm drift: route changed"),
        (AlarmRaised(9, AlarmName.NO_USABLE_PATH, "none", page=True), "ERROR", "alarm no_usable_path: none"),
        (AlarmCleared(9, AlarmName.DRIFT), "INFO", "alarm drift is over"),
        (
            OverrideSet(9, OVERRIDE),
            "WARNING",
            "override lockout of primary until 2026-01-01T01:00:00.000Z by ann (work) begins",
        ),
        (
            OverrideEnded(9, OVERRIDE, "cleared"),
            "WARNING",
            "override lockout of primary until 2026-01-01T01:00:00.000Z by ann (work) ends: cleared",
        ),
        (RequestAnswered(9, "r", accepted=True, text="done"), "INFO", "request accepted: done"),
        (RequestAnswered(9, "r", accepted=False, text="no"), "WARNING", "request refused: no"),
        (
            Point(9, "linux/main/cloud", "secondary", 4, 1, urgent=True, owned=True, cause="switch"),
            "INFO",
            "writes linux/main/cloud towards secondary: switch",
        ),
        (SetConverged(9, "linux/main/cloud", 4, "secondary"), "INFO", "linux/main/cloud points at secondary"),
    ],
)
def test_each_decision_is_one_line(decision, level, text):
    (line,) = logged(decision)
    assert line.split(" ", 1)[1] == f"{level} group cloud: {text}"


def test_reads_and_evidence_are_silent():
    assert logged(Observe(9, "linux/main/cloud", urgent=False, cause="period")) == []
    assert logged(event=RoundClosed(9, "primary", 0, 1, ())) == []


def test_reads_are_for_debugging():
    (line,) = logged(Observe(9, "linux/main/cloud", urgent=False, cause="period"), level=logging.DEBUG)
    assert line.endswith("DEBUG group cloud: reads linux/main/cloud: period")


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (None, "write of s: outcome unknown: timed out"),
        (
            SetOutcome("s", 0, 0, (WriteFailure(FailureKind.DENIED, "no rights"),), 2),
            "write of s: 3 not written, first: denied: no rights",
        ),
    ],
)
def test_a_write_that_ended_badly_is_a_line(outcome, text):
    (line,) = logged(event=WriteEnded(9, "s", 4, 1, outcome, "timed out"))
    assert line.endswith(f"WARNING group cloud: {text}")


def test_a_write_that_went_well_is_silent():
    assert logged(event=WriteEnded(9, "s", 4, 1, SetOutcome("s", 1))) == []


def test_a_text_of_several_lines_cannot_forge_a_line():
    lines = logged(AlarmRaised(9, AlarmName.DRIFT, "a\n2026-01-01 ERROR group x: b"))
    assert len(lines) == 1


def test_json_bears_the_fields_of_the_decision():
    (line,) = logged(SWITCH, style=Style.JSON)
    shown = json.loads(line)
    assert (shown["level"], shown["group"], shown["kind"]) == ("warning", "cloud", "Switch")
    assert shown["fields"]["numbers"] == {"fall": 3}
    assert shown["fields"]["rejected"] == [{"path": "third", "why": "down"}]
    assert shown["fields"]["rule"] == "signal_fail"


def test_a_traceback_is_part_of_the_record():
    for style in Style:
        stream = io.StringIO()
        set_up(stream, style)
        try:
            raise ZeroDivisionError("x")  # noqa: TRY301 - to have a traceback
        except ZeroDivisionError:
            logging.getLogger("wgfo.x").exception("it broke")
        assert "ZeroDivisionError: x" in stream.getvalue()


def test_under_systemd_a_line_bears_its_priority_and_no_time(tmp_path, monkeypatch):
    with (tmp_path / "journal").open("w+") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        set_up(stream, Style.TEXT)
        LogListener().stepped("cloud", Tick(9), (SWITCH, AlarmCleared(9, AlarmName.DRIFT)), lambda: None)
        stream.seek(0)
        assert stream.read().splitlines() == [
            "<4>group cloud: switches from primary to secondary by signal_fail: all targets dead",
            "<6>group cloud: alarm drift is over",
        ]


def test_another_stream_than_systemds_is_no_journal(tmp_path, monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    with (tmp_path / "elsewhere").open("w") as stream:
        assert not is_journal(stream)
    assert not is_journal(io.StringIO())
