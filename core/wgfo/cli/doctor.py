"""``wgfo doctor``: what would keep a failover from working, and the fix for each; changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.options import (
    ConfigOption,
    ControlOption,
    JsonOption,
    ProviderOption,
    SiteOption,
    StateDirOption,
)
from wgfo.cli.output import console, message, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wgfo.cli.configured import Configured
    from wgfo.config.setup import Setup
    from wgfo.daemon.doctor import Diagnosed


def doctor(
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    state_dir: StateDirOption = None,
    control: ControlOption = None,
) -> None:
    """Look for what would keep a failover from working: hosts, topology, rights; change nothing.

    Each finding says what to do. Ends with 0 when there are none but notes, else with 3. It takes some seconds,
    sends a few probes through every path, and may run beside the daemon.
    """
    from wgfo.cli.configured import configure
    from wgfo.config.resolve import Overrides
    from wgfo.daemon.doctor import is_well, worst_first

    overrides = Overrides(state_dir=state_dir, control=control)
    configured = configure(config, site, provider, overrides, notices=not as_json)
    found = worst_first([*_of_daemon(configured.setup), *asyncio.run(_diagnose(configured))])
    well = is_well(found)
    if as_json:
        print_json({"ok": well, "findings": [_fields(one) for one in found]})
    else:
        _print(found)
    raise typer.Exit(ExitCode.OK if well else ExitCode.ATTENTION)


async def _diagnose(configured: Configured) -> Sequence[Diagnosed]:
    from wgfo.daemon.clock import SystemClock
    from wgfo.daemon.doctor import Patient, diagnose

    patient = Patient(configured.setup, configured.document, configured.registry)
    return await diagnose(patient, SystemClock())


def _of_daemon(setup: Setup) -> list[Diagnosed]:
    """Return in what a running daemon differs from the file; none runs: nothing."""
    from wgfo import __version__
    from wgfo.cli.client import Client
    from wgfo.cli.errors import CliError
    from wgfo.cli.status import fetch
    from wgfo.daemon.doctor import Diagnosed
    from wgfo.model import Finding, Severity

    try:
        view = fetch(Client(setup.daemon.control))
    except CliError:
        return []
    differs = []
    if view["version"] != __version__:
        differs.append((f"it is wgfo {view['version']}, installed is {__version__}", "restart it"))
    runs = {(group["name"], path["name"]) for group in view["groups"] for path in group["paths"]}
    written = {(group.name, one.name) for group in setup.groups for one in group.policy.paths}
    if runs != written:
        other = ", ".join(sorted("/".join(one) for one in runs ^ written))
        text = f"it runs another configuration than this one: {other} in one of them alone"
        differs.append((text, "reload it (SIGHUP), and look into its log if it refuses"))
    return [Diagnosed("daemon", Finding(Severity.WARNING, "daemon", *one)) for one in differs]


def _fields(one: Diagnosed) -> dict[str, object]:
    finding = one.finding
    return {
        "severity": finding.severity,
        "scope": one.scope,
        "subject": finding.subject,
        "text": finding.text,
        "remedy": finding.remedy,
    }


def _print(found: Sequence[Diagnosed]) -> None:
    from collections import Counter

    from rich.table import Table
    from rich.text import Text

    from wgfo.model import Severity

    table = Table(
        "SEVERITY", "WHERE", "WHAT", "FINDING", "FIX", box=None, pad_edge=False, header_style="bold"
    )
    for one in found:
        finding = one.finding
        cells = (finding.severity, one.scope, finding.subject, finding.text, finding.remedy)
        table.add_row(*(Text(str(cell)) for cell in cells))
    if found:
        console().print(table)
    counted = Counter(one.finding.severity for one in found)
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    message(", ".join(f"{counted[one]} {word}{'s' * (counted[one] != 1)}" for one, word in words.items()))
