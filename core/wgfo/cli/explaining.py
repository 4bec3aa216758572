"""How ``wgfo explain`` shows a group: for a person, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer

from wgfo.cli.detector import Line, false_alarm_lines, figure_lines, figures_json
from wgfo.cli.screen import flow_texts, override_text, percent, timer_texts
from wgfo.cli.views import ExplainedGroup, ExplainedPath
from wgfo.engine.policy import GroupPolicy
from wgfo.model import PathName
from wgfo.telemetry.figures.figures import Figures, loss_warning, warnings_of


@dataclass(frozen=True, slots=True)
class Explained:
    """One group: its rules and what they are worth, and what the daemon says of it, if one runs."""

    policy: GroupPolicy
    trusted: tuple[PathName, ...]
    figures: Figures | None
    live: ExplainedGroup | None = None


def warnings(one: Explained) -> list[str]:
    """Return what the operator should know: of the configuration, and of the loss that was measured."""
    return [*warnings_of(one.policy, one.trusted), *_measured(one)]


def _measured(one: Explained) -> Iterator[str]:
    if one.live is None or one.figures is None:
        return
    for path in one.live["paths"]:
        lost, possible = path["background"]["lost"], path["background"]["possible"]
        text = loss_warning(one.figures, path["name"], lost, possible, one.policy.recover.window_us)
        if text is not None and path["state"] == "up":
            yield text


def json_group(one: Explained) -> dict[str, object]:
    """Return a group as JSON: the daemon's words, the figures, the warnings."""
    live = dict(one.live) if one.live is not None else {"name": one.policy.name}
    live.pop("policy", None)
    figures = figures_json(one.figures) if one.figures is not None else None
    return {**live, "trusted": list(one.trusted), "detector": figures, "warnings": warnings(one)}


# --- for a person -----------------------------------------------------------------------------------------


def print_group(one: Explained) -> None:
    """Print a group."""
    for line in _group(one):
        typer.echo(line)


def _group(one: Explained) -> Iterator[str]:
    yield from _live(one.live) if one.live is not None else [one.policy.name]
    if one.figures is not None:
        yield "  what is found, computed from these rules:"
        yield from _columns(list(figure_lines(one.figures)))
        yield "  false failovers, on average:"
        yield from _columns(list(false_alarm_lines(one.figures)))
        yield "  not found:"
        yield from (f"    - {text}" for text in one.figures.unseen)
    yield from (f"  WARNING {text}" for text in warnings(one))
    yield ""


def _columns(lines: Sequence[Line]) -> Iterator[str]:
    width = max(len(name) for name, _ in lines)
    return (f"    {name:<{width}}  {text}" for name, text in lines)


def _live(group: ExplainedGroup) -> Iterator[str]:
    yield f"{group['name']}: {group['state']}, desired {group['desired'] or '-'}, active {group['active'] or '-'}"
    yield f"  because: {group['reason']} (rule {group['rule']}, epoch {group['epoch']}, mode {group['mode']})"
    yield from (f"  not {one['path']}: {one['why']}" for one in group["rejected"])
    yield from (f"  {override_text(one)}" for one in group["overrides"])
    yield from (f"  alarm {one['name']} since {one['since']}: {one['text']}" for one in group["alarms"])
    yield from (f"  {text}" for text in timer_texts(group["timers"]))
    for path in group["paths"]:
        yield from _path(path)


def _path(path: ExplainedPath) -> Iterator[str]:
    yield f"  {path['name']}, {path['role']}: {path['state']}: {path['reason']}"
    yield from (f"    {layer} {verdict}{_why(path, layer)}" for layer, verdict in path["layers"].items())
    yield f"    loss {percent(path['loss_ratio'])}, {path['clean_rounds']} clean rounds running{_failing(path)}"
    yield from (f"    {text}" for text in flow_texts([path]))
    yield from (f"    against it: {text}" for text in path["threats"])
    yield from (f"    cannot be moved to: {text}" for text in path["not_moved_to"])
    yield from (f"    not returned to yet: {text}" for text in path["not_returned_to"])


def _why(path: ExplainedPath, layer: str) -> str:
    why = path["layer_reasons"].get(layer)
    return f": {why}" if why else ""


def _failing(path: ExplainedPath) -> str:
    bad = [
        f"{one['name']} ({one['class']}) {one['state']}" for one in path["targets"] if one["state"] != "up"
    ]
    return f"; {', '.join(bad)}" if bad else ""
