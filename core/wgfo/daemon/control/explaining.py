"""What ``wgfo explain`` asks the daemon for: why, what was rejected, what is missing, and the rules in force.

The policy goes along as the journal writes it, so that the figures that are computed from it are those of what
*runs*, whatever the configuration's file says by now. They are not computed here: they take a second, and the
loop has better things to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from wgfo.config.setup import GroupSetup
from wgfo.daemon import codec
from wgfo.daemon.control import render
from wgfo.daemon.control.flows import path_flows
from wgfo.daemon.control.render import JsonObject, View
from wgfo.engine.outlook import PathOutlook
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.report import GroupReport, PathReport
from wgfo.model import BindKind, GroupName, PathName

NOTHING: Final = PathOutlook(PathName(""), (), (), (), 0, 0)
"""Of a path that nothing is said of."""
Outlooks = Mapping[GroupName, Sequence[PathOutlook]]


def explain(reports: Sequence[GroupReport], outlooks: Outlooks, view: View) -> JsonObject:
    """Return the object of ``GET /api/v1/explain``."""
    setups = {group.name: group for group in view.setup.groups}
    shown = [
        _group(report, outlooks.get(report.name, ()), setups[report.name], view)
        for report in reports
        if report.name in setups
    ]
    whole = {"api_version": render.API_VERSION, "version": view.version, "site": view.setup.site}
    return whole | {"groups": shown}


def _group(report: GroupReport, outlook: Sequence[PathOutlook], setup: GroupSetup, view: View) -> JsonObject:
    of_status = render.group_fields(report, setup, view, timers=True)
    kept = {key: value for key, value in of_status.items() if key not in {"paths", "routes"}}
    prospects = {one.name: one for one in outlook}
    return kept | {
        "rule": report.rule,
        "rejected": [{"path": one.path, "why": one.why} for one in report.rejected],
        "paths": [
            _path(path, prospects.get(path.name, NOTHING)) | path_flows(view.flows, report.name, path.name)
            for path in report.paths
        ],
        "trusted": list(trusted(setup)),
        "policy": codec.encode(setup.policy, GroupPolicy),
    }


def _path(path: PathReport, prospects: PathOutlook) -> JsonObject:
    return render.path_fields(path) | {
        "role": "active" if path.active else "standby",
        "layer_reasons": dict(path.layer_reasons),
        "usable": path.usable,
        "clean_rounds": path.clean_rounds,
        "not_moved_to": list(prospects.escape),
        "not_returned_to": list(prospects.restore),
        "threats": list(prospects.threats),
        "background": {"lost": prospects.lost, "possible": prospects.possible},
    }


def trusted(setup: GroupSetup) -> tuple[PathName, ...]:
    """Return the paths that are chosen by the address alone."""
    return tuple(view.name for view in setup.paths if view.visible and view.bind.kind is BindKind.ADDRESS)
