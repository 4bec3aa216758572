"""A dead tunnel, found by a check, told by node_exporter, Prometheus and Alertmanager, moves the routes."""

from __future__ import annotations

import json

import pytest

from tests.chain.chain import WITHIN_S, trial
from wgfo.lab import state
from wgfo.lab.topology import PRIMARY, Node, PathLabel, managed_route

pytestmark = pytest.mark.net


def test_an_alert_alone_moves_the_routes_and_traffic_to_the_path_that_lives(tmp_path, monkeypatch):
    monkeypatch.setenv(state.ENVIRONMENT, str(tmp_path / "labs"))
    with trial("chain", classic=True) as one:
        assert (one.active, one.switches) == (PathLabel.PRIMARY, [])
        one.lab.break_("silent-drop", PathLabel.PRIMARY)
        one.until("the switch is verified", lambda: verified(one), within=WITHIN_S)
        one.until("packets again", lambda: one.ledger.silent_us < 200_000, within=WITHIN_S)
        [switch] = one.switches
        assert (switch["to"], switch["rule"]) == (PathLabel.SECONDARY, "signal_fail")
        assert switch["reason"] == "primary is down: alert WgfoCheckFailed fires"
        for node in (Node.ONPREM, Node.ROUTER):
            prefix, *_ = managed_route(node, PRIMARY).split()
            shown = json.loads(one.run(node, "ip", "-j", "route", "show", prefix))
            assert [route["dst"] for route in shown] == [prefix]
            assert managed_route(node, PRIMARY) not in one.run(node, "ip", "route", "show", prefix)


def verified(one) -> bool:
    switches = one.switches
    return bool(switches) and switches[-1]["verified_seconds"] is not None
