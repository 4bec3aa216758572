"""``wgfo plugins``: what is installed, offered, broken and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from wgfo.cli.lazy import new_app
from wgfo.cli.options import JsonOption
from wgfo.cli.output import message, print_json, print_table

if TYPE_CHECKING:
    from wgfo.plugin.manager import Registry

app = new_app(
    "Show what is installed, offered, broken and why.", invoke_without_command=True, no_args_is_help=False
)


@app.callback()
def plugins(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show what is installed, offered, broken and why."""
    if context.invoked_subcommand is not None:
        return
    from wgfo.plugin.manager import discover

    registry = discover()
    if as_json:
        print_json(_fields(registry))
    else:
        _print(registry)


def _fields(registry: Registry) -> Mapping[str, object]:
    return {
        "plugins": [asdict(plugin) for plugin in registry.plugins],
        "broken": [asdict(broken) for broken in registry.broken],
        "duplicates": [
            {"offers": str(it.sort), "kind": it.kind, "plugins": list(it.plugins)}
            for it in registry.duplicates
        ],
    }


def _print(registry: Registry) -> None:
    headers = ("PLUGIN", "DISTRIBUTION", "VERSION", "PROVIDERS", "PROBES", "LEASES")
    rows = [
        (
            plugin.name,
            plugin.distribution or None,
            plugin.version or None,
            ", ".join(plugin.routes) or None,
            ", ".join(plugin.probes) or None,
            ", ".join(plugin.leases) or None,
        )
        for plugin in registry.plugins
    ]
    print_table(headers, rows)
    for broken in registry.broken:
        message(f"broken: {broken.name} of {broken.distribution or 'no distribution'}: {broken.error}")
    for duplicate in registry.duplicates:
        message(f"duplicate: {duplicate}")
