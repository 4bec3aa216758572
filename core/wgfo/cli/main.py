"""The command ``wgfo``: the table of commands, and how every command ends.

A command is a module with a function (or a Typer with subcommands) and one row in :data:`COMMANDS`. Exit
codes stand in :mod:`wgfo.cli.codes`; an error raised on purpose is a sentence on standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

import typer

from wgfo import __version__
from wgfo.cli.codes import ExitCode
from wgfo.cli.lazy import Command, LazyGroup, new_app
from wgfo.cli.output import fail

COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "run": Command("wgfo.cli.run:run", "Run the daemon."),
        "check": Command(
            "wgfo.cli.check:check", "Validate every path's three layers once, without a daemon."
        ),
        "plan": Command("wgfo.cli.plan:plan", "What would be written: observed against desired."),
        "status": Command("wgfo.cli.status:status", "Groups, paths, layers, routes, overrides, timers."),
        "explain": Command(
            "wgfo.cli.explain:explain", "Why, what would change it, and what the numbers are worth."
        ),
        "history": Command("wgfo.cli.history:history", "Switches with reason and phases."),
        "switch": Command("wgfo.cli.operate:switch", "Move a group to a path that is up."),
        "force": Command("wgfo.cli.operate:force", "Hold a group on a path, whatever its state."),
        "lockout": Command("wgfo.cli.operate:lockout", "Never select a path."),
        "drain": Command("wgfo.cli.operate:drain", "Move away from a path, then lock it out."),
        "clear": Command("wgfo.cli.operate:clear", "End standing requests."),
        "pause": Command("wgfo.cli.operate:pause", "Decide and write nothing for a while."),
        "resume": Command("wgfo.cli.operate:resume", "End a pause."),
        "adopt": Command("wgfo.cli.operate:adopt", "Take over foreign routes."),
        "release": Command("wgfo.cli.operate:release", "Stop managing routes; they stay as they are."),
        "doctor": Command("wgfo.cli.doctor:doctor", "What would keep a failover from working, and the fix."),
        "config": Command("wgfo.cli.config:app", "Check, describe, start and show a configuration."),
        "emit": Command("wgfo.cli.emit:app", "Print a file that is made from this configuration."),
        "simulate": Command("wgfo.cli.simulate:simulate", "Play a scenario in virtual time."),
        "replay": Command("wgfo.cli.replay:replay", "Decide a journal again, or by another configuration."),
        "reflect": Command("wgfo.cli.reflect:reflect", "Answer STAMP probes on the far side."),
        "lab": Command(
            "wgfo.cli.lab:app", "Two real WireGuard tunnels in network namespaces on this machine."
        ),
        "plugins": Command("wgfo.cli.plugins:app", "What is installed, offered, broken and why."),
        "bugreport": Command(
            "wgfo.cli.bugreport:bugreport", "One archive for a bug report, without secrets."
        ),
    }
)
"""In the order of ``wgfo --help``."""


class _Root(LazyGroup):
    table: ClassVar[Mapping[str, Command]] = COMMANDS


app = new_app(
    "Keep prefixes reachable over one of several isolated WireGuard paths.",
    cls=_Root,
    subcommand_metavar="COMMAND …",
)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"wgfo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda value: _version(asked=value),
            help="Print the version.",
        ),
    ] = False,
) -> None:
    pass


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    try:
        app(args=None if argv is None else list(argv), prog_name="wgfo")
    except Exception as error:
        if not _ours(error):
            raise
        fail(str(error))
        sys.exit(getattr(error, "exit_code", ExitCode.ERROR))


def _ours(error: Exception) -> bool:
    """Whether wgfo raised it on purpose: then its text is a sentence for the operator."""
    from wgfo.plugin.errors import WgfoError

    return isinstance(error, WgfoError)
