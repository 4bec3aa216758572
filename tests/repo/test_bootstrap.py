"""A machine that lacks something hears at once what, and what to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repo.tree import ROOT

EVERYTHING = ("wg", "wireguard-go", "nft", "ip", "ping", "ethtool", "sysctl", "unshare", "python3")


class Machine:
    """A PATH that holds a few real commands and some that only pretend; nothing is ever installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sh", "dirname", "env"):
            (folder / name).symlink_to(shutil.which(name) or name)

    def has(self, *names: str, answering: str = "exit 0") -> None:
        for name in names:
            command = self.folder / name
            command.unlink(missing_ok=True)  # writing through a link would change the real command
            command.write_text(f"#!/bin/sh\n{answering}\n")
            command.chmod(0o755)

    def bootstrap(self, command: str = "system") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", ROOT / "scripts/bootstrap", command],
            env={"PATH": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.has("id", answering="echo 1000")
    return made


def test_a_complete_machine_is_left_alone_in_silence(machine: Machine) -> None:
    machine.has(*EVERYTHING)
    done = machine.bootstrap()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_rights_the_missing_package_and_the_command_are_named(machine: Machine) -> None:
    machine.has(*set(EVERYTHING) - {"nft", "wg"}, "apt-get")
    machine.has("sudo", answering="exit 1")
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "run as root: apt-get install wireguard-tools nftables" in done.stderr


def test_on_another_distribution_the_missing_package_is_named(machine: Machine) -> None:
    machine.has(*set(EVERYTHING) - {"wireguard-go"})
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "missing: wireguard-go" in done.stderr


def test_an_old_python_is_refused_with_its_version(machine: Machine) -> None:
    machine.has(*set(EVERYTHING) - {"python3"})
    machine.has("python3", answering='[ "$1" != -V ] || echo Python 3.9.2; [ "$1" = -V ]')
    done = machine.bootstrap()
    assert done.returncode == 1
    assert "Python 3.9.2" in done.stderr
    assert "3.11" in done.stderr


def test_sudo_installs_only_what_is_missing_and_asks_nothing(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    machine.has(*set(EVERYTHING) - {"ethtool"})
    machine.has("sudo", answering='[ "$1" = -n ] && shift && exec "$@"')
    machine.has("true")
    machine.has("apt-get", answering=f'echo "$DEBIAN_FRONTEND: $*" >> {log}')
    assert machine.bootstrap().returncode == 0
    assert log.read_text().splitlines() == [
        ": update",
        "noninteractive: install -y --no-install-recommends ethtool",
    ]


def test_a_browser_that_is_there_is_left_alone(machine: Machine) -> None:
    machine.has("find", answering="echo /usr/lib/libatomic.so.1")
    machine.has("google-chrome")
    done = machine.bootstrap("browser")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_browser_comes_as_debians_smallest_package(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    machine.has("id", answering="echo 0")
    machine.has("find", answering="echo /usr/lib/libatomic.so.1")
    machine.has("apt-cache", "true")
    machine.has("apt-get", answering=f'echo "$*" >> {log}')
    assert machine.bootstrap("browser").returncode == 0
    assert "install -y --no-install-recommends chromium-headless-shell" in log.read_text()


def test_where_no_browser_can_be_had_the_remedy_is_named(machine: Machine) -> None:
    machine.has("id", answering="echo 0")
    machine.has("find", answering="echo /usr/lib/libatomic.so.1")
    machine.has("apt-cache", answering="exit 100")
    machine.has("apt-get")
    machine.has("env", answering="exit 1")  # what runs Playwright's own download
    done = machine.bootstrap("browser")
    assert done.returncode == 1
    assert "put chromium or google-chrome into PATH" in done.stderr
