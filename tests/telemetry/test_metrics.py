"""The metrics say what the reports say, and Prometheus's own linter finds nothing."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.support.example import SET_ID, example_path, example_report, example_set, example_setup

from wgfo.engine.decisions import Rule, Switch
from wgfo.engine.events import Override, OverrideKind, RoundClosed, SetObserved, Tick
from wgfo.engine.report import Mode, TargetReport, TargetVerdict
from wgfo.model import (
    LARGE,
    SMALL,
    Absent,
    Health,
    Layer,
    Outcome,
    PathHop,
    PathState,
    ProbeResult,
    RouteException,
    SetObservation,
    Verdict,
)
from wgfo.telemetry.metrics import Metrics
from wgfo.telemetry.switches import SwitchRecord
from wgfo.telemetry.textfile import healthy_lines, sanitised, write_textfile

DOCUMENTED = {
    "wgfo_build_info",
    "wgfo_path_up",
    "wgfo_path_active",
    "wgfo_path_state",
    "wgfo_layer_up",
    "wgfo_probe_loss_ratio",
    "wgfo_probe_rtt_seconds",
    "wgfo_probe_results_total",
    "wgfo_wireguard_handshake_age_seconds",
    "wgfo_wireguard_received_bytes_total",
    "wgfo_wireguard_sent_bytes_total",
    "wgfo_switches_total",
    "wgfo_switch_phase_seconds",
    "wgfo_routes_out_of_sync",
    "wgfo_provider_requests_total",
    "wgfo_provider_request_seconds",
    "wgfo_override",
    "wgfo_frozen",
    "wgfo_notifications_total",
    "wgfo_webhook_notifications_total",
    "wgfo_webhook_alerts_total",
    "wgfo_event_clients",
    "wgfo_event_clients_cut_off_total",
    "wgfo_last_reconcile_timestamp_seconds",
    "wgfo_config_last_reload_successful",
}
RECORD = SwitchRecord("t", "cloud", 4, "primary", "secondary", Rule.SIGNAL_FAIL, "dead", 1, 0, 3_800_000)
SWITCH = Switch(9, 4, "primary", "secondary", Rule.SIGNAL_FAIL, "dead")
POLICIES = {"cloud": example_setup().groups[0].policy}


def metrics(*reports):
    return Metrics("0.1.0", lambda: reports or (example_report(),), lambda: 1_790_000_000_000_000, POLICIES)


def busy():
    """Everything that can be counted has happened once."""
    found = metrics()
    found.stepped("cloud", RoundClosed(9, "primary", 0, 1, (ProbeResult(Outcome.OK, 1),)), (SWITCH,), None)
    found.stepped("cloud", SetObserved(9, SetObservation(SET_ID, PathHop("primary"))), (), None)
    found.switch_changed(RECORD)
    found.requested("linux", "point", "ok", 12_000)
    found.notified("webhook", "delivered")
    return found


def samples(found):
    text = found.exposition().decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return samples(found).get((name, *sorted(labels.items())))


def test_promtool_finds_nothing_to_complain_about():
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=busy().exposition(),
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


OPEN_METRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
"""What Prometheus sends."""


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html", "text/plain; version=0.0.4"),
        (OPEN_METRICS, "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept, content_type):
    assert busy().negotiated(accept).content_type.startswith(content_type)


def test_both_formats_say_the_same():
    found = busy()
    text = found.negotiated(OPEN_METRICS).body.decode()
    assert text.endswith("# EOF\n")
    strict = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in openmetrics.text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert strict == samples(found)


def test_ten_thousand_prefixes_make_no_more_series_than_one():
    odd = tuple(
        RouteException(f"10.{number // 256}.{number % 256}.0/24", Absent(), "denied")
        for number in range(10_000)
    )
    observation = SetObservation(SET_ID, PathHop("primary"), exceptions=odd)
    few = metrics()
    many = metrics(
        example_report(sets=(example_set(prefixes=10_000, observation=observation, in_sync=False),))
    )
    assert samples(many).keys() == samples(few).keys()
    assert value(many, "wgfo_routes_out_of_sync", group="cloud", provider="linux") == 10_000


def test_what_happens_makes_no_new_series():
    found = busy()
    before = set(samples(found))
    for number in range(1_000):
        switch = replace(SWITCH, epoch=number, reason=f"reason {number}", at_us=number)
        found.stepped("cloud", Tick(number), (switch,), None)
        found.switch_changed(replace(RECORD, epoch=number, at=str(number), reason=str(number)))
        found.stepped("cloud", SetObserved(number, SetObservation(f"set {number}", PathHop("x"))), (), None)
    assert set(samples(found)) == before


def test_the_families_are_the_documented_ones():
    text = busy().exposition().decode()
    found = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert found == DOCUMENTED


def test_no_created_series_double_the_counters():
    assert "_created" not in busy().exposition().decode()


@pytest.mark.parametrize(("state", "up"), [("up", 1), ("degraded", 0), ("down", 0), ("unknown", 0)])
def test_a_path_is_up_or_not_and_in_exactly_one_state(state, up):
    found = metrics(example_report(paths=(example_path(state=PathState(state)),)))
    assert value(found, "wgfo_path_up", group="cloud", path="primary") == up
    states = {
        one: value(found, "wgfo_path_state", group="cloud", path="primary", state=one) for one in PathState
    }
    assert [one for one, held in states.items() if held] == [state]


def test_a_layer_of_which_nothing_is_known_has_no_sample():
    layers = {
        Layer.INTERFACE: Verdict.DOWN,
        Layer.HANDSHAKE: Verdict.UNKNOWN,
        Layer.DATAPLANE: Verdict.NOT_PROBED,
    }
    found = metrics(example_report(paths=(example_path(layers=layers),)))
    shown = {name[2][1]: held for name, held in samples(found).items() if name[0] == "wgfo_layer_up"}
    assert shown == {"interface": 0}


def test_loss_and_time_are_per_class_and_without_the_anchor():
    targets = (
        TargetReport("a", SMALL, TargetVerdict.UP, 1, 10, 1000),
        TargetReport("b", SMALL, TargetVerdict.UP, 3, 10, 3000),
        TargetReport("peer", SMALL, TargetVerdict.DOWN, 10, 10, None),
        TargetReport("a", LARGE, TargetVerdict.UNKNOWN, 0, 0, None),
    )
    found = metrics(example_report(paths=(example_path(targets=targets),)))
    labels = {"group": "cloud", "path": "primary", "class": "small"}
    assert value(found, "wgfo_probe_loss_ratio", **labels) == 0.2
    assert value(found, "wgfo_probe_rtt_seconds", **labels) == 0.001
    assert value(found, "wgfo_probe_loss_ratio", **(labels | {"class": "large"})) is None


def test_an_anchor_alone_stands_for_its_path():
    targets = (TargetReport("peer", SMALL, TargetVerdict.UP, 5, 10, 1000),)
    found = metrics(example_report(paths=(example_path(targets=targets),)))
    labels = {"group": "cloud", "path": "primary", "class": "small"}
    assert value(found, "wgfo_probe_loss_ratio", **labels) == 0.5


def test_probe_results_are_counted_by_class_and_end():
    found = metrics()
    lost = ProbeResult(Outcome.LOST, 1)
    for _ in range(3):
        found.stepped(
            "cloud", RoundClosed(9, "primary", 0, 1, (lost, ProbeResult(Outcome.OK, 1)), lost), (), None
        )
    labels = {"group": "cloud", "path": "primary", "class": "small"}
    assert value(found, "wgfo_probe_results_total", **labels, result="lost") == 3
    assert value(found, "wgfo_probe_results_total", **labels, result="ok") == 3


def test_switches_are_counted_with_their_rule():
    found = metrics()
    found.stepped("cloud", Tick(9), (SWITCH,), None)
    found.stepped("cloud", Tick(9), (replace(SWITCH, source=None),), None)
    labels = {"group": "cloud", "to": "secondary", "rule": "signal_fail"}
    assert value(found, "wgfo_switches_total", **labels, **{"from": "primary"}) == 1
    assert value(found, "wgfo_switches_total", **labels, **{"from": ""}) == 1


def test_each_phase_of_a_switch_is_measured_once():
    found = metrics()
    found.switch_changed(RECORD)
    found.switch_changed(replace(RECORD, write_us=12_000))
    found.switch_changed(replace(RECORD, write_us=12_000, verified_us=90_000))
    for phase, took in {"detect": 3.8, "write": 0.012, "verify": 0.09}.items():
        assert value(found, "wgfo_switch_phase_seconds_count", group="cloud", phase=phase) == 1
        assert value(found, "wgfo_switch_phase_seconds_sum", group="cloud", phase=phase) == took
    assert value(found, "wgfo_switch_phase_seconds_count", group="cloud", phase="first_packet") is None
    found.switch_changed(replace(RECORD, epoch=5, at="u"))
    assert value(found, "wgfo_switch_phase_seconds_count", group="cloud", phase="detect") == 2


def test_the_buckets_of_a_histogram_are_cumulative_and_inclusive():
    found = metrics()
    for took_us in (1_000, 2_000, 99_000_000):
        found.requested("linux", "point", "ok", took_us)
    labels = {"provider": "linux", "operation": "point"}
    name = "wgfo_provider_request_seconds_bucket"
    assert value(found, name, **labels, le="0.001") == 1
    assert value(found, name, **labels, le="0.005") == 2
    assert value(found, name, **labels, le="30.0") == 2
    assert value(found, name, **labels, le="+Inf") == 3


def observed(majority, **changes):
    return replace(SetObservation(SET_ID, majority), **changes)


@pytest.mark.parametrize(
    ("changes", "prefixes"),
    [
        ({"in_sync": True}, 0),
        ({"observation": None}, 10),
        ({"observation": observed(Absent())}, 10),
        ({"observation": observed(PathHop("secondary"))}, 10),
        (
            {
                "observation": observed(
                    PathHop("secondary"), exceptions=(RouteException("10.0.0.0/8", PathHop("primary")),)
                )
            },
            9,
        ),
        (
            {
                "observation": observed(
                    PathHop("primary"), exceptions=(RouteException("10.0.0.0/8", Absent()),) * 2
                )
            },
            2,
        ),
        ({"observation": observed(PathHop("primary"), residue=("x",))}, 1),
        ({"observation": observed(PathHop("primary"), health=Health.BLACKHOLE)}, 1),
    ],
)
def test_prefixes_out_of_sync_are_counted(changes, prefixes):
    report = example_report(sets=(example_set(**({"in_sync": False, "prefixes": 10} | changes)),))
    assert value(metrics(report), "wgfo_routes_out_of_sync", group="cloud", provider="linux") == prefixes


def test_overrides_and_freezing_are_visible():
    lockout = Override(OverrideKind.LOCKOUT, "primary", "", "", "")
    found = metrics(example_report(overrides=(lockout,), mode=Mode.FROZEN))
    assert value(found, "wgfo_override", group="cloud", kind="lockout") == 1
    assert value(found, "wgfo_override", group="cloud", kind="forced") == 0
    assert value(found, "wgfo_frozen", group="cloud") == 1
    assert value(metrics(), "wgfo_frozen", group="cloud") == 0


def test_the_last_reconciliation_is_absent_before_the_first():
    assert value(metrics(), "wgfo_last_reconcile_timestamp_seconds") is None
    assert value(busy(), "wgfo_last_reconcile_timestamp_seconds") == 1_790_000_000


def test_a_failed_reload_is_visible():
    found = metrics()
    assert value(found, "wgfo_config_last_reload_successful") == 1
    found.reloaded(successful=False)
    assert value(found, "wgfo_config_last_reload_successful") == 0


def test_a_reload_takes_the_counts_of_groups_that_are_gone():
    found = busy()
    found.configure({})
    text = found.exposition().decode()
    assert "wgfo_switches_total{" not in text
    assert "wgfo_probe_results_total{" not in text
    assert "wgfo_switch_phase_seconds_count{" not in text


def test_awkward_names_are_escaped():
    found = metrics(example_report(name='a"b\\c\nd'))
    assert value(found, "wgfo_path_up", group='a"b\\c\nd', path="primary") == 1


# --- the textfile -------------------------------------------------------------------------------------------


def test_the_textfile_carries_the_metrics_and_a_gauge_for_each_interface(tmp_path):
    path = tmp_path / "wgfo.prom"
    reports = [example_report(paths=(example_path(), example_path("secondary", state=PathState.DOWN)))]
    write_textfile(path, busy().exposition(), reports, example_setup())
    text = path.read_text()
    assert "wireguard_wg0_healthy 1\n" in text
    assert "wireguard_wg1_healthy 0\n" in text
    assert "wgfo_path_up{" in text
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, timeout=20, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


@pytest.mark.parametrize("state", [PathState.DEGRADED, PathState.DOWN, PathState.UNKNOWN])
def test_only_a_path_that_is_up_makes_its_interface_healthy(state):
    reports = [example_report(paths=(example_path(state=state),))]
    assert "wireguard_wg0_healthy 0\n" in healthy_lines(reports, example_setup())


def test_an_interface_of_two_groups_is_healthy_when_both_paths_are():
    down = example_report(paths=(example_path(state=PathState.DOWN),))
    assert "wireguard_wg0_healthy 0\n" in healthy_lines([down, example_report()], example_setup())


@pytest.mark.parametrize(("name", "word"), [("wg0", "wg0"), ("wg-aws.1", "wg_aws_1"), ("br@if3", "br_if3")])
def test_an_interfaces_name_becomes_part_of_a_metrics_name(name, word):
    assert sanitised(name) == word
