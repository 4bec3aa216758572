"""Values that options share: durations as text with a unit. For the core's configuration and for plugins'."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_UNITS_US: Final = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_PATTERN: Final = r"^[0-9]{1,12}(us|ms|s|m|h|d)$"
ACCEPTED: Final = 'a whole number and a unit: us, ms, s, m, h or d, such as "800ms", "1s" or "5m"'


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, written as text in a configuration: ``"800ms"``, ``"1s"``, ``"5m"``, ``"1d"``."""

    us: int
    """Microseconds, never negative."""

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Read a duration; raises ``ValueError`` that says what is accepted."""
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is no duration; accepted: {ACCEPTED}")  # noqa: TRY004 - pydantic reads ValueError
        match = re.fullmatch(_PATTERN, text)
        if match is None:
            raise ValueError(f"{text!r} is no duration; accepted: {ACCEPTED}")
        unit = match.group(1)
        return cls(int(text.removesuffix(unit)) * _UNITS_US[unit])

    def __str__(self) -> str:
        for unit, size_us in _UNITS_US.items():
            if self.us and self.us % size_us == 0:
                return f"{self.us // size_us}{unit}"
        return "0s"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text (or from a Duration); serialise as text."""
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe it as text of a pattern."""
        return {"type": "string", "pattern": _PATTERN, "examples": ["800ms", "1s", "5m"]}
