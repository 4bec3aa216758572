"""One operator request from question to answer: asked on a terminal, sent, and watched until it stands."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import typer

from wgfo.cli.client import Client
from wgfo.cli.errors import CliError, Unreachable
from wgfo.cli.output import message
from wgfo.cli.status import fetch
from wgfo.cli.views import GroupView, PathShown, RouteView
from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.plugin.values import Duration

WITHIN_S: Final = 5.0
"""A kernel's routes follow in milliseconds, a cloud's may take minutes: what lasts longer is left to status."""
POLL_S: Final = 0.1
MOVES: Final = frozenset({RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN})
"""Requests that may move traffic."""
QUESTIONS: Final = {
    RequestKind.SWITCH: "Switch {group} to {path}?",
    RequestKind.FORCE: "Force {group} onto {path} and hold it there, up or down?",
    RequestKind.LOCKOUT: "Lock {path} out of {group}?",
    RequestKind.DRAIN: "Move {group} away from {path} and lock {path} out?",
    RequestKind.CLEAR: "Clear what stands in {group}?",
    RequestKind.ADOPT: "Take over the routes that stand in the place of {group}'s?",
    RequestKind.RELEASE: "Stop managing the routes of {group}?",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What the operator wants."""

    group: str
    kind: RequestKind
    path: str | None = None
    reason: str = ""
    duration: Duration | None = None
    """None: until cleared."""
    clear_kind: OverrideKind | None = None

    def body(self) -> dict[str, object]:
        """Return the request as the control API takes it, without what was not said."""
        seconds = None if self.duration is None else self.duration.us / 1_000_000
        said = {"path": self.path, "for_seconds": seconds, "clear_kind": self.clear_kind}
        required = {"group": self.group, "kind": self.kind, "reason": self.reason}
        return required | {key: value for key, value in said.items() if value is not None}


def carry_out(client: Client, ask: Ask, *, yes: bool, pause: Callable[[float], None] = time.sleep) -> None:
    """Ask, send, print the engine's words, and say whether the routes followed.

    Raises:
        Refused: by policy; nothing has changed.
        Unreachable: nobody answers.
    """
    if not yes and _on_a_terminal():
        _confirm(client, ask)
    text = client.request(ask.body())
    typer.echo(f"{ask.group}: {text}")
    if ask.kind in MOVES:
        _follow(client, ask, pause)


# --- the question -----------------------------------------------------------------------------------------


def _on_a_terminal() -> bool:
    """A script has nobody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _confirm(client: Client, ask: Ask) -> None:
    group = _group(client, ask.group)
    for line in _standing(group, ask) if group else ():
        message(line)
    question = QUESTIONS[ask.kind].format(group=ask.group, path=ask.path)
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CliError("nothing was asked for, nothing has changed")


def _standing(group: GroupView, ask: Ask) -> list[str]:
    """Say what the answer rests on: where traffic is, and how the path is."""
    lines = [f"{group['name']}: {group['state']}, active {group['active'] or '-'}: {group['reason']}"]
    lines += [_path_line(path) for path in group["paths"] if path["name"] == ask.path]
    return lines


def _path_line(path: PathShown) -> str:
    return f"{path['name']}: {path['state']}, {path['role']}: {path['reason']}"


def _group(client: Client, name: str) -> GroupView | None:
    return next((one for one in fetch(client)["groups"] if one["name"] == name), None)


# --- what became of it ------------------------------------------------------------------------------------


def _follow(client: Client, ask: Ask, pause: Callable[[float], None]) -> None:
    """Wait briefly for the routes; the request stands either way."""
    group = None
    for _ in range(round(WITHIN_S / POLL_S)):
        try:
            group = _group(client, ask.group)
        except Unreachable as error:
            message(f"the request was accepted; then: {error}")
            return
        if group is None or group["converged"] or not _moving(group):
            break
        pause(POLL_S)
    if group is not None:
        _tell(group, ask)


def _moving(group: GroupView) -> bool:
    """Whether routes may still follow; while nothing is written there is nothing to wait for."""
    return group["mode"] not in {"paused", "frozen"}


def _tell(group: GroupView, ask: Ask) -> None:
    if group["converged"]:
        typer.echo(f"{ask.group}: converged on {group['desired']}, epoch {group['epoch']}")
        return
    why = "; ".join(_late(route) for route in group["routes"] if not route["in_sync"])
    waits = f"it is {group['mode']}: {group['reason']}" if not _moving(group) else why or "being verified"
    message(f"{ask.group}: desired is {group['desired']}, not converged yet: {waits}; see wgfo status")


def _late(route: RouteView) -> str:
    why = route["error"] or f"observed {route['observed']}"
    return f"{route['provider']} {route['table']}: {why}"
