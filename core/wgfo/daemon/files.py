"""The few things that the stores do with files, behind a border where tests put full, torn and hung disks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wgfo.telemetry.atomic import replace_file, sync_directory, write_all

PRIVATE = 0o600


class Appender(Protocol):
    """A file that only grows."""

    def write(self, data: bytes) -> None:
        """Append all of ``data``; after an ``OSError`` a part of it may stand at the end."""

    def sync(self) -> None:
        """Return when what was written survives a power cut."""

    def close(self) -> None:
        """Release the file."""


class Files(Protocol):
    """Files as the stores use them. Every method raises ``OSError``, and any may hang as a disk does."""

    def names(self, directory: Path) -> Sequence[str]:
        """Return the names in a directory, sorted; none where it does not exist."""

    def size(self, path: Path) -> int:
        """Return the bytes of a file."""

    def changed_us(self, path: Path) -> int:
        """Return when a file was last written, by the wall clock."""

    def read(self, path: Path) -> bytes:
        """Return a whole file."""

    def replace(self, path: Path, data: bytes) -> None:
        """Replace a file in one step; durable on return."""

    def append(self, path: Path) -> Appender:
        """Create a file to append to; one that exists already is an error."""

    def rename(self, path: Path, name: str) -> None:
        """Give a file another name in its directory."""

    def remove(self, path: Path) -> None:
        """Remove a file; a missing one is none."""

    def make_directory(self, directory: Path) -> None:
        """Create a directory, and its parents, for this user alone."""


class _DiskAppender:
    """An append-only descriptor."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, PRIVATE)

    def write(self, data: bytes) -> None:
        """Append all of ``data``."""
        write_all(self._descriptor, data)

    def sync(self) -> None:
        """Return when it survives a power cut."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Release the descriptor."""
        os.close(self._descriptor)


class DiskFiles:
    """The real ones."""

    def names(self, directory: Path) -> Sequence[str]:
        """Return the names in a directory, sorted."""
        try:
            return sorted(os.listdir(directory))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return ()

    def size(self, path: Path) -> int:
        """Return the bytes of a file."""
        return path.stat().st_size

    def changed_us(self, path: Path) -> int:
        """Return when a file was last written."""
        return path.stat().st_mtime_ns // 1_000

    def read(self, path: Path) -> bytes:
        """Return a whole file."""
        return path.read_bytes()

    def replace(self, path: Path, data: bytes) -> None:
        """Replace a file in one step."""
        replace_file(path, data, PRIVATE)

    def append(self, path: Path) -> Appender:
        """Create a file to append to."""
        appender = _DiskAppender(path)
        sync_directory(path.parent)
        return appender

    def rename(self, path: Path, name: str) -> None:
        """Give a file another name in its directory."""
        path.rename(path.with_name(name))

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def make_directory(self, directory: Path) -> None:
        """Create a directory, and its parents, for this user alone."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
