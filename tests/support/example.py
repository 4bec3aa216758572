"""The group of the documentation's example, as a setup and as the engine reports it when all is well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wgfo.config.setup import DaemonSetup, GroupSetup, Setup
from wgfo.engine.decisions import Rule
from wgfo.engine.policy import GroupPolicy, PathPolicy, SetPolicy, StreamPolicy
from wgfo.engine.report import (
    GroupReport,
    GroupState,
    Mode,
    PathReport,
    SetReport,
    TargetReport,
    TargetVerdict,
)
from wgfo.model import (
    SMALL,
    Layer,
    PathHop,
    PathState,
    PathView,
    PrefixSet,
    RouteSet,
    SetObservation,
    Verdict,
)

SET_ID = RouteSet.make_id("linux", "main", "cloud")


def example_setup(**daemon) -> Setup:
    policy = GroupPolicy(
        "cloud",
        (PathPolicy("primary"), PathPolicy("secondary")),
        streams=(StreamPolicy(0, "icmp", SMALL, 1_000_000, 800_000, ("10.20.1.10",), base=True),),
        sets=(SetPolicy(SET_ID, "linux", "main"),),
    )
    paths = (
        PathView("cloud", "primary", interface="wg0", peer="10.100.0.1"),
        PathView("cloud", "secondary", interface="wg1", peer="10.200.0.1"),
    )
    hops = {"primary": "dev wg0", "secondary": "dev wg1"}
    routes = RouteSet(SET_ID, "cloud", "linux", "main", PrefixSet(["10.20.0.0/16"]), hops)
    group = GroupSetup(policy, paths, (), (routes,))
    places = {"state_dir": Path("/nonexistent"), "control": Path("/nonexistent/control.sock"), **daemon}
    return Setup(None, DaemonSetup(**places), (), (group,))


def example_path(name="primary", **changes) -> PathReport:
    report = PathReport(
        name=name,
        state=PathState.UP,
        active=name == "primary",
        reason="every target answers",
        since_us=5_000_000,
        layers={Layer.INTERFACE: Verdict.UP, Layer.HANDSHAKE: Verdict.UP, Layer.DATAPLANE: Verdict.UP},
        classes={SMALL: Verdict.UP},
        targets=(TargetReport("10.20.1.10", SMALL, TargetVerdict.UP, 0, 20, 1200),),
        lost=0,
        known=20,
        rtt_us=1200,
        handshake_age_us=31_000_000,
        handshake_churn=False,
        received_bytes=4096,
        sent_bytes=8192,
        usable=True,
        restorable=True,
        clean_rounds=20,
    )
    return replace(report, **changes)


def example_set(**changes) -> SetReport:
    observation = SetObservation(SET_ID, PathHop("primary"), text="dev wg0")
    report = SetReport(SET_ID, "linux", "main", 1, "in_sync", True, observation, 9_000_000, None, 0, None)
    return replace(report, **changes)


def example_report(**changes) -> GroupReport:
    report = GroupReport(
        name="cloud",
        state=GroupState.OK,
        mode=Mode.AUTO,
        active="primary",
        desired="primary",
        epoch=3,
        converged=True,
        rule=Rule.STAY,
        reason="primary is up and preferred",
        rejected=(),
        paths=(example_path(), example_path("secondary")),
        sets=(example_set(),),
        alarms=(),
        overrides=(),
        restore_due_us=None,
        damped_until_us=None,
        hold_off_until_us=None,
        penalty=0,
    )
    return replace(report, **changes)
