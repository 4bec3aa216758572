"""``check``, ``plan`` and ``doctor`` in a namespace with two gateways: real packets, real routes, no daemon."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.daemon.disks import HandClock
from tests.support.example import FakeSource, example_report
from tests.support.netns import namespaces, veth
from tests.support.served import served
from tests.support.wireguard import tunnelled_namespaces
from wgfo.daemon.state import StateStore
from wgfo.daemon.stored import Times, read_boot_id
from wgfo.engine.events import StoredGroup

pytestmark = pytest.mark.net

WGFO = Path(sys.executable).with_name("wgfo")
CONFIG = """
[daemon]
state_dir = "{directory}/state"
control = "{directory}/control.sock"

[[group]]
name = "cloud"

[[group.path]]
name = "primary"
peer = "10.100.0.1"
targets = {{ db = "10.100.0.2" }}

[[group.path]]
name = "secondary"
peer = "10.200.0.1"
targets = {{ db = "10.200.0.2" }}

[[group.probe]]
kind = "icmp"
targets = ["db"]

[[group.route]]
provider = "linux"
tables = ["main"]
prefixes = ["10.20.0.0/16", "10.21.0.0/16"]
next_hop = {{ primary = "via 10.100.0.1", secondary = "via 10.200.0.1" }}
"""


class World:
    """This host, with a far side that answers for both gateways and the hosts behind them."""

    def __init__(self, near, far, directory):
        self.near, self.far, self.directory = near, far, directory
        (directory / "wgfo.toml").write_text(CONFIG.format(directory=directory))

    def wgfo(self, *arguments):
        done = subprocess.run(
            [
                "ip",
                "netns",
                "exec",
                self.near.name,
                WGFO,
                *arguments,
                "--config",
                self.directory / "wgfo.toml",
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        self.err = done.stderr
        return done.returncode, done.stdout

    def json(self, *arguments):
        code, out = self.wgfo(*arguments, "--json")
        return code, json.loads(out)

    def break_network(self, network):
        """The far side hears nothing for this network any more."""
        self.far.run("nft", "add table ip t; add chain ip t i { type filter hook input priority 0; }")
        self.far.run("nft", f"add rule ip t i ip daddr {network} drop")


@pytest.fixture
def world(tmp_path):
    with namespaces("near", "far") as (near, far):
        veth(near, "a0", far, "b0")
        for net in ("100", "200"):
            near.run("ip", "addr", "add", f"10.{net}.0.9/24", "dev", "a0")
            for host in ("1", "2"):
                far.run("ip", "addr", "add", f"10.{net}.0.{host}/24", "dev", "b0")
        yield World(near, far, tmp_path)


# --- check --------------------------------------------------------------------------------------------------


def test_check_is_zero_when_every_path_is_up(world):
    code, out = world.wgfo("check")
    assert code == 0, world.err
    assert [line.split()[:6] for line in out.splitlines()[1:]] == [
        ["cloud", "primary", "up", "not_probed", "not_probed", "up"],
        ["cloud", "secondary", "up", "not_probed", "not_probed", "up"],
    ]


def test_check_is_three_when_a_path_does_not_answer_and_writes_the_textfile(world):
    world.break_network("10.200.0.0/24")
    textfile = world.directory / "wgfo.prom"
    code, shown = world.json("check", "--textfile", str(textfile))
    assert (code, shown["ok"], shown["api_version"]) == (3, False, 1)
    states = {path["name"]: path["state"] for path in shown["groups"][0]["paths"]}
    assert states == {"primary": "up", "secondary": "down"}
    assert 'wgfo_path_up{group="cloud",path="primary"} 1.0' in textfile.read_text()
    assert 'wgfo_path_up{group="cloud",path="secondary"} 0.0' in textfile.read_text()
    assert textfile.stat().st_mode & 0o777 == 0o644


def test_check_tells_a_gateway_that_does_not_forward(world):
    world.break_network("10.200.0.2/32")
    code, shown = world.json("check")
    (_, secondary) = shown["groups"][0]["paths"]
    assert (code, secondary["state"]) == (3, "down")
    assert "does not forward" in secondary["reason"]


def test_check_with_a_textfile_that_cannot_be_written_is_an_error(world):
    code, out = world.wgfo("check", "--textfile", "/proc/none/wgfo.prom")
    assert (code, out) == (1, "")
    assert "--textfile /proc/none/wgfo.prom: No such file or directory" in world.err


def test_check_judges_all_three_layers_of_a_wireguard_tunnel(tmp_path):
    with tunnelled_namespaces() as (near, _far, tunnel):
        config = f"""
[[group]]
name = "cloud"
[[group.path]]
name = "primary"
interface = "{tunnel.left.name}"
peer = "{tunnel.right_address}"
"""
        world = World(near, None, tmp_path)
        (tmp_path / "wgfo.toml").write_text(config)
        textfile = tmp_path / "wgfo.prom"
        code, shown = world.json("check", "--textfile", str(textfile))
        (path,) = shown["groups"][0]["paths"]
        assert path["layers"] == {"interface": "up", "handshake": "up", "dataplane": "up"}, world.err
        assert code == 0
        assert 0 <= path["handshake_age_seconds"] < 60
        assert f"wireguard_{tunnel.left.name}_healthy 1\n" in textfile.read_text()
        near.run("ip", "link", "set", tunnel.left.name, "down")
        code, shown = world.json("check", "--textfile", str(textfile))
        (path,) = shown["groups"][0]["paths"]
        assert (code, path["state"], path["layers"]["interface"]) == (3, "down", "down")
        assert f"wireguard_{tunnel.left.name}_healthy 0\n" in textfile.read_text()


# --- plan ---------------------------------------------------------------------------------------------------


def routes(world):
    return world.near.run("ip", "-4", "route", "show", "table", "all")


def test_plan_names_what_is_missing_and_writes_nothing(world):
    before = routes(world)
    code, shown = world.json("plan")
    assert (code, shown["unchanged"], shown["desired_from"]) == (4, 0, "preference")
    assert shown["changes"][0] == {
        "group": "cloud",
        "provider": "linux",
        "table": "main",
        "prefix": "10.20.0.0/16",
        "observed": "absent",
        "desired": "via 10.100.0.1",
        "action": "add",
    }
    assert routes(world) == before
    assert not (world.directory / "state").exists()


def add_routes(world, gateway):
    for prefix in ("10.20.0.0/16", "10.21.0.0/16"):
        world.near.run("ip", "route", "add", prefix, "via", gateway)


def test_plan_is_zero_when_the_routes_are_as_observed(world):
    add_routes(world, "10.200.0.1")
    code, shown = world.json("plan")
    assert code == 0, world.err
    assert shown == {"api_version": 1, "changes": [], "unchanged": 2, "desired_from": "observed"}


def test_plan_follows_the_stored_path_without_a_daemon(world):
    add_routes(world, "10.200.0.1")

    async def store():
        times = Times(HandClock(), read_boot_id())
        state = StateStore(world.directory / "state", "s", times, lambda _healthy, _text: None)
        assert await state.save_bounded("cloud", StoredGroup(desired="primary", epoch=3), 2000)
        await state.aclose()

    asyncio.run(store())
    code, shown = world.json("plan")
    assert (code, shown["desired_from"], len(shown["changes"])) == (4, "state", 2)
    assert {one["desired"] for one in shown["changes"]} == {"via 10.100.0.1"}


def test_plan_follows_a_running_daemon(world):
    add_routes(world, "10.100.0.1")
    source = FakeSource(report=replace(example_report(), desired="secondary"))
    with served(world.directory / "control.sock", source):
        code, out = world.wgfo("plan")
    assert code == 4
    assert out.splitlines()[1].split() == [
        "cloud", "linux", "main", "10.20.0.0/16", "via", "10.100.0.1", "via", "10.200.0.1", "replace"
    ]  # fmt: skip
    assert "2 to change, 0 in place\ngroup cloud: desired is secondary, from daemon\n" in world.err


# --- doctor -------------------------------------------------------------------------------------------------


def found_by_doctor(world):
    code, shown = world.json("doctor")
    assert all(one["remedy"] for one in shown["findings"])
    assert shown["ok"] is (code == 0)
    return code, {f"{one['scope']}: {one['subject']}": one for one in shown["findings"]}


def test_doctor_names_what_is_wrong_with_the_fix_and_writes_nothing(world):
    world.break_network("10.200.0.0/24")
    before = routes(world) + world.near.run("ip", "rule")
    code, found = found_by_doctor(world)
    assert code == 3
    assert found["path cloud/secondary: secondary"]["severity"] == "error"
    assert "isolation cannot be told" in found["group cloud: reference"]["text"]
    assert found["provider linux: net.ipv4.ip_forward"]["severity"] == "info"
    assert routes(world) + world.near.run("ip", "rule") == before
    assert not (world.directory / "state").exists()


def test_doctor_is_zero_where_there_are_only_notes(world):
    world.near.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=2")
    config = world.directory / "wgfo.toml"
    config.write_text(config.read_text().replace("[daemon]", '[daemon]\nreference = ["127.0.0.1"]'))
    code, found = found_by_doctor(world)
    assert {one["severity"] for one in found.values()} <= {"info"}, found
    assert code == 0
    assert world.wgfo("doctor")[1].splitlines()[0].split() == ["SEVERITY", "WHERE", "WHAT", "FINDING", "FIX"]


def test_doctor_tells_a_daemon_that_runs_something_else(world):
    source = FakeSource(version="0.0.1", report=replace(example_report(), name="other"))
    source.setup = replace(source.setup, groups=(renamed(source.setup.groups[0], "other"),))
    with served(world.directory / "control.sock", source):
        _, found = found_by_doctor(world)
        texts = [one["text"] for one in json.loads(world.wgfo("doctor", "--json")[1])["findings"]]
    assert found["daemon: daemon"]["severity"] == "warning"
    assert any("wgfo 0.0.1, installed is" in text for text in texts)
    assert any("cloud/primary, cloud/secondary, other/primary" in text for text in texts)


def renamed(group, name):
    return replace(group, policy=replace(group.policy, name=name))
