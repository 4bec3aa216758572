"""What the status page shows, made from the same reports as ``status --json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.config.setup import GroupSetup
from wgfo.daemon.control import render
from wgfo.daemon.control.render import View
from wgfo.daemon.page.charts import PathCharts, path_charts, rtt_top_us
from wgfo.daemon.page.words import level
from wgfo.engine.report import GroupReport, GroupState
from wgfo.model import PathName, PathState
from wgfo.telemetry.families import out_of_sync
from wgfo.telemetry.feed import Feed, Numbered
from wgfo.telemetry.happenings import Kind
from wgfo.telemetry.switches import SwitchRecord
from wgfo.telemetry.trends import Trends

FEW_GROUPS: Final = 3
"""So few are unfolded from the start."""
MANY_GROUPS: Final = 200
"""From here on, groups that are well have their details on a page of their own."""
SWITCHES: Final = 20
OTHERS: Final = 20
"""Lines of the timeline: however much else happens, the latest switches stay in sight."""
_TOLD: Final = frozenset({Kind.PATH, Kind.ALARM, Kind.OVERRIDE, Kind.ESTABLISHED})


@dataclass(frozen=True, slots=True)
class Summary:
    """The head of the page."""

    state: GroupState
    groups: int
    well: int
    paths: int
    paths_up: int
    out_of_sync: int
    """Prefixes."""
    alarms: int
    site: str | None
    version: str
    at: str
    """RFC 3339; when this was true."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group."""

    fields: Mapping[str, object]
    """As in ``status --json``, with timers."""
    charts: Mapping[PathName, PathCharts]
    unfolded: bool
    whole: bool
    """With its details."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: str
    group: str
    level: str
    title: str
    text: str
    phases: Mapping[str, float | None] | None = None
    failed: int = 0


def summary(reports: Sequence[GroupReport], view: View) -> Summary:
    """Return the head of the page."""
    paths = [path for report in reports for path in report.paths]
    unsynced = sum(out_of_sync(one, report.desired) for report in reports for one in report.sets)
    return Summary(
        render.worst(report.state for report in reports),
        len(reports),
        Counter(report.state for report in reports)[GroupState.OK],
        len(paths),
        sum(path.state is PathState.UP for path in paths),
        unsynced,
        sum(len(report.alarms) for report in reports),
        view.setup.site,
        view.version,
        view.rfc3339(view.now_us),
    )


def group_view(
    report: GroupReport, setup: GroupSetup | None, view: View, trends: Trends, *, whole: bool
) -> GroupView:
    """Return a group; ``whole`` says whether its details go along whatever its state."""
    troubled = level(report.state) in {"warn", "bad"}
    slices = {path.name: trends.of(report.name, path.name) for path in report.paths}
    top_us = rtt_top_us(slices.values())
    return GroupView(
        render.group_fields(report, setup, view, timers=True),
        {name: path_charts(one, view.now_us, top_us) for name, one in slices.items()},
        troubled or len(view.setup.groups) <= FEW_GROUPS,
        whole or troubled,
    )


# --- the timeline -------------------------------------------------------------------------------------------


def timeline(switches: Sequence[SwitchRecord], feed: Feed) -> Sequence[Entry]:
    """Return the latest switches and what happened in this run of the daemon, newest first."""
    entries = [*map(_switch, switches[-SWITCHES:]), *_happened(feed.latest(_TOLD, OTHERS))]
    return sorted(entries, key=lambda one: one.at, reverse=True)


def _switch(one: SwitchRecord) -> Entry:
    phases = {
        "detected in": render.seconds(one.detect_us),
        "written after": render.seconds(one.write_us),
        "verified after": render.seconds(one.verified_us),
        "first packet after": render.seconds(one.first_packet_us),
    }
    source = f"{one.source} → " if one.source else ""
    title = f"switch {source}{one.target}"
    return Entry(one.at, one.group, "switch", title, f"{one.rule}: {one.reason}", phases, one.failed)


def _happened(numbered: Iterable[Numbered]) -> Iterator[Entry]:
    for one in numbered:
        title, text, loud = _sentence(one.happening.kind, one.happening.fields)
        yield Entry(one.at, one.happening.group, loud, title, text)


def _sentence(kind: Kind, fields: Mapping[str, object]) -> tuple[str, str, str]:
    """Return title, text and level."""
    if kind is Kind.PATH:
        after = str(fields["after"])
        return f"path {fields['path']} is {after}", str(fields["reason"]), level(after)
    if kind is Kind.ALARM and fields["active"]:
        return f"alarm {fields['name']}", str(fields["text"]), "bad" if fields["page"] else "warn"
    if kind is Kind.ALARM:
        return f"alarm {fields['name']} is over", "", "good"
    if kind is Kind.OVERRIDE:
        begins = "begins" if fields["active"] else "ends"
        of = f" of {fields['path']}" if fields["path"] else ""
        text = str(fields["reason"] if fields["active"] else fields["why"])
        return f"{fields['override']}{of} {begins}", text, "warn"
    return f"desired path is {fields['path']}", str(fields["reason"]), "idle"
