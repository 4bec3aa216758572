"""Options, tables, next hops and destinations: pure text in, canonical values out. No SDK is imported here."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wgfo.model import Hop, Prefix, TableName, canonical_prefix
from wgfo_aws.targets import canonical_target

_REGION: Final = re.compile(r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}")
_ROLE: Final = re.compile(r"arn:(aws[a-z-]*):iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}")
_TABLE: Final = re.compile(r"rtb-[0-9a-f]{4,32}")
_LIST: Final = re.compile(r"pl-[0-9a-f]{4,32}")


def _region(value: str | None) -> str | None:
    if value is not None and not _REGION.fullmatch(value):
        raise ValueError(f"{value!r} is no region; accepted is a name such as eu-central-1")
    return value


def _role(value: str | None) -> str | None:
    if value is not None and not _ROLE.fullmatch(value):
        raise ValueError(
            f"{value!r} is no role; accepted is an ARN such as arn:aws:iam::111122223333:role/wgfo"
        )
    return value


def _endpoint(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError(
            f"{value!r} is no endpoint; accepted is a URL such as https://vpce-0123.ec2.eu-central-1.vpce.amazonaws.com"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"{value!r} is plain http: signed requests would cross the network in the clear; accepted is https, "
            f"and http for loopback addresses only"
        )
    return value


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine; names other than ``localhost`` are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class AwsOptions(BaseModel):
    """The keys of ``[provider.NAME]`` of kind ``aws``; one instance is one account in one region."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: Annotated[str | None, AfterValidator(_region)] = Field(
        default=None,
        description="Region of the route tables; without it that of the profile or the environment",
    )
    profile: str | None = Field(
        default=None,
        min_length=1,
        description="Profile of the shared AWS configuration; without it the SDK's default chain",
    )
    role_arn: Annotated[str | None, AfterValidator(_role)] = Field(
        default=None, description="Role to assume, as for the route tables of another account"
    )
    endpoint_url: Annotated[str | None, AfterValidator(_endpoint)] = Field(
        default=None, description="Another EC2 endpoint (private, or an emulator); http for loopback only"
    )

    @property
    def account(self) -> str | None:
        """The account of the role; None where only the credentials know it."""
        match = _ROLE.fullmatch(self.role_arn or "")
        return match.group(2) if match else None

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``."""
        match = _ROLE.fullmatch(self.role_arn or "")
        if match:
            return match.group(1)
        prefixes = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
        region = self.region or ""
        return next((name for start, name in prefixes.items() if region.startswith(f"{start}-")), "aws")

    @property
    def emulated(self) -> bool:
        """Whether the endpoint is an emulator on this machine: a real one has TLS."""
        return bool(self.endpoint_url) and urlsplit(self.endpoint_url or "").scheme == "http"


def parse_table(text: str, _options: BaseModel) -> TableName:
    """Return a route table's id in lower case."""
    spelled = text.strip().lower()
    if not _TABLE.fullmatch(spelled):
        raise ValueError(f"{text!r} is no route table; accepted is its id, such as rtb-0123456789abcdef0")
    return TableName(spelled)


def parse_hop(text: str, _options: BaseModel) -> Hop:
    """Return a target's id in lower case."""
    return Hop(canonical_target(text))


def parse_destination(text: str, _options: BaseModel) -> Prefix:
    """Return a network in its canonical form, or a managed prefix list's id in lower case."""
    spelled = text.strip().lower()
    if _LIST.fullmatch(spelled):
        return Prefix(spelled)
    if spelled.startswith("pl-"):
        raise ValueError(
            f"{text!r} is no managed prefix list; accepted is its id, such as pl-0123456789abcdef0"
        )
    return canonical_prefix(spelled)


def is_list(prefix: str) -> bool:
    """Whether a canonical destination is a managed prefix list."""
    return prefix.startswith("pl-")


def scope(options: BaseModel) -> str:
    """Name account and region: EC2 counts requests by both.

    The account is known before any request only where a role names it; otherwise the profile stands for it.
    """
    assert isinstance(options, AwsOptions)
    whose = options.account or f"profile:{options.profile or 'default'}"
    return f"{whose}/{options.region or 'default region'}"
