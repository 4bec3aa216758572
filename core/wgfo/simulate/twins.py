"""Twins: the same world but for something that must not matter; what both decide is compared.

The wall clock is never set (I13); the paths have other names, whose order of the alphabet is the reverse (I15).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from wgfo.config.load import of_mapping
from wgfo.model import PathName
from wgfo.simulate.plan import Content, MishapKind, Plan
from wgfo.simulate.play import Options, Run, play
from wgfo.simulate.replays import compare_decisions
from wgfo.simulate.timeline import Entry
from wgfo.simulate.world import World

NAMES: Final = {"A": "Zulu", "B": "Yankee", "C": "Xray", "D": "Whiskey"}
"""Names of the paths in a world, and in its renamed twin."""
_BACK: Final = {name: path for path, name in NAMES.items()}
_TOLD: Final = re.compile("|".join(_BACK))


def differences(world: World, run: Run, options: Options) -> Iterator[str]:
    """Yield where a twin of the world decides otherwise; nothing where no twin can be made of it."""
    if any(one.kind is MishapKind.WALL_STEP for one in world.plan.mishaps):
        calm = tuple(one for one in world.plan.mishaps if one.kind is not MishapKind.WALL_STEP)
        plan = replace(world.plan, mishaps=calm)
        yield from compare_decisions("I13", run, play(plan, of_mapping(world.configuration), options))
    if not any(one.percent < 100 for one in world.plan.faults):  # noqa: PLR2004 - luck goes by the path's name
        twin = renamed(world)
        told = play(twin.plan, of_mapping(twin.configuration), options)
        yield from compare_decisions("I15", run, replace(told, entries=tuple(map(_named_back, told.entries))))


def renamed(world: World) -> World:
    """Return a world whose paths have other names, in the same order of preference."""
    configuration = dict(world.configuration)
    configuration["group"] = [_group(one) for one in world.configuration["group"]]
    return replace(world, plan=_plan(world.plan), configuration=configuration)


def _name(path: str) -> PathName:
    return PathName(NAMES[path])


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    paths = [one | {"name": _name(one["name"])} for one in group["path"]]
    routes = [
        one | {"next_hop": {_name(path): hop for path, hop in one["next_hop"].items()}}
        for one in group["route"]
    ]
    return {**group, "path": paths, "route": routes}


def _plan(plan: Plan) -> Plan:
    def where(to: PathName | Content) -> PathName | Content:
        return to if isinstance(to, Content) else _name(to)

    rival = plan.lease.rival if plan.lease is not None else None
    lease = plan.lease and replace(plan.lease, rival=rival and _name(rival))
    return replace(
        plan,
        faults=tuple(replace(one, paths=tuple(map(_name, one.paths))) for one in plan.faults),
        rewrites=tuple(replace(one, to=where(one.to)) for one in plan.rewrites),
        asks=tuple(replace(one, path=one.path and _name(one.path)) for one in plan.asks),
        lease=lease,
        begin=where(plan.begin),
    )


def _named_back(entry: Entry) -> Entry:
    def back(text: str) -> str:
        return _TOLD.sub(lambda found: _BACK[found[0]], text)

    fields = {key: back(value) if isinstance(value, str) else value for key, value in entry.fields.items()}
    return replace(entry, text=back(entry.text), fields=fields)
