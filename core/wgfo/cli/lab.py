"""``wgfo lab``: two real WireGuard tunnels in network namespaces on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.lazy import new_app
from wgfo.cli.options import JsonOption
from wgfo.cli.output import message, print_json

if TYPE_CHECKING:
    from wgfo.lab.lab import Lab
    from wgfo.lab.topology import Node, PathLabel

app = new_app("Two real WireGuard tunnels in network namespaces on this machine: build, break, heal, watch.")

Name = Annotated[str, typer.Option("--name", help="Which lab; several can be up at once.")]
OnPath = Annotated[
    str | None, typer.Option("--path", metavar="primary|secondary", help="Which path it concerns.")
]
ThirdHost = Annotated[
    bool, typer.Option("--third-host", help="The controller stands in the cloud and has no tunnel.")
]


@app.command()
def up(name: Name = "lab") -> None:
    """Build a lab: cloud, internet and on-prem, two tunnels, a client and a server."""
    from wgfo.lab import lab

    with _ending_on_sigterm():
        lab.up(name, lambda text: message(f"lab {name}: {text}"))
    message(
        f"lab {name}: up. Next: wgfo lab exec client -- ping 192.168.10.5 · wgfo lab config · "
        "wgfo lab break silent-drop · wgfo lab down"
    )


@app.command()
def status(
    name: Annotated[str | None, typer.Option("--name", help="Only this lab.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show the labs, their tunnels and the faults that are active."""
    from wgfo.lab import report

    labs = report.reports([name] if name else None)
    if as_json:
        print_json({"labs": labs})
    else:
        typer.echo(report.table(labs))


@app.command(name="break")
def break_(
    fault: Annotated[str | None, typer.Argument(metavar="FAULT[=VALUE]", help="See --list.")] = None,
    name: Name = "lab",
    path: OnPath = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="The faults, each with what it does.")] = False,
) -> None:
    """Break something: silent-drop, link-down, loss=30% and more."""
    from wgfo.lab import report

    if listed:
        typer.echo(report.faults())
        return
    if fault is None:
        raise typer.BadParameter("which fault? They are:\n" + report.faults(), param_hint="FAULT")
    message(f"{_lab(name).break_(fault, _path(path))}: active")


@app.command()
def heal(
    fault: Annotated[str | None, typer.Argument(help="Only this fault; without it, all.")] = None,
    name: Name = "lab",
    path: OnPath = None,
) -> None:
    """End the active faults."""
    healed = _lab(name).heal(fault, _path(path))
    message("\n".join(f"{injection}: healed" for injection in healed) or "no fault is active")


@app.command()
def down(
    name: Name = "lab",
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All labs of this user, crashed ones too.")
    ] = False,
) -> None:
    """End a lab and everything in it."""
    from wgfo.lab import lab, state

    for one in state.names() if everything else [state.check_name(name)]:
        message(f"lab {one}: {'gone' if lab.down(one) else 'there is none'}")


@app.command(name="exec")
def exec_(
    node: Annotated[
        str, typer.Argument(help="One of: client, server, onprem, router, gateway-a, gateway-b …")
    ],
    command: Annotated[
        list[str] | None, typer.Argument(help="The command, after --; without it, a shell.")
    ] = None,
    name: Name = "lab",
) -> None:
    """Run a command in a node of the lab; its exit status is the command's."""
    where = _node(node)
    argv = _lab(name).enclosure.command(command or [os.environ.get("SHELL", "/bin/sh")], where)
    os.execvp(argv[0], argv)  # noqa: S606 - the user's own command


@app.command()
def config(
    name: Name = "lab",
    *,
    third_host: ThirdHost = False,
    demo: Annotated[bool, typer.Option("--demo", help="Short waits before traffic returns.")] = False,
) -> None:
    """Print the wgfo.toml for a lab."""
    from wgfo.lab import config as settings
    from wgfo.lab import state

    typer.echo(settings.text(state.directory(name), third_host=third_host, demo=demo).rstrip())


@app.command()
def demo(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the report as data.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE.svg", help="Write the report as a picture.")
    ] = None,
    *,
    third_host: ThirdHost = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up afterwards.")] = False,
) -> None:
    """Show one silent failure from beginning to end, with real packets, in under two minutes."""
    from wgfo.lab.demo import Options, run

    options = Options(json_file=json_file, picture=picture, third_host=third_host, keep=keep)
    with _ending_on_sigterm():
        complete = run(options)
    raise typer.Exit(ExitCode.OK if complete else ExitCode.ERROR)


def _lab(name: str) -> Lab:
    from wgfo.lab.lab import Lab

    return Lab(name)


def _path(text: str | None) -> PathLabel | None:
    from wgfo.lab.topology import PathLabel

    if text is None or text in set(PathLabel):
        return PathLabel(text) if text else None
    raise typer.BadParameter(f"{text!r} is no path of a lab; primary or secondary", param_hint="--path")


def _node(text: str) -> Node:
    from wgfo.lab.topology import Node

    if text in set(Node):
        return Node(text)
    raise typer.BadParameter(f"{text!r} is no node of a lab; there are: {', '.join(Node)}", param_hint="NODE")


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack, so that a half-built lab is taken down on the way out."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
