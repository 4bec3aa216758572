"""Who is connected to whom, as data.

::

    client 10.20.1.10 ─┐                 ┌─ gateway-a ═ wg0 10.100.0.0/16 ═╗
    backend 10.20.2.10 ┼─ router ─ vpc0 ─┤            internet             onprem ─ lan0 ─┬─ server .5
                       │   (VPC route    └─ gateway-b ═ wg1 10.200.0.0/16 ═╝              └─ reference .1
    controller ────────┘    table)

The router has the managed prefix 192.168.10.0/24 through one gateway and, for good, each tunnel's own network
through its gateway. On-prem has the managed prefix 10.20.0.0/16 through one tunnel. Each on-prem host is also
known by an address inside each tunnel's network (10.100.10.5 and 10.200.10.5 are the server), so that the
cloud can reach it through a path of its choice; a rule on-prem sends those answers back the way they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Node(StrEnum):
    """A network namespace of the lab; users name it in ``wgfo lab exec NODE``."""

    CLIENT = "client"
    BACKEND = "backend"
    CONTROLLER = "controller"
    ROUTER = "router"
    GATEWAY_A = "gateway-a"
    GATEWAY_B = "gateway-b"
    INTERNET = "internet"
    ONPREM = "onprem"
    SERVER = "server"
    REFERENCE = "reference"


class PathLabel(StrEnum):
    """The two paths of every lab."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


CLOUD: Final = "10.20.0.0/16"
LAN: Final = "192.168.10.0/24"
GATEWAY_SUBNET: Final = "10.20.0.0/24"
"""Where the gateways and the controller stand."""
CLIENT: Final = "10.20.1.10"
BACKEND: Final = "10.20.2.10"
CONTROLLER: Final = "10.20.0.9"
ROUTER: Final = "10.20.0.1"
SERVER: Final = "192.168.10.5"
REFERENCE: Final = "192.168.10.1"
ONPREM_LAN: Final = "192.168.10.2"
ONPREM_UNDERLAY: Final = "203.0.113.2"
WIREGUARD_MTU: Final = 1420


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One path: a gateway in the cloud, a tunnel to on-prem, and the addresses that belong to it."""

    path: PathLabel
    gateway: Node
    interface: str
    """The tunnel's interface, on both sides."""
    network: str
    cloud: str
    """The gateway's tunnel address: the anchor as on-prem sees it."""
    onprem: str
    """On-prem's tunnel address: the anchor as the cloud sees it."""
    server: str
    """The server as seen through this tunnel."""
    reference: str
    """The reference host as seen through this tunnel."""
    vpc: str
    """The gateway's address in the cloud: the next hop in the router."""
    underlay: str
    """The gateway's address on the internet."""
    uplink: str
    """The internet's interface towards the gateway."""
    port: int
    table: int
    """On-prem's table for answers that must go back through this tunnel."""


PRIMARY: Final = Tunnel(
    path=PathLabel.PRIMARY, gateway=Node.GATEWAY_A, interface="wg0", network="10.100.0.0/16",
    cloud="10.100.0.1", onprem="10.100.0.2", server="10.100.10.5", reference="10.100.10.1",
    vpc="10.20.0.11", underlay="198.51.100.2", uplink="gateway-a", port=51820, table=5100,
)  # fmt: skip
SECONDARY: Final = Tunnel(
    path=PathLabel.SECONDARY, gateway=Node.GATEWAY_B, interface="wg1", network="10.200.0.0/16",
    cloud="10.200.0.1", onprem="10.200.0.2", server="10.200.10.5", reference="10.200.10.1",
    vpc="10.20.0.12", underlay="198.51.100.6", uplink="gateway-b", port=51821, table=5200,
)  # fmt: skip
TUNNELS: Final = (PRIMARY, SECONDARY)


def tunnel(path: PathLabel) -> Tunnel:
    """Return the tunnel of a path."""
    return PRIMARY if path is PathLabel.PRIMARY else SECONDARY


@dataclass(frozen=True, slots=True)
class Cable:
    """A veth pair: interface ``left_port`` of ``left`` to ``right_port`` of ``right``."""

    left: Node
    left_port: str
    right: Node
    right_port: str


CABLES: Final = (
    Cable(Node.ROUTER, "client", Node.CLIENT, "eth0"),
    Cable(Node.ROUTER, "backend", Node.BACKEND, "eth0"),
    Cable(Node.ROUTER, "controller", Node.CONTROLLER, "eth0"),
    Cable(Node.ROUTER, "gateway-a", Node.GATEWAY_A, "eth0"),
    Cable(Node.ROUTER, "gateway-b", Node.GATEWAY_B, "eth0"),
    Cable(Node.INTERNET, "gateway-a", Node.GATEWAY_A, "eth1"),
    Cable(Node.INTERNET, "gateway-b", Node.GATEWAY_B, "eth1"),
    Cable(Node.INTERNET, "onprem", Node.ONPREM, "wan0"),
    Cable(Node.ONPREM, "server", Node.SERVER, "eth0"),
    Cable(Node.ONPREM, "reference", Node.REFERENCE, "eth0"),
)

BRIDGES: Final = {
    (Node.ROUTER, "vpc0"): ("controller", "gateway-a", "gateway-b"),
    (Node.ONPREM, "lan0"): ("server", "reference"),
}
"""Bridge (node, name) to its ports."""

ADDRESSES: Final = {
    Node.CLIENT: {"eth0": [f"{CLIENT}/24"]},
    Node.BACKEND: {"eth0": [f"{BACKEND}/24"]},
    Node.CONTROLLER: {"eth0": [f"{CONTROLLER}/24"]},
    Node.ROUTER: {"client": ["10.20.1.1/24"], "backend": ["10.20.2.1/24"], "vpc0": [f"{ROUTER}/24"]},
    Node.GATEWAY_A: {"eth0": ["10.20.0.11/24"], "eth1": ["198.51.100.2/30"]},
    Node.GATEWAY_B: {"eth0": ["10.20.0.12/24"], "eth1": ["198.51.100.6/30"]},
    Node.INTERNET: {
        "gateway-a": ["198.51.100.1/30"], "gateway-b": ["198.51.100.5/30"], "onprem": ["203.0.113.1/30"],
    },
    Node.ONPREM: {"wan0": [f"{ONPREM_UNDERLAY}/30"], "lan0": [f"{ONPREM_LAN}/24"]},
    Node.SERVER: {"eth0": [f"{SERVER}/24"], "lo": [f"{one.server}/32" for one in TUNNELS]},
    Node.REFERENCE: {"eth0": [f"{REFERENCE}/24"], "lo": [f"{one.reference}/32" for one in TUNNELS]},
}  # fmt: skip

DEFAULT_ROUTES: Final = {
    Node.CLIENT: "10.20.1.1",
    Node.BACKEND: "10.20.2.1",
    Node.CONTROLLER: ROUTER,
    Node.SERVER: ONPREM_LAN,
    Node.REFERENCE: ONPREM_LAN,
}

FORWARDING: Final = (Node.ROUTER, Node.GATEWAY_A, Node.GATEWAY_B, Node.INTERNET, Node.ONPREM)


def permanent_routes(node: Node) -> list[str]:
    """Return the routes that no failover moves and no fault removes for longer than it lasts."""
    if node is Node.ROUTER:
        return [f"{one.network} via {one.vpc}" for one in TUNNELS]
    if node is Node.ONPREM:
        return _onprem_routes()
    for one in TUNNELS:
        if node is one.gateway:
            return [f"{CLOUD} via {ROUTER}", f"203.0.113.0/30 via {_internet_side(one)}"]
    return []


def tunnel_routes(one: Tunnel, node: Node) -> list[str]:
    """Return the routes that go with the tunnel's interface and vanish with it."""
    if node is Node.ONPREM:
        return [f"default dev {one.interface} table {one.table}"]
    return [f"{one.network} dev {one.interface}", f"{LAN} dev {one.interface}"]


def rules(node: Node) -> list[str]:
    """Return on-prem's source rules: an answer to the cloud's own probes goes back the way they came.

    The tunnel's own address is ruled towards the controller's subnet only: with a rule towards every cloud
    host a strict reverse-path filter would find the tunnel right for packets that the main table sends
    elsewhere.
    """
    if node is not Node.ONPREM:
        return []
    hosts = [f"from {one.network} to {GATEWAY_SUBNET} lookup {one.table}" for one in TUNNELS]
    return [f"{text} priority {5000 + index}" for index, text in enumerate(hosts)]


def managed_route(node: Node, one: Tunnel) -> str:
    """Return the managed prefix of the router or of on-prem as it points at a path."""
    if node is Node.ROUTER:
        return f"{LAN} via {one.vpc}"
    return f"{CLOUD} dev {one.interface}"


def _onprem_routes() -> list[str]:
    mapped = [f"{one.server}/32 via {SERVER}" for one in TUNNELS]
    mapped += [f"{one.reference}/32 via {REFERENCE}" for one in TUNNELS]
    return ["198.51.100.0/29 via 203.0.113.1", *mapped]


def _internet_side(one: Tunnel) -> str:
    return "198.51.100.1" if one is PRIMARY else "198.51.100.5"
