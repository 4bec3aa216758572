"""Routing tables by name, as iproute2 names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from wgfo.model import TableName
from wgfo_linux.config import MAX_TABLE
from wgfo_linux.errors import unknown_table

PLACES: Final = (Path("/usr/share/iproute2"), Path("/usr/lib/iproute2"), Path("/etc/iproute2"))
"""iproute2's own list (since 6.5 under /usr), then the administrator's; a later one wins."""
BUILT_IN: Final = {"default": 253, "main": 254}


def number_of(name: TableName, places: Sequence[Path] = PLACES) -> int:
    """Return a table's number; the name is canonical (``config.parse_table``).

    Raises:
        NotFound: none of iproute2's files has the name.
    """
    if name.isdigit():
        return int(name)
    number = BUILT_IN.get(name) or names(places).get(name)
    if number is None:
        raise unknown_table(name)
    return number


def names(places: Sequence[Path] = PLACES) -> dict[str, int]:
    """Return every name that iproute2 knows."""
    return dict(pair for place in places for path in _files(place) for pair in _lines(path))


def _files(place: Path) -> Iterator[Path]:
    yield place / "rt_tables"
    yield from sorted((place / "rt_tables.d").glob("*.conf"))


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    """Unreadable files and lines mean no names, as they do to iproute2."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        number = _number(words[0]) if len(words) == 2 else None  # noqa: PLR2004 - "number name"
        if number is not None:
            yield words[1], number


def _number(text: str) -> int | None:
    try:
        number = int(text, 0)
    except ValueError:
        return None
    return number if 1 <= number <= MAX_TABLE else None
