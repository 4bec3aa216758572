"""``wgfo run`` as a process with real packets and a real routing table."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.world import World, world
from tests.support.netns import eventually

pytestmark = pytest.mark.net


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_the_route_appears_at_start_and_leaves_an_interface_that_goes_down(here):
    daemon = here.run().ready()
    here.points_at("pa")
    here.settled()
    here.near.run("ip", "link", "set", "pa", "down")
    here.points_at("pb", within=2)
    daemon.says("switches from primary to secondary by signal_fail")


def test_a_gateway_that_no_longer_forwards_is_left_within_fall_rounds(here):
    here.run().ready()
    here.settled()
    here.cut("primary")
    here.points_at("pb", within=3)
    group = here.status()
    assert group["active"] == "secondary"
    assert group["paths"][0]["targets"][0]["state"] == "down"


def test_a_path_that_comes_back_is_seen_and_a_later_cut_of_the_other_returns_to_it(here):
    here.run().ready()
    here.settled()
    here.cut("primary")
    here.points_at("pb", within=3)
    here.mend("primary")
    eventually(lambda: here.status()["paths"][0]["state"] == "up", within=10, what="primary is up again")
    here.cut("secondary")
    here.points_at("pa", within=3)


def test_sigterm_ends_at_once_and_moves_nothing(here):
    daemon = here.run().ready()
    here.settled()
    here.cut("primary")
    here.points_at("pb", within=3)
    eventually(lambda: here.status()["converged"], what="converged")
    monitor = here.monitor()
    daemon.signal(signal.SIGTERM)
    assert daemon.ends(within=5) == 0
    assert monitor.changes() == []
    assert here.route() == "pb"
    assert not here.control.exists()


def test_killed_and_restarted_it_goes_on_without_a_write(here):
    daemon = here.run().ready()
    here.settled()
    here.cut("primary")
    here.points_at("pb", within=3)
    eventually(lambda: here.status()["converged"], what="converged")
    here.mend("primary")
    epoch = here.status()["epoch"]
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.ends()
    monitor = here.monitor()
    here.run().ready()
    group = here.settled()
    assert (group["desired"], group["epoch"]) == ("secondary", epoch)
    assert monitor.changes() == []


def test_killed_before_its_write_it_resumes_the_intent(here):
    daemon = here.run().ready()
    here.settled()
    here.cut("primary")
    here.points_at("pb", within=3)
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.ends()
    here.near.run("ip", "route", "replace", "10.20.0.0/16", "dev", "pa", "proto", "119")
    here.run().ready()
    here.points_at("pb", within=5)


def test_drift_made_by_others_is_repaired(here):
    here.run().ready()
    here.settled()
    here.near.run("ip", "route", "replace", "10.20.0.0/16", "dev", "pb")
    here.points_at("pa", within=5)


def test_a_process_that_was_stopped_and_continued_moves_nothing(here):
    daemon = here.run().ready()
    here.settled()
    monitor = here.monitor()
    rounds = here.rounds()
    for _ in range(2):
        daemon.signal(signal.SIGSTOP)
        here.near.run("ping", "-c", "8", "-i", "0.2", "-q", "10.100.0.1")  # 1.4 s pass
        daemon.signal(signal.SIGCONT)
        eventually(lambda at=rounds: here.rounds() > at + 5, what="rounds go on")
        rounds = here.rounds()
    assert monitor.changes() == []
    assert here.settled()["epoch"] == 1


# --- several processes --------------------------------------------------------------------------------------


def test_a_second_process_on_the_same_state_is_refused(here):
    here.run().ready()
    second = here.run("--control", str(here.tmp / "other.sock"))
    assert second.ends() == 1
    assert any("in use by another wgfo" in line for line in second.lines)


def test_a_second_process_on_the_same_control_socket_is_refused(here):
    first = here.run().ready()
    second = here.run("--state-dir", str(here.tmp / "other"))
    assert second.ends() == 1
    assert any("another wgfo answers there" in line for line in second.lines)
    assert first.process.poll() is None


def test_a_dry_run_beside_the_live_daemon_decides_and_touches_nothing(here):
    here.run().ready()
    here.settled()
    before = sorted(path.name for path in here.tmp.rglob("*"))
    rules = here.near.run("ip", "rule")
    monitor = here.monitor()
    control = here.tmp / "dry.sock"
    dry = here.run("--dry-run", "--control", str(control)).ready()
    assert here.settled(control)["desired"] == "primary"
    assert here.near.run("ip", "rule") == rules
    dry.signal(signal.SIGTERM)
    assert dry.ends() == 0
    assert monitor.changes() == []
    assert here.near.run("ip", "rule") == rules
    assert sorted(path.name for path in here.tmp.rglob("*")) == before


def test_a_dry_run_alone_says_what_it_would_write(here):
    dry = here.run("--dry-run")
    dry.says("dry run: would point 1 prefixes of main at dev pa")
    assert here.route() == ""
    assert not (here.tmp / "state").exists()
    assert not here.control.exists()


# --- starting and reloading ---------------------------------------------------------------------------------


def test_a_provider_that_cannot_be_opened_stops_the_start_with_a_sentence(here):
    here.write(daemon='[provider.linux]\nnetns = "no-such-namespace"\n')
    daemon = here.run()
    assert daemon.ends() == 1
    assert any("provider linux" in line and "no-such-namespace" in line for line in daemon.lines)
    assert not any("Traceback" in line for line in daemon.lines)


def test_a_broken_configuration_at_reload_leaves_everything_as_it_is(here):
    daemon = here.run().ready()
    here.settled()
    monitor = here.monitor()
    here.config.write_text(here.text().replace("wait_to_restore", "wait_to_restor"), encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.says("the configuration was not taken over")
    assert any("wait_to_restor" in line for line in daemon.lines)
    assert monitor.changes() == []
    here.write()
    here.cut("primary")
    here.points_at("pb", within=3)


def test_a_reload_with_another_prefix_writes_that_prefix_and_leaves_the_old_one_alone(here):
    daemon = here.run().ready()
    here.settled()
    monitor = here.monitor()
    more = here.text().replace('["10.20.0.0/16"]', '["10.20.0.0/16", "10.30.0.0/16"]')
    here.config.write_text(more, encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.says("the configuration was taken over")
    eventually(lambda: here.near.run("ip", "route", "show", "10.30.0.0/16"), what="the new prefix")
    assert monitor.changes() == []
    here.cut("primary")
    eventually(
        lambda: "dev pb" in here.near.run("ip", "route", "show", "10.30.0.0/16"), what="the new prefix moved"
    )


def test_a_reload_that_changes_nothing_keeps_the_state_of_the_group(here):
    daemon = here.run().ready()
    before = here.settled()
    monitor = here.monitor()
    daemon.signal(signal.SIGHUP)
    daemon.says("the configuration was taken over")
    after = here.status()
    assert [path["state"] for path in after["paths"]] == ["up", "up"]
    assert after["epoch"] == before["epoch"]
    assert monitor.changes() == []
