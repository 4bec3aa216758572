"""``wgfo explain`` says why, what would change it, and what the numbers are worth; with a daemon and without."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.example import FakeSource, example_path, example_report, example_setup
from tests.support.served import served
from wgfo.cli.detector import long_time
from wgfo.cli.main import main
from wgfo.engine.decisions import Rejected, Rule
from wgfo.engine.outlook import PathOutlook
from wgfo.model import Bind, BindKind, PathState
from wgfo.telemetry.figures.false_alarms import NEVER_S, YEAR_S

EXAMPLES = Path(__file__).parents[1] / "config/examples"


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

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["explain", *arguments, "--control", str(control)])
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def troubled(source):
    """The primary is down, the secondary rises and has lost more than the limits stand."""
    source.report = example_report(
        desired="primary",
        rule=Rule.SIGNAL_FAIL,
        reason="primary is down (dead) and no other path is usable",
        rejected=(Rejected("secondary", "unproven: 4 clean rounds of 10"),),
        paths=(
            example_path(state=PathState.DOWN, reason="dead", clean_rounds=0),
            example_path("secondary", clean_rounds=4, usable=False),
        ),
    )
    outlooks = (
        PathOutlook("primary", (), (), ("hold-off of 10 s: 5 s have passed",), 0, 100),
        PathOutlook("secondary", ("needs 10 clean rounds running, has 4",), (), (), 9, 100),
    )
    source.outlooks = lambda: {"cloud": outlooks}


def words(text):
    return " ".join(text.split())


def test_it_gives_the_reason_the_evidence_and_what_was_rejected(cli, daemon, troubled):
    code, out, err = cli()
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "cloud: ok, desired primary, active primary"
    reason = "primary is down (dead) and no other path is usable"
    assert f"because: {reason} (rule signal_fail, epoch 3, mode auto)" in lines
    assert "not secondary: unproven: 4 clean rounds of 10" in lines
    assert "primary, active: down: dead" in lines


def test_it_says_what_would_change(cli, daemon, troubled):
    out = cli("cloud")[1]
    assert "against it: hold-off of 10 s: 5 s have passed" in out
    assert "cannot be moved to: needs 10 clean rounds running, has 4" in out


def test_a_measured_loss_above_what_the_limits_stand_is_a_warning(cli, daemon, troubled):
    assert "WARNING secondary lost 9 of 100 probes" in cli()[1]


def test_it_computes_the_times_of_the_rules_that_run(cli, daemon, source):
    out = words(cli()[1])
    assert "full outage found within 3.83 s, 3.33 s on average" in out
    assert "handshake alone would take up to 3 min 0 s for a full outage" in out
    group = source.setup.groups[0]
    slower = replace(group.policy.streams[0], fall=10)
    faster = replace(group, policy=replace(group.policy, streams=(slower,)))
    source.setup = replace(source.setup, groups=(faster,))
    assert "full outage found within 10.8 s" in words(cli()[1])


def test_it_warns_of_what_cannot_be_told(cli, daemon, source):
    setup = example_setup()
    group = setup.groups[0]
    views = tuple(replace(view, bind=Bind(BindKind.ADDRESS), interface=None) for view in group.paths)
    source.setup = replace(setup, groups=(replace(group, paths=views),))
    out = cli()[1]
    assert "WARNING no reference is given: isolation cannot be told" in out
    assert "WARNING primary, secondary: the address alone chooses the path" in out


def test_as_json_it_is_one_object_with_reasons_and_figures(cli, daemon, troubled):
    code, out, _ = cli("--json")
    shown = json.loads(out)
    (group,) = shown["groups"]
    assert (code, shown["api_version"]) == (0, 1)
    assert group["rejected"] == [{"path": "secondary", "why": "unproven: 4 clean rounds of 10"}]
    assert group["paths"][1]["not_moved_to"] == ["needs 10 clean rounds running, has 4"]
    assert group["detector"]["full_outage"] == {"mean_seconds": 3.325, "worst_seconds": 3.825}
    assert [one["loss_ratio"] for one in group["detector"]["loss"]] == [0.1, 0.2, 0.3, 0.5]
    assert [one["loss_ratio"] for one in group["detector"]["false_failovers"]] == [0.001, 0.01, 0.02, 0.05]
    assert group["warnings"]
    assert "policy" not in group


def test_an_unknown_group_is_an_error(cli, daemon):
    assert cli("clod") == (1, "", "wgfo: there is no group 'clod' here; groups: cloud\n")


def test_without_a_daemon_the_configured_numbers_are_explained(cli):
    code, out, err = cli("--config", str(EXAMPLES / "onprem.toml"))
    assert code == 0
    assert "these are the configured numbers alone" in err
    assert out.splitlines()[0] == "cloud"
    assert "full outage" in out


def test_without_a_daemon_json_has_the_figures_alone(cli):
    _, out, _ = cli("--config", str(EXAMPLES / "onprem.toml"), "--json")
    (group,) = json.loads(out)["groups"]
    assert set(group) == {"name", "trusted", "detector", "warnings"}


def test_a_url_that_nobody_serves_is_unreachable(cli):
    code, out, err = cli("--url", "http://127.0.0.1:9")
    assert (code, out) == (5, "")
    assert "no daemon answers" in err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59.0, "59 s"),
        (143.0, "2.4 min"),
        (7_300.0, "2 h"),
        (109_000.0, "30 h"),
        (6 * 86_400.0, "6 days"),
        (1_950 * YEAR_S, "2,000 years"),
        (NEVER_S, "more than a million years"),
    ],
)
def test_long_times_are_in_the_unit_that_reads_best(seconds, text):
    assert long_time(seconds) == text
