"""Failover of real packets over real WireGuard, at the default timings, as the traffic itself sees it."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.acceptance.trial import OTHER, Trial
from wgfo.lab import meter
from wgfo.lab.topology import Node, PathLabel

pytestmark = pytest.mark.net

OUTAGE_US = 5_000_000
PHASES = int(os.environ.get("PHASES", "3"))
"""How often a dark site is tried at a random phase of the probes; `make acceptance` asks for 50."""
FOREIGN = "10.66.0.0/16 via 192.168.10.5 dev lan0"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("underlay-cut", "data plane dead"),
        ("silent-drop", "interface up, handshake fresh, data plane dead"),
        ("not-forwarding", "far gateway answers, hosts behind it do not"),
    ],
)
def test_a_dead_active_path_is_left_once_within_five_seconds(trial: Trial, fault: str, words: str) -> None:
    active, before, start_us = trial.active, len(trial.switches), meter.now_us()
    with trial.broken(fault, active):
        trial.until("the switch is verified", lambda: verified(trial, before))
        trial.until("packets again", lambda: trial.ledger.silent_us < 200_000)
        outages = trial.outages_since(start_us)
    [switch] = trial.switches[before:]
    assert (switch["from"], switch["to"], switch["rule"]) == (active, OTHER[active], "signal_fail")
    assert words in switch["reason"]
    assert sum(outage.length_us for outage in outages) <= OUTAGE_US
    assert switch["detect_seconds"] <= 4.0
    assert switch["failed"] == 0


def verified(trial: Trial, before: int) -> bool:
    switches = trial.switches
    return len(switches) > before and switches[-1]["verified_seconds"] is not None


def test_a_blip_shorter_than_two_intervals_moves_nothing(trial: Trial) -> None:
    before = len(trial.switches)
    for _ in range(3):
        trial.lab.break_("underlay-cut", trial.active)
        trial.watch(1.5)
        trial.lab.heal()
        trial.watch(2 + random.random())
    trial.settle()
    assert len(trial.switches) == before


def test_a_dead_standby_is_never_switched_to_and_both_dead_stay_until_one_heals(trial: Trial) -> None:
    active, before = trial.active, len(trial.switches)
    standby = OTHER[active]
    trial.lab.break_("underlay-cut", standby)
    trial.until("the standby is down", lambda: trial.path(standby)["state"] == "down")
    trial.lab.break_("underlay-cut", active)
    trial.until("no usable path", lambda: trial.group["state"] == "no_usable_path")
    trial.watch(3)
    assert trial.is_on(active)
    trial.lab.heal("underlay-cut", standby)
    trial.until("traffic over the path that healed", lambda: trial.is_on(standby))
    trial.until("packets again", lambda: trial.ledger.silent_us < 200_000)
    assert [switch["to"] for switch in trial.switches[before:]] == [standby]
    trial.lab.heal()
    trial.settle()


def test_a_remote_site_that_goes_dark_moves_nothing_at_any_phase(trial: Trial) -> None:
    before = len(trial.switches)
    chance = random.Random(time.monotonic_ns())
    for turn in range(PHASES):
        trial.watch(chance.random())
        trial.lab.break_("site-dark")
        if turn == 0:
            trial.until("the site is told dark", lambda: trial.group["state"] == "remote_down")
        trial.watch(2 + 5 * chance.random())
        trial.lab.heal()
        trial.watch(1 + chance.random())
    trial.settle()
    assert len(trial.switches) == before


def test_only_our_routes_change_and_a_foreign_one_stays(trial: Trial) -> None:
    trial.run(Node.ONPREM, "ip", "route", "add", *FOREIGN.split())
    before = routes(trial)
    active, switches = trial.active, len(trial.switches)
    with trial.broken("underlay-cut", active):
        trial.until("the switch", lambda: len(trial.switches) > switches and trial.is_on(OTHER[active]))
        after = routes(trial)
    changed = [line for line in before if line not in after]
    assert all(line.startswith("10.20.0.0/16 ") for line in changed)
    assert len(changed) == 1
    assert any(line.startswith("10.66.0.0/16 ") for line in after)
    trial.run(Node.ONPREM, "ip", "route", "del", *FOREIGN.split())


def routes(trial: Trial) -> list[str]:
    return trial.run(Node.ONPREM, "ip", "route").splitlines()


def test_loss_on_the_active_path_alone_is_found(trial: Trial) -> None:
    active, before = trial.active, len(trial.switches)
    with trial.broken("loss=40%", active):
        trial.until("the switch", lambda: len(trial.switches) > before, within=45)
    [switch] = trial.switches[before:]
    # Once in some dozens of runs chance alone makes three rounds of nothing: a blackout, found even sooner.
    assert switch["rule"] in ("signal_degrade", "signal_fail")
    assert switch["rule"] == "signal_fail" or "loss" in switch["reason"]


def test_packets_too_large_for_the_active_path_are_found_while_small_ones_pass(trial: Trial) -> None:
    active, before = trial.active, len(trial.switches)
    with trial.broken("mtu-hole", active):
        trial.until("the switch", lambda: len(trial.switches) > before, within=20)
    [switch] = trial.switches[before:]
    assert switch["rule"] == "signal_degrade"
    assert "MTU" in switch["reason"]


def test_the_reverse_path_filter_is_named(trial: Trial) -> None:
    standby = OTHER[trial.active]
    with trial.broken("rp-filter", standby):
        trial.until("unknown", lambda: trial.path(standby)["state"] == "unknown", within=10)
        assert trial.path(standby)["reason"].startswith("rp_filter")


def test_both_labels_are_what_the_daemon_calls_its_paths(trial: Trial) -> None:
    assert {path["name"] for path in trial.group["paths"]} == set(PathLabel)
