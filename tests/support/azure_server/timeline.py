"""Every instant of every table: what traffic really followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """What carried each prefix of a table from a moment on."""

    at_ms: int
    hops: Mapping[str, str]


class Timeline:
    """The instants of all tables, oldest first."""

    def __init__(self) -> None:
        self._instants: dict[str, list[Instant]] = {}

    def add(self, table: str, at_ms: int, hops: Mapping[str, str]) -> None:
        self._instants.setdefault(table, []).append(Instant(at_ms, dict(hops)))

    def of(self, table: str) -> Sequence[Instant]:
        return self._instants.get(table, [])

    def gaps(self, table: str, prefix: str, *, since: int = 0) -> list[Instant]:
        """Return the instants, from number ``since`` on, in which a prefix had no route."""
        return [one for one in self.of(table)[since:] if prefix not in one.hops]

    def wrong(self, table: str, prefix: str, allowed: set[str], *, since: int = 0) -> list[Instant]:
        """Return the instants in which a prefix was carried by something else than is allowed."""
        return [
            one for one in self.of(table)[since:] if prefix in one.hops and one.hops[prefix] not in allowed
        ]
