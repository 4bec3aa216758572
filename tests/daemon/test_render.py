"""The JSON of the API has the reference's keys, no more and no fewer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.support.example import example_path, example_report, example_set, example_setup

from wgfo.daemon.control import render
from wgfo.engine.decisions import AlarmName, Rule
from wgfo.engine.events import Override, OverrideKind
from wgfo.engine.report import AlarmReport, GroupState
from wgfo.model import Absent, FlowReport, FlowTally, Foreign, PathHop, RouteException, SetObservation
from wgfo.telemetry.switches import SwitchRecord

REFERENCE = json.loads("""
{"api_version": 1, "version": "0.1.0", "site": null, "state": "ok",
 "groups": [{"name": "cloud", "state": "ok", "active": "primary", "desired": "primary", "epoch": 3,
   "converged": true, "mode": "auto", "reason": "…", "overrides": [], "alarms": [],
   "paths": [{"name": "primary", "state": "up", "role": "active", "reason": "…",
              "layers": {"interface": "up", "handshake": "up", "dataplane": "up"},
              "classes": {"small": "up"},
              "targets": [{"name": "10.20.1.10", "class": "small", "state": "up", "loss_ratio": 0.0}],
              "loss_ratio": 0.0, "rtt_seconds": 0.0012, "handshake_age_seconds": 31.0}],
   "routes": [{"provider": "linux", "table": "main", "prefixes": 1, "desired": "dev wg0",
               "observed": "dev wg0", "in_sync": true, "exceptions": [], "exceptions_total": 0,
               "error": null}]}]}
""")


def view(now_us=10_000_000):
    return render.View(example_setup(), "0.1.0", lambda at_us: f"wall {at_us}", now_us)


def shown(*reports, **options):
    return json.loads(json.dumps(render.status(reports, view(), **options)))


def test_the_reference_example_comes_out_key_by_key_and_value_by_value():
    result = shown(example_report(paths=(example_path(reason="…"),), reason="…"))
    assert result == REFERENCE


def test_a_path_shows_its_flows_where_a_probe_has_something_to_say_of_them():
    flows = FlowReport(
        "stamp",
        25_500_000,
        16,
        4,
        3,
        1,
        (FlowTally("10.20.1.10:862", 50_000, 4, 4, 4), FlowTally("10.20.1.10:862", 50_001, 12, 0, 0)),
        "half of the flows",
    )
    given = replace(view(), flows={("cloud", "secondary"): [flows]})
    first, second = render.status([example_report()], given)["groups"][0]["paths"]
    assert "flows" not in first
    assert second["flows"] == [
        {
            "kind": "stamp",
            "text": "half of the flows",
            "window_seconds": 25.5,
            "sent": 16,
            "lost": 4,
            "lost_forward": 3,
            "lost_return": 1,
            "by_flow": [
                {"target": "10.20.1.10:862", "source_port": 50_000, "sent": 4, "lost": 4},
                {"target": "10.20.1.10:862", "source_port": 50_001, "sent": 12, "lost": 0},
            ],
        }
    ]


def test_timers_are_only_added_when_asked_for():
    report = example_report(restore_due_us=70_000_000, damped_until_us=9_000_000, penalty=1000)
    assert "timers" not in shown(report)["groups"][0]
    assert shown(report, timers=True)["groups"][0]["timers"] == {
        "restore_seconds": 60.0,
        "damped_seconds": 0.0,
        "hold_off_seconds": None,
        "penalty": 1000,
    }


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ([], "ok"),
        (["ok", "degraded"], "degraded"),
        (["on_standby", "isolated", "ok"], "isolated"),
        (["paused", "starting"], "starting"),
        (["remote_down", "partial"], "partial"),
    ],
)
def test_the_state_of_all_is_the_worst_of_each(states, worst):
    assert shown(*(example_report(state=GroupState(state)) for state in states))["state"] == worst


def test_nothing_known_is_null_not_a_loss_of_zero():
    path = shown(example_report(paths=(example_path(known=0, rtt_us=None, handshake_age_us=None),)))[
        "groups"
    ][0]["paths"][0]
    assert (path["loss_ratio"], path["rtt_seconds"], path["handshake_age_seconds"]) == (None, None, None)


def test_an_alarm_and_an_override_have_the_reference_keys():
    report = example_report(
        alarms=(AlarmReport(AlarmName.DRIFT, 7, "a route was changed", page=False),),
        overrides=(Override(OverrideKind.LOCKOUT, "primary", "work", "root", "then", 5, "later"),),
    )
    group = shown(report)["groups"][0]
    assert group["alarms"] == [{"name": "drift", "since": "wall 7", "text": "a route was changed"}]
    assert group["overrides"] == [
        {
            "kind": "lockout",
            "path": "primary",
            "reason": "work",
            "by": "root",
            "since": "then",
            "expires": "later",
        }
    ]


def route(**changes):
    return shown(example_report(sets=(example_set(**changes),)))["groups"][0]["routes"][0]


def observed(majority, **changes):
    return replace(SetObservation(example_set().id, majority), **changes)


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (None, None),
        (observed(Absent()), "absent"),
        (observed(PathHop("secondary")), "dev wg1"),
        (observed(PathHop("secondary"), text="via 10.9.9.9"), "via 10.9.9.9"),
        (observed(Foreign("via 1.2.3.4")), "via 1.2.3.4"),
    ],
)
def test_what_was_observed_is_said_in_the_platforms_words(observation, text):
    assert route(observation=observation)["observed"] == text


def test_only_the_first_twenty_exceptions_are_shown_and_all_are_counted():
    exceptions = tuple(RouteException(f"10.0.{n}.0/24", Absent(), "gone") for n in range(50))
    result = route(observation=observed(PathHop("primary"), exceptions=exceptions))
    assert result["exceptions_total"] == 50
    assert len(result["exceptions"]) == 20
    assert result["exceptions"][0] == {"prefix": "10.0.0.0/24", "observed": "absent", "error": "gone"}


def test_a_group_without_a_desired_path_has_no_desired_hop():
    assert shown(example_report(desired=None, active=None))["groups"][0]["routes"][0]["desired"] is None


def test_a_switch_has_the_reference_keys():
    record = SwitchRecord(
        "2026-01-01T00:00:00.000Z", "cloud", 4, "primary", "secondary", Rule.SIGNAL_FAIL, "dead", 2, 0,
        3_800_000, 12_000, None, 900,
    )  # fmt: skip
    assert render.history([record]) == {
        "api_version": 1,
        "switches": [
            {
                "at": "2026-01-01T00:00:00.000Z",
                "group": "cloud",
                "epoch": 4,
                "from": "primary",
                "to": "secondary",
                "rule": "signal_fail",
                "reason": "dead",
                "detect_seconds": 3.8,
                "write_seconds": 0.012,
                "verified_seconds": None,
                "first_packet_seconds": 0.0009,
                "prefixes": 2,
                "failed": 0,
            }
        ],
    }
