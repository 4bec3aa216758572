"""Options, networks and next hops: pure text in, canonical values out. No SDK is imported here."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wgfo.model import Hop, TableName
from wgfo_gcp.hops import NAME, read_hop

DEFAULT_PRIORITY: Final = 900
"""Better than 1000, which Google gives to every route that says nothing, and so in nobody's way."""
MAX_PRIORITY: Final = 65_535
PROJECT: Final = re.compile(r"([a-z][-a-z0-9.]{0,62}:)?[a-z][-a-z0-9]{2,28}[a-z0-9]")
_TAG: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def _project(value: str | None) -> str | None:
    if value is not None and not PROJECT.fullmatch(value):
        raise ValueError(
            f"{value!r} is no project; accepted is a project's id (not its name), such as my-net-1"
        )
    return value


def _tags(value: tuple[str, ...]) -> tuple[str, ...]:
    for tag in value:
        if not _TAG.fullmatch(tag):
            raise ValueError(f"{tag!r} is no network tag; accepted are lower case letters, digits and dashes")
    return tuple(sorted(set(value)))


def _endpoint(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError(
            f"{_shown(value)!r} is no endpoint; accepted is a URL such as https://compute-wgfo.p.googleapis.com"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"{_shown(value)!r} is plain http: it would cross the network in the clear; accepted is https, and "
            f"http for loopback addresses only"
        )
    return value.rstrip("/")


def _shown(url: str) -> str:
    """Return a URL without what may be a secret in it."""
    return re.sub(r"//[^/@]*@", "//…@", url).partition("?")[0]


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine; names other than ``localhost`` are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class GcpOptions(BaseModel):
    """The keys of ``[provider.NAME]`` of kind ``gcp``; one instance is one project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: Annotated[str | None, AfterValidator(_project)] = Field(
        default=None,
        description="Project of the networks (of a Shared VPC: the host project); without it the credentials'",
    )
    priority: int = Field(
        default=DEFAULT_PRIORITY,
        ge=0,
        le=MAX_PRIORITY - 1,
        description="Base of two slots: our routes have this priority or the next one; lower wins",
    )
    tags: Annotated[tuple[str, ...], AfterValidator(_tags)] = Field(
        default=(), description="Network tags of the instances that the routes apply to; without them all"
    )
    endpoint_url: Annotated[str | None, AfterValidator(_endpoint)] = Field(
        default=None, description="Another endpoint (private, or an emulator); http for loopback only"
    )

    @model_validator(mode="after")
    def _emulators_name_no_project(self) -> Self:
        if self.emulated and self.project is None:
            raise ValueError(
                "an endpoint_url of plain http is asked without credentials: project must be given"
            )
        return self

    @property
    def emulated(self) -> bool:
        """Whether the endpoint is plain http on this machine, which gets no credentials."""
        return urlsplit(self.endpoint_url or "").scheme == "http"


def parse_table(text: str, _options: BaseModel) -> TableName:
    """Return a network's name."""
    spelled = text.strip()
    if not NAME.fullmatch(spelled):
        raise ValueError(f"{text!r} is no VPC network; accepted is its name, such as 'prod', in lower case")
    return TableName(spelled)


def parse_hop(text: str, _options: BaseModel) -> Hop:
    """Return the canonical spelling: addresses compressed, names as they are."""
    return Hop(str(read_hop(text)))


def scope(options: BaseModel) -> str:
    """Name the project: Google counts requests by it."""
    assert isinstance(options, GcpOptions)
    return options.project or "default project"
