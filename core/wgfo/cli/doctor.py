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
    from wgfo.daemon.doctor import is_well

    overrides = Overrides(state_dir=state_dir, control=control)
    found = asyncio.run(_diagnose(configure(config, site, provider, overrides, notices=not as_json)))
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
