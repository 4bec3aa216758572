"""``wgfo emit systemd``: the units of the daemon and of a regular check."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from wgfo.cli.emitting import DirectoryOption, emit
from wgfo.cli.options import ConfigOption, ProviderOption, SiteOption

UnitOption = Annotated[
    str | None,
    typer.Option(
        "--unit", metavar="NAME", help="Print this one: wgfo.service, wgfo-check.service or .timer."
    ),
]


def systemd(
    *,
    unit: UnitOption = None,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
) -> None:
    """Print the units for wgfo run, and for a timer that runs wgfo check --textfile."""
    from wgfo.cli.configured import configure
    from wgfo.cli.errors import CliError
    from wgfo.config.load import find
    from wgfo.telemetry.emit.systemd import Installed, units

    setup = configure(config, site, provider).setup
    installed = Installed(_program(), tuple(_arguments(find(config), site, provider)))
    files = units(setup, installed)
    if unit is not None and unit not in files:
        raise CliError(f"--unit {unit}: there is none of that name; accepted: {', '.join(files)}")
    emit(files if unit is None else {unit: files[unit]}, directory, narrow="name one with --unit NAME")


def _program() -> Path:
    """Return the command as it was called: a link in PATH outlives an upgrade; else the one of this environment."""
    called = Path(sys.argv[0])
    return called.absolute() if called.name == "wgfo" else Path(sys.executable).with_name("wgfo")


def _arguments(config: Path, site: str | None, providers: list[str] | None) -> Iterator[str]:
    yield from ("--config", str(config.absolute()))
    if site is not None:
        yield from ("--site", site)
    for name in providers or ():
        yield from ("--provider", name)
