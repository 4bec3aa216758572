"""``wgfo reflect``: the STAMP reflector for the far side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wgfo.daemon.reflector import Listen, ReflectorSocket
    from wgfo.probes.reflect import Reflector

ListenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--listen",
        metavar="ADDR:PORT",
        help="Where to listen; may be repeated. Default: port 862, everywhere.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="IF", help="Answer only what comes in through this interface."),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", help="Authenticated mode: answer only who has the key in this file."
    ),
]
MaxSessionsOption = Annotated[
    int,
    typer.Option("--max-sessions", min=0, max=1_000_000, help="Sessions that are remembered; 0: stateless."),
]
RateOption = Annotated[
    int, typer.Option("--rate", min=1, max=1_000_000, help="Packets a second from one source address.")
]


def reflect(
    *,
    listen: ListenOption = None,
    device: DeviceOption = None,
    key_file: KeyFileOption = None,
    max_sessions: MaxSessionsOption = 10_000,
    rate: RateOption = 1_000,
    as_json: JsonOption = False,
) -> None:
    """Answer STAMP probes (RFC 8762) until SIGTERM. SIGUSR1 prints the figures.

    With --json the figures are printed at the end, as one object.
    """
    import asyncio

    from wgfo.cli.output import message, print_json
    from wgfo.daemon.reflector import open_all
    from wgfo.probes.reflect import Reflector
    from wgfo.probes.stamp_key import read_key

    key = None if key_file is None else read_key(key_file)
    reflector = Reflector(key, max_sessions, rate)
    sockets = open_all(_parsed(listen), device, reflector)
    asyncio.run(_serve(sockets, reflector))
    message(reflector.statistics.sentence())
    if as_json:
        print_json(dict(reflector.statistics.fields()))


async def _serve(sockets: Sequence[ReflectorSocket], reflector: Reflector) -> None:
    from wgfo.cli.output import message
    from wgfo.daemon.reflector import serve

    await serve(sockets, reflector, message)


def _parsed(listen: list[str] | None) -> list[Listen]:
    from wgfo.daemon.reflector import Listen

    try:
        return [Listen.parse(text) for text in listen or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from None
