"""``wgfo lab``: two real WireGuard tunnels in network namespaces on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from wgfo.lab.lab import Lab
    from wgfo.lab.topology import Node, PathLabel

app = typer.Typer(
    name="lab",
    help="Two real WireGuard tunnels in network namespaces on this machine: build, break, heal, watch.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Option("--name", help="Which lab; several can be up at once.")]
Path_ = Annotated[
    str | None, typer.Option("--path", metavar="primary|secondary", help="Which path it concerns.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
ThirdHost = Annotated[
    bool, typer.Option("--third-host", help="The controller stands in the cloud, without tunnels.")
]


@app.command()
def up(name: Name = "lab") -> None:
    """Build a lab: cloud, internet, on-prem, two tunnels, client and server."""
    from wgfo.lab import lab

    with _telling_errors(), _ending_on_sigterm():
        made = lab.up(name, lambda text: _say(f"lab {name}: {text}"))
        _say(f"lab {name}: up. Try: wgfo lab exec client -- ping 192.168.10.5 · wgfo lab break silent-drop")
        _say(f"lab {made.name}: its configuration: wgfo lab config")


@app.command()
def status(
    name: Annotated[str | None, typer.Option("--name", help="Only this lab.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the labs that are up, their tunnels and the faults that are active."""
    from wgfo.lab import report

    with _telling_errors():
        labs = report.reports([name] if name else None)
        if as_json:
            _print(json.dumps({"api_version": 1, "labs": labs}))
        else:
            _print(report.table(labs))


@app.command(name="break")
def break_(
    fault: Annotated[str | None, typer.Argument(metavar="FAULT[=VALUE]", help="See --list.")] = None,
    name: Name = "lab",
    path: Path_ = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="The faults, each with what it does.")] = False,
) -> None:
    """Break something: silent-drop, link-down, loss=30% and more."""
    from wgfo.lab import report

    if listed or fault is None:
        _print(report.faults())
        raise typer.Exit(0 if listed else 2)
    with _telling_errors():
        _say(f"{_lab(name).break_(fault, _path(path))}: active")


@app.command()
def heal(
    fault: Annotated[str | None, typer.Argument(help="Only this fault; without it, all.")] = None,
    name: Name = "lab",
    path: Path_ = None,
) -> None:
    """End the active faults."""
    with _telling_errors():
        healed = _lab(name).heal(fault, _path(path))
        _say("\n".join(f"{injection}: healed" for injection in healed) or "no fault is active")


@app.command()
def down(
    name: Name = "lab",
    *,
    everything: Annotated[bool, typer.Option("--all", help="All labs, crashed ones too.")] = False,
) -> None:
    """End a lab and everything in it."""
    from wgfo.lab import lab, state

    with _telling_errors():
        for one in state.names() if everything else [state.check_name(name)]:
            _say(f"lab {one}: {'gone' if lab.down(one) else 'there is none'}")


@app.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def exec_(
    node: Annotated[
        str,
        typer.Argument(
            help="client, backend, controller, router, gateway-a, gateway-b, internet, onprem, server …"
        ),
    ],
    command: Annotated[list[str] | None, typer.Argument(help="The command; without it, a shell.")] = None,
    name: Name = "lab",
) -> None:
    """Run a command in a node of the lab; its exit status is the command's."""
    with _telling_errors():
        argv = _lab(name).enclosure.command(command or [os.environ.get("SHELL", "/bin/sh")], _node(node))
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

    with _telling_errors():
        _print(settings.text(state.directory(name), third_host=third_host, demo=demo).rstrip())


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
    """Show one silent failure from beginning to end, with real packets: under two minutes."""
    from wgfo.lab import demo as show

    with _telling_errors(), _ending_on_sigterm():
        ended_well = show.run(
            show.Options(json_file=json_file, picture=picture, third_host=third_host, keep=keep)
        )
    raise typer.Exit(0 if ended_well else 1)


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


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


@contextlib.contextmanager
def _telling_errors() -> Iterator[None]:
    from wgfo.lab.errors import LabError

    try:
        yield
    except LabError as error:
        _say(f"wgfo lab: {error}")
        raise typer.Exit(1) from None


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
