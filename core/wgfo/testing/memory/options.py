"""The offer ``memory``: its options and parsers; pure, and nothing of the provider is imported before it opens."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from wgfo.model import Hop, TableName
from wgfo.plugin import RouteOffer, RouteProvider

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")


class MemoryOptions(BaseModel):
    """Options of ``kind = "memory"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: str = Field(description="Name of a MemoryPlatform of this process")
    key: SecretStr = Field(default=SecretStr(""), description="Credential; the platform takes any")
    visibility_ms: int = Field(default=0, ge=0, description="How stale the platform's reads may be")
    late_write_ms: int = Field(default=1_000, ge=0, description="How late a given up write may land")
    parallel_writes: int = Field(default=1, ge=1, description="Destinations written at once")


def parse_table(text: str, _options: BaseModel) -> TableName:
    """Return a table's canonical name: lower case."""
    return TableName(_name(text, "a table"))


def parse_hop(text: str, _options: BaseModel) -> Hop:
    """Return a hop's canonical name: lower case."""
    return Hop(_name(text, "a next hop"))


def _name(text: str, what: str) -> str:
    if not _NAME.fullmatch(text.lower()):
        raise ValueError(f"{text!r} is not {what}; accepted: letters, digits and hyphens, such as 'east-1'")
    return text.lower()


def scope(options: BaseModel) -> str:
    """Name the account: the platform."""
    assert isinstance(options, MemoryOptions)
    return options.platform


def _open(options: BaseModel) -> RouteProvider:
    from wgfo.testing.memory.provider import MemoryProvider  # noqa: PLC0415 - as a real one would

    assert isinstance(options, MemoryOptions)
    return MemoryProvider(options)


MEMORY: Final = RouteOffer(
    kind="memory",
    options_model=MemoryOptions,
    parse_table=parse_table,
    parse_hop=parse_hop,
    open=_open,
    scope=scope,
)
