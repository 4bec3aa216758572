"""``wgfo emit rules``, ``alertmanager`` and ``dashboard``: what monitoring needs."""

from __future__ import annotations

from typing import Annotated

import typer

from wgfo.cli.emitting import DirectoryOption, emit
from wgfo.cli.options import ConfigOption, ProviderOption, SiteOption

DocsOption = Annotated[
    str,
    typer.Option(
        "--docs", metavar="URL", help="Where you publish these documents: runbook_url begins with it."
    ),
]
DOCS = "docs"


def rules(
    *,
    docs: DocsOption = DOCS,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
) -> None:
    """Print alerting rules for Prometheus, each with its section of the runbook."""
    from wgfo.cli.configured import configure
    from wgfo.telemetry.emit.rules import rules as text

    setup = configure(config, site, provider).setup
    emit({"wgfo.rules.yml": text(setup, docs.rstrip("/"))}, directory, narrow="")


def alertmanager(
    *,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
) -> None:
    """Print the routes and the receiver that bring alerts to this daemon's webhook."""
    from wgfo.cli.configured import configure
    from wgfo.telemetry.emit.alertmanager import alertmanager as text

    setup = configure(config, site, provider).setup
    emit({"alertmanager.yml": text(setup)}, directory, narrow="")


def dashboard(
    *,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
) -> None:
    """Print a dashboard for Grafana."""
    from wgfo.cli.configured import configure
    from wgfo.telemetry.emit.dashboard import dashboard as text

    setup = configure(config, site, provider).setup
    emit({"wgfo.dashboard.json": text(setup)}, directory, narrow="")
