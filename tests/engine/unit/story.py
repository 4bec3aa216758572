"""Stories: everything that a group decided in a short run, one line a decision, as a person would tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from textwrap import dedent

from tests.engine.world import World, policy, seconds, set_policy, stream
from wgfo.engine.decisions import (
    AlarmCleared,
    AlarmRaised,
    Decision,
    Established,
    Observe,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    Point,
    Rejected,
    RequestAnswered,
    SetConverged,
    Switch,
)
from wgfo.engine.describe import report
from wgfo.engine.events import Override
from wgfo.engine.outlook import outlook
from wgfo.engine.policy import GroupPolicy, LossRule, RecoverRule

__all__ = ["brisk", "lines", "seconds", "set_policy", "shown", "stream", "told"]


def brisk(**changes: object) -> GroupPolicy:
    """Return the scenarios' group with short times, so that a story ends within virtual seconds."""
    short: dict[str, object] = {
        "rise": 3,
        "class_fall": 2,
        "loss": LossRule(20, seconds(10), 10, seconds(2)),
        "recover": RecoverRule(2, seconds(10)),
        "revertive": True,
        "wait_to_restore_us": seconds(4),
        "sources": (),
        "has_reference": False,
    }
    return policy(**(short | changes))


def told(world: World, since: float = -1.0) -> list[str]:
    """Return what was decided after a second."""
    return [line(one) for one in world.log if one.at_us > since * 1_000_000]


def lines(text: str) -> list[str]:
    """Return the lines of an indented text."""
    return dedent(text).strip().splitlines()


def line(one: Decision) -> str:
    """Return one decision in a line."""
    return f"{one.at_us / 1_000_000:.3f} {_words(one)}".rstrip()


def _words(one: Decision) -> str:  # noqa: C901, PLR0911 - one kind a return
    match one:
        case Established():
            return f"established {one.path} epoch {one.epoch}, {one.found_in}: {one.reason}"
        case Switch():
            fault = "" if one.fault_us is None else f" fault {one.fault_us / 1_000_000:.3f}"
            what = f"switch {one.source} -> {one.target} epoch {one.epoch}, {one.rule}: {one.reason}{fault}"
            return f"{what}{_numbers(one.numbers)}{_rejected(one.rejected)}"
        case Point():
            flags = _flags(urgent=one.urgent, owned=one.owned)
            return f"point {one.set_id} at {one.path} epoch {one.epoch} attempt {one.attempt}{flags}: {one.cause}"
        case Observe():
            return f"observe {one.set_id}{_flags(urgent=one.urgent)}: {one.cause}"
        case SetConverged():
            return f"converged {one.set_id} on {one.path} epoch {one.epoch}"
        case PathChanged():
            return f"{one.path} {one.before} -> {one.after}, {one.rule}: {one.reason}{_numbers(one.numbers)}"
        case AlarmRaised():
            return f"alarm {one.name}{_flags(page=one.page)}: {one.text}"
        case AlarmCleared():
            return f"alarm {one.name} over"
        case OverrideSet():
            return f"stands {_override(one.override)}"
        case OverrideEnded():
            return f"ended {_override(one.override)}: {one.why}"
        case RequestAnswered():
            return f"{'accepted' if one.accepted else 'refused'}: {one.text}"


def _numbers(numbers: Iterable[object]) -> str:
    items = sorted(dict(numbers).items())  # type: ignore[call-overload]
    return f" [{', '.join(f'{name}={value}' for name, value in items)}]" if items else ""


def _rejected(rejected: tuple[Rejected, ...]) -> str:
    return "".join(f"; not {one.path}: {one.why}" for one in rejected)


def _flags(**flags: bool) -> str:
    return "".join(f" ({name})" for name, holds in flags.items() if holds)


def _override(one: Override) -> str:
    until = "" if one.expires_us is None else f" until {one.expires_us / 1_000_000:g} ({one.expires})"
    who = f" by {one.by} {one.since}" if one.by else ""
    return f"{one.kind}{f' {one.path}' if one.path else ''}{until}{who}{f' ({one.reason})' if one.reason else ''}"


def shown(world: World) -> list[str]:
    """Return what status, metrics and explain show of the group now: every value, but those that are empty."""
    found = report(world.policy, world.state, world.now)
    whole = [f"group {_values(found, 'paths', 'sets', 'alarms', 'overrides')}"]
    for path, prospects in zip(found.paths, outlook(world.policy, world.state, world.now), strict=True):
        whole.append(f"path {_values(path, 'targets')}")
        whole += [f"  target {_values(target)}" for target in path.targets]
        whole.append(f"  outlook {_values(prospects)}")
    whole += [f"set {_values(one, 'observation')}" for one in found.sets]
    whole += [f"alarm {_values(one)}" for one in found.alarms]
    return [*whole, *(f"override {_override(one)}" for one in found.overrides)]


def _values(value: object, *without: str) -> str:
    names = [one.name for one in fields(value) if one.name not in without]  # type: ignore[arg-type]
    found = {name: getattr(value, name) for name in names}
    told = {
        name: one
        for name, one in found.items()
        if one is not None and one is not False and one not in ("", (), {})
    }
    return ", ".join(f"{name}={_value(one)}" for name, one in told.items())


def _value(one: object) -> str:
    if isinstance(one, Mapping):
        return "{" + ", ".join(f"{key}: {value}" for key, value in one.items()) + "}"
    if isinstance(one, tuple):
        return "[" + "; ".join(map(_value, one)) + "]"
    return _values(one) if is_dataclass(one) else str(one)
