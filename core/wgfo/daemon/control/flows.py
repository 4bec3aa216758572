"""What probes say of a path's flows, as the JSON objects of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from wgfo.model import FlowReport, FlowTally, GroupName, PathName

JsonObject = dict[str, object]
PathFlows = Mapping[tuple[GroupName, PathName], Sequence[FlowReport]]
"""The reports of each path that has any, one per probe."""

_US: Final = 1_000_000


def path_flows(flows: PathFlows, group: GroupName, path: PathName) -> JsonObject:
    """Return the key ``flows`` where a probe of the path has something to say, else nothing."""
    reports = flows.get((group, path))
    return {"flows": [flow_fields(one) for one in reports]} if reports else {}


def flow_fields(report: FlowReport) -> JsonObject:
    """Return one probe's report on one path."""
    return {
        "kind": report.kind,
        "text": report.text,
        "window_seconds": report.window_us / _US,
        "sent": report.sent,
        "lost": report.lost,
        "lost_forward": report.lost_forward,
        "lost_return": report.lost_return,
        "by_flow": [_tally(one) for one in report.flows],
    }


def _tally(one: FlowTally) -> JsonObject:
    return {"target": one.target, "source_port": one.source_port, "sent": one.sent, "lost": one.lost}
