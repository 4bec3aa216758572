"""Faults that need a process of their own in the lab: delay and flapping."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time
from typing import Final

from wgfo.lab.errors import CommandFailed, NotPossible
from wgfo.lab.faults.base import Bench, Fault, Injection
from wgfo.lab.faults.filters import no_table, table, underlay_cut
from wgfo.lab.topology import Node

READY_S: Final = 5.0
MAX_DELAY_MS: Final = 5_000
MAX_PERIOD_S: Final = 60
FLAP_FOR_S: Final = 600
RULE_PRIORITY: Final = 100


class Delay(Fault):
    """Packets from on-prem to the gateway, and so round trips, take longer; none is lost."""

    name = "delay"
    default_value = "300ms"
    accepted = f"1ms to {MAX_DELAY_MS}ms"

    def canonical(self, value: str) -> str | None:
        """Accept milliseconds."""
        found = re.fullmatch(r"(\d{1,4})ms", value)
        return value if found and 1 <= int(found[1]) <= MAX_DELAY_MS else None

    def inject(self, bench: Bench, at: Injection) -> None:
        """Use netem where the kernel has it, else a relay in user space behind a TUN interface."""
        netem = ("tc", "qdisc", "add", "dev", at.tunnel.uplink, "root", "netem", "limit", "20000")
        if not bench.enclosure.succeeds(*netem, "delay", at.value or "", node=Node.INTERNET):
            self._relay(bench, at)

    def heal(self, bench: Bench, at: Injection) -> None:
        """Remove whichever was used; the relay's interface and routes go with its process."""
        if _end_process(bench, at):
            bench.enclosure.ip([f"rule del priority {_rule_priority(at)}"], Node.INTERNET)
            return
        with contextlib.suppress(CommandFailed):
            bench.run(Node.INTERNET, "tc", "qdisc", "del", "dev", at.tunnel.uplink, "root")

    def _relay(self, bench: Bench, at: Injection) -> None:
        interface, delay_ms = f"delay-{at.tunnel.uplink}", (at.value or "").removesuffix("ms")
        argv = (sys.executable, "-P", "-m", "wgfo.lab.faults.relay", interface, delay_ms)
        bench.enclosure.spawn(argv, Node.INTERNET, at.label)
        if not _await_link(bench, interface):
            _end_process(bench, at)
            raise NotPossible(
                "delay: this kernel has no netem (modprobe sch_netem), and the relay in user space got no "
                "TUN interface (modprobe tun; /dev/net/tun must be writable)"
            )
        only = f"to {at.tunnel.underlay} iif onprem"
        lines = (
            f"route add default dev {interface} table {at.tunnel.table}",
            f"rule add {only} lookup {at.tunnel.table} priority {_rule_priority(at)}",
        )
        bench.enclosure.ip(lines, Node.INTERNET)


class Flap(Fault):
    """The path's underlay is cut and whole again in turn, each for as long as given, ten minutes at most."""

    name = "flap"
    default_value = "10s"
    accepted = f"1s to {MAX_PERIOD_S}s"

    def canonical(self, value: str) -> str | None:
        """Accept seconds."""
        found = re.fullmatch(r"(\d{1,2})s", value)
        return value if found and 1 <= int(found[1]) <= MAX_PERIOD_S else None

    def inject(self, bench: Bench, at: Injection) -> None:
        """Cut, and start the process that mends and cuts from then on."""
        period_s = int((at.value or "").removesuffix("s"))
        cycles = FLAP_FOR_S // (2 * period_s)
        cut, mend = table(at.label, underlay_cut(at)), no_table(at.label)
        bench.nft(Node.INTERNET, cut)
        argv = (sys.executable, "-P", "-m", "wgfo.lab.faults.flapper", str(period_s), str(cycles), cut, mend)
        bench.enclosure.spawn(argv, Node.INTERNET, at.label)

    def heal(self, bench: Bench, at: Injection) -> None:
        """End the process and mend what it cut."""
        _end_process(bench, at)
        bench.nft(Node.INTERNET, no_table(at.label))


def _rule_priority(at: Injection) -> int:
    return RULE_PRIORITY + at.tunnel.port % 100


def _end_process(bench: Bench, at: Injection) -> bool:
    """End a fault's process; False when there is none."""
    if not bench.enclosure.running(at.label):
        return False
    bench.enclosure.signal(at.label, signal.SIGTERM)
    deadline = time.monotonic() + READY_S
    while bench.enclosure.running(at.label):
        if time.monotonic() > deadline:
            bench.enclosure.signal(at.label, signal.SIGKILL)
    return True


def _await_link(bench: Bench, interface: str) -> bool:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if bench.enclosure.succeeds("ip", "link", "set", "dev", interface, "up", node=Node.INTERNET):
            return True
    return False


PROCESSES: Final = (Delay(), Flap())
