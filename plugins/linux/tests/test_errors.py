"""What an operator reads when something is missing or not permitted."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap

import pytest
from plugins.linux.tests.kernel import A, Leave, kernel, opened, routed, tunnels
from tests.support.netns import namespaces

from wgfo.model import FailureKind, ProviderName
from wgfo.plugin import Conflict, NotFound, ProviderContext, Transient
from wgfo_linux.config import LinuxOptions
from wgfo_linux.namespace import inside
from wgfo_linux.provider import LinuxProvider

pytestmark = pytest.mark.net

CHILD = textwrap.dedent(
    """
    import asyncio, json, sys
    from plugins.linux.tests.kernel import A, Leave, paths, routed
    from wgfo.model import ProviderName
    from wgfo.plugin import ProviderContext, ProviderError
    from wgfo_linux.config import LinuxOptions
    from wgfo_linux.provider import LinuxProvider

    async def main():
        wanted = routed("10.20.0.0/16", "10.30.0.0/16")
        provider = LinuxProvider(LinuxOptions(**json.loads(sys.argv[1])))
        said = {"open": "", "failures": [], "findings": []}
        try:
            await provider.open(ProviderContext(ProviderName("linux"), paths(), (wanted,), Leave()))
            from wgfo.model import SetChange
            outcome = await provider.point(SetChange(wanted, A, 1), Leave())
            said["failures"] = [[one.kind, one.prefix, one.text] for one in outcome.failures]
            said["not_attempted"] = outcome.not_attempted
            said["findings"] = [[one.subject, one.text] for one in await provider.check([wanted], Leave())]
        except ProviderError as error:
            said["open"] = f"{error.kind}: {error}"
        await provider.aclose()
        print(json.dumps(said))

    asyncio.run(main())
    """
)


def without(capability: str, into: tuple[str, ...] = (), **options: object) -> dict:
    """Run the provider in a process that lacks a capability and return what it said."""
    drop = ("setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}")
    command = (*into, *drop, sys.executable, "-c", CHILD, json.dumps(options))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=".")
    return json.loads(done.stdout)


def test_without_the_right_the_failure_names_the_capability() -> None:
    with namespaces("denied") as (namespace,):
        tunnels(namespace)
        said = without("net_admin", ("ip", "netns", "exec", namespace.name))
        [[kind, prefix, text]] = said["failures"]
        assert (kind, prefix, said["not_attempted"]) == (FailureKind.DENIED, None, 0)
        assert "CAP_NET_ADMIN" in text
        assert "AmbientCapabilities=CAP_NET_ADMIN" in text
        assert [
            "rights",
            "this process lacks CAP_NET_ADMIN: it can read routes, but not change them",
        ] in said["findings"]
        assert any(subject == "probe_table" for subject, _ in said["findings"])


def test_without_the_right_to_enter_a_namespace_open_says_so() -> None:
    with namespaces("closed") as (namespace,):
        said = without("sys_admin", netns=namespace.name)
        assert said["open"].startswith("denied: not permitted to enter the network namespace")
        assert "CAP_SYS_ADMIN" in said["open"]


async def open_one(sets, **options: object) -> None:
    provider = LinuxProvider(LinuxOptions(**options))
    try:
        await provider.open(ProviderContext(ProviderName("linux"), (), tuple(sets), Leave()))
    finally:
        await provider.aclose()


async def test_a_namespace_that_does_not_exist_is_named() -> None:
    with pytest.raises(NotFound, match=r"no network namespace 'nowhere-7'.*ip netns list"):
        await open_one([], netns="nowhere-7")


async def test_a_table_name_that_nobody_knows_names_the_file() -> None:
    with pytest.raises(NotFound, match=r"'branch9'.*/etc/iproute2/rt_tables"):
        await open_one([routed("10.20.0.0/16", table="branch9")])


async def test_two_spellings_of_one_table_are_refused() -> None:
    with namespaces("tables") as (namespace,):
        sets = [routed("10.20.0.0/16", table="main"), routed("10.30.0.0/16", table="254", group="b")]
        with pytest.raises(Conflict, match="both table 254"):
            await open_one(sets, netns=namespace.name)


async def test_a_missing_device_is_named_before_anything_is_written() -> None:
    wanted = routed("10.20.0.0/16", hops={A: "dev wg9"})
    async with kernel([wanted]) as one:
        with pytest.raises(NotFound, match=r"no interface 'wg9'.*wg-quick up wg9"):
            await one.point(wanted, A)
        assert one.permit.writes == 0


async def test_a_gateway_that_is_on_no_subnet_gets_the_kernels_own_words() -> None:
    wanted = routed("10.20.0.0/16", hops={A: "via 203.0.113.9"})
    async with kernel([wanted]) as one:
        outcome = await one.point(wanted, A)
        [failure] = outcome.failures
        assert (failure.kind, failure.prefix) == (FailureKind.NOT_FOUND, "10.20.0.0/16")
        assert "Nexthop has invalid gateway" in failure.text
        assert "via 203.0.113.9" in failure.text


async def test_a_device_that_is_down_is_said_to_be_down() -> None:
    wanted = routed("10.20.0.0/16", "fd20::/32")
    async with kernel([wanted]) as one:
        one.ip("link set wg0 down")
        outcome = await one.point(wanted, A)
        assert len(outcome.failures) == 2
        assert all("ip link set wg0 up" in failure.text for failure in outcome.failures)


async def test_a_route_that_was_gone_is_written_again_after_the_device_came_back() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        await one.point(wanted, A)
        one.ip("link del wg0")
        with pytest.raises(NotFound):
            await one.point(wanted, A)
        one.ip("link add wg0 type veth peer name far0")
        one.ip("link set wg0 up")
        assert (await one.point(wanted, A)).written == 1


async def test_broken_sockets_are_opened_anew() -> None:
    wanted = routed("10.20.0.0/16")
    async with kernel([wanted]) as one:
        one.provider._routes._socket.close()
        one.provider._netlink._socket.close()
        failures = 0
        for _ in range(5):
            try:
                assert (await one.point(wanted, A)).ok
                break
            except Transient:
                failures += 1
        assert failures <= 2
        assert len(one.routes("10.20.0.0/16")) == 1


async def test_two_instances_live_in_two_namespaces() -> None:
    wanted = routed("10.20.0.0/16")
    with namespaces("left", "right") as both:
        for namespace in both:
            tunnels(namespace)
        async with opened(both[0], [wanted]) as left, opened(both[1], [wanted]) as right:
            await left.point(wanted, A)
            assert right.routes("10.20.0.0/16") == []
            assert len(left.routes("10.20.0.0/16")) == 1


def test_the_thread_of_the_caller_never_leaves_its_namespace() -> None:
    with namespaces("away") as (namespace,):
        own = links()
        assert inside(namespace.name, links) == ["lo"]
        assert links() == own


def links() -> list[str]:
    return [name for _, name in socket.if_nameindex()]
