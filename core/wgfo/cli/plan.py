"""``wgfo plan``: observed against desired, per table and prefix; writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.options import (
    ConfigOption,
    ControlOption,
    JsonOption,
    ProviderOption,
    SiteOption,
    StateDirOption,
)
from wgfo.cli.output import message, print_json, print_table

if TYPE_CHECKING:
    from wgfo.config.setup import Setup
    from wgfo.daemon.clock import Clock
    from wgfo.daemon.planning import Plan
    from wgfo.daemon.stored import Loaded

SHOWN: Final = 100
"""Rows of the table for people; ``--json`` has them all."""


def plan(
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    state_dir: StateDirOption = None,
    control: ControlOption = None,
) -> None:
    """Show what would be written, per table and prefix; write nothing.

    Desired is what a running daemon says, else the stored path, else what most routes say, else the preferred
    one. Ends with 0 when there is no change, 4 when there are some.
    """
    from wgfo.cli.configured import configure
    from wgfo.config.resolve import Overrides

    overrides = Overrides(state_dir=state_dir, control=control)
    setup = configure(config, site, provider, overrides, notices=not as_json).setup
    made = asyncio.run(_make(setup))
    _complain(made)
    if as_json:
        _print_json(made)
    else:
        _print(made)
    raise typer.Exit(ExitCode.CHANGES if made.changes else ExitCode.OK)


async def _make(setup: Setup) -> Plan:
    from wgfo.daemon.clock import SystemClock
    from wgfo.daemon.planning import make_plan, read_routes

    clock = SystemClock()
    daemon = await asyncio.to_thread(_of_daemon, setup)
    return make_plan(setup, await read_routes(setup, clock), daemon, _stored(setup, clock))


def _of_daemon(setup: Setup) -> Mapping[str, str]:
    """Return group to desired path as the daemon of this configuration says; nothing where none answers."""
    from wgfo.cli.client import Client
    from wgfo.cli.errors import CliError
    from wgfo.cli.status import fetch

    try:
        view = fetch(Client(setup.daemon.control))
    except CliError:
        return {}
    return {group["name"]: group["desired"] for group in view["groups"] if group["desired"] is not None}


def _stored(setup: Setup, clock: Clock) -> Loaded:
    from wgfo.daemon.stored import Times, load_state, read_boot_id

    stored = load_state(setup.daemon.state_dir, Times(clock, read_boot_id()))
    for problem in stored.problems:
        message(f"state: {problem}")
    return stored


def _complain(made: Plan) -> None:
    """A set that cannot be read has no plan: that is an error, whatever the others say."""
    from wgfo.cli.errors import CliError

    if made.errors:
        raise CliError("cannot be read: " + "; ".join(made.errors))


def _print_json(made: Plan) -> None:
    changes = [asdict(one) for one in made.changes]
    print_json({"changes": changes, "unchanged": made.unchanged, "desired_from": made.desired_from})


def _print(made: Plan) -> None:
    if made.changes:
        headers = ("GROUP", "PROVIDER", "TABLE", "PREFIX", "OBSERVED", "DESIRED", "ACTION")
        print_table(headers, [list(asdict(one).values()) for one in made.changes[:SHOWN]])
    if len(made.changes) > SHOWN:
        message(f"… and {len(made.changes) - SHOWN} more; --json has them all")
    message(f"{len(made.changes)} to change, {made.unchanged} in place")
    for group, desired in made.desired.items():
        message(f"group {group}: desired is {desired.path}, from {desired.origin}")
