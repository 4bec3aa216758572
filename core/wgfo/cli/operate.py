"""``wgfo switch``, ``force``, ``lockout``, ``drain``, ``clear``, ``pause``, ``resume``, ``adopt``, ``release``.

Each sends one request over the control socket; the daemon's engine decides, and its words are printed. A
refusal by policy ends with 6, and nothing has changed then.
"""

from __future__ import annotations

from typing import Annotated

import typer

from wgfo.cli.asking import Ask, carry_out
from wgfo.cli.client import client_for
from wgfo.cli.options import ConfigOption, ControlOption, SiteOption
from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.plugin.values import Duration

PAUSE: Duration = Duration.parse("1h")
"""A pause that nobody ends is an outage that nobody sees: it ends by itself."""


def _duration(text: str | Duration) -> Duration:
    try:
        found = text if isinstance(text, Duration) else Duration.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not found.us:
        raise typer.BadParameter("'0s' is too short; accepted: a duration above zero")
    return found


GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.", show_default=False)]
PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="The path's name.", show_default=False)]
ForOption = Annotated[
    Duration | None,
    typer.Option("--for", metavar="D", parser=_duration, help='End by itself after this, such as "2h".'),
]
PauseForOption = Annotated[
    Duration,
    typer.Option("--for", metavar="D", parser=_duration, help='End by itself after this, such as "2h".'),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; shown in status and kept.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
KindOption = Annotated[
    OverrideKind | None, typer.Option("--kind", metavar="K", help="Only forced, manual, lockout or paused.")
]


def switch(
    group: GroupArgument,
    path: PathArgument,
    *,
    duration: ForOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Move GROUP to PATH, if PATH is up in all classes.

    It holds against a return until it is cleared or its time is over; a path that goes down ends it for good.
    """
    ask = Ask(group, RequestKind.SWITCH, path, reason, duration)
    carry_out(client_for(config, site, control), ask, yes=yes)


def force(
    group: GroupArgument,
    path: PathArgument,
    *,
    duration: ForOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Hold GROUP on PATH, whatever PATH's state.

    While PATH is down that is an alarm, and traffic stays on it until the request is cleared or its time is over.
    """
    ask = Ask(group, RequestKind.FORCE, path, reason, duration)
    carry_out(client_for(config, site, control), ask, yes=yes)


def lockout(
    group: GroupArgument,
    path: PathArgument,
    *,
    duration: ForOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Never select PATH until this is cleared or its time is over.

    A PATH that is active is left at once; refused where no other path is usable.
    """
    ask = Ask(group, RequestKind.LOCKOUT, path, reason, duration)
    carry_out(client_for(config, site, control), ask, yes=yes)


def drain(
    group: GroupArgument,
    path: PathArgument,
    *,
    duration: ForOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Move away from PATH to a path that is up in all classes, then lock PATH out: for maintenance."""
    ask = Ask(group, RequestKind.DRAIN, path, reason, duration)
    carry_out(client_for(config, site, control), ask, yes=yes)


def clear(
    group: GroupArgument,
    *,
    kind: KindOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """End the standing requests of GROUP, or those of one kind.

    Without --kind it also ends the hold on a contended route and lets a dead service return once more.
    """
    ask = Ask(group, RequestKind.CLEAR, reason=reason, clear_kind=kind)
    carry_out(client_for(config, site, control), ask, yes=yes)


def pause(
    group: GroupArgument,
    *,
    duration: PauseForOption = PAUSE,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Decide and write nothing in GROUP for a while: 1 h, if nothing else is said."""
    ask = Ask(group, RequestKind.PAUSE, reason=reason, duration=duration)
    carry_out(client_for(config, site, control), ask, yes=True)


def resume(
    group: GroupArgument,
    *,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """End the pause of GROUP."""
    carry_out(client_for(config, site, control), Ask(group, RequestKind.RESUME), yes=True)


def adopt(
    group: GroupArgument,
    *,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Take over the foreign routes that stand in the place of GROUP's, and manage what was released."""
    ask = Ask(group, RequestKind.ADOPT, reason=reason)
    carry_out(client_for(config, site, control), ask, yes=yes)


def release(
    group: GroupArgument,
    *,
    reason: ReasonOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    control: ControlOption = None,
) -> None:
    """Stop managing GROUP's routes: they stay as they are, until adopt takes them over again."""
    ask = Ask(group, RequestKind.RELEASE, reason=reason)
    carry_out(client_for(config, site, control), ask, yes=yes)
