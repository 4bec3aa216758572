"""``wgfo run`` with VPC route tables: the whole way from a lost probe to a moved route, killed, throttled, stale.

Two paths are two addresses of loopback on which something listens; a path is cut by closing its listener.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugins.aws.tests.cloud import REGION, Bucket, Refusal
from plugins.aws.tests.rig import A, B, Rig
from tests.support.netns import eventually

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

    def __init__(self, rig: Rig, paths: Paths, tmp: Path) -> None:
        self.rig, self.paths, self.tmp = rig, paths, tmp
        self.tables = [rig.table, rig.cloud.table()]
        self.prefixes = [f"10.{number}.0.0/16" for number in range(20, 40)]
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
""")
        return config

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

    def all_on(self, path: PathName, within: float = 40.0) -> float:
        return self.wait(lambda: self.on(path) == self.total, f"all routes on {path}", within)


@pytest.fixture
def site(rig: Rig, tmp_path: Path) -> Iterator[Site]:
    paths = Paths()
    yield Site(rig, paths, tmp_path)
    paths.close()


def test_a_lost_path_moves_every_route_in_every_table(site: Site) -> None:
    with site.running():
        site.all_on(A)
        site.paths.cut(A)
        site.all_on(B, within=10)
    assert site.rig.sent("DeleteRoute") == 0


def test_killed_in_the_middle_of_a_switch_and_started_again_it_finishes(site: Site) -> None:
    with site.running() as process:
        site.all_on(A)
        site.rig.cloud.faults.latency_ms = 300
        site.paths.cut(A)
        site.wait(lambda: 0 < site.on(B) < site.total, "a switch under way")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert site.on(A, B) == site.total, "no prefix is without a route"
    site.rig.cloud.faults.latency_ms = 0
    with site.running():
        site.all_on(B)


def test_throttled_to_five_writes_a_second_it_converges_without_a_storm(site: Site) -> None:
    with site.running():
        site.all_on(A)
        bucket = site.rig.cloud.faults.bucket = Bucket(per_s=5, burst=5)
        before = site.rig.sent("ReplaceRoute")
        site.paths.cut(A)
        took = site.all_on(B, within=90)
    sent = site.rig.sent("ReplaceRoute") - before
    # Sixteen requests may be under way when the bucket is empty; a client that went on would be refused thousands.
    assert bucket.refused <= site.total, f"{bucket.refused} of {sent} requests were refused in {took:.0f} s"


def test_reads_that_are_behind_and_go_back_cause_no_write_that_undoes_one(site: Site) -> None:
    with site.running():
        site.all_on(A)
        turns = iter(range(1_000_000))
        site.rig.cloud.faults.stale = lambda: next(turns) % 2 == 0
        site.rig.cloud.faults.lag_ms = 2_000
        before = site.rig.sent("ReplaceRoute")
        site.paths.cut(A)
        site.all_on(B, within=10)
        reads = site.rig.sent("DescribeRouteTables")
        site.wait(lambda: site.rig.sent("DescribeRouteTables") > reads + 4, "more reads")
        assert site.on(B) == site.total
    assert site.rig.sent("ReplaceRoute") - before == site.total, "each route was written once"


def test_a_table_that_refuses_does_not_hold_up_the_other(site: Site) -> None:
    with site.running():
        site.all_on(A)
        refusal = Refusal("UnauthorizedOperation", "no")
        site.rig.cloud.faults.writes = lambda table, _prefix: refusal if table == site.tables[0] else None
        site.paths.cut(A)
        site.wait(lambda: site.on(B) == len(site.prefixes), "the table that may be written")
        site.wait(
            lambda: any("UnauthorizedOperation" in line for line in site.lines), "the reason in the log"
        )
