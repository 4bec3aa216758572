"""Looks at a lab from outside wgfo: ping, wg, plain sockets."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from tests.support.netns import eventually
from wgfo.lab.lab import Lab
from wgfo.lab.topology import CLIENT, PRIMARY, SERVER, TUNNELS, Node, PathLabel, Tunnel

TCP_ANSWERS = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
except ConnectionRefusedError:
    pass
"""


class Watched:
    """A lab and what can be seen of it."""

    def __init__(self, made: Lab) -> None:
        self.lab = made
        self._forgot: list[Tunnel] = []

    def run(self, node: Node, *argv: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        command = self.lab.enclosure.command(argv, node)
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def pings(self, node: Node, address: str, *options: str) -> bool:
        return self.run(node, "ping", "-q", "-c", "1", "-W", "0.5", *options, address).returncode == 0

    def ping_statistics(self, node: Node, address: str, *options: str) -> tuple[int, float]:
        """Percent lost, mean milliseconds."""
        said = self.run(node, "ping", "-q", *options, address).stdout
        lost = next(word for word in said.split() if word.endswith("%"))
        mean = said.rpartition("= ")[2].split("/")[1] if "rtt" in said else "nan"
        return round(float(lost.rstrip("%"))), float(mean)

    def through(self, one: Tunnel, address: str = CLIENT, *options: str) -> bool:
        return self.pings(Node.ONPREM, address, "-I", one.interface, *options)

    def anchor(self, one: Tunnel) -> bool:
        return self.through(one, one.cloud)

    def connects(self, node: Node, address: str, port: int = 9) -> bool:
        """Whether TCP packets pass both ways: a refusal will do."""
        return self.run(node, sys.executable, "-c", TCP_ANSWERS, address, str(port)).returncode == 0

    def handshake(self, one: Tunnel) -> int:
        said = self.run(Node.ONPREM, "wg", "show", one.interface, "latest-handshakes").stdout
        return int(said.split()[1])

    def rehandshake(self, one: Tunnel) -> None:
        """Forget the peer and its sessions, and introduce it again: the next packet starts a handshake."""
        peer = self.run(Node.ONPREM, "wg", "show", one.interface, "peers").stdout.strip()
        self.run(Node.ONPREM, "wg", "set", one.interface, "peer", peer, "remove")
        settings = self.lab.directory / "keys" / f"onprem-{one.interface}.conf"
        self.run(Node.ONPREM, "wg", "setconf", one.interface, str(settings))
        self._forgot.append(one)

    def link_up(self, one: Tunnel) -> bool:
        return ",UP" in self.run(Node.ONPREM, "ip", "-br", "link", "show", "dev", one.interface).stdout

    def whole(self) -> bool:
        return all(self.through(one) and self.anchor(one) for one in TUNNELS) and self.pings(
            Node.CLIENT, SERVER
        )

    @contextlib.contextmanager
    def broken(self, fault: str, path: PathLabel | None = None) -> Iterator[Tunnel]:
        """Break, look, heal, and see that the lab is whole again."""
        injection = self.lab.break_(fault, path)
        try:
            yield injection.tunnel if injection.path else PRIMARY
        finally:
            self.lab.heal(injection.fault.name)
            for one in tuple(self._forgot):  # WireGuard itself would ask again after five seconds
                self.rehandshake(one)
            self._forgot.clear()
        eventually(self.whole, within=15, what=f"the lab is whole after {fault}")
