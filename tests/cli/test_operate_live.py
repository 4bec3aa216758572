"""Operator requests against ``wgfo run``: real packets, a real routing table, a real kill."""

import os
import signal

import pytest

from tests.daemon.world import WGFO, world
from tests.support.netns import eventually, sh

pytestmark = pytest.mark.net


@pytest.fixture
def here(tmp_path):
    with world(tmp_path) as made:
        yield made


def ask(here, *words):
    """Run a command as a script does; return what it prints."""
    return sh(WGFO, *words, "--config", str(here.config))


def refused(here, *words):
    """Run a command that must be refused; return nothing, for nothing may be printed as data."""
    with pytest.raises(AssertionError, match="cannot"):
        ask(here, *words)


def overrides(here):
    return [(one["kind"], one["path"]) for one in here.status()["overrides"]]


def test_a_switch_moves_the_route_and_says_so(here):
    here.run().ready()
    here.settled()
    said = ask(here, "switch", "cloud", "secondary", "--reason", "trial")
    assert said == "cloud: switching to secondary\ncloud: converged on secondary, epoch 2\n"
    assert here.route() == "pb"
    group = here.status()
    assert (group["mode"], group["reason"]) == ("manual", "manual switch to secondary: trial")


def test_a_lockout_survives_a_kill_and_ends_when_its_time_is_over(here):
    daemon = here.run().ready()
    here.settled()
    ask(here, "lockout", "cloud", "primary", "--for", "12s", "--reason", "work")
    assert here.route() == "pb"
    (before,) = here.status()["overrides"]
    assert (before["kind"], before["path"], before["reason"], before["by"]) == (
        "lockout",
        "primary",
        "work",
        "root",
    )
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.ends()
    again = here.run().ready()
    (after,) = here.status()["overrides"]
    assert after == before
    refused(here, "force", "cloud", "primary")
    eventually(lambda: overrides(here) == [], within=20, what="the lockout ended")
    again.says("expired")
    ask(here, "force", "cloud", "primary")
    assert here.route() == "pa"
    assert sh(WGFO, "replay", str(here.tmp / "state")).count(": identical") == 2


def test_a_pause_holds_routes_on_a_path_that_dies_and_resuming_leaves_it(here):
    here.run().ready()
    here.settled()
    ask(here, "pause", "cloud", "--for", "1m")
    here.cut("primary")
    eventually(lambda: here.status()["paths"][0]["state"] == "down", what="primary is down")
    assert here.route() == "pa"
    ask(here, "resume", "cloud")
    here.points_at("pb", within=3)


def test_released_routes_are_left_to_others_until_they_are_adopted(here):
    here.run().ready()
    here.settled()
    assert "1 route is proto static now" in ask(here, "release", "cloud")
    assert "proto static" in here.near.run("ip", "route", "show", "10.20.0.0/16")
    here.near.run("ip", "route", "replace", "10.20.0.0/16", "dev", "pb", "proto", "static")
    eventually(lambda: here.status()["active"] == "secondary", what="the change is seen")
    assert here.route() == "pb"
    ask(here, "adopt", "cloud")
    here.points_at("pa", within=5)
