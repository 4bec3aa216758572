"""What the watch of a group remembers of one life of the daemon."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wgfo.engine.decisions import AlarmName
from wgfo.engine.events import Override
from wgfo.model import PathName, PathState, RouteSetId, SetObservation

MEMORY: Final = 64
"""Rounds of a path that are remembered."""


@dataclass(slots=True)
class PathWatch:
    """What was heard through one path in this life."""

    state: PathState = PathState.UNKNOWN
    bad_us: int | None = None
    """When it was last condemned."""
    answered: dict[tuple[int, str], bool] = field(default_factory=dict)
    """The newest known outcome of each (stream, target)."""
    good_us: dict[int, int] = field(default_factory=dict)
    """When the newest answered probe of each stream was sent."""
    risen: int = 0
    """Rounds that were answered since it was last down, or since the start."""
    rounds: deque[bool] = field(default_factory=lambda: deque(maxlen=MEMORY))
    """Of the base class, known ones: whether anything answered."""

    @property
    def silent(self) -> bool:
        """Whether nothing answers through it."""
        return not any(self.answered.values())

    def dead(self, fall: int) -> bool:
        """Whether the newest ``fall`` known rounds were answered by nobody."""
        return len(self.rounds) >= fall and not any(list(self.rounds)[-fall:])


@dataclass(slots=True)
class SetWatch:
    """What was read of one route set."""

    seen: SetObservation | None = None
    fresh: bool = False
    """Nothing was written since it was read."""
    writing: bool = False
    """A write was asked for and has not ended: what is read meanwhile says nothing of what will stand."""
    out_us: int | None = None


@dataclass(slots=True)
class Memory:
    """What is forgotten at each start of the daemon."""

    paths: Mapping[PathName, PathWatch]
    sets: Mapping[RouteSetId, SetWatch]
    begun_us: int = 0
    desired: PathName | None = None
    came_from: PathName | None = None
    """What was desired before the last switch."""
    epoch: int = 0
    epochs: dict[int, PathName] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    alarms: set[AlarmName] = field(default_factory=set)
    reference_fails: int = 0
    lease_held: bool = True
    restored_us: int = 0
    """How much of the wait-to-restore had passed in an earlier life."""
    released: bool = False
