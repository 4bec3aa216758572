"""What stood after every change, and what that meant for a destination at every instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Row = dict[str, Any]


class Verdict(StrEnum):
    """What the routes of one destination amount to."""

    CARRIED = "carried"
    NONE = "no route"
    EQUAL = "two of equal priority"


@dataclass(frozen=True, slots=True)
class Instant:
    """The routes of one destination (or all of the project) from ``at_s`` until the next instant."""

    number: int
    at_s: float
    rows: tuple[Row, ...]

    @property
    def winners(self) -> list[Row]:
        best = min((row["priority"] for row in self.rows), default=0)
        return [row for row in self.rows if row["priority"] == best]

    @property
    def verdict(self) -> Verdict:
        if not self.rows:
            return Verdict.NONE
        equal = len({row["priority"] for row in self.rows}) < len(self.rows)
        return Verdict.EQUAL if equal else Verdict.CARRIED


@dataclass(slots=True)
class Timeline:
    """Every state of the routes since the server began."""

    instants: list[Instant] = field(default_factory=list)
    """Of the whole project."""
    _of: dict[tuple[str, str], list[Instant]] = field(default_factory=dict)
    """Of each destination, where they differ from the one before."""

    def add(self, at_s: float, rows: Sequence[Row]) -> None:
        number = len(self.instants)
        self.instants.append(Instant(number, at_s, tuple(rows)))
        found: dict[tuple[str, str], list[Row]] = {key: [] for key in self._of}
        for row in rows:
            found.setdefault(key_of(row), []).append(row)
        for key, mine in found.items():
            history = self._of.setdefault(key, [Instant(0, 0.0, ())])
            if history[-1].rows != tuple(mine):
                history.append(Instant(number, at_s, tuple(mine)))

    @property
    def now(self) -> int:
        """The number of the present instant."""
        return len(self.instants) - 1

    def at(self, at_s: float) -> tuple[Row, ...]:
        """Return what stood at a time."""
        past = [instant for instant in self.instants if instant.at_s <= at_s]
        return (past or self.instants[:1])[-1].rows

    def of(self, network: str, prefix: str, since: int = 0) -> list[Instant]:
        """Return a destination's instants, from the one that ``since`` belongs to."""
        history = self._of.get((network, prefix), [Instant(0, 0.0, ())])
        first = max(index for index, instant in enumerate(history) if instant.number <= since)
        return history[first:]

    def standing(self, network: str, prefix: str) -> Instant:
        """Return what stands for a destination now."""
        return self.of(network, prefix, self.now)[-1]

    def faults(self, network: str, prefix: str, since: int = 0) -> Iterator[tuple[Instant, Verdict]]:
        """Yield every instant in which a destination had no route, or two of equal priority."""
        for instant in self.of(network, prefix, since):
            if instant.verdict is not Verdict.CARRIED:
                yield instant, instant.verdict

    def carriers(self, network: str, prefix: str, since: int = 0) -> list[str]:
        """Return whose turn it was, in order: the next hops that carried the destination."""
        hops: list[str] = []
        for instant in self.of(network, prefix, since):
            found = "+".join(sorted(hop_of(row) for row in instant.winners))
            if not hops or hops[-1] != found:
                hops.append(found)
        return hops


def key_of(row: Row) -> tuple[str, str]:
    return str(row["network"]).rpartition("/")[2], str(row["destRange"])


def hop_of(row: Row) -> str:
    """Return a route's next hop as the server has it."""
    return next((str(value) for name, value in row.items() if name.startswith("nextHop")), "")
