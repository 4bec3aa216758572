"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration; else $WGFO_CONFIG, ./wgfo.toml, /etc/wgfo/wgfo.toml.",
    ),
]
SiteOption = Annotated[
    str | None,
    typer.Option("--site", metavar="SITE", help="Where this process stands; else $WGFO_SITE, else by host."),
]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option("--provider", metavar="NAME", help="Only routes of this instance or kind; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
StateDirOption = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="Instead of [daemon] state_dir.")
]
ControlOption = Annotated[
    Path | None, typer.Option("--control", metavar="SOCKET", help="Instead of [daemon] control.")
]
HttpOption = Annotated[
    str | None, typer.Option("--http", metavar="HOST:PORT", help="Instead of [daemon] http.")
]
