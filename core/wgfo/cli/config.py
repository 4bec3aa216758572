"""``wgfo config``: check, show, schema, init."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.lazy import new_app
from wgfo.cli.options import ConfigOption, JsonOption, ProviderOption, SiteOption
from wgfo.cli.output import fail, message, print_json, print_table

if TYPE_CHECKING:
    from wgfo.config.problems import ConfigProblems, Problem

app = new_app("Check, describe, start and show a configuration.")


@app.command()
def check(
    *,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration.

    As this process would run it; every mistake is shown at once.
    """
    from wgfo.cli.configured import configure
    from wgfo.config.problems import ConfigProblems

    try:
        configured = configure(config, site, provider, notices=not as_json)
    except ConfigProblems as problems:
        _tell(problems, as_json=as_json)
        raise typer.Exit(ExitCode.ERROR) from None
    setup = configured.setup
    if as_json:
        print_json({"ok": True, "problems": [], "notices": list(setup.notices)})
    else:
        where = f" at site {setup.site}" if setup.site else ""
        typer.echo(f"{configured.document.path}: valid{where}: {_counted(len(setup.groups), 'group')}")


def _tell(problems: ConfigProblems, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": False, "problems": [_fields(it) for it in problems.problems], "notices": []})
        return
    fail(str(problems))


def _fields(problem: Problem) -> dict[str, object]:
    origin = problem.origin
    return {
        "file": origin.file if origin else None,
        "line": origin.line if origin else None,
        "where": problem.where,
        "found": problem.found,
        "accepted": problem.accepted or None,
        "hint": problem.hint or None,
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


@app.command()
def show(
    *,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print every effective value and its origin."""
    from wgfo.cli.configured import configure

    configured = configure(config, site, provider)
    settings = configured.resolved.effective.settings.values()
    if as_json:
        rows = [{"key": it.key, "value": it.value, "origin": it.origin} for it in settings]
        setup = configured.setup
        print_json({"site": setup.site, "digest": setup.digest, "settings": rows})
        return
    print_table(("KEY", "VALUE", "ORIGIN"), [(it.key, _text(it.value), it.origin) for it in settings])


def _text(value: object) -> str | None:
    """Return a value as it stands in a file."""
    return None if value is None else json.dumps(value, ensure_ascii=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of wgfo.toml.

    It has the options of the kinds that are installed.
    """
    from wgfo.config.schema import json_schema
    from wgfo.plugin.manager import discover

    typer.echo(json.dumps(json_schema(discover()), indent=2, ensure_ascii=False))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it; - for standard output.")] = Path(
        "wgfo.toml"
    ),
) -> None:
    """Write a starting file.

    It is made from the tunnels that run here, and never written over an existing file.
    """
    from wgfo.cli.errors import CliError
    from wgfo.cli.tunnels import running_tunnels
    from wgfo.config.starting import starting_file

    text = starting_file(running_tunnels())
    if str(file) == "-":
        typer.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise CliError(f"{file} exists and is left as it is; name another file") from None
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}") from None
    message(f"{file} written; fill in what says FILL IN, then: wgfo config check --config {file}")
