"""``wgfo status``: groups, paths, layers, routes, overrides, timers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.errors import Unreachable
from wgfo.cli.options import ConfigOption, ControlOption, JsonOption, SiteOption
from wgfo.cli.output import console, print_json

if TYPE_CHECKING:
    from rich.console import Group

    from wgfo.cli.client import Client
    from wgfo.cli.views import StatusView

REFRESH_S: Final = 1.0

WatchOption = Annotated[bool, typer.Option("--watch", "-w", help="Refresh once a second, until Ctrl-C.")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Of a daemon's http listener, instead of the socket."),
]


def status(
    *,
    watch: WatchOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Show groups, paths, layers, routes, overrides and timers.

    Ends with 0 when the state is ok, 3 with any other state, 5 when no daemon answers.
    """
    from wgfo.cli.client import client_for

    client = client_for(config, site, control, url)
    if as_json:
        answer = client.get("/api/v1/status")
        print_json(answer)
        state = str(answer.get("state"))
    elif watch:
        state = _watch(client)
    else:
        view = fetch(client)
        console().print(_screen(view))
        state = view["state"]
    raise typer.Exit(ExitCode.OK if state == "ok" else ExitCode.ATTENTION)


def fetch(client: Client) -> StatusView:
    """Return the status with the timers that only the table shows."""
    return cast("StatusView", client.get("/api/v1/status?timers=1"))


def _screen(view: StatusView) -> Group:
    from wgfo.cli.screen import status_screen

    return status_screen(view)


def _watch(client: Client, pause: Callable[[float], None] = time.sleep) -> str:
    """Refresh in place until interrupted; a daemon that is being restarted is waited for."""
    from rich.live import Live
    from rich.text import Text

    view = fetch(client)
    with Live(_screen(view), console=console(), auto_refresh=False, screen=False) as live:
        try:
            for shown in _again(client, pause):
                if isinstance(shown, Unreachable):
                    live.update(Text(str(shown), style="red"), refresh=True)
                else:
                    view = shown
                    live.update(_screen(view), refresh=True)
        except KeyboardInterrupt:
            live.update(_screen(view), refresh=True)
    return view["state"]


def _again(client: Client, pause: Callable[[float], None]) -> Iterator[StatusView | Unreachable]:
    while True:
        pause(REFRESH_S)
        try:
            yield fetch(client)
        except Unreachable as error:
            yield error
