"""Journals made of virtual runs: what the engine decided in a scripted world, written as the daemon writes it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.engine.world import World
from wgfo.daemon import codec
from wgfo.daemon.records import Opened, Record, SessionHeader, Stepped, pack
from wgfo.daemon.segments import MAGIC
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.state import GroupState
from wgfo.model import GroupName

START = "2026-01-01T00:00:00.000Z"


def header(policies: Mapping[GroupName, GroupPolicy], session: str = "s", at_us: int = 0) -> SessionHeader:
    """Return a session's header; its monotonic clock began with the year."""
    return SessionHeader(session, at_us, START, "boot", {"wgfo": "0.0.1"}, "digest", "{}", policies)


def steps_of(world: World, until: float) -> list[Stepped]:
    """Run a world that was just made, and return its steps, the one that began it included."""
    (began,) = world.events
    return [Stepped(world.policy.name, began, tuple(world.log)), *recorded(world, until)]


def recorded(world: World, until: float) -> list[Stepped]:
    """Run a world further, and return the steps."""
    steps: list[Stepped] = []
    world.watchers = [
        lambda _world, event, decisions: steps.append(Stepped(world.policy.name, event, decisions))
    ]
    world.run(until)
    return steps


def interleaved(runs: Iterable[list[Stepped]]) -> list[Stepped]:
    """Merge runs by time."""
    return list(heapq.merge(*runs, key=lambda step: step.event.at_us))


def checkpoint(world: World, policies: Mapping[GroupName, GroupPolicy], session: str = "s") -> Opened:
    """Return the checkpoint of a world as it stands."""
    states = {world.policy.name: codec.encode(world.state, GroupState)}
    begun = header(policies, session, world.now)
    return Opened(begun, states, checkpoint=True)


def write(path: Path, records: Iterable[Record], session: str = "s") -> Path:
    """Write a segment of one frame for every few hundred records, each ``Opened`` in one of its own."""
    frames: list[list[Record]] = []
    for record in records:
        if (
            isinstance(record, Opened)
            or not frames
            or isinstance(frames[-1][0], Opened)
            or len(frames[-1]) > 500
        ):
            frames.append([])
        frames[-1].append(record)
    path.write_bytes(MAGIC + b"".join(pack(session, number, one) for number, one in enumerate(frames)))
    return path
