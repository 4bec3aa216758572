"""Faults that drop packets: nft tables in a node, one table per fault and path.

WireGuard's packets bear their type in the first byte (1 initiation, 2 response, 3 cookie, 4 data); an empty
data packet is a keepalive and 32 bytes long, so 40 in nft's ``udp length``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wgfo.lab.faults.base import Bench, Fault, Injection
from wgfo.lab.topology import CLOUD, CONTROLLER, GATEWAY_SUBNET, ROUTER, SERVER, Node

KEEPALIVE_LENGTH: Final = 40
HOLE_LENGTH: Final = 1300
"""The ``udp length`` above which the MTU hole drops: inner packets of some 1,250 bytes."""


@dataclass(frozen=True, slots=True)
class Drop:
    """What is dropped, where: nft matches in a hook of a node."""

    node: Node
    matches: tuple[str, ...]
    hook: str = "forward"


class FilterFault(Fault):
    """A fault that is one nft table per node."""

    @abstractmethod
    def drops(self, at: Injection) -> Iterator[Drop]:
        """Yield what is dropped, at most once per node."""

    def inject(self, bench: Bench, at: Injection) -> None:
        """Load the tables."""
        for drop in self.drops(at):
            bench.nft(drop.node, table(at.label, drop))

    def heal(self, bench: Bench, at: Injection) -> None:
        """Delete the tables."""
        for drop in self.drops(at):
            bench.nft(drop.node, no_table(at.label))


def table(label: str, drop: Drop) -> str:
    """Return the nft text that makes a table, also where it stands already."""
    rules = "\n".join(f"    {match} counter drop" for match in drop.matches)
    return (
        f"{no_table(label)}table inet {label} {{\n  chain drops {{\n"
        f"    type filter hook {drop.hook} priority 0; policy accept;\n{rules}\n  }}\n}}\n"
    )


def no_table(label: str) -> str:
    """Return the nft text that removes a table, also where there is none."""
    return f"table inet {label}\ndelete table inet {label}\n"


class UnderlayCut(FilterFault):
    """Between the gateway and on-prem the internet drops every packet, both ways."""

    name = "underlay-cut"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """Everything to and from the gateway."""
        yield underlay_cut(at)


def underlay_cut(at: Injection) -> Drop:
    """Return the cut of a path's underlay."""
    gateway = at.tunnel.underlay
    return Drop(Node.INTERNET, (f"ip saddr {gateway}", f"ip daddr {gateway}"))


class SilentDrop(FilterFault):
    """The internet drops WireGuard's data and passes its handshakes, which thus stay fresh."""

    name = "silent-drop"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """Data packets that are no keepalives, both ways."""
        data = f"udp length > {KEEPALIVE_LENGTH} @th,64,8 4"
        gateway = at.tunnel.underlay
        yield Drop(Node.INTERNET, (f"ip saddr {gateway} {data}", f"ip daddr {gateway} {data}"))


class NotForwarding(FilterFault):
    """The gateway answers for itself, but forwards nothing between its tunnel and the cloud."""

    name = "not-forwarding"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """Everything that passes through the gateway."""
        interface = at.tunnel.interface
        yield Drop(at.tunnel.gateway, (f"iifname {interface}", f"oifname {interface}"))


class Loss(FilterFault):
    """A random share of the packets from the gateway to on-prem is lost, and so of round trips."""

    name = "loss"
    default_value = "30%"
    accepted = "a whole percentage from 1% to 100%"

    def canonical(self, value: str) -> str | None:
        """Accept ``30`` and ``30%``."""
        digits = value.removesuffix("%")
        return f"{int(digits)}%" if digits.isdecimal() and 1 <= int(digits) <= 100 else None  # noqa: PLR2004 - percent

    def drops(self, at: Injection) -> Iterator[Drop]:
        """A share of what comes from the gateway."""
        share = f" numgen random mod 100 < {(at.value or '').removesuffix('%')}"
        everything = at.value == "100%"  # nft refuses a comparison that is always true
        yield Drop(Node.INTERNET, (f"ip saddr {at.tunnel.underlay}{'' if everything else share}",))


class MtuHole(FilterFault):
    """The internet silently drops the path's large packets, both ways; small ones pass."""

    name = "mtu-hole"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """Large datagrams to and from the gateway."""
        gateway, large = at.tunnel.underlay, f"udp length > {HOLE_LENGTH}"
        yield Drop(Node.INTERNET, (f"ip saddr {gateway} {large}", f"ip daddr {gateway} {large}"))


class TcpOnly(FilterFault):
    """TCP alone fails: the gateway drops it and passes ICMP and UDP."""

    name = "tcp-only"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """TCP between the tunnel and the cloud."""
        interface = at.tunnel.interface
        tcp = "meta l4proto tcp"
        yield Drop(at.tunnel.gateway, (f"iifname {interface} {tcp}", f"oifname {interface} {tcp}"))


class OneWay(FilterFault):
    """The internet drops the path's packets in one direction, to on-prem or to the cloud."""

    name = "one-way"
    default_value = "to-onprem"
    accepted = "to-onprem or to-cloud"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """Everything in one direction of the path's underlay."""
        field = "saddr" if at.value == "to-onprem" else "daddr"
        yield Drop(Node.INTERNET, (f"ip {field} {at.tunnel.underlay}",))


class SiteDark(FilterFault):
    """The hosts of one site, in the cloud or on-prem, are gone for both paths; the gateways answer."""

    name = "site-dark"
    default_path = None
    default_value = "cloud"
    accepted = "cloud or onprem"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """Everything to the hosts of one site that comes from the other."""
        if at.value == "cloud":
            yield Drop(Node.ROUTER, (f"iifname vpc0 ip daddr {CLOUD} ip daddr != {GATEWAY_SUBNET}",))
        else:
            yield Drop(Node.ONPREM, ('iifname { "wg0", "wg1" } oifname lan0',))


class ReferenceDark(FilterFault):
    """The reference host, on-prem or in the cloud, does not answer the controller beside it."""

    name = "reference-dark"
    default_path = None
    default_value = "onprem"
    accepted = "onprem or cloud"

    def drops(self, at: Injection) -> Iterator[Drop]:
        """What the reference host receives for itself."""
        if at.value == "cloud":
            yield Drop(Node.ROUTER, (f"ip saddr {CONTROLLER} ip daddr {ROUTER}",), "input")
        else:
            yield Drop(Node.REFERENCE, (f"ip saddr != {SERVER}",), "input")


FILTERS: Final = (
    UnderlayCut(),
    SilentDrop(),
    NotForwarding(),
    Loss(),
    MtuHole(),
    TcpOnly(),
    OneWay(),
    SiteDark(),
    ReferenceDark(),
)
