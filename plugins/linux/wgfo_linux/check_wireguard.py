"""Preflight of WireGuard interfaces as next hops: their endpoints' way, and what they are allowed to carry."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from wgfo.model import Finding, Prefix, RouteSet, Severity
from wgfo.plugin import ProbeError
from wgfo_linux.config import LinuxOptions, read_hop
from wgfo_linux.host import read_endpoints
from wgfo_linux.netlink import Device, Netlink
from wgfo_linux.probes.wireguard import read_device

_PREFIXES_CHECKED: Final = 1000
_NAMED: Final = 3


async def endpoints(
    options: LinuxOptions, devices: Mapping[str, Device | None], netlink: Netlink
) -> AsyncIterator[Finding]:
    """Find tunnels that would carry their own encrypted packets (route recursion)."""
    for name, device in devices.items():
        if device is None:
            continue
        found = await read_endpoints(options.netns, name)
        for address in found.addresses:
            way = await netlink.lookup(address, mark=found.mark)
            if way is not None and way.device == device.index:
                yield _recursion(name, address)


def _recursion(name: str, address: str) -> Finding:
    return Finding(
        Severity.WARNING,
        name,
        f"the WireGuard endpoint {address} of {name} is routed into {name} itself: the tunnel would carry its "
        f"own packets",
        f"add a route for {address} over the uplink, outside every managed prefix (unless {name} was made in "
        f"another network namespace: its packets then leave there)",
    )


async def allowed_ips(sets: Sequence[RouteSet]) -> list[Finding]:
    """Find prefixes that no peer of a WireGuard next hop may carry: WireGuard drops them without a word."""
    found: list[Finding] = []
    for name, prefixes in _prefixes_by_device(sets).items():
        try:
            device = await read_device(name)
        except ProbeError:
            continue  # no WireGuard interface, or not readable: the handshake layer says so
        allowed = [text for peer in device.peers for text in peer.allowed_ips]
        missing = list(_uncovered(prefixes[:_PREFIXES_CHECKED], allowed))
        if missing:
            found.append(_not_allowed(name, missing))
    return found


def _prefixes_by_device(sets: Sequence[RouteSet]) -> dict[str, list[Prefix]]:
    found: dict[str, list[Prefix]] = {}
    for route_set in sets:
        for hop in route_set.hops.values():
            device = read_hop(hop).device
            if device:
                found.setdefault(device, []).extend(route_set.prefixes)
    return found


def _uncovered(prefixes: Sequence[Prefix], allowed: Sequence[str]) -> Iterator[Prefix]:
    """Neighbours are merged first: two halves of everything (0.0.0.0/1, 128.0.0.0/1) are everything."""
    ipv4 = list(ipaddress.collapse_addresses(ipaddress.IPv4Network(one) for one in allowed if ":" not in one))
    ipv6 = list(ipaddress.collapse_addresses(ipaddress.IPv6Network(one) for one in allowed if ":" in one))
    for prefix in prefixes:
        network = ipaddress.ip_network(prefix)
        if isinstance(network, ipaddress.IPv4Network):
            covered = any(network.subnet_of(one) for one in ipv4)
        else:
            covered = any(network.subnet_of(one) for one in ipv6)
        if not covered:
            yield prefix


def _not_allowed(name: str, missing: Sequence[Prefix]) -> Finding:
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    listed = ", ".join(missing[:_NAMED]) + more
    return Finding(
        Severity.ERROR,
        name,
        f"no peer of {name} has allowed-ips for {listed}: WireGuard drops packets to them",
        f"add them to AllowedIPs of the peer in the configuration of {name} (with Table = off, so that wg-quick "
        f"writes no routes of its own), then `wg syncconf {name} <(wg-quick strip {name})`",
    )
