"""The group of the documentation's example: its setup, its report when all is well, and a daemon that has it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

from wgfo.config.setup import DaemonSetup, GroupSetup, Setup
from wgfo.engine.decisions import RequestAnswered, Rule
from wgfo.engine.outlook import PathOutlook
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
from wgfo.telemetry.metrics import Exposition
from wgfo.telemetry.switches import SwitchRecord

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposed(body=b""):
    """Metrics that are these bytes, whatever is asked for."""
    return lambda _accept: Exposition(body, TEXT_TYPE)


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


RECORDS = [
    SwitchRecord("2026-01-01T00:00:00.000Z", group, 2, "primary", "secondary", Rule.SIGNAL_FAIL, "dead")
    for group in ("cloud", "gone")
]


@dataclass
class FakeSource:
    """A daemon that is well, and notes what it is asked."""

    setup: object = field(default_factory=example_setup)
    version: str = "0.1.0"
    asked: list = field(default_factory=list)
    accepted: bool = True
    well: bool = True
    hangs: bool = False
    report: object = field(default_factory=example_report)
    path_flows: dict = field(default_factory=dict)
    now: int = 10

    def flows(self):
        return self.path_flows

    def reports(self):
        return [self.report]

    def outlooks(self):
        return {"cloud": (PathOutlook("primary", (), (), (), 0, 100),)}

    def switches(self):
        return RECORDS

    async def request(self, group, kind, path, *, reason, by, duration_us, clear_kind):
        self.asked.append((group, str(kind), path, reason, by, duration_us, clear_kind))
        if self.hangs:
            await asyncio.Event().wait()
        return RequestAnswered(1, "r-1", self.accepted, "done" if self.accepted else "primary is locked out")

    def now_us(self):
        return self.now

    def rfc3339(self, at_us):
        return f"wall {at_us}"

    def ready(self):
        return self.well

    def healthy(self):
        return self.well
