"""One group whose halves are of two kinds: route tables of a VPC, and the return route of an on-prem host.

The daemon speaks real HTTP to the stand-in of EC2 and real netlink to a namespace; both halves move at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugins.aws.tests.cloud import REGION, Refusal, Server
from plugins.aws.tests.rig import A, B, rig_on
from plugins.aws.tests.running import Paths, Site
from plugins.linux.tests.kernel import tunnels
from tests.support.netns import Namespace, namespaces

pytestmark = pytest.mark.net

HELD_S = 15
"""The cloud holds its answers for so long, less than the deadline of a call."""
RETURN = "10.200.0.0/16"
DEVICES = {A: "wg0", B: "wg1"}
ONPREM = """
[[group.route]]
provider = "branch"
tables = ["main"]
prefixes = ["{prefix}"]
next_hop = {{ primary = "dev wg0", secondary = "dev wg1" }}
[provider.branch]
kind = "linux"
netns = "{netns}"
"""


class Mixed(Site):
    """The site, and a namespace that is the on-prem host."""

    namespace: Namespace

    def device(self) -> str:
        """Where the return route points, as ``ip`` shows it."""
        shown = self.namespace.run("ip", "-4", "route", "show", RETURN).split()
        return shown[shown.index("dev") + 1] if "dev" in shown else ""

    def returns_by(self, path: object) -> bool:
        return self.device() == DEVICES[path]  # type: ignore[index]


def held_by(gate: threading.Event) -> Callable[[str, str], Refusal | None]:
    """Hold every write until the gate opens; then carry it out."""

    def write(_table: str, _prefix: str) -> None:
        gate.wait(HELD_S)

    return write


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mixed]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret-of-the-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    server, paths = Server(), Paths()
    try:
        with rig_on(server) as rig, namespaces("branch") as (namespace,):
            tunnels(namespace)
            more = ONPREM.format(prefix=RETURN, netns=namespace.name)
            made = Mixed(rig, paths, tmp_path, tables=2, prefixes=4, more=more)
            made.namespace = namespace
            yield made
    finally:
        paths.close()
        server.close()


def test_both_halves_move_at_once_and_neither_waits_for_the_other(mixed: Mixed) -> None:
    with mixed.running():
        mixed.all_on(A)
        mixed.wait(lambda: mixed.returns_by(A), "the return route")
        gate, to_b = threading.Event(), mixed.rig.hops[B]
        mixed.rig.cloud.faults.writes = held_by(gate)
        mixed.paths.cut(A)
        mixed.wait(lambda: any(one.target == to_b for one in mixed.rig.cloud.seen), "writes to the cloud")
        mixed.wait(lambda: mixed.returns_by(B), "the return route on the standby")
        assert mixed.on(B) == 0, "the cloud has carried out nothing yet: the kernel did not wait for it"
        gate.set()
        mixed.all_on(B)
        mixed.wait(lambda: mixed.group().get("converged", False), "both halves converged")


def test_a_half_that_cannot_move_is_told_and_does_not_hold_up_the_other(mixed: Mixed) -> None:
    with mixed.running():
        mixed.all_on(A)
        mixed.wait(lambda: mixed.returns_by(A), "the return route")
        refusal = Refusal("InternalError", "try again", "500 Internal Server Error")
        mixed.rig.cloud.faults.writes = lambda _table, _prefix: refusal
        mixed.paths.cut(A)
        mixed.wait(lambda: mixed.returns_by(B), "the return route on the standby")
        mixed.wait(lambda: {"partial", "asymmetric"} <= mixed.alarms().keys(), "both alarms")
        mixed.rig.cloud.faults.writes = lambda _table, _prefix: None
        mixed.all_on(B)
        mixed.wait(lambda: mixed.alarms().keys().isdisjoint({"partial", "asymmetric"}), "no alarm is left")
