"""A lab comes up whole, stands beside others, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.bench import Watched
from tests.support.netns import eventually
from wgfo.lab import lab, report, state
from wgfo.lab.enclosure import Enclosure, start_time
from wgfo.lab.errors import LabError
from wgfo.lab.topology import PRIMARY, SERVER, TUNNELS, Node

pytestmark = pytest.mark.net


def namespace(path: Path | str) -> str:
    return str(Path(path).readlink())


def namespaces_of(enclosure: Enclosure) -> set[str]:
    """Every namespace in which a process of the lab lives, apart from those of this test."""
    kinds = ("net", "mnt", "pid")
    found = set()
    inside = namespace(f"/proc/{enclosure.pid}/ns/pid")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if namespace(process / "ns/pid") == inside:
                found |= {namespace(process / "ns" / kind) for kind in kinds}
        except OSError:
            continue
    return found - {namespace(f"/proc/self/ns/{kind}") for kind in kinds}


def inhabited(namespaces: set[str]) -> list[str]:
    """The processes that live in any of these namespaces."""
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if namespaces & {namespace(process / "ns" / kind) for kind in ("net", "mnt", "pid")}:
                left.append((process / "cmdline").read_text())
        except OSError:
            continue
    return left


def traces_on_host() -> dict[str, object]:
    """What a lab might leave in the host's own namespaces."""
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    return {
        "nft": "wgfo_lab" in rules,
        "links": re.findall(r"^(wg0|wg1|vpc0|lan0)\b", links, re.MULTILINE),
        "sockets": sorted(Path("/run/wireguard").glob("wg[01].sock"))
        if Path("/run/wireguard").is_dir()
        else [],
        "mounts": "wgfo-lab" in mounts,
    }


NO_TRACES = {"nft": False, "links": [], "sockets": [], "mounts": False}


def gone(enclosure: Enclosure, namespaces: set[str]) -> bool:
    return not enclosure.alive and not inhabited(namespaces)


def start_up(name: str) -> subprocess.Popen[bytes]:
    code = "from wgfo.cli.main import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, "lab", "up", "--name", name], stderr=subprocess.PIPE)


def wgfo(*words: str) -> subprocess.CompletedProcess[str]:
    code = "from wgfo.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_up_ends_with_client_and_server_connected(own_root: Path) -> None:
    seen = Watched(lab.up("one"))
    assert seen.whole()


def test_down_leaves_nothing(own_root: Path) -> None:
    made = lab.up("one")
    made.break_("flap=1s")
    made.break_("delay")
    enclosure = made.enclosure
    namespaces = namespaces_of(enclosure)
    assert len(namespaces) > 5
    assert lab.down("one")
    assert gone(enclosure, namespaces)
    assert not own_root.exists()
    assert traces_on_host() == NO_TRACES


def test_a_lab_that_is_up_shows_nothing_on_the_host(watched: Watched) -> None:
    assert watched.link_up(PRIMARY)
    assert traces_on_host() == NO_TRACES


def test_two_labs_stand_side_by_side_with_the_same_interface_names(own_root: Path) -> None:
    one, two = Watched(lab.up("one")), Watched(lab.up("two"))
    one.lab.break_("underlay-cut")
    assert not one.anchor(PRIMARY)
    assert two.whole()
    lab.down("one")
    assert two.whole()
    assert state.names() == ["two"]


def test_wg_shows_each_node_its_own_tunnels(watched: Watched) -> None:
    assert sorted(watched.run(Node.ONPREM, "wg", "show", "interfaces").stdout.split()) == ["wg0", "wg1"]
    assert watched.run(Node.GATEWAY_A, "wg", "show", "interfaces").stdout.split() == ["wg0"]
    assert watched.run(Node.CLIENT, "wg", "show", "interfaces").stdout.split() == []


def test_both_ends_keep_their_tunnel_alive(watched: Watched) -> None:
    for one in TUNNELS:
        for node in (Node.ONPREM, one.gateway):
            assert watched.run(node, "wg", "show", one.interface, "persistent-keepalive").stdout.endswith(
                "25\n"
            )


def test_up_refuses_a_name_that_is_up(own_root: Path) -> None:
    lab.up("one")
    with pytest.raises(LabError, match="is up already; end it with `wgfo lab down --name one`"):
        lab.up("one")


def test_a_killed_builder_leaves_no_namespace(own_root: Path) -> None:
    builder = start_up("one")
    made = eventually(lambda: state.load("one"), what="the first process is noted")
    builder.kill()
    builder.communicate()
    eventually(lambda: not made.enclosure.alive, what="the first process ends with its builder")
    assert state.names() == ["one"]
    assert report.reports() == [{"name": "one", "state": "crashed", "directory": str(own_root / "one")}]
    assert wgfo("lab", "down", "--all").returncode == 0
    assert not own_root.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_builder_that_is_told_to_end_cleans_up_itself(own_root: Path, number: signal.Signals) -> None:
    builder = start_up("one")
    made = eventually(lambda: state.load("one"), what="the first process is noted")
    builder.send_signal(number)
    builder.communicate(timeout=20)
    assert builder.returncode != 0
    assert not made.enclosure.alive
    assert not own_root.exists()


def test_a_build_that_fails_leaves_nothing(own_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fail(enclosure: Enclosure, *_: object, **__: object) -> None:
        seen.append(enclosure)
        raise LabError("no")

    monkeypatch.setattr(lab, "build", fail)
    with pytest.raises(LabError, match="no"):
        lab.up("one")
    assert not seen[0].alive
    assert not own_root.exists()


def test_a_crashed_lab_makes_room_for_a_new_one(own_root: Path) -> None:
    first = lab.up("one")
    os.kill(first.enclosure.pid, signal.SIGKILL)
    eventually(lambda: report.reports()[0]["state"] == "crashed", what="the crash is seen")
    with pytest.raises(LabError, match="has crashed; clear it away with `wgfo lab down --name one`"):
        first.break_("mtu-hole")
    assert Watched(lab.up("one")).whole()


def test_down_never_ends_a_process_that_has_taken_over_the_number(own_root: Path) -> None:
    made = lab.up("one").state
    made.enclosure.end()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        state.save(replace(made, pid=bystander.pid))
        lab.down("one")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_command_line_builds_breaks_heals_and_ends_a_lab(own_root: Path) -> None:
    assert wgfo("lab", "up", "--name", "cli").returncode == 0
    assert wgfo("lab", "break", "silent-drop", "--name", "cli").returncode == 0
    ping = ("lab", "exec", "--name", "cli", "client", "--", "ping", "-q", "-c", "1", "-W", "1", SERVER)
    assert wgfo(*ping).returncode == 1
    status = wgfo("lab", "status", "--json")
    assert '"api_version": 1' in status.stdout
    assert '"fault": "silent-drop"' in status.stdout
    assert "broken     silent-drop on primary" in wgfo("lab", "status").stdout
    assert wgfo("lab", "heal", "--name", "cli").returncode == 0
    assert wgfo(*ping).returncode == 0
    assert wgfo("lab", "down", "--name", "cli").returncode == 0
    assert "no lab is up" in wgfo("lab", "status").stdout


def test_exec_keeps_the_directory_and_the_exit_status(own_root: Path) -> None:
    lab.up("one")
    done = wgfo("lab", "exec", "client", "--name", "one", "--", "sh", "-c", "pwd; exit 7")
    assert done.stdout.strip() == str(Path.cwd())
    assert done.returncode == 7


def test_a_lab_below_run_shows_its_directory_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(f"/run/wgfo-lab-test-{os.getpid()}")
    monkeypatch.setenv(state.ENVIRONMENT, str(place))
    try:
        made = lab.up("one")
        (made.directory / "note").write_text("here")
        assert made.enclosure.run("cat", str(made.directory / "note"), node=Node.ONPREM) == "here"
    finally:
        lab.down("one")
    assert not place.exists()


def test_without_root_a_lab_lives_in_a_user_namespace(own_root: Path) -> None:
    """All capabilities but the one that mapping root into a namespace takes are given up."""
    drop = ["setpriv", "--bounding-set", "-all,+setfcap", "--inh-caps", "-all"]
    command = [*drop, sys.executable, "-c", "from wgfo.cli.main import main; main()", "lab"]
    subprocess.run([*command, "up", "--name", "user"], check=True, timeout=60, capture_output=True)
    found = state.load("user")
    assert found is not None
    assert found.user_namespace
    ping = ["exec", "client", "--name", "user", "--", "ping", "-q", "-c", "1", "-W", "1", SERVER]
    subprocess.run([*command, *ping], check=True, timeout=20, capture_output=True)
    subprocess.run(
        [*command, "break", "silent-drop", "--name", "user"], check=True, timeout=20, capture_output=True
    )
    assert subprocess.run([*command, *ping], check=False, timeout=20, capture_output=True).returncode == 1
    subprocess.run([*command, "down", "--name", "user"], check=True, timeout=20, capture_output=True)
    assert not found.enclosure.alive


def test_up_is_quick(own_root: Path) -> None:
    began = time.monotonic()
    lab.up("one")
    assert time.monotonic() - began < 15


def test_a_process_that_is_dead_and_not_reaped_is_not_there() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None
