"""What commands print: data on standard output, messages on standard error. ``NO_COLOR`` is honoured."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

API_VERSION: Final = 1
_UNBOUNDED: Final = 10_000
"""Columns of a table that goes into a file or a pipe: nothing is wrapped there."""


def print_json(fields: Mapping[str, object]) -> None:
    """Print one object that bears ``"api_version": 1``."""
    body = {"api_version": API_VERSION, **fields}
    typer.echo(json.dumps(body, indent=2, ensure_ascii=False))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table for a person; a cell is printed as it is, None as ``-``."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    console().print(table)


def console() -> Console:
    """Return a console on standard output, as wide as the terminal, or as it takes where there is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _UNBOUNDED
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def message(text: str) -> None:
    """Say something on standard error."""
    typer.echo(text, err=True)


def fail(text: str) -> None:
    """Say on standard error what went wrong; several lines begin with their own places."""
    message(text if "\n" in text else f"wgfo: {text}")
