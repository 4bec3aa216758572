"""``wgfo history``: switches with their reason and phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote

import typer

from wgfo.cli.options import ConfigOption, ControlOption, JsonOption, SiteOption
from wgfo.cli.output import message, print_json, print_table
from wgfo.cli.status import UrlOption

if TYPE_CHECKING:
    from wgfo.cli.views import SwitchView

GroupArgument = Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Only this group's.")]


def history(
    group: GroupArgument = None,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Show the switches, newest last, each with its reason and how long its phases took.

    DETECT leads up to the decision; WRITE, VERIFIED and FIRST PACKET count from it.
    """
    from wgfo.cli.client import client_for

    query = "" if group is None else f"?group={quote(group, safe='')}"
    answer = client_for(config, site, control, url).get(f"/api/v1/history{query}")
    if as_json:
        print_json(answer)
    else:
        _print(cast("list[SwitchView]", answer["switches"]))


def _print(switches: list[SwitchView]) -> None:
    if not switches:
        message("no switch is remembered")
        return
    headers = (
        "AT", "GROUP", "FROM", "TO", "RULE", "DETECT", "WRITE", "VERIFIED", "FIRST PACKET", "FAILED", "REASON",
    )  # fmt: skip
    print_table(headers, [_row(one) for one in switches])


def _row(one: SwitchView) -> list[object]:
    from wgfo.cli.screen import duration

    phases = (
        one["detect_seconds"],
        one["write_seconds"],
        one["verified_seconds"],
        one["first_packet_seconds"],
    )
    failed = f"{one['failed']} of {one['prefixes']}" if one["failed"] else "0"
    names = (one["at"], one["group"], one["from"], one["to"], one["rule"])
    return [*names, *map(duration, phases), failed, one["reason"]]
