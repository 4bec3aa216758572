"""Options, tables and next hops of the Linux provider: pure text in, canonical values out.

Nothing here reads the machine: a configuration for two sites is checked on either of them. Whether a table's
name, a device or a gateway exists is asked of the kernel later, in the namespace where it counts.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from wgfo.model import Hop, TableName

OUR_PROTOCOL: Final = 119
"""Origin of our routes and rules, as ``ip route`` shows it (``proto 119``). Not listed in iproute2's
rt_protos, and not one that a routing daemon claims (those remove what they do not know)."""
IPV6_DEFAULT_METRIC: Final = 1024
"""What the kernel makes of an IPv6 route without a metric (IP6_RT_PRIO_USER); IPv4's is 0."""
FALLBACK_METRIC: Final = 4_000_000_000
"""Metric of the ``unreachable`` routes of ``fallback``: after everything that a person would write."""
PROBE_TABLE_BASE: Final = 1_190_000
"""Two tables for each interface follow it (see rules.py). Far from 51820, where wg-quick counts from."""
MAX_TABLE: Final = 0xFFFFFFFF

_RESERVED_PROTOCOLS: Final = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    17: "mrouted",
    18: "keepalived",
    42: "babel",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}  # fmt: skip - one table, read as one
_TABLE_NAMES: Final = {253: "default", 254: "main"}
_LOCAL_TABLE: Final = 255
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_DEVICE_MAX: Final = 15
_HOP_FORMS: Final = "'dev wg0', 'via 10.0.0.1' or 'via 10.0.0.1 dev eth0'"


def _protocol(value: object) -> object:
    taken = _RESERVED_PROTOCOLS.get(value) if isinstance(value, int) else None
    if taken is not None:
        raise ValueError(
            f"{value} is the protocol number of {taken!r}: routes that others write would be taken for ours; "
            f"accepted is a number from 5 to 255 that /etc/iproute2/rt_protos does not name, such as "
            f"{OUR_PROTOCOL}"
        )
    return value


def _namespace(value: object) -> object:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of a network namespace as `ip netns list` shows it")
    return value


def _probe_table(value: object) -> object:
    """``false`` and 0 are one spelling of "none"; ``true`` is the default."""
    if isinstance(value, bool):
        return PROBE_TABLE_BASE if value else 0
    return value


class LinuxOptions(BaseModel):
    """The keys of ``[provider.NAME]`` of kind ``linux``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    netns: Annotated[str | None, BeforeValidator(_namespace)] = Field(
        default=None,
        description="Name of another network namespace (ip netns list); entering needs CAP_SYS_ADMIN",
    )
    metric: int | None = Field(
        default=None,
        ge=1,
        lt=FALLBACK_METRIC,
        description="Metric of the routes; without it the kernel's own default: 0 for IPv4, 1024 for IPv6",
    )
    protocol: Annotated[int, BeforeValidator(_protocol)] = Field(
        default=OUR_PROTOCOL, ge=5, le=255, description="Number that marks routes and rules as ours (proto)"
    )
    probe_table: Annotated[int, BeforeValidator(_probe_table)] = Field(
        default=PROBE_TABLE_BASE,
        ge=0,
        le=MAX_TABLE // 2,
        description="First of the tables for per-path rules by device and by tunnel address; false for none",
    )
    fallback: Literal["none", "unreachable"] = Field(
        default="none",
        description="'unreachable': a last route that keeps traffic from leaking when a link goes down",
    )

    def metric_for(self, *, ipv6: bool) -> int:
        """Return the metric that the kernel will show for a route of ours."""
        if self.metric is not None:
            return self.metric
        return IPV6_DEFAULT_METRIC if ipv6 else 0


@dataclass(frozen=True, slots=True)
class HopSpec:
    """A parsed next hop: a gateway, a device, or both."""

    gateway: ipaddress.IPv4Address | ipaddress.IPv6Address | None
    device: str | None

    def __str__(self) -> str:
        via = f"via {self.gateway}" if self.gateway else ""
        dev = f"dev {self.device}" if self.device else ""
        return f"{via} {dev}".strip()


def read_hop(text: str) -> HopSpec:
    """Read iproute2's words for one next hop.

    Raises:
        ValueError: says what was found and what is accepted.
    """
    words = text.split()
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or len(pairs) * 2 != len(words) or not pairs or pairs.keys() - {"via", "dev"}:
        raise ValueError(f"{text!r} is no next hop; accepted: {_HOP_FORMS}")
    gateway = _gateway(pairs["via"]) if "via" in pairs else None
    device = _device(pairs["dev"]) if "dev" in pairs else None
    if gateway is not None and gateway.is_link_local and device is None:
        raise ValueError(f"{text!r}: a link-local gateway needs its device, as in 'via {gateway} dev eth0'")
    return HopSpec(gateway, device)


def _gateway(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} after 'via' is not an IP address; accepted: {_HOP_FORMS}") from None
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise ValueError(f"{text!r} cannot be a gateway: it is unspecified, multicast or loopback")
    return address


def _device(text: str) -> str:
    if len(text.encode()) > _DEVICE_MAX or "/" in text or ":" in text or text in {".", ".."}:
        raise ValueError(f"{text!r} after 'dev' is not an interface name (at most 15 bytes, no '/' or ':')")
    return text


def parse_hop(text: str, _options: BaseModel) -> Hop:
    """Return the canonical spelling: ``via`` before ``dev``, addresses compressed."""
    return Hop(str(read_hop(text)))


def parse_table(text: str, _options: BaseModel) -> TableName:
    """Return the canonical spelling: a decimal number, or a name; 254 is ``main``.

    A name of /etc/iproute2/rt_tables stays a name: it is that host's word for a number.
    """
    if not text.isascii() or not text.isdigit():
        return _named_table(text)
    number = int(text)
    if number == _LOCAL_TABLE:
        return _named_table("local")
    if not 1 <= number <= MAX_TABLE:
        raise ValueError(f"table {text} is out of range; accepted: 1 to {MAX_TABLE}, or a name")
    return TableName(_TABLE_NAMES.get(number, str(number)))


def _named_table(text: str) -> TableName:
    if text in {"local", "unspec", "all", "cache"}:
        raise ValueError(
            f"table {text!r} cannot hold routes of wgfo: the kernel keeps it; accepted: 'main', a number"
        )
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is no routing table; accepted: a number, or a name of /etc/iproute2/rt_tables"
        )
    return TableName(text)


def scope(options: BaseModel) -> str:
    """Name the namespace: two instances in one share a budget, and no two groups own one route in it."""
    assert isinstance(options, LinuxOptions)
    return f"netns:{options.netns}" if options.netns else "host"
