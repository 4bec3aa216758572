"""``wgfo plugins``: what is installed, offered, broken and why; ``wgfo plugins new``: a package to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo import __version__
from wgfo.cli.errors import CliError, Misnamed
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


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The kind that it offers, such as 'acme'.")],
    *,
    directory: Annotated[
        Path,
        typer.Option("--directory", "-d", metavar="DIR", help="Where the package's own directory is made."),
    ] = Path(),
) -> None:
    """Write a new plugin package: a route provider that works, and its conformance test.

    It talks to a platform in memory; put the real API in its place, and let the suite tell what is missing.
    """
    from wgfo.testing.scaffold import distribution, package_files

    try:
        files = package_files(name, __version__)
    except ValueError as error:
        raise Misnamed(str(error)) from None
    _refuse_taken(name)
    place = directory / distribution(name)
    _write(place, files)
    message(
        f"{place} written; next: pip install -e '{place}[dev]' && pytest {place}; then read its README.md"
    )


def _refuse_taken(name: str) -> None:
    """Two plugins that offer one kind cannot be used, neither of them."""
    from wgfo.plugin.manager import discover

    for plugin in discover().plugins:
        if name in plugin.routes:
            raise Misnamed(
                f"kind {name!r} is offered by {plugin.distribution} already; accepted: another name"
            )


def _write(place: Path, files: Mapping[PurePosixPath, str]) -> None:
    try:
        place.mkdir()
        for path, text in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise CliError(f"{place} exists and is left as it is; name another place with --directory") from None
    except OSError as error:
        raise CliError(f"{place} cannot be written: {error.strerror or error}") from None
