"""The kernel's routing tables keep the provider contract. The observer is ``ip``."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from plugins.linux.tests.kernel import tunnels
from tests.support.netns import Namespace, eventually, namespaces

from wgfo.model import Hop, Prefix, TableName
from wgfo.testing import (
    Can,
    Moment,
    ProviderConformance,
    ProviderWorld,
    Spot,
    StandingRoute,
    TableSpec,
    fixture,
)
from wgfo_linux import bulk, wire
from wgfo_linux.plugin import LINUX

pytestmark = pytest.mark.net
HOPS = {"primary": "dev wg0", "secondary": "dev wg1"}
MARK = "198.51.100.0/24"
_NO_SUCH_TYPE = 255


class KernelWorld(ProviderWorld):
    """One namespace with two mock tunnels and two tables of its own."""

    plugin = "wgfo_linux.plugin"
    sdks = ("pyroute2",)
    offer = LINUX
    tables = (TableSpec("7000", HOPS), TableSpec("7001", HOPS))
    prefixes = ("10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16", "fd20::/32", "fd21::/32")
    unrelated = "10.99.0.0/16"
    can = frozenset({Can.TIMELINE, Can.REQUESTS, Can.DORMANT, Can.REFUSE, Can.BREAK})

    def __init__(self, namespace: Namespace, events: Path) -> None:
        super().__init__()
        self.namespace = namespace
        self.options = {"netns": namespace.name}
        self.refused: set[str] = set()
        self.broken: set[bool] = set()
        """Whether writes, and whether reads, break."""
        self._events = events
        self._marks = 0

    def ip(self, command: str) -> str:
        version = "-6" if "::" in command else "-4"
        return self.namespace.run("ip", version, *command.split())

    async def routes(self, table: TableName) -> Sequence[StandingRoute]:
        shown = [
            self.namespace.run("ip", version, "route", "show", "table", table, check=False)
            for version in ("-4", "-6")
        ]
        return judged([read(line) for text in shown for line in text.splitlines()])

    async def put(self, table: TableName, prefix: Prefix, hop: Hop | None) -> None:
        self.ip(f"route replace {prefix} {hop or 'dev lo'} table {table} proto static")

    async def drop(self, table: TableName, prefix: Prefix) -> None:
        self.ip(f"route del {prefix} table {table}")

    async def inject(self, what: Can, spot: Spot) -> None:
        match what:
            case Can.DORMANT:
                self.ip(f"route add {spot.prefix} {spot.hop} table {spot.table} proto static metric 2000")
            case Can.REFUSE:
                self.refused.add(spot.prefix)
            case Can.BREAK:
                self.broken.add(spot.writes)
            case _:
                await super().inject(what, spot)

    async def heal(self) -> None:
        self.refused.clear()
        self.broken.clear()

    async def moments(self, table: TableName) -> Sequence[Moment]:
        """Play back what ``ip monitor`` has heard, up to a mark that is made now."""
        self._marks += 1
        mark = f"{MARK} dev lo table 7999 proto {100 + self._marks}"
        self.ip(f"route replace {mark}")
        eventually(lambda: mark in self._events.read_text(), what="the monitor")
        return list(played(self._events.read_text(), table))

    # --- between the provider and the kernel ----------------------------------------------------------------

    def receive(self, message: bytes) -> bytes:
        """Log what the kernel is about to receive, and spoil what is to be refused or broken."""
        sent = bytearray(message)
        for kind, _, _, _, at, end in wire.messages(message):
            writes = kind != wire.RTM_GETROUTE
            if writes in self.broken:
                self._log(writes, "")
                raise OSError(errno.ENOBUFS, "no buffer space")
            packed, body = wire.RouteDecoder().decode(message, at, end) if writes else (b"", None)
            prefix = wire.network(packed) if writes else ""
            self._log(writes, prefix, str(body.table) if body else "")
            if prefix in self.refused:
                sent[at + wire.HEADER.size + 7] = _NO_SUCH_TYPE
        return bytes(sent)

    def _log(self, writes: bool, prefix: str, table: str = "") -> None:
        with self.log.write(table, prefix) if writes else self.log.read(table):
            pass


class Between(socket.socket):
    """A socket of the provider whose messages pass through the world."""

    world: KernelWorld

    def send(self, data: bytes, flags: int = 0, /) -> int:
        return super().send(self.world.receive(data), flags)


def read(line: str) -> StandingRoute:
    """Read one route in iproute2's words."""
    words = line.split()
    blackhole = words[0] in {"blackhole", "unreachable", "prohibit"}
    prefix, *rest = words[1:] if blackhole else words
    pairs = dict(zip(rest[::2], rest[1::2], strict=False))
    hop = " ".join(f"{word} {pairs[word]}" for word in ("via", "dev") if word in pairs)
    pairs = {word: pairs[word] for word in ("proto", "metric", "table") if word in pairs}
    return StandingRoute(prefix, hop, " ".join(f"{a} {b}" for a, b in pairs.items()), blackhole=blackhole)


def judged(routes: Sequence[StandingRoute]) -> Moment:
    """Say which of the routes carry: of each prefix the one of the lowest metric."""
    best: dict[str, int] = {}
    for one in routes:
        best[one.prefix] = min(metric(one), best.get(one.prefix, metric(one)))
    return tuple(
        StandingRoute(one.prefix, one.hop, one.detail, metric(one) == best[one.prefix], one.blackhole)
        for one in routes
    )


def metric(one: StandingRoute) -> int:
    words = one.detail.split()
    return int(words[words.index("metric") + 1]) if "metric" in words else 0


def played(log: str, table: str) -> Iterator[Moment]:
    """Build the state of a table after each event that concerns it."""
    standing: dict[tuple[str, int], StandingRoute] = {}
    for line in log.splitlines():
        deleted = line.startswith("Deleted ")
        one = read(line.removeprefix("Deleted "))
        if f"table {table}" not in one.detail:
            continue
        key = (one.prefix, metric(one))
        if not deleted:
            standing[key] = one
        elif key in standing and standing[key].hop == one.hop:
            del standing[key]
        yield judged(list(standing.values()))


@contextlib.contextmanager
def monitor(namespace: Namespace, log: Path) -> Iterator[None]:
    """Let ``ip monitor route`` write to a file, line by line."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace.name, "stdbuf", "-oL", "ip", "monitor", "route"], stdout=output
        )
        try:
            eventually(lambda: heard(namespace, log), what="the monitor")
            yield
        finally:
            process.kill()
            process.wait()


def heard(namespace: Namespace, log: Path) -> bool:
    """Until the monitor has joined its group nobody sees the mark. The kernel tells of no replace by the same."""
    namespace.run("ip", "route", "add", MARK, "dev", "lo", "table", "7999")
    namespace.run("ip", "route", "del", MARK, "dev", "lo", "table", "7999")
    return MARK in log.read_text()


def put_between(world: KernelWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sockets on which routes are written and dumped pass through the world."""
    make = bulk.netlink_socket

    def made(name: str | None) -> socket.socket:
        between = Between(fileno=make(name).detach())
        between.setblocking(False)
        between.world = world
        return between

    monkeypatch.setattr(bulk, "netlink_socket", made)


class TestLinuxProvider(ProviderConformance):
    @fixture
    async def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProviderWorld]:
        with namespaces("conform") as (namespace,):
            tunnels(namespace)
            with monitor(namespace, tmp_path / "events"):
                world = KernelWorld(namespace, tmp_path / "events")
                put_between(world, monkeypatch)
                yield world


def test_the_playback_would_show_a_gap() -> None:
    log = (
        "10.20.0.0/16 dev wg0 table 7000 proto 119 scope link\n"
        "Deleted 10.20.0.0/16 dev wg0 table 7000 proto 119 scope link\n"
        "10.20.0.0/16 dev wg1 table 7000 proto 119 scope link\n"
    )
    assert [len(moment) for moment in played(log, "7000")] == [1, 0, 1]
