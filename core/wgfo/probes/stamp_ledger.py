"""On which way the probes of one STAMP session were lost, told from the reflector's own numbers; pure.

Between two replies, the difference of the sender's numbers says how many probes were sent, and the difference
of the reflector's how many of them reached it. So of those that never came back:

    lost towards the far side = sent - reflected        lost on the way back = reflected - returned

It takes no clock. Where a gap was lost on one way alone, each of its probes is known; where on both, only how
many. Nothing is claimed of a gap whose numbers cannot be: the reflector was started anew, it forgot the
session, or packets overtook each other. Until a later reply has come, nothing is known either.

Two kinds of reflector need care. A *stateless* one copies our number: so that it is noticed, our numbers begin
with 1, as if 0 had been lost. One that counts by *source port* rather than by session identifier has many
sequences: then each flow is looked at for itself, by its own count of probes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

FIRST: Final = 1
"""Our first number: 0 is never sent."""
_SEQUENCES: Final = 1 << 32
_APART: Final = 4
"""A reflector counts by port if at least one pair of neighbours in four says so, and no fewer than two."""


class Fate(StrEnum):
    """What became of a probe."""

    OPEN = "open"
    RETURNED = "returned"
    LATE = "late"
    """Counted as lost, and came back nevertheless."""
    LOST = "lost"


class Way(StrEnum):
    """Where a probe was lost."""

    FORWARD = "lost towards the far side"
    RETURN = "lost on the way back"


@dataclass(slots=True, eq=False)
class Entry:
    """One probe."""

    number: int
    """In the session, from :data:`FIRST`."""
    flow: int
    """The source port."""
    ordinal: int
    """In its flow, from :data:`FIRST`."""
    sent_us: int
    fate: Fate = Fate.OPEN
    reflected: int | None = None
    """The reflector's number of it; None: it has not come back."""

    @property
    def counted_lost(self) -> bool:
        """Whether its round called it lost."""
        return self.fate in {Fate.LOST, Fate.LATE}


@dataclass(frozen=True, slots=True)
class Directions:
    """How many probes were lost on each way."""

    forward: int = 0
    back: int = 0

    def __add__(self, other: Directions) -> Directions:
        return Directions(self.forward + other.forward, self.back + other.back)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where two sequences met: our position, and the reflector's number of it."""

    position: int
    reflected: int
    number: int


_BEGIN: Final = _Mark(FIRST - 1, -1, FIRST - 1)
"""Before the first probe a reflector has counted nothing."""


@dataclass(slots=True)
class Ledger:
    """The latest probes of one session.

    Args:
        length: how many are remembered.
    """

    length: int
    number: int = FIRST
    """Of the next probe."""
    by_port: bool = False
    """The reflector gave no identifier back: it knows none, and counts by source port."""
    entries: deque[Entry] = field(default_factory=deque)
    _ordinals: dict[int, int] = field(default_factory=dict)
    _mark: _Mark | None = _BEGIN
    """The last reply that is remembered no more, session-wide."""
    _marks: dict[int, _Mark] = field(default_factory=dict)
    """The same by flow."""

    def sent(self, flow: int, sent_us: int) -> Entry:
        """Note a probe that left with :attr:`number`."""
        ordinal = self._ordinals.get(flow, FIRST)
        entry = Entry(self.number, flow, ordinal, sent_us)
        self._ordinals[flow] = ordinal + 1
        self.number += 1
        self.entries.append(entry)
        while len(self.entries) > self.length:
            self._forget(self.entries.popleft())
        return entry

    def _forget(self, entry: Entry) -> None:
        if entry.reflected is not None:
            self._mark = _Mark(entry.number, entry.reflected, entry.number)
            self._marks[entry.flow] = _Mark(entry.ordinal, entry.reflected, entry.number)

    def directions(self) -> Directions:
        """Return how many of the remembered probes were lost on each way, as far as it is known."""
        total = Directions()
        for gap in self._gaps():
            total += gap.directions()
        return total

    def way(self, entry: Entry) -> Way | None:
        """Return where this probe was lost, where that is certain."""
        for gap in self._gaps():
            if entry in gap.missing:
                return gap.way()
        return None

    # --- gaps -----------------------------------------------------------------------------------------------

    def _gaps(self) -> Iterator[_Gap]:
        """Yield what is missing between neighbouring replies."""
        if not self.by_port and not _counts_by_port(self.entries):
            yield from _between(self._mark, ((one.number, one) for one in self.entries))
            return
        for flow, entries in _lanes(self.entries).items():
            mark = self._marks.get(flow, _BEGIN)
            yield from _between(mark, ((one.ordinal, one) for one in entries))


@dataclass(frozen=True, slots=True)
class _Gap:
    """Two neighbouring replies, and the probes between them that did not come back."""

    before: _Mark
    after: _Mark
    missing: tuple[Entry, ...]

    def directions(self) -> Directions:
        lost = sum(1 for one in self.missing if one.fate is Fate.LOST)
        forward, back = self._missed()
        if not self._believable(forward, back):
            return Directions()
        if lost == len(self.missing) and lost == forward + back:
            return Directions(forward, back)
        way = self.way()  # some are still open, or remembered no more: what is certain counts
        return Directions(lost if way is Way.FORWARD else 0, lost if way is Way.RETURN else 0)

    def way(self) -> Way | None:
        forward, back = self._missed()
        if not self._believable(forward, back) or (forward and back):
            return None
        return Way.FORWARD if forward else Way.RETURN

    def _missed(self) -> tuple[int, int]:
        sent = self.after.position - self.before.position
        reflected = (self.after.reflected - self.before.reflected) % _SEQUENCES
        return sent - reflected, reflected - 1

    def _believable(self, forward: int, back: int) -> bool:
        copied = self.after.reflected == self.after.number and (
            self.before is _BEGIN or self.before.reflected == self.before.number
        )
        return forward >= 0 and back >= 0 and not copied


def _between(before: _Mark | None, lane: Iterable[tuple[int, Entry]]) -> Iterator[_Gap]:
    missing: list[Entry] = []
    for position, entry in lane:
        if entry.reflected is None:
            missing.append(entry)
            continue
        after = _Mark(position, entry.reflected, entry.number)
        if missing and before is not None:
            yield _Gap(before, after, tuple(missing))
        before, missing = after, []


def _lanes(entries: Iterable[Entry]) -> Mapping[int, Sequence[Entry]]:
    lanes: dict[int, list[Entry]] = {}
    for entry in entries:
        lanes.setdefault(entry.flow, []).append(entry)
    return lanes


def _counts_by_port(entries: Iterable[Entry]) -> bool:
    """Whether the reflector's numbers do not grow from one flow to the next: a restart shows that but once."""
    pairs = backward = 0
    before: Entry | None = None
    for entry in entries:
        if entry.reflected is None:
            continue
        if before is not None and before.reflected is not None and before.flow != entry.flow:
            pairs += 1
            backward += entry.reflected <= before.reflected
        before = entry
    return backward > 1 and backward * _APART >= pairs
