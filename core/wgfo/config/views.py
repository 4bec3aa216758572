"""The paths of a group as this site sees them."""

from __future__ import annotations

from wgfo.config.models import Group, GroupPath, Sight
from wgfo.config.scan import KeyPath
from wgfo.config.work import Work
from wgfo.model import Bind, BindKind, GroupName, PathName, PathView

MIN_VISIBLE = 2


def path_views(work: Work, group: Group, path: KeyPath) -> tuple[PathView, ...]:
    """Return the group's paths in order of preference; a process that sees fewer than two is told so."""
    views = tuple(_view(work, group, item, (*path, "path", index)) for index, item in enumerate(group.path))
    visible = sum(view.visible for view in views)
    if visible < MIN_VISIBLE:
        here = f' from site "{work.site}"' if work.site else ""
        work.notice(
            f'group "{group.name}": {visible} of {len(views)} paths visible{here}: no voluntary move is made'
        )
    return views


def sights(item: GroupPath) -> dict[str, Sight]:
    """Return how each site sees a path; the key is empty for a path that is written flat."""
    return dict(item.at) if item.at is not None else {"": item}


def _view(work: Work, group: Group, item: GroupPath, path: KeyPath) -> PathView:
    sight = item if item.at is None else item.at.get(work.site or "")
    name = PathName(item.name)
    key = f"group.{group.name}.path.{item.name}"
    work.effective.note(f"{key}.visible", sight is not None, "default")
    if sight is None:
        return PathView(GroupName(group.name), name, visible=False)
    work.effective.written(key, path if item.at is None else (*path, "at", work.site or ""))
    bind = sight.bind or Bind(BindKind.DEVICE if sight.interface else BindKind.ADDRESS)
    if sight.bind is None:
        work.effective.note(f"{key}.bind", bind, "default")
    return PathView(
        GroupName(group.name),
        name,
        sight.interface,
        sight.peer,
        bind,
        sight.public_key,
        dict(sight.targets),
    )
