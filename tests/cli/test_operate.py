"""What an operator asks for reaches the daemon, and what it answers reaches the operator."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from tests.support.example import FakeSource, example_path, example_report, example_set
from tests.support.served import served
from wgfo.cli import asking
from wgfo.cli.main import main
from wgfo.engine.report import GroupState, Mode
from wgfo.model import PathState

HOUR_US = 3600 * 1_000_000


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


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path, control):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "POLL_S", asking.WITHIN_S / 2)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--control", str(control)])
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def terminal(monkeypatch):
    """Somebody sits at a terminal and types these lines."""

    def types(text):
        monkeypatch.setattr(asking, "_on_a_terminal", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return types


# --- what is sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("switch", "cloud", "secondary"), ("switch", "secondary", "", None, None)),
        (("force", "cloud", "secondary", "--for", "2h"), ("force", "secondary", "", 2 * HOUR_US, None)),
        (("lockout", "cloud", "primary", "--reason", "work"), ("lockout", "primary", "work", None, None)),
        (("drain", "cloud", "primary", "--for", "90s"), ("drain", "primary", "", 90_000_000, None)),
        (("clear", "cloud"), ("clear", None, "", None, None)),
        (("clear", "cloud", "--kind", "lockout"), ("clear", None, "", None, "lockout")),
        (("pause", "cloud"), ("pause", None, "", HOUR_US, None)),
        (("pause", "cloud", "--for", "5m"), ("pause", None, "", 300_000_000, None)),
        (("resume", "cloud"), ("resume", None, "", None, None)),
        (("adopt", "cloud"), ("adopt", None, "", None, None)),
        (("release", "cloud"), ("release", None, "", None, None)),
    ],
)
def test_a_command_is_one_request(cli, daemon, source, arguments, asked):
    code, out, err = cli(*arguments)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "cloud: done"
    ((group, kind, path, reason, _by, duration_us, clear_kind),) = source.asked
    assert (group, (kind, path, reason, duration_us, clear_kind)) == ("cloud", asked)


# --- how it ends --------------------------------------------------------------------------------------------


def test_a_refusal_by_policy_is_six_with_the_reason(cli, daemon, source):
    source.accepted = False
    assert cli("force", "cloud", "primary") == (6, "", "wgfo: primary is locked out\n")


@pytest.mark.parametrize("command", ["switch", "force", "lockout", "drain"])
def test_without_a_daemon_it_is_five(cli, command):
    code, out, err = cli(command, "cloud", "primary")
    assert (code, out) == (5, "")
    assert "no daemon answers" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("switch", "cloud", "third"), "has no path 'third'; its paths: primary, secondary"),
        (("switch", "clod", "primary"), "there is no group 'clod' here; groups of this process: cloud"),
        (("lockout", "cloud", "primary", "--for", "2"), "'2' is no duration; accepted: a whole number"),
        (("pause", "cloud", "--for", "0s"), "'0s' is too short"),
        (("clear", "cloud", "--kind", "all"), "'forced', 'manual', 'lockout', 'paused'"),
        (("clear", "cloud", "--for", "2h"), "No such option: --for"),
        (("switch", "cloud"), "Missing argument 'PATH'"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_two_and_asks_for_nothing(cli, daemon, source, arguments, said):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert source.asked == []


# --- whether the routes followed ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["switch", "force", "lockout", "drain"])
def test_a_move_says_where_the_routes_stand(cli, daemon, command):
    _, out, _ = cli(command, "cloud", "secondary")
    assert out == "cloud: done\ncloud: converged on primary, epoch 3\n"


def test_a_move_waits_for_routes_that_follow(cli, daemon, source):
    source.report = example_report(converged=False)
    polls = []

    def reports():
        polls.append(1)
        return [replace(source.report, converged=len(polls) > 1)]

    source.reports = reports
    assert "converged on primary" in cli("switch", "cloud", "primary")[1]
    assert len(polls) == 2


def test_routes_that_do_not_follow_are_named_and_the_request_stands(cli, daemon, source):
    sets = (example_set(in_sync=False, error="denied"),)
    source.report = example_report(converged=False, sets=sets)
    code, out, err = cli("switch", "cloud", "primary")
    assert (code, out) == (0, "cloud: done\n")
    assert err == ("cloud: desired is primary, not converged yet: linux main: denied; see wgfo status\n")


def test_nothing_is_waited_for_while_nothing_is_written(cli, daemon, source, monkeypatch):
    monkeypatch.setattr(asking.time, "sleep", lambda _s: pytest.fail("it waits"))
    source.report = example_report(converged=False, mode=Mode.PAUSED, reason="paused: work")
    _, _, err = cli("force", "cloud", "primary")
    assert "not converged yet: it is paused: paused: work" in err


# --- asking first -------------------------------------------------------------------------------------------


def test_on_a_terminal_it_shows_how_things_are_and_asks(cli, daemon, source, terminal):
    terminal("y\n")
    down = example_path("secondary", state=PathState.DOWN, reason="data plane dead", active=False)
    source.report = example_report(state=GroupState.DEGRADED, paths=(example_path(), down))
    code, _, err = cli("force", "cloud", "secondary")
    assert code == 0
    assert "cloud: degraded, active primary: primary is up and preferred" in err
    assert "secondary: down, standby: data plane dead" in err
    assert "Force cloud onto secondary and hold it there, up or down? [y/N]: " in err
    assert len(source.asked) == 1


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_whoever_does_not_say_yes_has_asked_for_nothing(cli, daemon, source, terminal, typed):
    terminal(typed)
    code, out, err = cli("drain", "cloud", "primary")
    assert (code, out, source.asked) == (1, "", [])
    assert "nothing has changed" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("switch", "cloud", "secondary", "--yes"),
        ("clear", "cloud", "-y"),
        ("release", "cloud", "--yes"),
        ("pause", "cloud"),
        ("resume", "cloud"),
    ],
)
def test_with_yes_and_for_pauses_nobody_is_asked(cli, daemon, source, terminal, arguments):
    terminal("")
    assert cli(*arguments)[0] == 0
    assert len(source.asked) == 1
