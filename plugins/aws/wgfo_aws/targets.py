"""What a VPC route may point at: how each kind of target is spelled, written and read back.

A route that was written with one field may be read back with others: an instance shows with the interface that
it had at that moment, an interface with the instance that it is attached to now, a Gateway Load Balancer endpoint
as a gateway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

INTERFACE: Final = "NetworkInterfaceId"
INSTANCE: Final = "InstanceId"
GATEWAY: Final = "GatewayId"
LOCAL: Final = "local"
"""``GatewayId`` of the routes that the VPC keeps for its own networks."""


@dataclass(frozen=True, slots=True)
class TargetKind:
    """One kind of next hop."""

    words: str
    parameter: str
    """The field of CreateRoute and ReplaceRoute."""
    shown_as: str = ""
    """The field of DescribeRouteTables, where it is another one."""
    ipv4: bool = True
    ipv6: bool = True

    @property
    def field(self) -> str:
        """The field under which a route shows it."""
        return self.shown_as or self.parameter


KINDS: Final[dict[str, TargetKind]] = {
    "eni": TargetKind("network interface", INTERFACE),
    "i": TargetKind("instance with exactly one interface", INSTANCE),
    "tgw": TargetKind("transit gateway", "TransitGatewayId"),
    "pcx": TargetKind("peering connection", "VpcPeeringConnectionId"),
    "nat": TargetKind("NAT gateway", "NatGatewayId"),
    "igw": TargetKind("internet gateway", GATEWAY),
    "vgw": TargetKind("virtual private gateway", GATEWAY),
    "eigw": TargetKind("egress-only internet gateway", "EgressOnlyInternetGatewayId", ipv4=False),
    "vpce": TargetKind("Gateway Load Balancer endpoint", "VpcEndpointId", GATEWAY),
    "lgw": TargetKind("local gateway", "LocalGatewayId"),
    "cagw": TargetKind("carrier gateway", "CarrierGatewayId", ipv6=False),
    "arn": TargetKind("Cloud WAN core network", "CoreNetworkArn"),
}
"""By the part of an id before its first hyphen; ``arn`` is the one that has none."""

FIELDS: Final = (
    INTERFACE,
    INSTANCE,
    GATEWAY,
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "NatGatewayId",
    "EgressOnlyInternetGatewayId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
    "IpAddress",
)
"""Every field of a route that names a target, the most exact first. The last two are of services whose routes wgfo
reads and never writes."""

ACCEPTED: Final = (
    "eni-, i-, tgw-, pcx-, nat-, igw-, vgw-, eigw-, vpce- (Gateway Load Balancer endpoint), lgw- or cagw- followed "
    "by hexadecimal digits, or the ARN of a Cloud WAN core network"
)
_ID: Final = re.compile(rf"({'|'.join(kind for kind in KINDS if kind != 'arn')})-[0-9a-f]{{4,32}}")
_CORE_NETWORK: Final = re.compile(
    r"arn:aws[a-z-]*:networkmanager::[0-9]{12}:core-network/core-network-[0-9a-f]{4,32}"
)


def canonical_target(text: str) -> str:
    """Return the id in lower case.

    Raises:
        ValueError: it names no target; the text says what is accepted.
    """
    spelled = text.strip().lower()
    if _ID.fullmatch(spelled) or _CORE_NETWORK.fullmatch(spelled):
        return spelled
    if spelled == LOCAL:
        raise ValueError(f"{text!r} is the VPC's own route and no path of ours; accepted: {ACCEPTED}")
    raise ValueError(f"{text!r} is no next hop of a VPC route; accepted: {ACCEPTED}")


def kind_of(hop: str) -> TargetKind:
    """Return the kind of a canonical next hop."""
    return KINDS["arn" if hop.startswith("arn:") else hop.partition("-")[0]]
