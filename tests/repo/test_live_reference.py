"""Every event of the stream and every kind of log line has its entry in the reference, and every entry is real."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from tests.repo.tree import ROOT
from wgfo.daemon.control.api import ENDPOINTS
from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmName,
    AlarmRaised,
    Decision,
    Established,
    Observe,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    Point,
    RequestAnswered,
    Rule,
    SetConverged,
    Switch,
)
from wgfo.engine.events import Override, OverrideKind, WriteEnded
from wgfo.engine.report import GroupState, Mode
from wgfo.model import GroupName, PathName, PathState, RouteSetId
from wgfo.telemetry.changes import GroupChanged, Standing
from wgfo.telemetry.happenings import Happening, Kind, of_change, of_decision, of_phases, of_write
from wgfo.telemetry.switches import SwitchRecord

GROUP, PATH, SET = GroupName("g"), PathName("p"), RouteSetId("s")
STANDING = Standing(GroupState.OK, Mode.AUTO, PATH, PATH, True)
OVERRIDE = Override(OverrideKind.FORCED, PATH, "", "", "", None, None)
RECORD = SwitchRecord("t", GROUP, 1, PATH, PATH, Rule.FORCED, "")
DECISIONS: list[Decision] = [
    Established(1, 1, PATH, "stored", ""),
    Switch(1, 1, PATH, PATH, Rule.FORCED, ""),
    Point(1, SET, PATH, 1, 1, True, True, ""),
    Observe(1, SET, True, ""),
    SetConverged(1, SET, 1, PATH),
    PathChanged(1, PATH, PathState.UP, PathState.DOWN, "", ""),
    AlarmRaised(1, AlarmName.DRIFT, ""),
    AlarmCleared(1, AlarmName.DRIFT),
    OverrideSet(1, OVERRIDE),
    OverrideEnded(1, OVERRIDE, ""),
    RequestAnswered(1, "r", True, ""),
]
COMMON = {"at", "kind", "group"}


def happenings() -> list[Happening]:
    made = [one for decision in DECISIONS if (one := of_decision(GROUP, decision)) is not None]
    change = GroupChanged(1, GROUP, None, STANDING, "")
    return [*made, of_write(GROUP, WriteEnded(1, SET, 1, 1, None)), of_change(change), of_phases(RECORD)]


def described_events() -> Mapping[str, set[str]]:
    page = (ROOT / "docs/reference/events.md").read_text()
    parts = re.split(r"^### `(\w+)`$", page, flags=re.MULTILINE)
    return {
        kind: set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE))))
        for kind, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_samples_are_all_decisions() -> None:
    assert {type(one) for one in DECISIONS} == set(get_args(Decision))


def test_the_reference_lists_exactly_the_events_and_their_fields() -> None:
    assert {one.kind for one in happenings()} == set(Kind)
    assert described_events() == {one.kind: set(one.fields) for one in happenings()}


def test_no_field_of_an_event_hides_a_common_one() -> None:
    assert [one.kind for one in happenings() if COMMON & set(one.fields)] == []


def test_the_reference_lists_exactly_the_kinds_of_log_lines_and_their_fields() -> None:
    page = (ROOT / "docs/reference/log.md").read_text()
    rows = re.findall(r"^\| `([A-Z]\w+)` \|([^|]*)\|", page, re.MULTILINE)
    described = {kind: set(re.findall(r"`(\w+)`", cells)) for kind, cells in rows}
    real: list[Any] = [*get_args(Decision), WriteEnded, GroupChanged, SwitchRecord]
    assert described == {one.__name__: {field.name for field in fields(one)} for one in real}


def test_the_reference_lists_exactly_the_endpoints() -> None:
    page = (ROOT / "docs/reference/http.md").read_text()
    described = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", page, re.MULTILINE))
    assert described == {f"{one.method} {one.path}" for one in ENDPOINTS}
