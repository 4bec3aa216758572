"""What the watch of a group remembers of one life of the daemon."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from wgfo.engine.decisions import AlarmName
from wgfo.engine.events import Override
from wgfo.model import PathName, PathState, RouteSetId, SetObservation, Verdict

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

    said: Verdict | None = None
    """What the leading source last said of it, where one leads."""
    said_us: int = 0
    vouched_us: int = 0
    """How long it had said up before, since it last said down."""

    def silent(self, streams: Collection[int]) -> bool:
        """Whether no probe of these streams is answered through it."""
        answers = (alive for (stream, _), alive in self.answered.items() if stream in streams)
        return self.said is not Verdict.UP and not any(answers)

    @property
    def heard(self) -> bool:
        """Whether anything was ever told of it."""
        return self.said is not None or bool(self.answered)

    def hear(self, verdict: Verdict, now_us: int) -> None:
        """Take in what the leading source says."""
        if verdict is not self.said:
            self.vouched_us = 0 if verdict is Verdict.DOWN else self.vouched_for_us(now_us)
            self.said, self.said_us = verdict, now_us

    def vouched_for_us(self, now_us: int) -> int:
        """Return how long the leading source has said up, since it last said down."""
        return self.vouched_us + (now_us - self.said_us if self.said is Verdict.UP else 0)

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
