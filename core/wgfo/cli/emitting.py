"""What all of ``wgfo emit`` share: one file goes to standard output, several go into a directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from wgfo.cli.errors import CliError
from wgfo.cli.output import message

DirectoryOption = Annotated[
    Path | None,
    typer.Option("--directory", "-d", metavar="DIR", help="Write files there instead of printing them."),
]


def emit(files: Mapping[str, str], directory: Path | None, *, narrow: str) -> None:
    """Print the file, or write all of them into a directory that exists; both end with a line feed.

    Args:
        files: name to text.
        directory: None for standard output, which takes one file only.
        narrow: how the operator makes one of several.

    Raises:
        CliError: several files and no directory, or one that cannot be written.
    """
    if directory is not None:
        _write(files, directory)
    elif len(files) > 1:
        names = ", ".join(files)
        raise CliError(f"there are {len(files)} files ({names}): {narrow}, or give --directory DIR for all")
    else:
        for text in files.values():
            typer.echo(text, nl=False)


def _write(files: Mapping[str, str], directory: Path) -> None:
    for name, text in files.items():
        try:
            (directory / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CliError(
                f"--directory {directory}: {name} cannot be written: {error.strerror or error}; accepted is a "
                "directory that exists and that you may write"
            ) from None
        message(f"{directory / name} written")
