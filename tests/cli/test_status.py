"""What the daemon says reaches a person and a script, and a missing daemon is said as such."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace

import pytest
from rich.console import Console

from tests.support.example import FakeSource, example_path, example_report, example_set
from tests.support.served import served
from wgfo.cli import status as status_module
from wgfo.cli.client import Client
from wgfo.cli.errors import CliError, Refused, Unreachable
from wgfo.cli.main import main
from wgfo.cli.screen import duration, percent
from wgfo.engine.decisions import AlarmName
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.report import AlarmReport, GroupState
from wgfo.model import Absent, FlowReport, Layer, PathState, RouteException, SetObservation, Verdict


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def control(tmp_path):
    return tmp_path / "control.sock"


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
def daemon(control, source):
    with served(control, source) as server:
        yield server


# --- status -------------------------------------------------------------------------------------------------


def flow_report(text):
    return FlowReport("stamp", 25_500_000, 16, 4, 4, 0, (), text)


def test_losses_by_flow_and_direction_stand_below_the_paths(cli, daemon, control, source):
    lost = flow_report("a quarter of the flows, all of the time: lost towards the far side")
    source.path_flows = {("cloud", "primary"): [flow_report("")], ("cloud", "secondary"): [lost]}
    _, out, _ = cli("status", "--control", str(control))
    assert [line for line in out.splitlines() if "stamp" in line] == [
        "  secondary, stamp over 25.5 s: a quarter of the flows, all of the time: lost towards the far side"
    ]
    _, out, _ = cli("status", "--control", str(control), "--json")
    assert json.loads(out)["groups"][0]["paths"][1]["flows"][0]["lost_forward"] == 4


def test_status_is_zero_when_all_is_well(cli, daemon, control):
    code, out, err = cli("status", "--control", str(control))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "wgfo 0.1.0: ok"
    assert "cloud  ok  active primary  desired primary  epoch 3  auto" in lines
    row = next(line for line in lines if line.strip().startswith("primary ") and "active" in line)
    assert row.split()[:10] == ["primary", "active", "up", "up", "up", "up", "0", "%", "1.2", "ms"]
    assert any(line.split() == ["linux", "main", "1", "dev", "wg0", "dev", "wg0", "yes"] for line in lines)


@pytest.mark.parametrize("state", [state for state in GroupState if state is not GroupState.OK])
def test_status_is_three_in_any_other_state(cli, daemon, control, source, state):
    source.report = example_report(state=state)
    assert cli("status", "--control", str(control))[0] == 3
    assert cli("status", "--control", str(control), "--json")[0] == 3


def test_status_shows_what_is_wrong_and_what_runs(cli, daemon, control, source):
    observation = SetObservation(example_set().id, Absent(), (RouteException("10.0.0.0/8", Absent()),))
    source.report = example_report(
        state=GroupState.DEGRADED,
        active=None,
        converged=False,
        alarms=(AlarmReport(AlarmName.DRIFT, 7, "a route was changed", page=False),),
        overrides=(Override(OverrideKind.LOCKOUT, "secondary", "work", "ann", "then"),),
        restore_due_us=90_000_010,
        damped_until_us=300_000_010,
        penalty=1500,
        paths=(
            example_path(
                state=PathState.DOWN,
                reason="3 rounds lost",
                layers={Layer.DATAPLANE: Verdict.DOWN, Layer.HANDSHAKE: Verdict.NOT_PROBED},
                rtt_us=None,
            ),
        ),
        sets=(example_set(in_sync=False, observation=observation, error="denied"),),
    )
    _, out, _ = cli("status", "--control", str(control))
    assert "active -" in out
    assert "not converged" in out
    assert "alarm drift since wall 7: a route was changed" in out
    assert "lockout of secondary by ann since then, until cleared: work" in out
    assert "reverts in 90 s if all stays well" in out
    assert "damped for 5 min 0 s (penalty 1500)" in out
    assert "3 rounds lost" in out
    assert "not_probed" in out
    assert "1 prefix differs; denied" in out


def test_json_is_the_reference_object_and_nothing_else(cli, daemon, control):
    code, out, err = cli("status", "--json", "--control", str(control))
    shown = json.loads(out)
    assert (code, err) == (0, "")
    assert list(shown) == ["api_version", "version", "site", "state", "groups"]
    assert "timers" not in shown["groups"][0]


def test_status_over_http_needs_no_configuration(cli, daemon):
    code, out, _ = cli("status", "--url", f"http://127.0.0.1:{daemon.http_port}/")
    assert (code, out.splitlines()[0]) == (0, "wgfo 0.1.0: ok")


def test_the_socket_is_the_configurations_where_no_option_names_another(cli, daemon, control, tmp_path):
    (tmp_path / "wgfo.toml").write_text(f'[daemon]\ncontrol = "{control}"\n')
    assert cli("status")[0] == 0


def test_a_group_without_routes_and_a_daemon_without_groups_are_shown(cli, daemon, control, source):
    source.report = example_report(sets=())
    assert "PROVIDER" not in cli("status", "--control", str(control))[1]
    source.reports = list
    assert "no group is configured here" in cli("status", "--control", str(control))[1]


def test_names_cannot_write_to_the_terminal(cli, daemon, control, source):
    source.report = example_report(reason="[red]x[/red] \x1b[2J\x07")
    out = cli("status", "--control", str(control))[1]
    assert "[red]x[/red]" in out
    assert "\x07" not in out


# --- nobody there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "history"])
def test_without_a_daemon_the_text_says_what_to_do(cli, control, command):
    code, out, err = cli(command, "--control", str(control))
    assert (code, out) == (5, "")
    assert err == (
        f"wgfo: no daemon answers at {control} (No such file or directory): start it with 'wgfo run' "
        "(systemctl start wgfo), or name another one with --control or --config\n"
    )


def test_a_socket_of_a_dead_daemon_is_no_daemon(cli, control):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(control))
    assert cli("status", "--control", str(control))[0] == 5


def test_a_url_that_is_none_says_what_is_accepted(cli):
    code, _, err = cli("status", "--url", "ftp://x")
    assert code == 1
    assert "accepted is a URL such as http://127.0.0.1:9785" in err


def test_an_answer_of_somebody_else_is_no_daemon(cli):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer():
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n<html>hello</html>")

        thread = threading.Thread(target=answer)
        thread.start()
        code, _, err = cli("status", "--url", f"http://127.0.0.1:{port}")
        thread.join(5)
    assert (code, err) == (5, f"wgfo: http://127.0.0.1:{port}: what answers there is no wgfo\n")


# --- watching -----------------------------------------------------------------------------------------------


def watched(client, monkeypatch, steps):
    """Watch, with ``steps`` called one after the other in place of the pauses; then Ctrl-C."""
    console = Console(record=True, width=120, force_terminal=True)
    monkeypatch.setattr(status_module, "console", lambda: console)
    left = iter(steps)

    def pause(_seconds):
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    return status_module._watch(client, pause), console.export_text()


def test_watching_follows_the_state_and_ends_with_the_last(daemon, control, source, monkeypatch):
    def fail():
        source.report = example_report(state=GroupState.DEGRADED)

    state, text = watched(Client(control), monkeypatch, [lambda: None, fail])
    assert state == "degraded"
    assert "cloud  ok" in text
    assert "cloud  degraded" in text


def test_watching_waits_for_a_daemon_that_restarts(control, monkeypatch):
    first = served(control)
    first.__enter__()
    second = served(control)
    state, text = watched(
        Client(control), monkeypatch, [lambda: first.__exit__(None, None, None), second.__enter__]
    )
    second.__exit__(None, None, None)
    assert state == "ok"
    assert "no daemon answers at" in text


# --- history ------------------------------------------------------------------------------------------------


def test_history_shows_the_phases_of_each_switch(cli, daemon, control, source):
    record = source.switches()[0]
    source.switches = lambda: [replace(record, detect_us=3_800_000, write_us=12_000, prefixes=5, failed=2)]
    code, out, _ = cli("history", "--control", str(control))
    assert code == 0
    row = out.splitlines()[1].split()
    assert row[:5] == ["2026-01-01T00:00:00.000Z", "cloud", "primary", "secondary", "signal_fail"]
    assert row[5:] == ["3.8", "s", "12", "ms", "-", "-", "2", "of", "5", "dead"]


def test_history_of_one_group(cli, daemon, control):
    _, out, _ = cli("history", "gone", "--json", "--control", str(control))
    assert [one["group"] for one in json.loads(out)["switches"]] == ["gone"]


def test_history_of_an_unknown_group_is_an_error(cli, daemon, control):
    code, out, err = cli("history", "cl/wd", "--control", str(control))
    assert (code, out, err) == (1, "", "wgfo: there is no group 'cl/wd' here; groups: cloud\n")


def test_an_empty_history_is_a_message_not_data(cli, daemon, control, source):
    source.switches = list
    assert cli("history", "--control", str(control)) == (0, "", "no switch is remembered\n")


# --- requests -----------------------------------------------------------------------------------------------


def test_a_request_returns_the_engines_text(daemon, control):
    assert Client(control).request({"group": "cloud", "kind": "pause"}) == "done"


def test_a_refusal_bears_the_engines_reason(daemon, control, source):
    source.accepted = False
    with pytest.raises(Refused, match="primary is locked out"):
        Client(control).request({"group": "cloud", "kind": "switch", "path": "primary"})


def test_a_request_that_makes_no_sense_is_the_daemons_sentence(daemon, control):
    with pytest.raises(CliError, match="there is no group 'x' here"):
        Client(control).request({"group": "x", "kind": "pause"})


def test_a_request_to_nobody_is_unreachable(control):
    with pytest.raises(Unreachable):
        Client(control).request({"group": "cloud", "kind": "pause"})


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.0, "0 ms"), (0.0012, "1.2 ms"), (3.8, "3.8 s"), (31.0, "31 s"), (150, "2 min 30 s")],
)
def test_times_are_in_the_unit_that_reads_best(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("ratio", "text"), [(None, "-"), (0.0, "0 %"), (0.125, "12.5 %"), (1.0, "100 %")])
def test_ratios_are_percent(ratio, text):
    assert percent(ratio) == text
