"""Disks that fill up, hang and tear, and clocks that are set by hand."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wgfo.daemon.clock import LoopSleep, wall_text
from wgfo.daemon.files import Appender, DiskFiles


class FaultyFiles(DiskFiles):
    """A real directory behind faults: ``error`` is raised by every write; ``gate``, cleared, blocks it."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.written: list[str] = []

    def _fault(self) -> None:
        assert self.gate.wait(10), "a test left the disk hanging"
        if self.error is not None:
            raise self.error

    def replace(self, path: Path, data: bytes) -> None:
        self._fault()
        super().replace(path, data)
        self.written.append(path.name)

    def append(self, path: Path) -> Appender:
        self._fault()
        return _FaultyAppender(self, super().append(path))

    def names(self, directory: Path) -> Sequence[str]:
        return super().names(directory)


class _FaultyAppender:
    def __init__(self, disk: FaultyFiles, inner: Appender) -> None:
        self._disk = disk
        self._inner = inner

    def write(self, data: bytes) -> None:
        if self._disk.error is not None:
            self._inner.write(data[: len(data) // 2])  # a full disk takes a part first
        self._disk._fault()
        self._inner.write(data)

    def sync(self) -> None:
        self._disk._fault()
        self._inner.sync()

    def close(self) -> None:
        self._inner.close()


@dataclass
class HandClock(LoopSleep):
    """A clock that stands until it is set."""

    monotonic: int = 1_000_000_000
    boottime: int = 5_000_000_000
    wall: int = 1_790_000_000_000_000

    def monotonic_us(self) -> int:
        return self.monotonic

    def boottime_us(self) -> int:
        return self.boottime

    def wall_ns(self) -> int:
        return self.wall * 1_000

    def rfc3339(self, at_us: int) -> str:
        return wall_text((self.wall - self.monotonic + at_us) * 1_000)

    def pass_us(self, us: int) -> None:
        """Let time pass on all clocks alike."""
        self.monotonic += us
        self.boottime += us
        self.wall += us
