"""What waits to be written and read, one slot per route set; who may go next. Holds no task and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NewType

from wgfo.daemon.permit import CallPermit
from wgfo.engine.decisions import Observe, Point
from wgfo.model import GroupName, ProviderName, RouteSet, RouteSetId, SetObservation

TableKey = NewType("TableKey", tuple[str, str, str])
"""Kind, scope and canonical table: the same table, whatever the instance or the group."""


@dataclass(slots=True)
class Running:
    """A write under way."""

    point: Point
    permit: CallPermit


@dataclass(slots=True)
class Slot:
    """One route set."""

    route_set: RouteSet
    group: GroupName
    table: TableKey
    order: int
    """Its place in the configuration."""
    point: Point | None = None
    observe: Observe | None = None
    running: Running | None = None
    reading: bool = False
    writes: int = 0
    """Grows when a write begins and when it ends: a read that saw another number proves nothing."""
    last: SetObservation | None = None
    """The newest read since the last write; its token is the fence."""

    @property
    def provider(self) -> ProviderName:
        """The instance that holds it."""
        return self.route_set.provider

    def take(self, point: Point) -> None:
        """Keep the newest decision: the latest epoch wins, then the latest attempt."""
        if self.point is None or (point.epoch, point.attempt) >= (self.point.epoch, self.point.attempt):
            self.point = point

    def supersede(self, epoch: int, why: str) -> None:
        """Let nothing of an older epoch out any more."""
        if self.point is not None and self.point.epoch < epoch:
            self.point = None
        if self.running is not None and self.running.point.epoch < epoch:
            self.running.permit.withdraw(why)


@dataclass(slots=True)
class Slots:
    """All slots, and the tables that are being written."""

    by_id: dict[RouteSetId, Slot] = field(default_factory=dict)
    locked: dict[TableKey, RouteSetId] = field(default_factory=dict)
    """Tables with a write under way, or with one that may still land."""

    def of_group(self, group: GroupName) -> Iterator[Slot]:
        """Return the slots of a group."""
        return (slot for slot in self.by_id.values() if slot.group == group)

    def to_write(self) -> list[Slot]:
        """Return the slots that may be written now, failovers first, then in configured order."""
        free = [slot for slot in self.by_id.values() if slot.point and slot.table not in self.locked]
        return sorted(free, key=lambda slot: (not (slot.point and slot.point.urgent), slot.order))

    def to_read(self) -> dict[ProviderName, list[Slot]]:
        """Return the slots that may be read now, by instance, in configured order."""
        waiting: dict[ProviderName, list[Slot]] = {}
        for slot in sorted(self.by_id.values(), key=lambda slot: slot.order):
            if slot.observe and not slot.reading and slot.running is None:
                waiting.setdefault(slot.provider, []).append(slot)
        return waiting

    def replace(self, slots: Iterable[Slot]) -> None:
        """Go on with other sets; those that are written or read just now keep what they know."""
        fresh = {slot.route_set.id: slot for slot in slots}
        for set_id, slot in fresh.items():
            old = self.by_id.get(set_id)
            if old is not None and old.route_set == slot.route_set and old.table == slot.table:
                old.order, old.route_set = slot.order, slot.route_set
                fresh[set_id] = old
        for set_id, old in self.by_id.items():
            if fresh.get(set_id) is not old and old.running is not None:
                old.running.permit.withdraw("the configuration changed")
        self.by_id = fresh
