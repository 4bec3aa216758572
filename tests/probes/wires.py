"""Two separate ways from a client to a server, through a gateway each, in four network namespaces.

    client ──wa──▶ gate_a ──▶ server (10.9.0.1, fd09::1 behind both)
           ──wb──▶ gate_b ──▶

Without binding, packets to the server take ``wa``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.netns import Namespace, eventually, namespaces, sh

TARGET = "10.9.0.1"
TARGET2 = "10.9.0.2"
TARGET6 = "fd09::1"
_SYSCTLS = (
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv6.conf.default.accept_dad=0",
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv6.icmp.ratelimit=0",
)


@dataclass(frozen=True)
class Wires:
    """The four namespaces."""

    client: Namespace
    gate_a: Namespace
    gate_b: Namespace
    server: Namespace

    def lay(self, device: str) -> None:
        """Make the wire between the client and one gateway, with addresses and the client's routes."""
        gate, net, metric = (self.gate_a, 1, 10) if device == "wa" else (self.gate_b, 2, 20)
        sh(
            "ip",
            "link",
            "add",
            device,
            "netns",
            self.client.name,
            "type",
            "veth",
            "peer",
            "name",
            "near",
            "netns",
            gate.name,
        )
        batch(
            gate,
            f"addr add 10.{net}.0.2/24 dev near",
            f"addr add fd0{net}::2/64 dev near nodad",
            "link set near up",
        )
        batch(
            self.client,
            f"addr add 10.{net}.0.1/24 dev {device}",
            f"addr add fd0{net}::1/64 dev {device} nodad",
            f"link set {device} up",
            f"route add 10.9.0.0/24 via 10.{net}.0.2 dev {device} metric {metric}",
            f"route add fd09::/64 via fd0{net}::2 dev {device} metric {metric}",
        )

    def warm(self, device: str) -> None:
        """Wait until neighbours are resolved: IPv6 takes up to a second for the first packet."""
        ping = ("ping", "-c1", "-W1", "-I", device, TARGET6)
        eventually(lambda: " 0% packet loss" in self.client.run(*ping, check=False), what=f"{device} is warm")

    def narrow(self, mtu: int) -> None:
        """Lower the MTU behind the gateway of ``wa``, both ways."""
        batch(self.gate_a, f"link set far mtu {mtu}")
        batch(self.server, f"link set s1 mtu {mtu}")

    def cut(self, gate: Namespace) -> None:
        """Let a gateway forward nothing any more, silently."""
        nft(gate, "forward", "drop")

    def restore(self) -> None:
        """Undo filters, sysctls and MTUs; routes, rules and devices are for :func:`wires` made anew."""
        for namespace in (self.client, self.gate_a, self.gate_b):
            namespace.run("nft", "flush", "ruleset")
        self.client.run("sysctl", "-qw", "net.ipv4.ping_group_range=1 0")
        self.server.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=0")
        self.narrow(1500)
        batch(self.client, "link set wa mtu 1500", "route flush cache")


def batch(namespace: Namespace, *lines: str) -> None:
    """Run several ``ip`` commands in one process."""
    done = subprocess.run(
        ["ip", "-n", namespace.name, "-batch", "-"],
        input="\n".join(lines),
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert not done.returncode, done.stderr


def nft(namespace: Namespace, hook: str, rule: str) -> None:
    """Add one rule to a chain of its own at a netfilter hook."""
    rules = f"table inet t {{\n chain {hook} {{\n type filter hook {hook} priority 0\n {rule}\n }}\n}}\n"
    done = subprocess.run(
        ["ip", "netns", "exec", namespace.name, "nft", "-f", "-"],
        input=rules,
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert not done.returncode, done.stderr


@contextlib.contextmanager
def wires() -> Iterator[Wires]:
    """Make the namespaces and connect them."""
    with namespaces("client", "gate-a", "gate-b", "server") as (client, gate_a, gate_b, server):
        made = Wires(client, gate_a, gate_b, server)
        for namespace in (client, gate_a, gate_b, server):
            namespace.run("sysctl", "-qw", *_SYSCTLS)
        batch(
            server,
            f"addr add {TARGET}/32 dev lo",
            f"addr add {TARGET2}/32 dev lo",
            f"addr add {TARGET6}/128 dev lo nodad",
        )
        for net, gate in ((1, gate_a), (2, gate_b)):
            made.lay("wa" if net == 1 else "wb")
            sh(
                "ip",
                "link",
                "add",
                "far",
                "netns",
                gate.name,
                "type",
                "veth",
                "peer",
                "name",
                f"s{net}",
                "netns",
                server.name,
            )
            batch(
                gate,
                f"addr add 10.{net}.1.1/24 dev far",
                f"addr add fd1{net}::1/64 dev far nodad",
                "link set far up",
                f"route add 10.9.0.0/24 via 10.{net}.1.2",
                f"route add fd09::/64 via fd1{net}::2",
            )
            batch(
                server,
                f"addr add 10.{net}.1.2/24 dev s{net}",
                f"addr add fd1{net}::2/64 dev s{net} nodad",
                f"link set s{net} up",
                f"route add 10.{net}.0.0/24 via 10.{net}.1.1",
                f"route add fd0{net}::/64 via fd1{net}::1",
            )
        for device in ("wa", "wb"):
            made.warm(device)
        yield made


def allow_datagram_icmp(namespace: Namespace) -> None:
    namespace.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Give up every right for the duration."""
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
