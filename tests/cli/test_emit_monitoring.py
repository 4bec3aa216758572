"""``wgfo emit rules``, ``alertmanager``, ``dashboard`` and ``systemd``: what they print, and where."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.telemetry.emitted import BY_ALERTS, DIRECT
from wgfo.cli.main import main


class Emit:
    def __init__(self, directory, capture) -> None:
        self.config = directory / "wgfo.toml"
        self.capture = capture
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> object:
        with pytest.raises(SystemExit) as ended:
            main(["emit", *arguments, "--config", str(self.config)])
        self.out, self.err = self.capture.readouterr()
        return ended.value.code


@pytest.fixture
def emit(tmp_path, capsys):
    (tmp_path / "wgfo.toml").write_text(BY_ALERTS)
    return Emit(tmp_path, capsys)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rules", "alert: WgfoNoUsablePath"),
        ("alertmanager", "http://127.0.0.1:9785/api/v1/alerts"),
        ("dashboard", '"title": "cloud"'),
    ],
)
def test_each_file_goes_to_standard_output_alone(emit, kind, words):
    assert (emit(kind), emit.err) == (0, "")
    assert words in emit.out


@pytest.mark.parametrize(
    ("kind", "name"),
    [("rules", "wgfo.rules.yml"), ("alertmanager", "alertmanager.yml"), ("dashboard", "wgfo.dashboard.json")],
)
def test_each_file_can_be_written_into_a_directory(emit, tmp_path, kind, name):
    assert (emit(kind, "--directory", str(tmp_path)), emit.out) == (0, "")
    assert (tmp_path / name).read_text()


def test_the_runbook_is_where_the_documents_are_published(emit):
    assert emit("rules", "--docs", "https://docs.example/wgfo/") == 0
    assert '"https://docs.example/wgfo/runbooks/alerts.md#wgfopathdown"' in emit.out


def test_the_dashboard_is_json(emit):
    emit("dashboard")
    assert json.loads(emit.out)["uid"] == "wgfo"


def test_units_are_three_and_one_can_be_printed(emit, tmp_path):
    assert emit("systemd") == 1
    assert "--unit NAME" in emit.err
    assert emit("systemd", "--unit", "wgfo.service") == 0
    assert f"run --config {tmp_path}/wgfo.toml\n" in emit.out
    assert emit("systemd", "--directory", str(tmp_path)) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"wgfo.toml", "wgfo.service", "wgfo-check.service", "wgfo-check.timer"}


@pytest.mark.parametrize(
    ("called", "program"),
    [
        ("/usr/local/bin/wgfo", "/usr/local/bin/wgfo"),
        ("/x/wgfo/__main__.py", f"{Path(sys.executable).parent}/wgfo"),
    ],
)
def test_units_run_the_command_as_it_was_called(emit, monkeypatch, called, program):
    monkeypatch.setattr(sys, "argv", [called])
    emit("systemd", "--unit", "wgfo-check.service")
    assert f"\nExecStart={program} check " in emit.out


def test_the_site_and_the_providers_are_passed_on_to_the_units(emit):
    emit.config.write_text(f'[site.here]\nhosts = ["host"]\n{BY_ALERTS}')
    assert emit("systemd", "--unit", "wgfo.service", "--site", "here", "--provider", "linux") == 0, emit.err
    assert "wgfo.toml --site here --provider linux\n" in emit.out


def test_a_unit_that_there_is_not_is_named_with_those_there_are(emit):
    assert emit("systemd", "--unit", "wgfo.socket") == 1
    assert "wgfo.service, wgfo-check.service, wgfo-check.timer" in emit.err


def test_where_nobody_hears_alerts_the_way_to_it_is_named(emit):
    emit.config.write_text(DIRECT)
    assert (emit("alertmanager"), emit.out) == (1, "")
    assert 'kind = "alertmanager"' in emit.err
