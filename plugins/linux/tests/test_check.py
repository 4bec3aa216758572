"""Preflight: what would keep the routes from working is found, and each finding says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugins.linux.tests.kernel import A, B, Kernel, Leave, kernel, paths, routed
from tests.support.netns import namespaces
from tests.support.wireguard import Keys, wireguard_interface

from wgfo.model import Finding, ProviderName, RouteSet, Severity
from wgfo.plugin import ProviderContext
from wgfo_linux import host
from wgfo_linux.config import LinuxOptions
from wgfo_linux.provider import LinuxProvider

pytestmark = pytest.mark.net


async def found(one: Kernel, *sets: RouteSet) -> dict[str, Finding]:
    """Return the findings by subject; each has a remedy."""
    findings = await one.provider.check(sets, one.permit)
    assert all(finding.remedy for finding in findings)
    return {finding.subject: finding for finding in findings}


def healthy(one: Kernel) -> None:
    """A namespace starts with the host's defaults: make it a router without a strict filter."""
    one.namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for device in ("all", "wg0", "wg1"):
        one.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{device}.rp_filter=2")


async def test_a_healthy_host_has_no_findings() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted], paths()) as one:
        healthy(one)
        await one.point(wanted, A)
        assert await found(one, wanted) == {}


async def test_a_strict_filter_counts_even_if_only_all_is_strict() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        healthy(one)
        one.namespace.run("sysctl", "-qw", "net.ipv4.conf.wg0.rp_filter=0", "net.ipv4.conf.all.rp_filter=1")
        assert "wg0" in (await found(one, wanted))["rp_filter"].text
        assert "wg1" not in (await found(one, wanted))["rp_filter"].text


async def test_a_host_that_does_not_forward_is_told_of() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted]) as one:
        healthy(one)
        one.namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
        findings = await found(one, wanted)
        assert findings.keys() == {"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"}
        assert {finding.severity for finding in findings.values()} == {Severity.INFO}


async def test_missing_and_downed_devices_are_errors() -> None:
    wanted = routed("10.20.0.0/16", hops={A: "dev wg9", B: "dev wg1"})
    async with kernel([wanted]) as one:
        healthy(one)
        one.ip("link set wg1 down")
        findings = await found(one, wanted)
        assert findings["wg9"].text == "there is no interface 'wg9'"
        assert findings["wg1"].text == "interface 'wg1' is down"
        assert {findings["wg9"].severity, findings["wg1"].severity} == {Severity.ERROR}


async def test_a_gateway_must_be_on_a_subnet_of_its_device() -> None:
    wanted = routed("10.20.0.0/16", hops={A: "via 203.0.113.9", B: "via 10.100.0.9 dev wg1"})
    async with kernel([wanted]) as one:
        healthy(one)
        findings = await found(one, wanted)
        assert "on no subnet" in findings["via 203.0.113.9"].text
        assert "reached over wg0" in findings["via 10.100.0.9 dev wg1"].text
        one.ip("route add default via 10.101.0.9")
        assert "on no subnet" in (await found(one, wanted))["via 203.0.113.9"].text


async def test_shadows_and_leftovers_are_named() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        healthy(one)
        one.ip("route add 10.20.1.0/24 dev lo proto static")
        one.ip("route add 10.99.0.0/16 dev wg1 proto 119")
        findings = await found(one, wanted)
        assert "10.20.1.0/24 dev lo" in findings[wanted.id].text
        assert "10.99.0.0/16 dev wg1" in findings["leftover"].text
        assert findings["leftover"].remedy.endswith("`ip route del 10.99.0.0/16 dev wg1 proto 119`")


async def test_a_table_that_no_rule_looks_up_is_found_for_the_family_that_needs_it() -> None:
    wanted = routed("10.20.0.0/16", table="4711")
    async with kernel([wanted], paths()) as one:
        healthy(one)
        finding = (await found(one, wanted))["table 4711"]
        assert (finding.severity, "ip -4 rule" in finding.text) == (Severity.WARNING, True)
        one.ip("-6 rule add lookup 4711")
        assert "table 4711" in await found(one, wanted)
        one.ip("-4 rule add lookup 4711")
        assert "table 4711" not in await found(one, wanted)


async def test_without_probe_rules_the_standbys_answers_are_told_of() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted], paths(), probe_table=0) as one:
        healthy(one)
        finding = (await found(one, wanted))["probe_table"]
        assert "wg0, wg1" in finding.text
    async with kernel([wanted], probe_table=0) as one:
        healthy(one)
        assert "probe_table" not in await found(one, wanted)


async def test_a_check_writes_nothing() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted], paths(), read_only=True) as one:
        before = one.ip("route show table all") + one.ip("rule")
        await found(one, wanted)
        assert one.ip("route show table all") + one.ip("rule") == before
        assert one.permit.writes == 0


def test_networkd_that_removes_foreign_routes_is_found(tmp_path: Path) -> None:
    assert host.networkd_removes(tmp_path) == ()
    (tmp_path / "run/systemd/netif").mkdir(parents=True)
    assert host.networkd_removes(tmp_path) == ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (
            {"etc/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no\n"},
            {"ManageForeignRoutingPolicyRules"},
        ),
        (
            {
                "etc/systemd/networkd.conf": "[Network]\n#ManageForeignRoutes=no\nManageForeignRoutes = yes\n",
                "usr/lib/systemd/networkd.conf.d/10-a.conf": "ManageForeignRoutes=no\n",
                "run/systemd/networkd.conf.d/20-b.conf": "ManageForeignRoutingPolicyRules=false\n",
            },
            set(),
        ),
        (
            {
                "usr/lib/systemd/networkd.conf.d/10-a.conf": "ManageForeignRoutes=no\n",
                "etc/systemd/networkd.conf.d/10-a.conf": "# nothing\n",
            },
            {"ManageForeignRoutes", "ManageForeignRoutingPolicyRules"},
        ),
    ],
)
def test_networkds_files_are_read_as_networkd_reads_them(
    tmp_path: Path, files: dict[str, str], left: set[str]
) -> None:
    (tmp_path / "run/systemd/netif").mkdir(parents=True)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert set(host.networkd_removes(tmp_path)) == left


async def test_endpoints_of_an_interface_that_is_no_wireguard_are_none() -> None:
    async with kernel() as one:
        assert await host.read_endpoints(one.namespace.name, "wg0") == host.Endpoints(0, ())


async def test_a_lookup_follows_the_firewall_mark() -> None:
    async with kernel() as one:
        one.ip("route add default dev wg0 table 51820")
        one.ip("rule add not fwmark 0xca6c lookup 51820")
        one.ip("route add 203.0.113.7/32 dev wg1")
        marked = await one.provider._netlink.lookup("203.0.113.7", mark=0xCA6C)
        plain = await one.provider._netlink.lookup("203.0.113.7")
        assert marked is not None
        assert plain is not None
        assert marked.device != plain.device


@pytest.mark.parametrize("address", ["10.101.0.9", "fd00:1::9"])
async def test_a_lookup_works_for_both_families(address: str) -> None:
    async with kernel() as one:
        found = await one.provider._netlink.lookup(address)
        assert found is not None
        assert await one.provider._netlink.device("wg1") == await one.provider._netlink.device_at(
            found.device
        )


async def findings_of(name: str, *prefixes: str) -> list[Finding]:
    """Check one interface as the next hop, in the namespace that this thread is in."""
    wanted = routed(*prefixes, hops={A: f"dev {name}"})
    provider = LinuxProvider(LinuxOptions())
    await provider.open(ProviderContext(ProviderName("linux"), (), (wanted,), Leave()))
    try:
        found = await provider.check([wanted], Leave())
    finally:
        await provider.aclose()
    return [finding for finding in found if finding.subject == name]


async def test_prefixes_that_no_peer_may_carry_are_found() -> None:
    with (
        namespaces("allowed") as (namespace,),
        wireguard_interface(namespace, "10.100.0.2/24") as tunnel,
        namespace.entered(),
    ):
        tunnel.set("peer", Keys.make().public, "allowed-ips", "10.20.0.0/17,10.20.128.0/17,10.30.0.0/24,::/0")
        [finding] = await findings_of(tunnel.name, "10.20.0.0/16", "10.30.0.0/16", "fd20::/32")
        assert finding.severity is Severity.ERROR
        assert "allowed-ips for 10.30.0.0/16:" in finding.text


async def test_an_endpoint_that_is_routed_into_its_own_tunnel_is_found() -> None:
    with (
        namespaces("recursion") as (namespace,),
        wireguard_interface(namespace, "10.100.0.2/24") as tunnel,
        namespace.entered(),
    ):
        tunnel.set("peer", Keys.make().public, "allowed-ips", "0.0.0.0/0", "endpoint", "203.0.113.9:51820")
        assert await findings_of(tunnel.name, "10.20.0.0/16") == []
        namespace.run("ip", "route", "add", "203.0.113.0/24", "dev", tunnel.name)
        [finding] = await findings_of(tunnel.name, "10.20.0.0/16")
        assert "203.0.113.9" in finding.text
        namespace.run("ip", "route", "add", "203.0.113.9/32", "dev", "lo")
        assert await findings_of(tunnel.name, "10.20.0.0/16") == []
