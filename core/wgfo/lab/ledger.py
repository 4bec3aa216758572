"""What became of the meter's packets: lost, late, twice, and how long nothing came. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wgfo.lab.errors import LabError

OUTAGE_US: Final = 200_000
"""A silence shorter than this is no outage: twenty packets in a row."""
IN_FLIGHT_US: Final = 1_000_000
"""Packets younger than this when the meter stopped are neither lost nor received."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without an echo: from the last receipt before to the first one after."""

    from_us: int
    to_us: int
    lost: int
    """Packets sent in that time, or shortly before, that never came back."""

    @property
    def length_us(self) -> int:
        """How long it was."""
        return self.to_us - self.from_us


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a whole run."""

    sent: int
    received: int
    lost: int
    duplicates: int
    outages: tuple[Outage, ...]
    requests: int
    requests_failed: int
    longest_request_outage_us: int
    """The longest time between the ends of two answered requests."""

    @property
    def longest_outage_us(self) -> int:
        """The longest outage; 0 when there was none."""
        return max((outage.length_us for outage in self.outages), default=0)


class Ledger:
    """Takes the meter's lines and answers questions about them."""

    def __init__(self) -> None:
        self._sent = 0
        self._at_us = 0
        self._progress: list[tuple[int, int]] = []
        """(time, packets sent by then), one per line."""
        self._numbers: set[int] = set()
        self._echoes: list[tuple[int, int, int]] = []
        """(received, number, sent), in order of receipt."""
        self._duplicates = 0
        self._requests: list[tuple[int, int, bool]] = []

    def feed(self, line: str | bytes) -> None:
        """Take one line of the meter.

        Raises:
            LabError: it is none.
        """
        try:
            told = json.loads(line)
            self._at_us, self._sent = int(told["at_us"]), int(told["sent"])
            self._progress.append((self._at_us, self._sent))
            self._requests += [(int(sent), int(ended), bool(ok)) for sent, ended, ok in told["requests"]]
            for number, sent_us, received_us in told["echoes"]:
                self._take(int(number), int(sent_us), int(received_us))
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"the traffic meter said {line!r}, which is none of its lines ({error})"
            ) from error

    def _take(self, number: int, sent_us: int, received_us: int) -> None:
        if number in self._numbers:
            self._duplicates += 1
            return
        self._numbers.add(number)
        self._echoes.append((received_us, number, sent_us))

    @property
    def at_us(self) -> int:
        """When the meter last said something."""
        return self._at_us

    @property
    def silent_us(self) -> int:
        """How long nothing has come back, as of the meter's last line."""
        return max(0, self._at_us - self._echoes[-1][0]) if self._echoes else 0

    def first_good_after(self, at_us: int) -> int | None:
        """Return when the first echo of a packet *sent* after an instant came; None: none has."""
        later = [received_us for received_us, _, sent_us in self._echoes if sent_us > at_us]
        return min(later, default=None)

    def outages(self, longer_than_us: int = OUTAGE_US) -> tuple[Outage, ...]:
        """Return the silences longer than a time, the one that still lasts included."""
        stamps = sorted(received_us for received_us, _, _ in self._echoes)
        edges = [*stamps, max(self._at_us, stamps[-1])] if stamps else []
        gaps = [(a, b) for a, b in pairwise(edges) if b - a > longer_than_us]
        return tuple(Outage(a, b, self._lost_after(a)) for a, b in gaps)

    def _lost_after(self, from_us: int) -> int:
        """Count the numbers that lie between the last echo by then and the next one, and never came."""
        ordered = sorted(self._echoes)
        index = bisect_right(ordered, from_us, key=lambda echo: echo[0])
        first = max(number for _, number, _ in ordered[:index])
        last = min((number for _, number, _ in ordered[index:]), default=self._sent)
        return sum(1 for number in range(first + 1, last) if number not in self._numbers)

    def lost_between(self, from_us: int, to_us: int) -> int:
        """Count the packets sent between two instants (to a tenth of a second) that never came back.

        Those of the last second are left out: they may still be under way.
        """
        first, last = self._sent_by(from_us), self._sent_by(min(to_us, self._at_us - IN_FLIGHT_US))
        return sum(1 for number in range(first, last) if number not in self._numbers)

    def _sent_by(self, at_us: int) -> int:
        index = bisect_right(self._progress, at_us, key=lambda line: line[0])
        return self._progress[index - 1][1] if index else 0

    def summary(self) -> Summary:
        """Return the figures so far."""
        rate_us = self._spacing_us()
        in_flight = IN_FLIGHT_US // rate_us if rate_us else 0
        settled = max(0, self._sent - in_flight)
        received = sum(1 for number in self._numbers if number < settled)
        return Summary(
            sent=settled,
            received=received,
            lost=settled - received,
            duplicates=self._duplicates,
            outages=self.outages(),
            requests=len(self._requests),
            requests_failed=sum(1 for *_, ok in self._requests if not ok),
            longest_request_outage_us=self._request_outage_us(),
        )

    def _spacing_us(self) -> int:
        """Return the time between two packets, from the first and the last echo."""
        if len(self._echoes) < 2:  # noqa: PLR2004 - two make one distance
            return 0
        (_, first, from_us), (_, last, to_us) = self._echoes[0], self._echoes[-1]
        return max(1, (to_us - from_us) // max(1, last - first))

    def _request_outage_us(self) -> int:
        ends = [ended for _, ended, ok in self._requests if ok]
        return max((b - a for a, b in pairwise(ends)), default=0)
