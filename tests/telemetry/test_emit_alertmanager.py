"""The Alertmanager file: accepted by its own tool, and fast enough for what the probes wait for."""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.telemetry.emitted import ALERTS, BY_ALERTS, DIRECT, setup

from wgfo.plugin import ConfigError
from wgfo.plugin.values import Duration
from wgfo.telemetry.emit.alertmanager import Times, alertmanager
from wgfo.telemetry.emit.yaml import dump

TWO_GROUPS = BY_ALERTS + BY_ALERTS[BY_ALERTS.index("[[group]]") :].replace('"cloud"', '"branch"').replace(
    "10.20.0.0/16", "10.30.0.0/16"
)


def amtool(path, *arguments: str) -> str:
    done = subprocess.run(
        ["amtool", *arguments, f"--config.file={path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager(setup(TWO_GROUPS)))
    return path


def test_alertmanager_accepts_the_file(file):
    done = subprocess.run(
        ["amtool", "check-config", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 receivers" in done.stdout


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (("alertname=WgfoCheckFailed", "group=cloud", "path=primary"), "wgfo,people"),
        (("alertname=WgfoCheckFailed", "group=branch", "path=secondary"), "wgfo,people"),
        (("alertname=WgfoCheckAlive", "group=cloud", "path=secondary"), "wgfo"),
        (("alertname=WgfoCheckFailed", "group=cloud", "path=third"), "people"),
        (("alertname=WgfoCheckFailed", "group=other", "path=primary"), "people"),
        (("alertname=DiskFull",), "people"),
    ],
)
def test_each_alert_goes_where_it_is_wanted(file, labels, receivers):
    assert amtool(file, "config", "routes", "test", *labels).strip() == receivers


def test_alerts_go_out_at_once_and_apart_from_the_heartbeat(file):
    shown = file.read_text()
    assert shown.count("group_wait: 0s") == 4
    assert shown.count("send_resolved: true") == 1
    assert "group_by:\n        - group\n        - path\n" in shown
    assert "credentials_file: /etc/wgfo/webhook.token" in shown


@pytest.mark.parametrize("seconds", [6, 15, 60, 300, 3_600])
def test_two_words_may_be_lost_before_an_alert_expires(seconds):
    expiry = Duration(seconds * 1_000_000)
    times = Times.within(expiry, "here")
    slowest_us = times.repeat_interval.us + times.group_interval.us
    assert 2 * slowest_us <= expiry.us
    assert 0 < times.group_interval.us <= 5_000_000


def test_an_expiry_that_cannot_fit_is_refused():
    text = BY_ALERTS.replace('"60s"', '"5s"')
    with pytest.raises(ConfigError, match=r'group "cloud".*expiry 5s cannot fit.*at least 6s'):
        alertmanager(setup(text))


def test_without_a_probe_that_hears_alerts_there_is_nothing_to_send():
    with pytest.raises(ConfigError, match='kind = "alertmanager"'):
        alertmanager(setup(DIRECT))


def test_what_is_written_twice_is_there_once():
    doubled = BY_ALERTS.replace("[[group.route]]", f"{ALERTS}[[group.route]]", 1)
    assert alertmanager(setup(doubled)) == alertmanager(setup(BY_ALERTS))


def test_yaml_quotes_what_would_read_as_something_else():
    written = dump(
        {"a": "yes", "b": ["1", {"c": "x: y", "d": 1}], "e": True, "f": {}, "g": "10s", "h": "ü\n"}
    )
    assert written == ('a: "yes"\nb:\n  - "1"\n  - c: "x: y"\n    d: 1\ne: true\nf: {}\ng: 10s\nh: "ü\\n"\n')
    assert json.loads('"ü\\n"') == "ü\n"
