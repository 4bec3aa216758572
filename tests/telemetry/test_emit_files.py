"""The dashboard and the units: of this configuration, and with nothing in them that does not exist."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.repo.tree import ROOT
from tests.telemetry.emitted import BY_ALERTS, DIRECT, setup

from wgfo.telemetry.emit.dashboard import WIDTH, dashboard
from wgfo.telemetry.emit.systemd import Installed, units
from wgfo.telemetry.metrics import Metrics

INSTALLED = Installed(Path("/usr/local/bin/wgfo"), ("--config", "/etc/wgfo/my wgfo.toml"))


# --- dashboard -----------------------------------------------------------------------------------------------


def panels() -> list[dict]:
    return list(json.loads(dashboard(setup(DIRECT)))["panels"])


def metrics() -> set[str]:
    names = set()
    for family in Metrics("0", list, lambda: 0, {}).collect():
        names |= {
            "counter": {f"{family.name}_total"},
            "histogram": {f"{family.name}_{part}" for part in ("bucket", "sum", "count")},
        }.get(family.type, {family.name})
    return names


def test_the_dashboard_shows_only_metrics_that_exist():
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    shown = {name for query in queries for name in re.findall(r"\bwgfo_\w+", query)}
    assert shown
    assert shown - metrics() == set()


def test_each_group_has_a_row_of_its_own():
    text = DIRECT + DIRECT[DIRECT.index("[[group]]") :].replace('"cloud"', '"branch"').replace(
        "10.20.0.0/16", "10.30.0.0/16"
    )
    found = json.loads(dashboard(setup(text)))["panels"]
    assert [panel["title"] for panel in found if panel["type"] == "row"] == ["cloud", "branch", "wgfo"]


def test_panels_neither_overlap_nor_leave_the_page():
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        taken |= cells
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    """All queries as recording rules, which Prometheus's own tool reads."""
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    rules = [
        {"record": f"q{place}", "expr": query.replace("$__rate_interval", "1m")}
        for place, query in enumerate(asked)
    ]
    path = tmp_path_factory.mktemp("dashboard") / "queries.json"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    return path


def test_prometheus_can_read_every_query(queries):
    done = subprocess.run(
        ["promtool", "check", "rules", str(queries)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- units ---------------------------------------------------------------------------------------------------


def unit(name: str, text: str = DIRECT) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(units(setup(text), INSTALLED)[name])
    return parser


def test_the_daemon_is_watched_restarted_and_started_after_its_tunnels():
    service = unit("wgfo.service")["Service"]
    assert (service["Type"], service["WatchdogSec"], service["Restart"]) == ("notify", "10s", "always")
    assert service["ExecStart"] == "/usr/local/bin/wgfo run --config '/etc/wgfo/my wgfo.toml'"
    assert "wg-quick@wg0.service wg-quick@wg1.service" in unit("wgfo.service")["Unit"]["After"]


def test_the_daemon_has_its_directories_and_no_more_rights_than_it_needs():
    service = unit("wgfo.service")["Service"]
    assert (service["StateDirectory"], service["RuntimeDirectory"]) == ("wgfo", "wgfo")
    assert service["ReadWritePaths"] == "/var/lib/prometheus/node-exporter"
    assert service["CapabilityBoundingSet"] == "CAP_NET_ADMIN CAP_NET_RAW"
    assert service["RestrictNamespaces"] == "yes"
    assert "ReadWritePaths" not in unit("wgfo.service", BY_ALERTS)["Service"]


def test_the_token_of_the_webhook_is_read_by_a_group_of_its_own():
    assert unit("wgfo.service", BY_ALERTS)["Service"]["SupplementaryGroups"] == "wgfo-webhook"
    assert "SupplementaryGroups" not in unit("wgfo.service")["Service"]


def test_the_how_to_shows_the_unit_as_it_is_printed():
    usual = DIRECT.replace('textfile = "/var/lib/prometheus/node-exporter/wgfo.prom"\n', "")
    installed = Installed(Path("/usr/local/bin/wgfo"), ("--config", "/etc/wgfo/wgfo.toml"))
    assert units(setup(usual), installed)["wgfo.service"] in (ROOT / "docs/how-to/systemd.md").read_text()


def test_directories_elsewhere_are_made_writable():
    text = DIRECT.replace("[daemon]", '[daemon]\nstate_dir = "/srv/wgfo"\ncontrol = "/srv/run/control.sock"')
    service = unit("wgfo.service", text)["Service"]
    assert service["ReadWritePaths"] == "/var/lib/prometheus/node-exporter /srv/wgfo /srv/run"
    assert "StateDirectory" not in service


def test_a_provider_in_another_namespace_needs_the_right_to_go_there():
    service = unit("wgfo.service", f'[provider.linux]\nnetns = "branch"\n{DIRECT}')["Service"]
    assert service["CapabilityBoundingSet"] == "CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_ADMIN"
    assert "RestrictNamespaces" not in service


def test_the_check_writes_a_file_beside_the_daemons_and_may_find_paths_down():
    service = unit("wgfo-check.service")["Service"]
    written = "/var/lib/prometheus/node-exporter/wgfo-check.prom"
    assert service["ExecStart"].startswith(f"/usr/local/bin/wgfo check --textfile {written} --config")
    assert (service["Type"], service["SuccessExitStatus"]) == ("oneshot", "3")


def test_the_timer_runs_often_enough_for_the_alerts_about_the_check():
    timer = unit("wgfo-check.timer")["Timer"]
    assert int(timer["OnUnitActiveSec"].removesuffix("s")) * 3 <= 60


def test_systemd_reads_the_units(tmp_path):
    """Where there is no systemd, the parsers above are what is left."""
    program = tmp_path / "wgfo"
    shutil.copy("/bin/true", program)
    for name, text in units(setup(DIRECT), Installed(program, ())).items():
        (tmp_path / name).write_text(text.replace("wg-quick@", "not-here@"))
    if shutil.which("systemd-analyze") is None:
        return
    command = [
        "systemd-analyze",
        "verify",
        "--man=no",
        "--recursive-errors=no",
        *map(str, tmp_path.glob("*.*")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    mine = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert mine == []
