"""``wgfo run``: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo.cli.options import (
    ConfigOption,
    ControlOption,
    HttpOption,
    ProviderOption,
    SiteOption,
    StateDirOption,
)

if TYPE_CHECKING:
    from wgfo.config.resolve import Overrides
    from wgfo.daemon.supervisor import Loaded, Options

DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Observe and decide, write nothing; can run beside the live daemon. "
        "Answers on a control socket only where --control names one.",
    ),
]
JsonLogOption = Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")]


def run(
    *,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    dry_run: DryRunOption = False,
    state_dir: StateDirOption = None,
    control: ControlOption = None,
    http: HttpOption = None,
    log_json: JsonLogOption = False,
) -> None:
    """Run the daemon until SIGTERM. SIGHUP reads the configuration again.

    It stops with its routes as they are, and goes on where it stopped.
    """
    import asyncio
    import sys

    from wgfo.config.resolve import Overrides
    from wgfo.daemon.supervisor import Options
    from wgfo.telemetry.log import Style, set_up

    if dry_run and http is not None and control is None:
        raise typer.BadParameter("with --dry-run it needs --control too", param_hint="--http")
    set_up(sys.stderr, Style.JSON if log_json else Style.TEXT)
    overrides = Overrides(state_dir, control, http)
    options = Options(
        load=lambda: _load(config, site, provider, overrides),
        dry_run=dry_run,
        control=not dry_run or control is not None,
        http=not dry_run or http is not None,
    )
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    from wgfo.daemon.supervisor import Supervisor

    supervisor = Supervisor(options)
    supervisor.handle_signals()
    await supervisor.run()


def _load(config: Path | None, site: str | None, provider: list[str] | None, overrides: Overrides) -> Loaded:
    from wgfo.cli.configured import configure
    from wgfo.daemon.supervisor import Loaded

    configured = configure(config, site, provider, overrides)
    return Loaded(configured.setup, configured.registry)
