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
    """From ``at_s`` until the next instant."""

    at_s: float
    rows: tuple[Row, ...]
    """All routes of the project."""

    def of(self, network: str, prefix: str) -> list[Row]:
        return [
            row
            for row in self.rows
            if row["network"].endswith(f"/networks/{network}") and row["destRange"] == prefix
        ]

    def winners(self, network: str, prefix: str) -> list[Row]:
        rows = self.of(network, prefix)
        best = min((row["priority"] for row in rows), default=0)
        return [row for row in rows if row["priority"] == best]

    def verdict(self, network: str, prefix: str) -> Verdict:
        rows = self.of(network, prefix)
        if not rows:
            return Verdict.NONE
        equal = len({row["priority"] for row in rows}) < len(rows)
        return Verdict.EQUAL if equal else Verdict.CARRIED


@dataclass(slots=True)
class Timeline:
    """Every state of the routes since the server began."""

    instants: list[Instant] = field(default_factory=list)

    def add(self, at_s: float, rows: Sequence[Row]) -> None:
        self.instants.append(Instant(at_s, tuple(rows)))

    def at(self, at_s: float) -> tuple[Row, ...]:
        """Return what stood at a time."""
        past = [instant for instant in self.instants if instant.at_s <= at_s]
        return (past or self.instants[:1])[-1].rows

    def faults(self, network: str, prefix: str, since: int = 0) -> Iterator[tuple[Instant, Verdict]]:
        """Yield every instant in which a destination had no route, or two of equal priority."""
        for instant in self.instants[since:]:
            verdict = instant.verdict(network, prefix)
            if verdict is not Verdict.CARRIED:
                yield instant, verdict

    def carriers(self, network: str, prefix: str, since: int = 0) -> list[str]:
        """Return whose turn it was, in order: the next hops that carried the destination."""
        hops: list[str] = []
        for instant in self.instants[since:]:
            found = "+".join(sorted(hop_of(row) for row in instant.winners(network, prefix)))
            if not hops or hops[-1] != found:
                hops.append(found)
        return hops


def hop_of(row: Row) -> str:
    """Return a route's next hop as the server has it."""
    return next((str(value) for name, value in row.items() if name.startswith("nextHop")), "")
