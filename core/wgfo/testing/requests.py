"""What the platform received, against what the permits had let out by then."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Request:
    """One request at the moment when the platform received it."""

    write: bool
    table: str
    prefix: str
    granted: int
    """Permits of its kind that had been given by then, since the log began."""
    received: int
    """Requests of its kind received by then, this one included."""


class RequestLog:
    """A stand-in enters every request here: ``with log.write(table, prefix): …`` around its handling.

    It may be used from any thread.
    """

    def __init__(self) -> None:
        self.requests: Final[list[Request]] = []
        self.granted: Callable[[bool], int] = lambda _write: 0
        """Tells how many permits (for writes, or for reads) have been given so far."""
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    @contextlib.contextmanager
    def write(self, table: str, prefix: str = "") -> Iterator[None]:
        """Enter a request that changes something, for as long as it is handled."""
        with self._lock:
            self._enter(write=True, table=table, prefix=prefix)
            self._under_way[table] += 1
            self._most[table] = max(self._most[table], self._under_way[table])
        try:
            yield
        finally:
            with self._lock:
                self._under_way[table] -= 1

    @contextlib.contextmanager
    def read(self, table: str = "", prefix: str = "") -> Iterator[None]:
        """Enter a request that only reads, polls included."""
        with self._lock:
            self._enter(write=False, table=table, prefix=prefix)
        yield

    def _enter(self, *, write: bool, table: str, prefix: str) -> None:
        received = self._count(write=write) + 1
        self.requests.append(Request(write, table, prefix, self.granted(write), received))

    def _count(self, *, write: bool) -> int:
        return sum(1 for one in self.requests if one.write is write)

    @property
    def writes(self) -> int:
        """Requests so far that change something."""
        return self._count(write=True)

    @property
    def reads(self) -> int:
        """Requests so far that only read."""
        return self._count(write=False)

    def under_way(self) -> int:
        """Return how many writes are being handled now."""
        with self._lock:
            return sum(self._under_way.values())

    def most_at_once(self, table: str) -> int:
        """Return how many writes of a table were handled at the same time, at most."""
        return self._most[table]
