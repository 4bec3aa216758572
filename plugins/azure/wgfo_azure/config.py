"""Options, tables and next hops of the Azure provider: pure text in, canonical values out; no SDK.

Azure compares names without regard to case, so the canonical spelling of a table is lower case.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from wgfo.model import Hop, TableName

_SUBSCRIPTION: Final = re.compile(r"[0-9a-z][0-9a-z-]{0,63}")
_ZEROS: Final = "00000000-0000-0000-0000-000000000000"
_GROUP: Final = re.compile(r"[\w.()-]{0,89}[\w()-]")
_TABLE: Final = re.compile(r"[a-z0-9](?:[\w.-]{0,78}\w)?", re.ASCII)
_ID: Final = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.network/routetables/([^/]+)"
)
_TABLE_FORMS: Final = "'resource-group/route-table', or the table's full id (/subscriptions/…/routeTables/…)"
_HOP_FORMS: Final = "the IP address of an appliance, or VnetLocal, VirtualNetworkGateway or Internet"


class Cloud(StrEnum):
    """Which Azure: each has endpoints and credentials of its own."""

    PUBLIC = "public"
    USGOV = "usgov"
    CHINA = "china"


class HopType(StrEnum):
    """The types of next hop that a path may have, in Azure's spelling."""

    APPLIANCE = "VirtualAppliance"
    VNET_LOCAL = "VnetLocal"
    GATEWAY = "VirtualNetworkGateway"
    INTERNET = "Internet"


_TYPE_NAMES: Final = {str(one).lower(): one for one in HopType}
_REFUSED_TYPES: Final = {
    "virtualappliance": "give the appliance's IP address instead: the type is implied by it",
    "virtualapplianceecmp": "a path has one next hop; give the IP address of one appliance",
    "none": "it would drop the traffic",
}


def _subscription(value: object) -> object:
    text = value.strip().lower() if isinstance(value, str) else ""
    if not _SUBSCRIPTION.fullmatch(text):
        raise ValueError(
            f"{value!r} is no subscription id; accepted: its id, such as {_ZEROS}, "
            f"as `az account show --query id` prints it"
        )
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _endpoint(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(f"{value!r} is no URL; accepted: https://HOST, or http:// for a loopback address")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("endpoint_url holds more than a host, a port and a path; accepted: https://HOST")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            f"{value!r}: plain http is accepted for loopback addresses only, since anyone on the way could "
            f"change routes; use https://{host}"
        )
    return value.rstrip("/")


class AzureOptions(BaseModel):
    """The keys of ``[provider.NAME]`` of kind ``azure``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subscription_id: Annotated[str, BeforeValidator(_subscription)] = Field(
        description="The subscription that holds the route tables; another one is another provider instance"
    )
    cloud: Cloud = Field(default=Cloud.PUBLIC, description="Which Azure: public, usgov or china")
    endpoint_url: Annotated[str | None, AfterValidator(_endpoint)] = Field(
        default=None,
        description="A private endpoint, or plain http on loopback, to which no credentials are sent",
    )

    @property
    def anonymous(self) -> bool:
        """Whether no credentials are sent: plain http, which is loopback."""
        return self.endpoint_url is not None and self.endpoint_url.startswith("http:")


@dataclass(frozen=True, slots=True)
class TableRef:
    """Where a route table is, in canonical spelling."""

    group: str
    name: str

    @classmethod
    def of(cls, table: TableName) -> TableRef:
        """Split what :func:`parse_table` returned."""
        group, name = table.split("/")
        return cls(group, name)

    def __str__(self) -> str:
        return f"{self.group}/{self.name}"


def parse_table(text: str, options: BaseModel) -> TableName:
    """Return ``group/table`` in lower case, of either spelling."""
    assert isinstance(options, AzureOptions)
    lower = text.strip().lower()
    match = _ID.fullmatch(lower)
    if match is not None and match.group(1) != options.subscription_id:
        raise ValueError(
            f"{text!r} is in another subscription than {options.subscription_id}: give that subscription a "
            f"provider instance of its own, [provider.NAME] with kind = 'azure' and its subscription_id"
        )
    group, _, name = "/".join(match.groups()[1:]).partition("/") if match else lower.partition("/")
    if not _GROUP.fullmatch(group) or not _TABLE.fullmatch(name):
        raise ValueError(f"{text!r} is no route table; accepted: {_TABLE_FORMS}")
    return TableName(f"{group}/{name}")


@dataclass(frozen=True, slots=True)
class HopSpec:
    """A next hop: a type and, for an appliance, its address."""

    type: str
    """Azure's word: of a parsed hop one of :class:`HopType`, of a route that was read anything."""
    address: str = ""

    def __str__(self) -> str:
        if self.type == HopType.APPLIANCE and self.address:
            return self.address
        return f"{self.type} {self.address}".strip()


def read_hop(text: str) -> HopSpec:
    """Read a next hop as an operator writes it.

    Raises:
        ValueError: says what was found and what is accepted.
    """
    word = text.strip().lower()
    if word in _REFUSED_TYPES:
        raise ValueError(f"next hop {text!r} is refused: {_REFUSED_TYPES[word]}; accepted: {_HOP_FORMS}")
    if word in _TYPE_NAMES:
        return HopSpec(_TYPE_NAMES[word])
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        raise ValueError(f"{text!r} is no next hop; accepted: {_HOP_FORMS}") from None
    if address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local:
        raise ValueError(f"{text!r} cannot be an appliance: unspecified, multicast, loopback or link-local")
    return HopSpec(HopType.APPLIANCE, str(address))


def parse_hop(text: str, _options: BaseModel) -> Hop:
    """Return the canonical spelling: a compressed address, or a type as Azure writes it."""
    return Hop(str(read_hop(text)))


def scope(options: BaseModel) -> str:
    """Name the subscription: Azure Resource Manager counts requests by it."""
    assert isinstance(options, AzureOptions)
    return f"azure:{options.cloud}:{options.subscription_id}"
