"""A site between two far gateways in network namespaces, and ``wgfo run`` as a process inside."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.netns import Namespace, eventually, namespaces, sh, veth

WGFO = str(Path(sys.executable).with_name("wgfo"))
TARGET = "10.20.1.10"
PREFIX = "10.20.0.0/16"
PATHS = {"primary": ("pa", "10.100.0"), "secondary": ("pb", "10.200.0")}


class Daemon:
    """One ``wgfo run``."""

    def __init__(self, world: World, *options: str, config: Path | None = None) -> None:
        self.world = world
        self.config = config or world.config
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", world.near.name, WGFO, "run", "--config", str(self.config), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def says(self, text: str, *, within: float = 10.0) -> str:
        """Wait for a line of the log."""

        def found() -> str:
            return next((line for line in self.lines if text in line), "")

        try:
            return eventually(found, within=within, what=f"{text!r} in the log")
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.lines])) from None

    def ready(self) -> Daemon:
        """Wait until it decides: the desired path stands in the table."""
        self.says("ready:")
        return self

    def ends(self, within: float = 10.0) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(within)
        self._reader.join(5)
        return code

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        if self.process.stderr is not None:
            self.process.stderr.close()


class Monitor:
    """What the kernel says of changes to the managed prefix in the main table, as another process sees it."""

    def __init__(self, near: Namespace) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", near.name, "ip", "-o", "monitor", "route"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._near = near
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._mark("10.255.255.1")
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.strip())

    def _mark(self, address: str) -> None:
        """Wait until it listens and everything up to now was heard: a route of our own comes through."""

        def heard() -> bool:
            self._near.run("ip", "route", "replace", f"{address}/32", "dev", "lo")
            self._near.run("ip", "route", "del", f"{address}/32", "dev", "lo")
            return any(address in line for line in self.lines)

        eventually(heard, what="the monitor listens")

    def changes(self) -> list[str]:
        """Return every change of the managed prefix in the main table so far."""
        self._mark("10.255.255.2")
        return [line for line in self.lines if PREFIX in line and "table" not in line]

    def close(self) -> None:
        self._process.kill()
        self._process.wait(5)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


class World:
    """The site ``near`` with a link to each of two gateways, behind both of which the same host answers."""

    def __init__(self, tmp: Path, near: Namespace, far: dict[str, Namespace]) -> None:
        self.tmp = tmp
        self.near = near
        self.far = far
        self.config = tmp / "wgfo.toml"
        self.control = tmp / "control.sock"
        self.write()
        self.open: list[Daemon | Monitor] = []

    def text(self, *, daemon: str = "", group: str = "", route: str = "") -> str:
        return f"""
[daemon]
state_dir = "{self.tmp}/state"
control = "{self.control}"
{daemon}
[[group]]
name = "cloud"
wait_to_restore = "1h"
detect = {{ rise = 2 }}
{group}
[[group.path]]
name = "primary"
interface = "pa"
peer = "10.100.0.1"
[[group.path]]
name = "secondary"
interface = "pb"
peer = "10.200.0.1"
[[group.probe]]
kind = "icmp"
targets = ["{TARGET}"]
interval = "200ms"
[[group.route]]
provider = "linux"
tables = ["main"]
prefixes = ["{PREFIX}"]
next_hop = {{ primary = "dev pa", secondary = "dev pb" }}
{route}
"""

    def write(self, **parts: str) -> None:
        self.config.write_text(self.text(**parts), encoding="utf-8")

    def run(self, *options: str, config: Path | None = None) -> Daemon:
        daemon = Daemon(self, *options, config=config)
        self.open.append(daemon)
        return daemon

    def monitor(self) -> Monitor:
        monitor = Monitor(self.near)
        self.open.append(monitor)
        return monitor

    def route(self) -> str:
        """Return the managed prefix's device in the main table, empty where there is none."""
        words = self.near.run("ip", "route", "show", PREFIX).split()
        return words[words.index("dev") + 1] if "dev" in words else ""

    def points_at(self, device: str, *, within: float = 10.0) -> None:
        eventually(lambda: self.route() == device, within=within, what=f"{PREFIX} dev {device}")

    def status(self, control: Path | None = None) -> dict[str, Any]:
        """Return the first group of ``status --json``."""
        command = [
            "status",
            "--json",
            "--config",
            str(self.config),
            "--control",
            str(control or self.control),
        ]
        answer = json.loads(sh(WGFO, *command, check=False))
        return dict(answer["groups"][0])

    def rounds(self) -> int:
        """Return how many probes through the primary have ended."""
        head = "GET /metrics HTTP/1.1\r\nHost: wgfo\r\nConnection: close\r\n\r\n"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.control))
            client.sendall(head.encode())
            text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        lines = [line for line in text.splitlines() if line.startswith("wgfo_probe_results_total")]
        return sum(int(float(line.split()[-1])) for line in lines if 'path="primary"' in line)

    def settled(self, control: Path | None = None) -> dict[str, Any]:
        """Wait until both paths are up and the routes stand."""

        def stands() -> dict[str, Any] | None:
            with contextlib.suppress(json.JSONDecodeError, IndexError, KeyError):
                group = self.status(control)
                if group["converged"] and all(path["state"] == "up" for path in group["paths"]):
                    return group
            return None

        found = eventually(stands, within=15, what="both paths up and converged")
        assert found is not None
        return found

    def cut(self, path: str) -> None:
        """The gateway forwards no more: its own address still answers, the host behind it does not."""
        self.far[path].run("ip", "addr", "del", f"{TARGET}/32", "dev", "lo")

    def mend(self, path: str) -> None:
        self.far[path].run("ip", "addr", "add", f"{TARGET}/32", "dev", "lo")


@contextlib.contextmanager
def world(tmp: Path) -> Iterator[World]:
    """Build a world, and take it down whatever happens."""
    with namespaces("near", "ga", "gb") as (near, ga, gb):
        far = {"primary": ga, "secondary": gb}
        for path, (device, net) in PATHS.items():
            veth(near, device, far[path], "up0")
            near.run("ip", "addr", "add", f"{net}.2/24", "dev", device)
            far[path].run("ip", "addr", "add", f"{net}.1/24", "dev", "up0")
            far[path].run("ip", "addr", "add", f"{TARGET}/32", "dev", "lo")
        made = World(tmp, near, far)
        try:
            yield made
        finally:
            for one in made.open:
                one.close()
