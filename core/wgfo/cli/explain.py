"""``wgfo explain``: why things are as they are, what would change them, and what the numbers are worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from wgfo.cli.errors import CliError, Unreachable
from wgfo.cli.options import ConfigOption, ControlOption, JsonOption, SiteOption
from wgfo.cli.output import message, print_json
from wgfo.cli.status import UrlOption

if TYPE_CHECKING:
    from wgfo.cli.client import Client
    from wgfo.cli.explaining import Explained
    from wgfo.cli.views import ExplainedGroup

GroupArgument = Annotated[
    str | None, typer.Argument(metavar="[GROUP]", help="Only this group.", show_default=False)
]


def explain(
    group: GroupArgument = None,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Say why the desired path is what it is, what would change it, and what the detector can find.

    The times are computed from the rules that run, or without a daemon from the configuration.
    """
    from wgfo.cli.client import client_for
    from wgfo.cli.explaining import json_group, print_group

    client = client_for(config, site, control, url)
    try:
        found = _of_daemon(client, group)
    except Unreachable as error:
        if url is not None:
            raise
        found = _of_configuration(config, site, group, error)
    if as_json:
        print_json({"groups": [json_group(one) for one in found]})
        return
    for one in found:
        print_group(one)


def _of_daemon(client: Client, only: str | None) -> list[Explained]:
    from wgfo.cli.explaining import Explained
    from wgfo.daemon import codec
    from wgfo.engine.policy import GroupPolicy
    from wgfo.model import PathName
    from wgfo.telemetry.figures.figures import figures_of

    groups = cast("list[ExplainedGroup]", client.get("/api/v1/explain")["groups"])
    names = _chosen([one["name"] for one in groups], only)
    found = []
    for one in groups:
        if one["name"] in names:
            policy = codec.decode(one["policy"], GroupPolicy, f"policy of {one['name']}")
            trusted = tuple(PathName(name) for name in one["trusted"])
            found.append(Explained(policy, trusted, figures_of(policy), one))
    return found


def _of_configuration(
    config: Path | None, site: str | None, only: str | None, error: Unreachable
) -> list[Explained]:
    """Without a daemon nothing is known of the paths, but the numbers stand in the configuration."""
    from wgfo.cli.configured import configure
    from wgfo.cli.explaining import Explained
    from wgfo.daemon.control.explaining import trusted
    from wgfo.telemetry.figures.figures import figures_of

    groups = configure(config, site, notices=False).setup.groups
    names = _chosen([one.name for one in groups], only)
    message(f"{error}; without one, these are the configured numbers alone")
    return [
        Explained(one.policy, trusted(one), figures_of(one.policy)) for one in groups if one.name in names
    ]


def _chosen(names: list[str], only: str | None) -> list[str]:
    if only is None:
        return names
    if only not in names:
        raise CliError(f"there is no group {only!r} here; groups: {', '.join(names) or 'none'}")
    return [only]
