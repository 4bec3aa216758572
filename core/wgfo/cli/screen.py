"""What ``wgfo status`` shows a person: one block a group, worst words in colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wgfo.cli.views import GroupView, OverrideView, PathShown, RouteView, StatusView, TimersView

_GOOD: Final = frozenset({"ok", "up", "yes", "auto"})
_BAD: Final = frozenset({"down", "no_usable_path", "isolated", "no", "frozen"})
_NEUTRAL: Final = frozenset({"unknown", "not_probed", "-", "starting"})
_INDENT: Final = (0, 0, 0, 2)


def status_screen(view: StatusView) -> Group:
    """Return the whole screen."""
    site = f", site {view['site']}" if view["site"] else ""
    head = Text.assemble("wgfo ", view["version"], site, ": ", word(view["state"]))
    blocks = [one for group in view["groups"] for one in _group(group)]
    return Group(head, *(blocks or [Text("no group is configured here")]))


def _group(group: GroupView) -> Iterator[RenderableType]:
    yield Text()
    yield Text.assemble(
        (group["name"], "bold"), "  ", word(group["state"]),
        f"  active {group['active'] or '-'}  desired {group['desired'] or '-'}"
        f"  epoch {group['epoch']}  {group['mode']}" + ("" if group["converged"] else "  not converged"),
    )  # fmt: skip
    yield _indented(Text(group["reason"]))
    for alarm in group["alarms"]:
        yield _indented(Text(f"alarm {alarm['name']} since {alarm['since']}: {alarm['text']}", style="red"))
    for override in group["overrides"]:
        yield _indented(Text(override_text(override), style="yellow"))
    for timer in timer_texts(group["timers"]):
        yield _indented(Text(timer))
    yield _indented(_paths(group["paths"]))
    for text in flow_texts(group["paths"]):
        yield _indented(Text(text, style="yellow"))
    if group["routes"]:
        yield _indented(_routes(group["routes"]))


def _indented(what: RenderableType) -> RenderableType:
    return Padding(what, _INDENT, expand=False)


def _paths(paths: Sequence[PathShown]) -> Table:
    table = _table(
        "PATH", "ROLE", "STATE", "INTERFACE", "HANDSHAKE", "DATAPLANE", "LOSS", "RTT", "AGE", "REASON"
    )
    for path in paths:
        layers = path["layers"]
        table.add_row(
            path["name"],
            path["role"],
            word(path["state"]),
            *(word(layers.get(layer, "-")) for layer in ("interface", "handshake", "dataplane")),
            percent(path["loss_ratio"]),
            duration(path["rtt_seconds"]),
            duration(path["handshake_age_seconds"]),
            Text(path["reason"]),
        )
    return table


def flow_texts(paths: Sequence[PathShown]) -> Iterator[str]:
    """Yield what is lost on each path, by flow and direction."""
    for path in paths:
        for flows in path.get("flows", ()):
            if flows["text"]:
                within = duration(flows["window_seconds"])
                yield f"{path['name']}, {flows['kind']} over {within}: {flows['text']}"


def _routes(routes: Sequence[RouteView]) -> Table:
    table = _table("PROVIDER", "TABLE", "PREFIXES", "DESIRED", "OBSERVED", "IN SYNC", "NOTE")
    for route in routes:
        table.add_row(
            route["provider"],
            Text(route["table"]),
            str(route["prefixes"]),
            Text(route["desired"] or "-"),
            Text(route["observed"] or "-"),
            word("yes" if route["in_sync"] else "no"),
            Text(_note(route)),
        )
    return table


def _note(route: RouteView) -> str:
    others = route["exceptions_total"]
    differ = f"{others} prefixes differ" if others > 1 else f"{others} prefix differs" if others else ""
    return "; ".join(part for part in (differ, route["error"]) if part)


def _table(*headers: str) -> Table:
    return Table(*headers, box=None, pad_edge=False, header_style="bold")


def word(text: str) -> Text:
    """Return a state in its colour."""
    style = "green" if text in _GOOD else "red" if text in _BAD else "dim" if text in _NEUTRAL else "yellow"
    return Text(text, style=style)


def percent(ratio: float | None) -> str:
    """Return a ratio for a person."""
    return "-" if ratio is None else f"{ratio * 100:.3g} %"


def duration(seconds: float | None) -> str:
    """Return a time for a person, three figures."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:  # noqa: PLR2004 - two minutes are the first that read better as minutes
        return f"{seconds:.3g} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def override_text(override: OverrideView) -> str:
    """Return a standing request in words."""
    of = f" of {override['path']}" if override["path"] else ""
    until = f"until {override['expires']}" if override["expires"] else "until cleared"
    reason = f": {override['reason']}" if override["reason"] else ""
    return (
        f"{override['kind']}{of} by {override['by'] or 'unknown'} since {override['since']}, {until}{reason}"
    )


def timer_texts(timers: TimersView) -> Iterator[str]:
    """Yield the timers that run."""
    if timers["restore_seconds"] is not None:
        yield f"reverts in {duration(timers['restore_seconds'])} if all stays well"
    if timers["hold_off_seconds"] is not None:
        yield f"holds off for {duration(timers['hold_off_seconds'])}"
    if timers["damped_seconds"] is not None:
        yield f"damped for {duration(timers['damped_seconds'])} (penalty {timers['penalty']})"
