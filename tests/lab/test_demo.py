"""The demonstration, played for real; only its waits are shortened."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.netns import eventually
from wgfo.lab import config, demo, state
from wgfo.lab.errors import LabError

pytestmark = pytest.mark.net

QUICK = {'interval = "1s"': 'interval = "200ms"', 'window = "10s"': 'window = "2s"', '= "8s"': '= "1s"'}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes five times a second, and short waits."""
    settings = config.text

    def text(directory: Path, **options: bool) -> str:
        found = settings(directory, **options)
        for slow, fast in QUICK.items():
            assert slow in found
            found = found.replace(slow, fast)
        return found

    monkeypatch.setattr(config, "text", text)
    monkeypatch.setattr(demo, "CALM_S", 1)


def played(options: demo.Options) -> tuple[bool, str]:
    out = io.StringIO()
    complete = demo.run(options, Console(file=out, width=200, color_system=None))
    return complete, out.getvalue()


@pytest.mark.usefixtures("quick")
def test_a_silent_failure_is_noticed_escaped_and_returned_from(own_root: Path, tmp_path: Path) -> None:
    data, drawing = tmp_path / "demo.json", tmp_path / "demo.svg"
    complete, said = played(demo.Options(json_file=data, picture=drawing))
    assert complete, said
    told = json.loads(data.read_text())
    assert told["layers"]["dataplane"] == "down"
    assert told["layers"]["interface"] == told["layers"]["handshake"] == "up"
    assert told["renewals"] >= 1
    assert told["escape"]["rule"] == "signal_fail"
    assert told["restoration"]["rule"] == "revert"
    assert told["escape"]["lost"] > 0
    assert told["restoration"]["lost"] == 0
    assert told["escape"]["written_us"] is not None, said
    assert told["escape"]["written_us"] <= told["escape"]["verified_us"]
    assert "What failed: silent-drop on the primary path" in said
    ET.fromstring(drawing.read_text())
    assert not own_root.exists()


@pytest.mark.usefixtures("quick")
def test_a_third_host_in_the_cloud_moves_both_halves(own_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "RENEWAL_S", 0)  # seen above
    complete, said = played(demo.Options(third_host=True))
    assert not complete
    assert "decided: to secondary (signal_fail)" in said
    assert "decided: to primary (revert)" in said
    assert "interface             not probed" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demonstration_cut_short_leaves_nothing_running(own_root: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", "from wgfo.cli.main import main; main()", "lab", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while b"waiting for both paths up" not in process.stdout.readline():
            assert process.poll() is None
        found = state.load("demo")
        assert found is not None
        os.kill(process.pid, number)
        process.communicate(timeout=20)
    assert process.returncode != 0
    eventually(lambda: not found.enclosure.alive, what="the lab ends with its demonstration")
    assert own_root.exists() is (number is signal.SIGKILL)


def test_a_daemon_that_does_not_start_is_told_with_its_last_words(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "text", lambda *_, **__: "[daemon]\nnonsense = 1\n")
    with pytest.raises(LabError, match=r"(?s)the daemon ended by itself; its last words:.*nonsense"):
        played(demo.Options())
    assert not own_root.exists()


@pytest.mark.usefixtures("quick")
def test_a_kept_lab_stays_until_down(own_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_acts", lambda _stage: None)
    _, said = played(demo.Options(keep=True))
    assert "wgfo lab down --name demo" in said
    found = state.load("demo")
    assert found is not None
    assert found.enclosure.alive
