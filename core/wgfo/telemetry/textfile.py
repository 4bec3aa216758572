"""The textfile for node_exporter: all metrics, and ``wireguard_<interface>_healthy`` for those who had a script.

node_exporter runs as another user and reads ``*.prom`` at any moment: the file is replaced whole, mode 0644
(https://github.com/prometheus/node_exporter#textfile-collector).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from wgfo.config.setup import Setup
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, PathName, PathState
from wgfo.telemetry.atomic import replace_file

MODE: Final = 0o644


def write_textfile(path: Path, exposition: bytes, reports: Sequence[GroupReport], setup: Setup) -> None:
    """Replace the file.

    Raises:
        OSError: the directory is missing, read-only or full; the old file stands.
    """
    replace_file(path, exposition + healthy_lines(reports, setup).encode(), MODE)


def healthy_lines(reports: Sequence[GroupReport], setup: Setup) -> str:
    """Return a gauge for each interface: 1 while every path over it is up.

    Two interfaces whose names become the same word (``wg-0`` and ``wg_0``) share a gauge.
    """
    interfaces = {
        (group.name, view.name): view.interface
        for group in setup.groups
        for view in group.paths
        if view.interface
    }
    return "".join(_gauge(name, up) for name, up in sorted(_health(reports, interfaces).items()))


def _health(
    reports: Sequence[GroupReport], interfaces: Mapping[tuple[GroupName, PathName], str]
) -> Mapping[str, bool]:
    healthy: dict[str, bool] = {}
    for report in reports:
        for path in report.paths:
            if (interface := interfaces.get((report.name, path.name))) is not None:
                name = f"wireguard_{sanitised(interface)}_healthy"
                healthy[name] = healthy.get(name, True) and path.state is PathState.UP
    return healthy


def sanitised(interface: str) -> str:
    """Return an interface's name as a part of a metric's name."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", interface)


def _gauge(name: str, up: bool) -> str:
    return (
        f"# HELP {name} Whether the path over this interface is up.\n# TYPE {name} gauge\n{name} {int(up)}\n"
    )
