"""Faults that change a setting: links, keys, allowed-ips, the kernel's checks."""

from __future__ import annotations

import contextlib
from typing import Final

from wgfo.lab import tunnels
from wgfo.lab.errors import CommandFailed
from wgfo.lab.faults.base import Bench, Fault, Injection
from wgfo.lab.topology import (
    PRIMARY,
    Node,
    PathLabel,
    managed_route,
    permanent_routes,
    tunnel_routes,
)


class LinkDown(Fault):
    """On-prem's tunnel interface is set down."""

    name = "link-down"

    def inject(self, bench: Bench, at: Injection) -> None:
        """Set it down; the kernel removes the routes through it."""
        bench.run(Node.ONPREM, "ip", "link", "set", "dev", at.tunnel.interface, "down")

    def heal(self, bench: Bench, at: Injection) -> None:
        """Set it up and give back the routes that went with it."""
        bench.run(Node.ONPREM, "ip", "link", "set", "dev", at.tunnel.interface, "up")
        routes = tunnel_routes(at.tunnel, Node.ONPREM)
        bench.enclosure.ip([f"route replace {text}" for text in routes], Node.ONPREM)
        restore_managed_route(bench, Node.ONPREM)


def restore_managed_route(bench: Bench, node: Node) -> None:
    """Put the managed prefix back over the primary where it has no route: no controller is there."""
    wanted = managed_route(node, PRIMARY)
    prefix = wanted.split()[0]
    if bench.run(node, "ip", "-4", "route", "show", "exact", prefix).strip():
        return
    with contextlib.suppress(CommandFailed):  # another one came first, or the primary is down as well
        bench.enclosure.ip([f"route add {wanted} proto static"], node)


class GatewayKilled(Fault):
    """The path's gateway is dead: its WireGuard is killed and both of its cables are unplugged."""

    name = "gateway-killed"

    def inject(self, bench: Bench, at: Injection) -> None:
        """Unplug it, then end its tunnel; wireguard-go ends with its interface."""
        gateway = at.tunnel.gateway
        bench.enclosure.ip([f"link set dev {port} down" for port in ("eth0", "eth1")], gateway)
        with contextlib.suppress(CommandFailed):
            bench.run(gateway, "ip", "link", "del", "dev", at.tunnel.interface)

    def heal(self, bench: Bench, at: Injection) -> None:
        """Boot it again with the same keys."""
        one = at.tunnel
        bench.enclosure.ip([f"link set dev {port} up" for port in ("eth0", "eth1")], one.gateway)
        bench.enclosure.ip([f"route replace {text}" for text in permanent_routes(one.gateway)], one.gateway)
        tunnels.start(bench.enclosure, one, one.gateway, bench.keys, kernel=bench.kernel_wireguard)


class AllowedIps(Fault):
    """The gateway's WireGuard has lost our allowed-ips: handshakes stay fresh, every packet is refused."""

    name = "allowed-ips"

    def inject(self, bench: Bench, at: Injection) -> None:
        """Leave the peer with none."""
        self._set(bench, at, "")

    def heal(self, bench: Bench, at: Injection) -> None:
        """Give them back."""
        self._set(bench, at, tunnels.allowed_ips(at.tunnel, at.tunnel.gateway))

    def renew(self, bench: Bench, at: Injection) -> None:
        """A gateway that was booted again has them back."""
        with contextlib.suppress(CommandFailed):
            self.inject(bench, at)

    @staticmethod
    def _set(bench: Bench, at: Injection, allowed: str) -> None:
        one = at.tunnel
        peer = bench.run(one.gateway, "wg", "show", one.interface, "peers").strip()
        bench.run(one.gateway, "wg", "set", one.interface, "peer", peer, "allowed-ips", allowed)


class KeyMismatch(Fault):
    """The gateway has a new private key that on-prem was not told of."""

    name = "key-mismatch"

    def inject(self, bench: Bench, at: Injection) -> None:
        """Give it a fresh key; its sessions end with the old one."""
        self._set(bench, at, tunnels.new_key_pair().private)

    def heal(self, bench: Bench, at: Injection) -> None:
        """Give it the key back that on-prem knows."""
        self._set(bench, at, tunnels.private_key(bench.keys, at.tunnel, at.tunnel.gateway))

    def renew(self, bench: Bench, at: Injection) -> None:
        """A gateway that was booted again has its own key."""
        with contextlib.suppress(CommandFailed):
            self.inject(bench, at)

    @staticmethod
    def _set(bench: Bench, at: Injection, private: str) -> None:
        command = ("wg", "set", at.tunnel.interface, "private-key", "/dev/stdin")
        bench.enclosure.run(*command, node=at.tunnel.gateway, given=private + "\n")


class RpFilter(Fault):
    """Strict rp_filter: on-prem's tunnel interface drops what arrives there unless the route points at it."""

    name = "rp-filter"
    default_path = PathLabel.SECONDARY

    def inject(self, bench: Bench, at: Injection) -> None:
        """Make it strict."""
        self._set(bench, at, 1)

    def heal(self, bench: Bench, at: Injection) -> None:
        """Switch it off."""
        self._set(bench, at, 0)

    @staticmethod
    def _set(bench: Bench, at: Injection, value: int) -> None:
        script = f"echo {value} > /proc/sys/net/ipv4/conf/{at.tunnel.interface}/rp_filter"
        bench.run(Node.ONPREM, "sh", "-c", script)


SETTINGS: Final = (LinkDown(), GatewayKilled(), AllowedIps(), KeyMismatch(), RpFilter())
