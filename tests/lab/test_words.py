"""What can be said to a lab without one: faults, names, requirements, configurations, processes' inner parts."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from wgfo.lab import config, report, requirements, state
from wgfo.lab.errors import LabError, MissingRequirements
from wgfo.lab.faults import FAULTS, parse_fault
from wgfo.lab.faults.relay import MAX_QUEUE, Held
from wgfo.lab.lab import Lab
from wgfo.lab.state import LabState, Wound
from wgfo.lab.topology import ADDRESSES, BRIDGES, CABLES, PathLabel

NAMES = {
    "link-down", "gateway-killed", "underlay-cut", "silent-drop", "not-forwarding", "loss", "mtu-hole", "tcp-only",
    "one-way", "delay", "flap", "allowed-ips", "key-mismatch", "rp-filter", "site-dark", "reference-dark",
}  # fmt: skip


def test_the_faults_are_these() -> None:
    assert set(FAULTS) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_fault_says_in_one_sentence_what_it_does(name: str) -> None:
    text = FAULTS[name].text
    assert text.endswith(".")
    assert ". " not in text
    assert f"{name}" in report.faults()


@pytest.mark.parametrize(
    ("text", "value"),
    [("loss", "30%"), ("loss=5", "5%"), ("loss=100%", "100%"), ("delay=50ms", "50ms"), ("flap=2s", "2s"),
     ("one-way=to-cloud", "to-cloud"), ("site-dark=onprem", "onprem"), ("silent-drop", None)],
)  # fmt: skip
def test_a_fault_takes_its_value_or_its_default(text: str, value: str | None) -> None:
    assert parse_fault(text).value == value


@pytest.mark.parametrize(
    ("text", "accepted"),
    [("loss=0", "1% to 100%"), ("loss=many", "1% to 100%"), ("delay=9", "1ms to 5000ms"), ("delay=0ms", "1ms"),
     ("flap=90s", "1s to 60s"), ("one-way=up", "to-onprem or to-cloud"), ("silent-drop=1", "no value")],
)  # fmt: skip
def test_a_value_that_a_fault_does_not_take_is_refused_with_what_it_takes(text: str, accepted: str) -> None:
    with pytest.raises(LabError, match=accepted):
        parse_fault(text)


def test_an_unknown_fault_is_refused_with_the_nearest_name_and_all_names() -> None:
    with pytest.raises(LabError, match=r"no fault 'silentdrop'; did you mean silent-drop\?.*underlay-cut"):
        parse_fault("silentdrop")


def test_a_path_is_refused_for_a_fault_that_belongs_to_none() -> None:
    with pytest.raises(LabError, match="site-dark belongs to no path"):
        parse_fault("site-dark", PathLabel.PRIMARY)


def test_a_fault_is_on_the_primary_unless_told_or_its_nature_says_otherwise() -> None:
    assert parse_fault("silent-drop").path is PathLabel.PRIMARY
    assert parse_fault("silent-drop", PathLabel.SECONDARY).path is PathLabel.SECONDARY
    assert parse_fault("rp-filter").path is PathLabel.SECONDARY


@pytest.mark.parametrize("name", ["", "-x", "A", "a/b", "..", "x" * 25])
def test_a_name_that_could_not_be_a_directory_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="is no name for a lab"):
        state.check_name(name)


def test_a_lab_that_is_not_there_is_named_with_those_that_are(own_root: Path) -> None:
    with pytest.raises(
        LabError, match=r"no lab 'x' \(there are: none\); make it with `wgfo lab up --name x`"
    ):
        _ = Lab("x").state


def test_state_survives_being_written_and_read(own_root: Path) -> None:
    state.make_directory("x")
    kept = LabState("x", 1, 2, user_namespace=True, kernel_wireguard=False, created="now").with_wounds(
        (Wound("loss", "primary", "30%", "now"),)
    )
    state.save(kept)
    assert state.load("x") == kept


def test_a_state_that_cannot_be_read_is_a_crashed_lab(own_root: Path) -> None:
    (state.make_directory("x") / "lab.json").write_text("{")
    assert state.load("x") is None
    assert report.reports() == [{"name": "x", "state": "crashed", "directory": str(own_root / "x")}]


def test_a_directory_of_labs_that_is_somebody_elses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv(state.ENVIRONMENT, str(tmp_path / "link"))
    with pytest.raises(LabError, match="is not a directory of this user"):
        state.make_directory("x")


def test_all_missing_tools_are_told_at_once_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements.shutil, "which", lambda _tool: None)
    with pytest.raises(MissingRequirements) as refusal:
        requirements.survey()
    said = str(refusal.value)
    for tool, package in requirements.PACKAGES.items():
        assert f"- {tool}: not found; apt-get install {package}" in said
    assert "apt-get install wireguard-go" in said


def test_missing_rights_are_told_with_what_the_kernel_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            command, 1, "", "unshare: unshare failed: Operation not permitted\n"
        )

    monkeypatch.setattr(requirements, "_run", refuse)
    monkeypatch.setattr(requirements, "_may_administer", lambda: False)
    with pytest.raises(MissingRequirements, match=r"(?s)Operation not permitted.*sudo.*sysctl"):
        requirements.survey()
    monkeypatch.setattr(requirements, "_may_administer", lambda: True)
    with pytest.raises(MissingRequirements, match=r"refused even to root.*--privileged"):
        requirements.survey()


def test_a_missing_tun_device_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "TUN", Path("/dev/net/none"))
    monkeypatch.setattr(requirements, "_has_kernel_wireguard", lambda _means: False)
    monkeypatch.setattr(requirements, "_namespace_problem", lambda _means: None)
    with pytest.raises(MissingRequirements, match=r"/dev/net/none: missing or not accessible.*modprobe tun"):
        requirements.survey()


@pytest.mark.parametrize("third_host", [False, True])
@pytest.mark.parametrize("demo", [False, True])
def test_the_configuration_fits_the_lab(third_host: bool, demo: bool) -> None:
    settings = tomllib.loads(config.text(Path("/labs/x"), third_host=third_host, demo=demo))
    (group,) = settings["group"]
    assert settings["daemon"]["control"] == "/labs/x/control.sock"
    assert [path["name"] for path in group["path"]] == ["primary", "secondary"]
    hops = {route["provider"]: route["next_hop"] for route in group["route"]}
    assert hops["vpc"] == {"primary": "via 10.20.0.11", "secondary": "via 10.20.0.12"}
    assert hops["onprem" if third_host else "linux"] == {"primary": "dev wg0", "secondary": "dev wg1"}
    assert ("wait_to_restore" in group) is demo
    assert ("interface" in group["path"][0]) is not third_host


def test_every_interface_that_has_an_address_is_one_end_of_a_cable_or_a_bridge() -> None:
    ports = {(one.left, one.left_port) for one in CABLES} | {(one.right, one.right_port) for one in CABLES}
    known = ports | set(BRIDGES)
    for node, interfaces in ADDRESSES.items():
        assert {(node, name) for name in interfaces if name != "lo"} <= known


def test_the_relay_holds_each_packet_for_the_delay_and_keeps_the_order() -> None:
    held = Held(300)
    held.put(b"one", 0)
    held.put(b"two", 100)
    assert held.wait_us(100) == 200
    assert held.due(299) == []
    assert held.due(300) == [b"one"]
    assert held.due(1_000) == [b"two"]
    assert held.wait_us(1_000) is None


def test_the_relay_drops_what_its_queue_cannot_hold() -> None:
    held = Held(0)
    for _ in range(MAX_QUEUE + 5):
        held.put(b"", 0)
    assert len(held.due(0)) == MAX_QUEUE
