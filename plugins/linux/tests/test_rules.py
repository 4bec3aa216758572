"""Probe rules: a path is probed, and answers, through its own tunnel."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from plugins.linux.tests.kernel import kernel, opened, paths, routed, tunnels
from tests.support.netns import Namespace, eventually, namespaces

from wgfo.model import Bind, BindKind

pytestmark = pytest.mark.net

PREFIXES = ("10.20.0.0/16", "fd20::/32")
BOTH = [
    "11900 oif wg0",
    "11900 oif wg0",
    "11900 oif wg1",
    "11900 oif wg1",
    "11901 from 10.100.0.1",
    "11901 from 10.101.0.1",
    "11901 from fd00:1::1",
    "11901 from fd00::1",
]


def rules(namespace: Namespace) -> list[str]:
    """Our rules of both families, sorted, without the table's number (it depends on the interface's index)."""
    shown = [
        rule
        for family in ("-4", "-6")
        for rule in json.loads(namespace.run("ip", "-j", "-N", family, "rule"))
        if str(rule.get("protocol")) == "119"
    ]
    return sorted(
        f"{rule['priority']} oif {rule['oif']}" if "oif" in rule else f"{rule['priority']} from {rule['src']}"
        for rule in shown
    )


def everything(namespace: Namespace) -> str:
    """All rules, and all routes that bear our number (the kernel's own come and go with carrier and DAD)."""
    shown = [
        namespace.run("ip", family, *what)
        for family in ("-4", "-6")
        for what in (("rule",), ("route", "show", "table", "all", "proto", "119"))
    ]
    return "".join(shown)


async def test_rules_come_with_open_and_go_with_close() -> None:
    with namespaces("rules") as (namespace,):
        tunnels(namespace)
        before = everything(namespace)
        async with opened(namespace, [routed(*PREFIXES)], paths(peer="10.100.0.9")):
            assert rules(namespace) == BOTH
        assert everything(namespace) == before


async def test_a_dry_run_makes_no_rules() -> None:
    async with kernel([routed(*PREFIXES)], paths(), read_only=True) as one:
        assert rules(one.namespace) == []


async def test_probe_table_false_makes_no_rules() -> None:
    async with kernel([routed(*PREFIXES)], paths(), probe_table=False) as one:
        assert rules(one.namespace) == []


async def test_a_path_bound_by_address_gets_no_rules() -> None:
    by_address = paths(bind=Bind(BindKind.ADDRESS))
    async with kernel([routed(*PREFIXES)], by_address) as one:
        assert rules(one.namespace) == []


@pytest.mark.parametrize(
    ("asked", "device"),
    [
        ("10.20.1.1 oif wg1", "wg1"),
        ("fd20::1 oif wg1", "wg1"),
        ("10.20.1.1 from 10.101.0.1", "wg1"),
        ("fd20::1 from fd00:1::1", "wg1"),
        ("10.20.1.1", "wg0"),
        ("198.51.100.7 from 10.101.0.1", "far1"),
    ],
)
async def test_the_standby_is_used_by_those_who_ask_for_it_and_by_nobody_else(
    asked: str, device: str
) -> None:
    wanted = routed(*PREFIXES)
    async with kernel([wanted], paths()) as one:
        one.ip("address add 198.51.100.1/24 dev far1")
        await one.point(wanted, wanted_path())
        assert f" dev {device} " in one.ip("route get " + asked)


def wanted_path() -> str:
    return next(iter(routed("10.20.0.0/16").hops))


async def test_rules_follow_the_addresses_of_a_tunnel() -> None:
    async with kernel([routed(*PREFIXES)], paths()) as one:
        one.ip("address add 10.100.7.7/32 dev wg0")
        await until(lambda: "11901 from 10.100.7.7" in rules(one.namespace))
        one.ip("address del 10.100.7.7/32 dev wg0")
        await until(lambda: rules(one.namespace) == BOTH)


async def test_rules_come_back_with_a_tunnel_that_was_made_anew() -> None:
    async with kernel([routed(*PREFIXES)], paths()) as one:
        one.ip("link del wg1")
        await until(lambda: not any("wg1" in rule or "101" in rule for rule in rules(one.namespace)))
        one.ip("link add wg1 type veth peer name far1")
        one.ip("address add 10.101.0.1/24 dev wg1")
        one.ip("link set wg1 up")
        await until(lambda: "11901 from 10.101.0.1" in rules(one.namespace))
        await until(lambda: " dev wg1 " in one.ip("route get 10.20.1.1 oif wg1"))


async def test_rules_that_someone_flushed_come_back() -> None:
    async with kernel([routed(*PREFIXES)], paths()) as one:
        one.ip("rule del priority 11900")
        one.ip("-6 rule del priority 11901")
        await until(lambda: rules(one.namespace) == BOTH)


async def test_what_a_crash_left_is_cleaned_up_by_the_next_open() -> None:
    with namespaces("crash") as (namespace,):
        tunnels(namespace)
        before = everything(namespace)
        async with opened(namespace, [routed(*PREFIXES)], paths()) as crashed:
            index = json.loads(crashed.ip("-j link show wg0"))[0]["ifindex"]
            left = everything(namespace)
        restore(namespace, index)
        namespace.run("ip", "rule", "add", "from", "10.9.9.9", "lookup", str(1_190_000 + 2 * 4000 + 1),
                      "priority", "11901", "protocol", "119")  # fmt: skip
        async with opened(namespace, [routed(*PREFIXES)], paths()):
            assert everything(namespace) == left
        assert everything(namespace) == before


CHILD = """
import asyncio
from plugins.linux.tests.kernel import Leave, paths, routed
from wgfo.model import ProviderName
from wgfo.plugin import ProviderContext
from wgfo_linux.config import LinuxOptions
from wgfo_linux.provider import LinuxProvider

async def main():
    sets = (routed("10.20.0.0/16", "fd20::/32"),)
    await LinuxProvider(LinuxOptions()).open(ProviderContext(ProviderName("linux"), paths(), sets, Leave()))
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_after_a_kill_the_next_process_takes_the_rules_over_and_removes_them_at_its_end() -> None:
    with namespaces("killed") as (namespace,):
        tunnels(namespace)
        before = everything(namespace)
        process = namespace.popen(sys.executable, "-c", CHILD)
        try:
            eventually(lambda: rules(namespace) == BOTH, within=20, what="the child's rules")
        finally:
            process.kill()
            process.wait()
        assert rules(namespace) == BOTH
        namespace.run("ip", "address", "del", "10.101.0.1/24", "dev", "wg1")
        async with opened(namespace, [routed(*PREFIXES)], paths()):
            assert rules(namespace) == [rule for rule in BOTH if "10.101.0.1" not in rule]
        assert rules(namespace) == []
        assert everything(namespace) == before


def restore(namespace: Namespace, index: int) -> None:
    """Put back what a killed process would have left, and a rule for an address that wg0 has no more."""
    table = str(1_190_000 + 2 * index + 1)
    namespace.run("ip", "route", "add", "10.77.0.0/16", "dev", "wg0", "table", table, "proto", "119")
    for source in ("10.100.0.1", "10.100.0.250"):
        namespace.run(
            "ip", "rule", "add", "from", source, "lookup", table, "priority", "11901", "protocol", "119"
        )


async def test_rules_of_others_are_never_touched() -> None:
    with namespaces("others") as (namespace,):
        tunnels(namespace)
        namespace.run("ip", "rule", "add", "from", "10.100.0.1", "lookup", "77", "priority", "11901")
        before = everything(namespace)
        async with opened(namespace, [routed(*PREFIXES)], paths()):
            assert rules(namespace) == BOTH
        assert everything(namespace) == before


async def test_two_processes_share_an_interface_without_fighting() -> None:
    with namespaces("shared") as (namespace,):
        tunnels(namespace)
        async with opened(namespace, [routed(*PREFIXES)], paths()) as first:
            async with opened(namespace, [routed("10.30.0.0/16", group="b")], paths("b")):
                assert rules(namespace) == BOTH
                assert " dev wg1 " in first.ip("route get 10.30.1.1 from 10.101.0.1")
            await until(lambda: rules(namespace) == BOTH)
            await until(lambda: " dev wg1 " in first.ip("route get 10.20.1.1 from 10.101.0.1"))


async def until(condition) -> None:
    """Poll from a thread: the provider under test needs the loop."""
    await asyncio.to_thread(eventually, condition)
