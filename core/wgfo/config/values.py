"""The kinds of value that the schema is made of; each says what it accepts."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from wgfo.model import ANCHOR_NAME, Bind, BindKind
from wgfo.plugin.values import Duration

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DEVICE: Final = re.compile(r"[^\s/:]{1,15}")
_PUBLIC_KEY: Final = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
_SIZE: Final = re.compile(r"([0-9]{1,12})(KiB|MiB|GiB|TiB)?")
_SIZE_UNITS: Final = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MARK_MAX: Final = 0xFFFFFFFF
_PORT_MAX: Final = 65535
MIN_INTERVAL_US: Final = 10_000
Items = TypeVar("Items")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name; accepted: 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"
        )
    return text


def _target_name(text: str) -> str:
    if text == ANCHOR_NAME:
        raise ValueError(f"{text!r} is the name of the anchor; accepted: any other name")
    return _name(text)


def _device(text: str) -> str:
    if not _DEVICE.fullmatch(text) or text in {".", ".."}:
        raise ValueError(
            f"{text!r} is no interface name; accepted: 1 to 15 characters without blank, '/' or ':'"
        )
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address; accepted: a literal IPv4 or IPv6 address") from None


def _public_key(text: str) -> str:
    if not _PUBLIC_KEY.fullmatch(text):
        raise ValueError(
            f"{text!r} is no WireGuard public key; accepted: 44 characters, as 'wg show' prints it"
        )
    return text


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= _PORT_MAX):
        raise ValueError(f'{text!r} is no listening address; accepted: "HOST:PORT" such as "127.0.0.1:9785"')
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise ValueError(f"{text!r} is no URL; accepted: http://… or https://…")
    return text


def _positive(value: Duration) -> Duration:
    if not value.us:
        raise ValueError("'0s' is too short; accepted: a duration above zero")
    return value


def _interval(value: Duration) -> Duration:
    if value.us < MIN_INTERVAL_US:
        raise ValueError(f"'{value}' is too short; accepted: 10ms or more")
    return value


def _some(values: Items) -> Items:
    """Run after the items were validated: a bad item is one mistake, not two."""
    if not values:
        raise ValueError("the list is empty; accepted: one or more")
    return values


def _size(value: object) -> int:
    """Bytes as a number, or text with a unit."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match.group(1)):
        raise ValueError(
            f'{value!r} is no size; accepted: a whole number of KiB, MiB, GiB or TiB such as "256MiB"'
        )
    return int(match.group(1)) * _SIZE_UNITS[match.group(2)]


def _bind(value: object) -> Bind:
    """``device``, ``address`` or ``mark:N`` (decimal or 0x…)."""
    if isinstance(value, Bind):
        return value
    if value in {"device", "address"}:
        return Bind(BindKind(value))
    match = re.fullmatch(r"mark:(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})", value) if isinstance(value, str) else None
    mark = int(match.group(1), 0) if match else 0
    if not 0 < mark <= _MARK_MAX:
        raise ValueError(f'{value!r} is no way to bind; accepted: "device", "address" or "mark:N" (N from 1)')
    return Bind(BindKind.MARK, mark)


Count = Annotated[int, Field(strict=True, ge=1)]
Fall = Annotated[int, Field(strict=True, ge=2)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
Points = Annotated[int, Field(strict=True, ge=0, le=100)]
Flag = Annotated[bool, Field(strict=True)]
Positive = Annotated[Duration, AfterValidator(_positive)]
Interval = Annotated[Duration, AfterValidator(_interval)]
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": ["string", "integer"], "pattern": f"^{_SIZE.pattern}$"}),
]
Name = Annotated[str, AfterValidator(_name)]
TargetName = Annotated[str, AfterValidator(_target_name)]
Text = Annotated[str, Field(min_length=1)]
Device = Annotated[str, AfterValidator(_device)]
Address = Annotated[str, AfterValidator(_address)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
Listen = Annotated[str, AfterValidator(_listen)]
Url = Annotated[str, AfterValidator(_url)]
BindText = Annotated[
    Bind,
    BeforeValidator(_bind),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(device|address|mark:(0x[0-9a-fA-F]{1,8}|[0-9]{1,10}))$"}
    ),
]
Some = AfterValidator(_some)
File = Annotated[Path, Field(description="a relative path is relative to the file that names it")]
