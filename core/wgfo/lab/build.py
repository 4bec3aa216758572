"""Building a lab: nodes, cables, addresses, routes, tunnels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from wgfo.lab import tunnels
from wgfo.lab.enclosure import Enclosure
from wgfo.lab.errors import LabError
from wgfo.lab.holder import WIREGUARD_OF
from wgfo.lab.topology import (
    ADDRESSES,
    BRIDGES,
    CABLES,
    DEFAULT_ROUTES,
    FORWARDING,
    PRIMARY,
    SERVER,
    TUNNELS,
    Node,
    managed_route,
    permanent_routes,
    rules,
)

Progress = Callable[[str], None]

_KERNEL: Final = """
cd /proc/sys/net
for scope in all default; do
  echo 0 > ipv4/conf/$scope/rp_filter
  echo 0 > ipv4/conf/$scope/send_redirects
  echo 0 > ipv4/conf/$scope/accept_redirects
done
echo 1 > ipv4/icmp_echo_ignore_broadcasts
if [ -d ipv6 ]; then echo 1 > ipv6/conf/all/disable_ipv6; echo 1 > ipv6/conf/default/disable_ipv6; fi
"""


def build(enclosure: Enclosure, keys: Path, *, kernel_wireguard: bool, progress: Progress) -> None:
    """Build everything and return when client and server reach each other.

    Raises:
        LabError: a step failed; the lab is to be ended by the caller.
    """
    progress("nodes and cables")
    _make_nodes(enclosure)
    _lay_cables(enclosure)
    for node in Node:
        _address(enclosure, node)
    progress(f"tunnels ({'kernel WireGuard' if kernel_wireguard else 'wireguard-go'})")
    _start_tunnels(enclosure, keys, kernel=kernel_wireguard)
    progress("first packets")
    _prove(enclosure)


def _make_nodes(enclosure: Enclosure) -> None:
    enclosure.ip([f"netns add {node}" for node in Node])
    enclosure.run("mkdir", *(str(WIREGUARD_OF / node) for node in Node))
    for node in Node:
        forwarding = f"echo {int(node in FORWARDING)} > ipv4/ip_forward\n"
        enclosure.run("sh", "-e", node=node, given=_KERNEL + forwarding)


def _lay_cables(enclosure: Enclosure) -> None:
    # One segment per packet on the wire: a tunnel's batches would otherwise cross the internet as one large
    # packet, and the faults that look at packet sizes would look at the batch.
    lines = [
        f"link add dev {one.left_port} netns {one.left} gso_max_segs 1 type veth "
        f"peer name {one.right_port} netns {one.right} gso_max_segs 1"
        for one in CABLES
    ]
    enclosure.ip(lines)
    for (node, bridge), ports in BRIDGES.items():
        members = [f"link set dev {port} master {bridge}" for port in ports]
        enclosure.ip([f"link add dev {bridge} type bridge", *members], node)


def _address(enclosure: Enclosure, node: Node) -> None:
    ports = [one.left_port for one in CABLES if one.left is node]
    ports += [one.right_port for one in CABLES if one.right is node]
    bridges = [name for (where, name) in BRIDGES if where is node]
    lines = [f"link set dev {name} up" for name in ("lo", *ports, *bridges)]
    lines += [
        f"address add {text} dev {interface}"
        for interface, texts in ADDRESSES[node].items()
        for text in texts
    ]
    if node in DEFAULT_ROUTES:
        lines.append(f"route add default via {DEFAULT_ROUTES[node]}")
    lines += [f"route add {text}" for text in permanent_routes(node)]
    lines += [f"rule add {text}" for text in rules(node)]
    enclosure.ip(lines, node)


def _start_tunnels(enclosure: Enclosure, keys: Path, *, kernel: bool) -> None:
    for one in TUNNELS:
        tunnels.write_settings(keys, one)
        for node in (one.gateway, Node.ONPREM):
            tunnels.start(enclosure, one, node, keys, kernel=kernel)
    for node in (Node.ROUTER, Node.ONPREM):
        enclosure.ip([f"route add {managed_route(node, PRIMARY)} proto static"], node)


def _prove(enclosure: Enclosure) -> None:
    for one in TUNNELS:
        tunnels.await_packets(enclosure, one)
    if not enclosure.succeeds("ping", "-q", "-c", "3", "-i", "0.2", "-W", "1", SERVER, node=Node.CLIENT):
        raise LabError(
            "both tunnels carry packets, but the client does not reach the server; this is a defect"
        )
