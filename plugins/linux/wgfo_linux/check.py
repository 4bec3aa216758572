"""Preflight of the Linux provider: what would keep the routes from working, and the remedy. Reads only."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wgfo.model import Finding, RouteSet, SetObservation, Severity, TableName
from wgfo_linux import check_wireguard as wireguard
from wgfo_linux import host
from wgfo_linux.config import HopSpec, LinuxOptions, read_hop
from wgfo_linux.errors import GRANT
from wgfo_linux.netlink import Device, Netlink, Rule
from wgfo_linux.rights import needed
from wgfo_linux.rules import MAX_SOURCE_ROUTES

_STRICT = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked."""

    options: LinuxOptions
    sets: Sequence[RouteSet]
    observed: Sequence[SetObservation]
    tunnels: Sequence[str]
    """Interfaces of the paths that probes are bound to."""
    strangers: Sequence[str] = ()
    """Routes that bear our protocol number, for destinations that no set configures."""
    rules_problem: str = ""
    tables: Mapping[TableName, int] = field(default_factory=dict)
    """The number of every table of the sets."""

    @property
    def hops(self) -> list[HopSpec]:
        """Every next hop once, in the order of the configuration."""
        texts = dict.fromkeys(hop for one in self.sets for hop in one.hops.values())
        return [read_hop(text) for text in texts]

    @property
    def devices(self) -> list[str]:
        """Every interface that is named, once."""
        named = [spec.device for spec in self.hops if spec.device]
        return list(dict.fromkeys([*named, *self.tunnels]))


async def findings(subject: Subject, netlink: Netlink) -> list[Finding]:
    """Return everything that was found, the worst kind of trouble first."""
    devices = {name: await netlink.device(name) for name in subject.devices}
    found = [*_rights(subject.options), *_devices(devices)]
    found += [one async for one in _gateways(subject.hops, devices, netlink)]
    found += [one async for one in wireguard.endpoints(subject.options, devices, netlink)]
    if subject.options.netns is None:
        found += await wireguard.allowed_ips(subject.sets)
    found += _unused(subject, await netlink.rules())
    found += [*_routes(subject), *_settings(subject), *_rules(subject)]
    return found


def _rights(options: LinuxOptions) -> Iterator[Finding]:
    have = host.capabilities()
    missing = [name for number, name in needed(options).items() if not have >> number & 1]
    if missing:
        text = f"this process lacks {' and '.join(missing)}: it can read routes, but not change them"
        yield Finding(Severity.ERROR, "rights", text, GRANT)


def _devices(devices: dict[str, Device | None]) -> Iterator[Finding]:
    for name, device in devices.items():
        if device is None:
            text = f"there is no interface {name!r}"
            yield Finding(
                Severity.ERROR, name, text, f"bring it up (`wg-quick up {name}`), or correct the name"
            )
        elif not device.up:
            yield Finding(Severity.ERROR, name, f"interface {name!r} is down", f"`ip link set {name} up`")


async def _gateways(
    hops: Sequence[HopSpec], devices: dict[str, Device | None], netlink: Netlink
) -> AsyncIterator[Finding]:
    for spec in hops:
        if spec.gateway is None or spec.gateway.is_link_local:
            continue
        way = await netlink.lookup(str(spec.gateway))
        device = devices.get(spec.device) if spec.device else None
        if way is None or way.gateway:
            text = f"gateway {spec.gateway} of '{spec}' is on no subnet of this host"
            remedy = "a next hop must be reached directly: give an interface an address in its subnet"
            yield Finding(Severity.ERROR, str(spec), text, remedy)
        elif device is not None and way.device != device.index:
            other = await netlink.device_at(way.device)
            text = f"gateway {spec.gateway} is reached over {other.name if other else 'another interface'}"
            yield Finding(Severity.ERROR, str(spec), text, f"correct 'dev {spec.device}', or the addresses")


def _routes(subject: Subject) -> Iterator[Finding]:
    for observed in subject.observed:
        for shadow in observed.shadows:
            text = f"a route of others wins over ours: {shadow}"
            yield Finding(
                Severity.WARNING, str(observed.set_id), text, "delete it, or list its prefix in the group"
            )
    for stranger in subject.strangers:
        text = f"a route marked as ours that no group configures: {stranger}"
        command = f"ip route del {stranger.split(' metric ')[0]}"
        remedy = f"if no other wgfo process writes it, it is left over: `{command}`"
        yield Finding(Severity.INFO, "leftover", text, remedy)


def _settings(subject: Subject) -> Iterator[Finding]:
    sysctls = host.read_sysctls(subject.options.netns, subject.devices)
    strict = [name for name, value in sysctls.rp_filter.items() if value == _STRICT]
    if strict:
        yield Finding(
            Severity.WARNING,
            "rp_filter",
            f"strict reverse-path filter on {', '.join(strict)}: what arrives on a path that is not active is "
            f"dropped, as it is for some seconds of every switch",
            "set net.ipv4.conf.all.rp_filter and that of each interface to 2 (loose): the larger of both counts",
        )
    yield from _forwarding(subject, sysctls)
    if host.is_hosts_own(subject.options.netns):
        yield from _networkd()


def _forwarding(subject: Subject, sysctls: host.Sysctls) -> Iterator[Finding]:
    prefixes = [prefix for one in subject.sets for prefix in one.prefixes]
    wanted = {
        "net.ipv4.ip_forward": any(":" not in prefix for prefix in prefixes) and not sysctls.forwards_ipv4,
        "net.ipv6.conf.all.forwarding": any(":" in prefix for prefix in prefixes)
        and not sysctls.forwards_ipv6,
    }
    for name, off in wanted.items():
        if off:
            text = f"{name} is 0: the routes serve this host alone"
            yield Finding(
                Severity.INFO, name, text, f"if it routes for others: `sysctl -w {name}=1`, and keep it"
            )


def _networkd() -> Iterator[Finding]:
    names = host.networkd_removes()
    if names:
        yield Finding(
            Severity.WARNING,
            "systemd-networkd",
            "systemd-networkd removes routes and rules that it does not know when it restarts",
            f"set {' and '.join(f'{name}=no' for name in names)} under [Network] in /etc/systemd/networkd.conf",
        )


def _unused(subject: Subject, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Tables that no policy rule looks up: their routes stand, and carry nothing."""
    used = {(rule.family, rule.table) for rule in rules}
    for name, number in subject.tables.items():
        prefixes = [prefix for one in subject.sets if one.table == name for prefix in one.prefixes]
        for family, option, wanted in (
            (socket.AF_INET, "-4", any(":" not in prefix for prefix in prefixes)),
            (socket.AF_INET6, "-6", any(":" in prefix for prefix in prefixes)),
        ):
            if wanted and (family, number) not in used:
                text = f"no rule of `ip {option} rule` looks table {name} up: its routes carry nothing"
                remedy = f'`ip {option} rule add … lookup {number}`, and keep it; or write tables = ["main"]'
                yield Finding(Severity.WARNING, f"table {name}", text, remedy)


def _rules(subject: Subject) -> Iterator[Finding]:
    if subject.tunnels and not subject.options.probe_table:
        text = (
            f"probe_table is off: answers from the tunnel addresses of {', '.join(subject.tunnels)} leave by "
            "whatever path is active, and a standby that the far side probes lives and dies with it"
        )
        remedy = "remove probe_table = false, or keep rules of your own by device and by tunnel address"
        yield Finding(Severity.WARNING, "probe_table", text, remedy)
    if subject.rules_problem:
        text = f"the rules for probes could not be made: {subject.rules_problem}"
        yield Finding(
            Severity.WARNING, "probe_table", text, "mend it, or set probe_table = false and do without"
        )
    managed = sum(len(one.prefixes) for one in subject.sets)
    if subject.options.probe_table and subject.tunnels and managed > MAX_SOURCE_ROUTES:
        text = f"with {managed} prefixes there is no rule by tunnel address (at most {MAX_SOURCE_ROUTES})"
        remedy = (
            "answers from a standby's tunnel address may leave by the active path; merge prefixes to have it"
        )
        yield Finding(Severity.INFO, "probe_table", text, remedy)
