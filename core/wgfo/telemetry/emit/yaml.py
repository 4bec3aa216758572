"""As much of YAML as these files need: mappings, sequences and scalars, read back as they were.

Text is written as JSON strings, which are YAML's double-quoted scalars (https://yaml.org/spec/1.2.2/, 1.3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Value = str | int | bool | Mapping[str, "Value"] | Sequence["Value"]

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*|[0-9]+(?:ms|s|m|h|d)")
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


def dump(value: Mapping[str, Value]) -> str:
    """Return the document of a mapping, ended by a line feed."""
    return "\n".join(_block(value)) + "\n"


def _block(value: Mapping[str, Value] | Sequence[Value]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{_scalar(key)}:", item)
    else:
        for item in value:
            yield from _item(item)


def _entry(head: str, item: Value) -> Iterator[str]:
    if isinstance(item, str | int):
        yield f"{head} {_scalar(item)}"
    elif not item:
        yield f"{head} {'{}' if isinstance(item, Mapping) else '[]'}"
    else:
        yield head
        yield from (f"  {line}" for line in _block(item))


def _item(item: Value) -> Iterator[str]:
    if isinstance(item, str | int) or not item:
        yield f"- {_scalar(item) if isinstance(item, str | int) else '{}'}"
        return
    first, *rest = _block(item)
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def _scalar(value: str | int) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    plain = _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
    return value if plain else json.dumps(value, ensure_ascii=False)
