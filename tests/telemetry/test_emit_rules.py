"""Every alert fires on what it is for and not on what is usual; Prometheus's own tool is the judge."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.repo.tree import ROOT
from tests.telemetry.emitted import BY_ALERTS, DIRECT, setup

from wgfo.telemetry.emit.rules import RUNBOOK, alerts, check_alerts, rules
from wgfo.telemetry.metrics import Metrics

SETUPS = {"direct": setup(DIRECT), "by alerts": setup(BY_ALERTS)}
NAMES = sorted({alert.name for one in SETUPS.values() for alert in (*alerts(one), *check_alerts(one))})

Series = Mapping[str, str]
PATH = 'group="cloud",path="primary",instance="i",job="j"'
OTHER = PATH.replace("primary", "secondary")
GROUP = 'group="cloud",instance="i",job="j"'


def state(path: str, name: str, values: str) -> Series:
    return {f'wgfo_path_state{{{path},state="{name}"}}': values}


def up(path: str, values: str) -> Series:
    return {f"wgfo_path_up{{{path}}}": values}


FRESH_CHECK = {'wgfo_check_timestamp_seconds{instance="i",job="j"}': "0+15x400"}
STALE_CHECK = {'wgfo_check_timestamp_seconds{instance="i",job="j"}': "0x400"}

CASES: Mapping[str, tuple[Series, Series, str]] = {
    "WgfoPathDown": (
        state(PATH, "down", "0 1x20"),
        state(PATH, "down", "0 1 0x20"),
        "5m",
    ),
    "WgfoPathDegraded": (state(PATH, "degraded", "1x40"), state(PATH, "degraded", "1x4 0x40"), "5m"),
    "WgfoNoUsablePath": (
        {**state(PATH, "down", "1x9"), **state(OTHER, "down", "1x9"), **up(PATH, "0x9"), **up(OTHER, "0x9")},
        {**state(PATH, "down", "1x9"), **state(OTHER, "down", "0x9"), **up(PATH, "0x9"), **up(OTHER, "0x9")},
        "1m",
    ),
    "WgfoNotConverged": (
        {f'wgfo_routes_out_of_sync{{{GROUP},provider="linux"}}': "3x40"},
        {f'wgfo_routes_out_of_sync{{{GROUP},provider="linux"}}': "3x2 0x40"},
        "5m",
    ),
    "WgfoFrozen": ({f"wgfo_frozen{{{GROUP}}}": "1x40"}, {f"wgfo_frozen{{{GROUP}}}": "0x40"}, "5m"),
    "WgfoHandshakeChurn": (
        {
            f"wgfo_wireguard_handshake_age_seconds{{{PATH}}}": "14 1 14 1 14 1x40",
            f"wgfo_wireguard_received_bytes_total{{{PATH}}}": "0+92x45",
        },
        {
            f"wgfo_wireguard_handshake_age_seconds{{{PATH}}}": "0+15x8 0+15x8 0+15x8 0+15x8 0+15x8",
            f"wgfo_wireguard_received_bytes_total{{{PATH}}}": "0+92x45",
        },
        "10m",
    ),
    "WgfoOverrideLeft": (
        {f'wgfo_override{{{GROUP},kind="forced"}}': "1x1200"},
        {f'wgfo_override{{{GROUP},kind="forced"}}': "0x200 1x900"},
        "4h1m",
    ),
    "WgfoAbsent": (
        {"up": "1x40"},
        {'wgfo_build_info{version="0.1.0"}': "1x40"},
        "5m",
    ),
    "WgfoTextfileStale": (
        {'node_textfile_mtime_seconds{file="/var/lib/prometheus/node-exporter/wgfo.prom"}': "0x60"},
        {'node_textfile_mtime_seconds{file="/var/lib/prometheus/node-exporter/wgfo.prom"}': "0+15x60"},
        "10m",
    ),
    "WgfoOnStandby": (
        {f"wgfo_path_active{{{OTHER}}}": "1x400", f"wgfo_path_active{{{PATH}}}": "0x400"},
        {f"wgfo_path_active{{{OTHER}}}": "0x400", f"wgfo_path_active{{{PATH}}}": "1x400"},
        "50m",
    ),
    "WgfoFlapping": (
        {f'wgfo_switches_total{{{GROUP},from="a",to="b",rule="signal_fail"}}': "0x9 1x9 2x9 3x9 4x9"},
        {f'wgfo_switches_total{{{GROUP},from="a",to="b",rule="manual"}}': "0x9 1x9 2x9 3x9 4x9"},
        "13m",
    ),
    "WgfoBackgroundLoss": (
        {f'wgfo_probe_loss_ratio{{{PATH},class="small"}}': "0.05x100", **state(PATH, "up", "1x100")},
        {f'wgfo_probe_loss_ratio{{{PATH},class="small"}}': "0.01x100", **state(PATH, "up", "1x100")},
        "20m",
    ),
    "WgfoCheckFailed": (
        {**state(PATH, "down", "1x40"), **FRESH_CHECK},
        {**state(PATH, "down", "1x40"), **STALE_CHECK},
        "5m",
    ),
    "WgfoCheckAlive": (
        {**state(PATH, "up", "1x40"), **FRESH_CHECK},
        {**state(PATH, "up", "0x40"), **FRESH_CHECK},
        "5m",
    ),
}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120, check=False)


def case(series: Series, name: str, at: str, firing: int) -> dict[str, object]:
    """Prometheus's own record of what fires."""
    count = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    return {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": count, "eval_time": at, "exp_samples": [{"labels": "{}", "value": firing}]}
        ],
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rules")
    (path / "direct.yml").write_text(rules(SETUPS["direct"], "https://docs.example"))
    (path / "alerts.yml").write_text(rules(SETUPS["by alerts"], "https://docs.example"))
    return path


@pytest.mark.parametrize("name", ["direct", "alerts"])
def test_prometheus_accepts_the_rules(directory, name):
    done = promtool("check", "rules", str(directory / f"{name}.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_case():
    assert sorted(CASES) == NAMES


@pytest.mark.parametrize("place", [0, 1], ids=["fires", "stays quiet"])
def test_every_alert_fires_on_what_it_is_for_and_not_on_what_is_usual(directory, place):
    tests = []
    for name, (bad, usual, at) in CASES.items():
        file = directory / ("alerts.yml" if name.startswith("WgfoCheck") else "direct.yml")
        one = {
            "rule_files": [str(file)],
            "evaluation_interval": "15s",
            "tests": [case((bad, usual)[place], name, at, 1 - place)],
        }
        path = directory / f"{name}-{place}.test.json"
        path.write_text(json.dumps(one))
        tests.append(str(path))
    done = promtool("test", "rules", *tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_texts_are_filled_in_for_whoever_reads_them(directory):
    expected = {
        "exp_labels": {
            "severity": "warning",
            "group": "cloud",
            "path": "primary",
            "instance": "i",
            "job": "j",
            "state": "down",
        },
        "exp_annotations": {
            "summary": "Path cloud/primary is down",
            "description": "wgfo holds cloud/primary for down. Traffic is on another path, if one is usable; "
            "there is one reserve less.",
            "runbook_url": "https://docs.example/runbooks/alerts.md#wgfopathdown",
        },
    }
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": "1x9"} for name in state(PATH, "down", "")],
        "alert_rule_test": [{"eval_time": "1m", "alertname": "WgfoPathDown", "exp_alerts": [expected]}],
    }
    path = directory / "texts.test.json"
    path.write_text(json.dumps({"rule_files": [str(directory / "direct.yml")], "tests": [test]}))
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_how_bad_it_is_what_happened_and_where_to_read_on():
    for one in SETUPS.values():
        for alert in (*alerts(one), *check_alerts(one)):
            assert alert.severity in {"critical", "warning", "info", "none"}
            assert alert.summary
            assert alert.description.endswith((".", "?"))


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert():
    page = (ROOT / "docs" / RUNBOOK).read_text()
    assert sorted(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == NAMES


def test_the_rules_use_metrics_that_exist():
    real = {sample for family in Metrics("0", list, lambda: 0, {}).collect() for sample in _names(family)}
    known = real | {"wgfo_check_timestamp_seconds"}
    text = "".join(rules(one, "docs") for one in SETUPS.values())
    assert set(re.findall(r"\b(wgfo_\w+)", text)) - known == set()


def _names(family) -> set[str]:
    return {family.name, f"{family.name}_total"} if family.type == "counter" else {family.name}


def test_alerts_for_the_daemon_itself_are_made_only_where_it_wants_them():
    assert check_alerts(SETUPS["direct"]) == []
    assert [alert.name for alert in check_alerts(SETUPS["by alerts"])] == [
        "WgfoCheckFailed",
        "WgfoCheckAlive",
    ]


def test_alerts_for_the_daemon_itself_do_not_look_at_what_it_believes():
    """It would hold a path down because it holds it down."""
    for alert in check_alerts(SETUPS["by alerts"]):
        assert "wgfo_check_timestamp_seconds" in alert.expr
