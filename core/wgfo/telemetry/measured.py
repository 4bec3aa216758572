"""Tells of each switch once more when its phases are known: when the last has ended, or the next switch begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wgfo.model import GroupName
from wgfo.telemetry.switches import SwitchRecord

Told = Callable[[SwitchRecord], None]
_Key = tuple[int, str]


class Measured:
    """An observer of a ``SwitchLog``.

    Args:
        told: hear of each switch, once; must not block.
    """

    def __init__(self, told: Sequence[Told]) -> None:
        self._told = tuple(told)
        self._open: dict[GroupName, SwitchRecord] = {}
        self._done: dict[GroupName, _Key] = {}

    def switch_changed(self, record: SwitchRecord) -> None:
        """Take in a record that is new or has a phase more."""
        before = self._open.get(record.group)
        if before is not None and _key(before) != _key(record):
            self._tell(before)
        if self._done.get(record.group) == _key(record):
            return
        self._open[record.group] = record
        if None not in (record.write_us, record.verified_us, record.first_packet_us):
            self._tell(record)

    def _tell(self, record: SwitchRecord) -> None:
        del self._open[record.group]
        self._done[record.group] = _key(record)
        for told in self._told:
            told(record)


def _key(record: SwitchRecord) -> _Key:
    return record.epoch, record.at
