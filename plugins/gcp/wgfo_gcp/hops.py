"""Next hops: wgfo's words, the fields of a route, and how the one is told in the other.

instance:ZONE/NAME
    nextHopInstance, a URL that ends in zones/ZONE/instances/NAME
ip:ADDRESS
    nextHopIp
ilb:NAME, ilb:REGION/NAME, ilb:ADDRESS
    nextHopIlb, a URL or an address: Google may answer with either
vpn-tunnel:REGION/NAME
    nextHopVpnTunnel, a URL that ends in regions/REGION/vpnTunnels/NAME
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
API: Final = "https://www.googleapis.com/compute/v1"
_RESOURCE: Final = re.compile(
    r"(?:.*/)?projects/(?P<project>[^/]+)/(?:zones|regions)/(?P<place>[^/]+)/(?P<sort>[A-Za-z]+)/(?P<name>[^/]+)"
)
_ACCEPTED: Final = "'instance:ZONE/NAME', 'ip:ADDRESS', 'ilb:NAME', 'ilb:ADDRESS' or 'vpn-tunnel:REGION/NAME'"


class HopKind(StrEnum):
    """What kind of thing takes the packets; the value is the word before the colon."""

    INSTANCE = "instance"
    ADDRESS = "ip"
    BALANCER = "ilb"
    TUNNEL = "vpn-tunnel"


FIELDS: Final[Mapping[HopKind, str]] = {
    HopKind.INSTANCE: "next_hop_instance",
    HopKind.ADDRESS: "next_hop_ip",
    HopKind.BALANCER: "next_hop_ilb",
    HopKind.TUNNEL: "next_hop_vpn_tunnel",
}
"""The field of a route, in the SDK's spelling."""
OTHER_FIELDS: Final = (
    "next_hop_gateway",
    "next_hop_network",
    "next_hop_peering",
    "next_hop_hub",
    "next_hop_interconnect_attachment",
)
"""Next hops that no path can have."""
_SORTS: Final[Mapping[HopKind, tuple[str, str]]] = {
    HopKind.INSTANCE: ("zones", "instances"),
    HopKind.BALANCER: ("regions", "forwardingRules"),
    HopKind.TUNNEL: ("regions", "vpnTunnels"),
}


@dataclass(frozen=True, slots=True)
class HopSpec:
    """A parsed next hop: a named resource in a zone or region, or an address."""

    kind: HopKind
    name: str
    """The resource's name, or the address."""
    place: str = ""
    """Zone or region; empty for addresses, and for a load balancer whose region is yet to be looked up."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}/{self.name}" if self.place else f"{self.kind}:{self.name}"

    @property
    def is_address(self) -> bool:
        """Whether the name is an IP address."""
        return _address(self.name) is not None

    def url(self, project: str) -> str:
        """Return what stands in the route's field; a balancer's region must be known."""
        if self.is_address:
            return self.name
        places, sort = _SORTS[self.kind]
        return f"{API}/projects/{project}/{places}/{self.place}/{sort}/{self.name}"


def read_hop(text: str) -> HopSpec:
    """Read wgfo's words for one next hop.

    Raises:
        ValueError: says what was found and what is accepted.
    """
    word, _, rest = text.strip().partition(":")
    if word not in set(HopKind):
        raise ValueError(f"{text!r} is no next hop; accepted: {_ACCEPTED}")
    kind = HopKind(word)
    if kind is HopKind.ADDRESS or (kind is HopKind.BALANCER and _address(rest)):
        return HopSpec(kind, _gateway(text, rest))
    place, slash, name = rest.rpartition("/")
    placed = bool(slash) or kind is HopKind.BALANCER
    if not placed or not NAME.fullmatch(name) or (slash and not NAME.fullmatch(place)):
        raise ValueError(f"{text!r} is no next hop; accepted: {_ACCEPTED}, names in lower case")
    return HopSpec(kind, name, place)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _gateway(whole: str, text: str) -> str:
    address = _address(text)
    if address is None:
        raise ValueError(f"{whole!r} has no IP address after the colon; accepted: {_ACCEPTED}")
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise ValueError(f"{whole!r} cannot be a next hop: it is unspecified, multicast or loopback")
    return str(address)


@dataclass(frozen=True, slots=True)
class Balancer:
    """A forwarding rule as Google has it."""

    region: str
    address: str


@dataclass(slots=True)
class Balancers:
    """What is known of internal load balancers by name: a route may name them by URL or address."""

    by_name: dict[str, Balancer] = field(default_factory=dict)

    def resolved(self, spec: HopSpec) -> HopSpec | None:
        """Return a next hop that can be written; None for a balancer that nobody has found."""
        if spec.kind is not HopKind.BALANCER or spec.place or spec.is_address:
            return spec
        known = self.by_name.get(spec.name)
        return HopSpec(spec.kind, spec.name, known.region) if known else None

    def same(self, candidate: HopSpec, found: HopSpec) -> bool:
        """Whether a route's next hop, as read, is this candidate."""
        if candidate.kind is not found.kind:
            return False
        if candidate.name == found.name:
            return candidate.place in {"", found.place}
        return candidate.kind is HopKind.BALANCER and self._address(candidate) == self._address(found)

    def _address(self, spec: HopSpec) -> str:
        known = self.by_name.get(spec.name)
        return known.address if known else spec.name


def found_hop(kind: HopKind, value: str, project: str) -> HopSpec | None:
    """Read a route's field; None if it is of another project, or of a shape that no path can name."""
    address = _address(value)
    if address is not None:
        return HopSpec(kind, str(address))
    match = _RESOURCE.fullmatch(value)
    if match is None or kind not in _SORTS or match["sort"] != _SORTS[kind][1]:
        return None
    same_project = match["project"] == project or match["project"].isdigit()
    return HopSpec(kind, match["name"], match["place"]) if same_project else None
