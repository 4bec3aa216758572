"""A daemon whose notifiers hang, fail and talk to nobody decides and writes all the same."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.page.station import Station

from wgfo.config.setup import NotifySetup

ALL = frozenset({"switch", "no_usable_path", "partial", "frozen", "flapping"})


def test_no_decision_waits_for_a_notifier(tmp_path):
    out, mark = tmp_path / "out", tmp_path / "mark"
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, answers nothing
        notify = (
            NotifySetup(ALL, command=("/bin/sh", "-c", 'echo $$ > "$0"; exec sleep 3600', str(mark))),
            NotifySetup(ALL, url=f"http://127.0.0.1:{mute.getsockname()[1]}/"),
            NotifySetup(ALL, command=("/nonexistent/page",)),
            NotifySetup(ALL, command=("/bin/sh", "-c", 'cat >> "$0"', str(out))),
        )
        station = Station(tmp_path, 1, 200_000)
        station.changes = {"notify": notify}
        with station.running():
            station.until(station.healthy, "all is well")
            station.cut("g1", "primary")
            station.until(lambda: station.report("g1").active == "secondary", "traffic moved")
            (record,) = station.call(station.house.live.switches)
            assert record.write_us is not None
            station.until(lambda: out.exists() and out.read_text().endswith("\n"), "the good one was told")
            station.until(lambda: mark.exists() and mark.read_text(), "the one that hangs runs")
            said = station.call(station.house._metrics.exposition).decode()
            assert 'wgfo_notifications_total{kind="command",result="failed"} 1.0' in said
    told = json.loads(out.read_text().splitlines()[0])
    assert (told["on"], told["details"]["to"]) == ("switch", "secondary")
    pid = mark.read_text().strip()
    station.until(lambda: not alive(pid), "what hung ended with the daemon")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_dry_run_notifies_nobody(tmp_path):
    station = Station(tmp_path, 1, 200_000, dry_run=True)
    out = tmp_path / "out"
    station.changes = {"notify": (NotifySetup(ALL, command=("/bin/touch", str(out))),)}
    with station.running():
        station.until(lambda: station.report("g1").desired == "primary", "it decides")
        station.until(lambda: station.report("g1").paths[1].usable, "the standby is usable")
        station.cut("g1", "primary")
        station.until(lambda: station.report("g1").desired == "secondary", "it decides again")
    assert not out.exists()
