"""Probe rules: a path is probed, and answers, through its own tunnel."""

from __future__ import annotations

import pytest

from plugins.linux.tests.kernel import Kernel, A, kernel, opened, paths, routed, tunnels
from tests.support.netns import Namespace, namespaces
from wgfo.model import Bind, BindKind

pytestmark = pytest.mark.net


def rules(namespace: Namespace) -> list[str]:
    """Our rules of both families, without the table's number (it depends on the interface's index)."""
    shown = [*namespace.run("ip", "-4", "rule").splitlines(), *namespace.run("ip", "-6", "rule").splitlines()]
    return [line.partition(" lookup")[0].replace("\t", " ") for line in shown if "proto 119" in line]


async def test_rules_come_with_open_and_go_with_close() -> None:
    with namespaces("rules") as (namespace,):
        tunnels(namespace)
        before = namespace.run("ip", "rule") + namespace.run("ip", "route", "show", "table", "all")
        async with opened(namespace, [routed("10.20.0.0/16", "fd20::/32")], paths(peer="10.100.0.9")):
            assert sorted(rules(namespace)) == sorted(
                [
                    "11900: from all oif wg0",
                    "11900: from all oif wg1",
                    "11901: from 10.100.0.1",
                    "11901: from 10.101.0.1",
                    "11900: from all oif wg0",
                    "11900: from all oif wg1",
                    "11901: from fd00::1",
                    "11901: from fd00:1::1",
                ]
            )
        assert rules(namespace) == []
        assert namespace.run("ip", "rule") + namespace.run("ip", "route", "show", "table", "all") == before
