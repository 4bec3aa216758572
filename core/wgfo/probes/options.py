"""The options of the probes that send packets: read at discovery, when nothing of the probes is imported yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

MIN_SIZE: Final = 64
"""Bytes of the smallest echo request that can be told from others: an IPv6 header, and 24 of our own."""
FLOWS: Final = 16
MAX_FLOWS: Final = 64


class IcmpOptions(BaseModel):
    """Options of ``kind = "icmp"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Annotated[int, Field(ge=MIN_SIZE, le=65535)] | Literal["mtu"] | None = None
    """Bytes of the inner IP packet, at least 64; ``"mtu"`` is the interface's MTU.
    Default: 84, and ``"mtu"`` for the class ``large``."""


class TcpOptions(BaseModel):
    """Options of ``kind = "tcp"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refused: Literal["pass", "fail"] = "fail"
    """Whether a refusal by the target (RST) proves the path: it does answer."""


class StampOptions(BaseModel):
    """Options of ``kind = "stamp"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flows: Annotated[int, Field(ge=1, le=MAX_FLOWS)] = FLOWS
    """Source ports to go through, one after the other."""
    key_file: Path | None = None
    """File with the key that the reflector has too: authenticated mode."""
