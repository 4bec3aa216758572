"""``wgfo run`` as a process on the stand-in: two paths that are cut by closing their listeners."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from plugins.aws.tests.cloud import REGION
from plugins.aws.tests.rig import A, B, Rig
from tests.support.netns import eventually

from wgfo.cli.client import Client
from wgfo.cli.errors import Unreachable
from wgfo.model import PathName

WGFO = str(Path(sys.executable).with_name("wgfo"))
ADDRESSES = {A: "127.0.7.1", B: "127.0.7.2"}


class Paths:
    """Two addresses that answer until they are cut."""

    def __init__(self) -> None:
        self.port = 0
        self._open: dict[PathName, socket.socket] = {}
        for path in ADDRESSES:
            self.mend(path)

    def mend(self, path: PathName) -> None:
        listening = socket.create_server((ADDRESSES[path], self.port), backlog=64)
        self.port = listening.getsockname()[1]
        self._open[path] = listening
        threading.Thread(target=_accept, args=(listening,), daemon=True).start()

    def cut(self, path: PathName) -> None:
        listening = self._open.pop(path)
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()

    def close(self) -> None:
        for path in list(self._open):
            self.cut(path)


def _accept(listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            listening.accept()[0].close()


class Site:
    """A configuration, the cloud, and daemons on both."""

    def __init__(
        self, rig: Rig, paths: Paths, tmp: Path, *, tables: int = 2, prefixes: int = 20, more: str = ""
    ) -> None:
        self.rig, self.paths, self.tmp = rig, paths, tmp
        self.tables = [rig.table, *(rig.cloud.table() for _ in range(tables - 1))]
        self.prefixes = [f"10.{number}.0.0/16" for number in range(20, 20 + prefixes)]
        self.more = more
        """What else stands in the configuration, after the group."""
        self.lines: list[str] = []

    def write(self) -> Path:
        config = self.tmp / "wgfo.toml"
        hops = ", ".join(f'{path} = "{hop}"' for path, hop in self.rig.hops.items())
        views = "".join(
            f'[[group.path]]\nname = "{path}"\ntargets = {{ db = "{address}" }}\n'
            for path, address in ADDRESSES.items()
        )
        config.write_text(f"""
[daemon]
state_dir = "{self.tmp}/state"
control = "{self.tmp}/control.sock"
[provider.aws]
region = "{REGION}"
endpoint_url = "{self.rig.url}"
[[group]]
name = "cloud"
wait_to_restore = "1h"
reconcile = "2s"
settle = "1s"
detect = {{ fall = 2, rise = 2 }}
{views}
[[group.probe]]
kind = "tcp"
targets = ["db:{self.paths.port}"]
interval = "200ms"
[[group.route]]
provider = "aws"
tables = {self.tables!r}
prefixes = {self.prefixes!r}
next_hop = {{ {hops} }}
{self.more}
""")
        return config

    def ask(self, kind: str, path: PathName) -> str:
        """Send an operator's request and return the engine's answer."""
        body = {"group": "cloud", "kind": kind, "path": path, "reason": "a test"}
        return Client(self.tmp / "control.sock").request(body)

    def group(self) -> Mapping[str, Any]:
        """The group's status; empty while nobody answers."""
        try:
            found: Any = Client(self.tmp / "control.sock").get("/api/v1/status")
        except Unreachable:
            return {}
        return found["groups"][0]  # type: ignore[no-any-return]

    def alarms(self) -> dict[str, str]:
        return {one["name"]: one["text"] for one in self.group().get("alarms", ())}

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [WGFO, "run", "--config", str(self.write())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)
            reader.join(5)
            assert process.stderr is not None
            process.stderr.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.lines += process.stderr

    def on(self, *paths: PathName) -> int:
        """How many routes point at one of these paths, as the cloud has them."""
        hops = [self.rig.hops[path] for path in paths]
        return sum(
            self.rig.cloud.target(table, prefix) in hops for table in self.tables for prefix in self.prefixes
        )

    @property
    def total(self) -> int:
        return len(self.tables) * len(self.prefixes)

    def wait(self, true: Callable[[], bool], what: str, within: float = 40.0) -> float:
        begun = time.monotonic()
        try:
            eventually(true, within=within, what=what)
        except AssertionError as error:
            raise AssertionError("".join([str(error), "\n", *self.lines])) from None
        return time.monotonic() - begun

    def named_by(self, alarm: str) -> set[str]:
        """The tables that an alarm names."""
        text = self.alarms().get(alarm, "")
        return {table for table in self.tables if table in text}

    def moved(self, table: str, path: PathName) -> bool:
        """Whether every route of one table points at the path."""
        hop = self.rig.hops[path]
        return all(self.rig.cloud.target(table, prefix) == hop for prefix in self.prefixes)

    def all_on(self, path: PathName, within: float = 40.0) -> float:
        return self.wait(lambda: self.on(path) == self.total, f"all routes on {path}", within)
