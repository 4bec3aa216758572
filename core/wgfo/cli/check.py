"""``wgfo check``: one look at every path's three layers, for cron or a timer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.options import ConfigOption, JsonOption, ProviderOption, SiteOption
from wgfo.cli.output import console, message, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from wgfo.config.setup import Setup
    from wgfo.daemon.oneshot import Evidence
    from wgfo.engine.report import GroupReport, PathReport

TextfileOption = Annotated[
    Path | None,
    typer.Option("--textfile", metavar="FILE", help="Write the metrics for node_exporter there as well."),
]


def check(
    *,
    as_json: JsonOption = False,
    textfile: TextfileOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
) -> None:
    """Validate every path's three layers once, without a daemon.

    Ends with 0 when all are up, 3 when one is not. It changes nothing, and takes a few seconds.
    """
    from wgfo.cli.configured import configure
    from wgfo.daemon.verdict import all_up

    setup = configure(config, site, provider, notices=not as_json).setup
    evidence, reports = asyncio.run(_look(setup))
    good = all_up(setup, reports)
    if textfile is not None:
        _write(textfile, reports, setup)
    for problem in dict.fromkeys(evidence.problems):
        message(f"probe {problem}")
    if as_json:
        _print_json(reports, good=good)
    else:
        console().print(_table(reports))
    raise typer.Exit(ExitCode.OK if good else ExitCode.ATTENTION)


async def _look(setup: Setup) -> tuple[Evidence, Sequence[GroupReport]]:
    from wgfo.daemon.clock import SystemClock
    from wgfo.daemon.oneshot import gather
    from wgfo.daemon.verdict import judge

    clock = SystemClock()
    evidence = await gather(setup, clock)
    return evidence, judge(setup, evidence, clock.wall_ns())


def _write(path: Path, reports: Sequence[GroupReport], setup: Setup) -> None:
    from wgfo.cli.errors import CliError
    from wgfo.telemetry.metrics import PathMetrics
    from wgfo.telemetry.textfile import write_textfile

    try:
        write_textfile(path, PathMetrics(reports, time.time()).exposition(), reports, setup)
    except OSError as error:
        raise CliError(f"--textfile {path}: {error.strerror or error}; accepted is a path in a directory that "
                       "exists and that you may write") from None  # fmt: skip


def _print_json(reports: Sequence[GroupReport], *, good: bool) -> None:
    from wgfo.daemon.control.render import path_fields

    groups = [{"name": one.name, "paths": [path_fields(path) for path in one.paths]} for one in reports]
    print_json({"ok": good, "groups": groups})


def _table(reports: Sequence[GroupReport]) -> Table:
    from rich.table import Table

    headers = ("GROUP", "PATH", "STATE", "INTERFACE", "HANDSHAKE", "DATAPLANE", "LOSS", "RTT", "REASON")
    table = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for report in reports:
        for path in report.paths:
            _add(table, report.name, path)
    return table


def _add(table: Table, group: str, path: PathReport) -> None:
    from rich.text import Text

    from wgfo.cli.screen import duration, percent, word
    from wgfo.daemon.control.render import ratio, seconds
    from wgfo.model import Layer

    table.add_row(
        Text(group),
        Text(path.name),
        word(path.state),
        *(word(path.layers[layer]) for layer in Layer),
        percent(ratio(path.lost, path.known)),
        duration(seconds(path.rtt_us)),
        Text(path.reason),
    )
