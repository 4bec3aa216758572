"""``wgfo simulate``: a scenario in virtual time, with the daemon's own code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.options import JsonOption
from wgfo.cli.output import message, print_json

if TYPE_CHECKING:
    from wgfo.simulate.report import Played


def simulate(
    scenario: Annotated[Path, typer.Argument(help="The scenario file.")],
    seed: Annotated[
        int | None, typer.Option("--seed", min=1, help="Of the luck; the file's own where it is not given.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Play so many seeds, one after the other.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Play a scenario: what happens, what is decided and why; fails where an expectation does."""
    from wgfo.simulate.read import read
    from wgfo.simulate.report import perform

    played = perform(read(scenario), seed, seeds)
    if as_json:
        print_json(played.data())
    else:
        _print(played)
    for line in played.failures():
        message(line)
    raise typer.Exit(ExitCode.OK if played.passed else ExitCode.ERROR)


def _print(played: Played) -> None:
    typer.echo(f"{played.read.scenario.name} (seed {played.first.seed})\n")
    for entry in played.first.entries:
        typer.echo(entry.line())
    typer.echo("")
    for one in played.verdicts:
        typer.echo(f"{'ok    ' if one.met else 'FAILED'} {one.text}")
