"""``wgfo emit dashboard``: a Grafana dashboard, one row a group, of metrics that wgfo has.

Grafana imports the JSON and asks for the data source (https://grafana.com/docs/grafana/latest/dashboards/).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wgfo.config.setup import Setup

WIDTH: Final = 24
HEIGHT: Final = 7
_GREEN, _YELLOW, _RED = "green", "orange", "red"

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: a query (or some), and how it is drawn."""

    title: str
    kind: str
    queries: Mapping[str, str]
    """PromQL to legend; ``GROUP`` stands for the group's name."""
    unit: str = "short"
    width: int = 8
    text: str = ""


PANELS: Final = (
    Panel("Active path", "state-timeline", {'wgfo_path_active{group="GROUP"}': "{{path}}"}, "bool_yes_no"),
    Panel("Path up", "state-timeline", {'wgfo_path_up{group="GROUP"}': "{{path}}"}, "bool_yes_no"),
    Panel(
        "Layers",
        "state-timeline",
        {'wgfo_layer_up{group="GROUP"}': "{{path}} {{layer}}"},
        "bool_yes_no",
        text="Interface and handshake are evidence; the data plane is the truth.",
    ),
    Panel(
        "Loss", "timeseries", {'wgfo_probe_loss_ratio{group="GROUP"}': "{{path}} {{class}}"}, "percentunit"
    ),
    Panel("Round trip", "timeseries", {'wgfo_probe_rtt_seconds{group="GROUP"}': "{{path}} {{class}}"}, "s"),
    Panel(
        "Probes by result",
        "timeseries",
        {
            'sum by (path, result) (rate(wgfo_probe_results_total{group="GROUP"}[$__rate_interval]))': (
                "{{path}} {{result}}"
            )
        },
        "cps",
    ),
    Panel("Prefixes out of step", "timeseries", {'wgfo_routes_out_of_sync{group="GROUP"}': "{{provider}}"}),
    Panel(
        "Switches",
        "timeseries",
        {'sum by (from, to) (increase(wgfo_switches_total{group="GROUP"}[1h]))': "{{from}} → {{to}}"},
    ),
    Panel(
        "Phases of switches, slowest of ten",
        "timeseries",
        {
            "histogram_quantile(0.9, sum by (le, phase) "
            '(increase(wgfo_switch_phase_seconds_bucket{group="GROUP"}[1d])))': "{{phase}}"
        },
        "s",
    ),
    Panel(
        "Handshake age",
        "timeseries",
        {'wgfo_wireguard_handshake_age_seconds{group="GROUP"}': "{{path}}"},
        "s",
    ),
    Panel(
        "Tunnel traffic",
        "timeseries",
        {
            'rate(wgfo_wireguard_received_bytes_total{group="GROUP"}[$__rate_interval])': "{{path}} received",
            'rate(wgfo_wireguard_sent_bytes_total{group="GROUP"}[$__rate_interval])': "{{path}} sent",
        },
        "Bps",
    ),
    Panel(
        "Held and frozen",
        "state-timeline",
        {'wgfo_override{group="GROUP"}': "{{kind}}", 'wgfo_frozen{group="GROUP"}': "frozen"},
        "bool_yes_no",
    ),
)
DAEMON: Final = (
    Panel("Version", "stat", {"wgfo_build_info": "{{version}}"}, width=4),
    Panel("Configuration read in full", "stat", {"wgfo_config_last_reload_successful": ""}, "bool_yes_no", 4),
    Panel(
        "Routes last read", "stat", {"wgfo_last_reconcile_timestamp_seconds * 1000": ""}, "dateTimeFromNow", 4
    ),
    Panel(
        "Calls to providers",
        "timeseries",
        {
            "sum by (provider, operation, result) (rate(wgfo_provider_requests_total[$__rate_interval]))": (
                "{{provider}} {{operation}} {{result}}"
            )
        },
        "cps",
        6,
    ),
    Panel(
        "Alerts heard",
        "timeseries",
        {"sum by (result) (rate(wgfo_webhook_notifications_total[$__rate_interval]))": "{{result}}"},
        "cps",
        6,
    ),
)


def dashboard(setup: Setup) -> str:
    """Return the dashboard's JSON."""
    names = [str(group.name) for group in setup.groups]
    return json.dumps(_dashboard(names), indent=2, ensure_ascii=False) + "\n"


def _dashboard(names: list[str]) -> Json:
    return {
        "__inputs": [{"name": "DS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}],
        "title": "wgfo",
        "uid": "wgfo",
        "tags": ["wgfo", "wireguard"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "editable": True,
        "panels": list(_panels(names)),
    }


def _panels(names: list[str]) -> Iterator[Json]:
    """Lay the panels out from left to right; a row of its own begins each group."""
    number, y = 0, 0
    for title, group, panels in [*((name, name, PANELS) for name in names), ("wgfo", "", DAEMON)]:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        }
        y += 1
        x = 0
        for panel in panels:
            number += 1
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            yield _panel(panel, group, number, x, y)
            x += panel.width
        y += HEIGHT


def _panel(panel: Panel, group: str, number: int, x: int, y: int) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": {"type": "prometheus", "uid": "${DS}"},
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, **_colours(panel)}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} | _options(panel),
        "targets": [
            {"refId": chr(ord("A") + place), "expr": _query(query, group), "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.queries.items())
        ],
    }


def _query(query: str, group: str) -> str:
    return query.replace('"GROUP"', json.dumps(group))


def _options(panel: Panel) -> Json:
    if panel.kind != "stat":
        return {}
    return {"textMode": "name" if panel.title == "Version" else "value"}


def _colours(panel: Panel) -> Json:
    if panel.unit != "bool_yes_no":
        return {}
    bad_when_one = panel.title == "Held and frozen"
    low, high = (_GREEN, _YELLOW) if bad_when_one else (_RED, _GREEN)
    steps = [{"color": low, "value": None}, {"color": high, "value": 1}]
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}
