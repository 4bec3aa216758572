"""The files of a journal: numbered segments, each a row of frames that may end torn.

A crash at any byte leaves whole frames and at most one torn one at the end; the next writer begins another
segment and touches no old one. Segments are removed whole, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo.daemon.files import Appender, DiskFiles, Files
from wgfo.daemon.records import Frame, Gap, Opened, Record, unpack

MAGIC: Final = b"wgfo journal 1\n"
PREFIX: Final = "journal-"
SUFFIX: Final = ".wgfo"


@dataclass(slots=True)
class _Segment:
    """A segment of ours or of an earlier session."""

    path: Path
    size: int
    changed_us: int
    """Wall clock: when it was opened, or for one found at start when it was last written."""


class Segments:
    """The writing side; every method may raise ``OSError`` or hang as the disk does.

    Args:
        directory: where the segments stand.
        files: the disk.
        max_size: bytes of all segments together.
        max_age_us: segments older than this go, one at each rotation: a wall clock that jumps ahead for a
            moment cannot empty the journal.
    """

    def __init__(self, directory: Path, files: Files, max_size: int, max_age_us: int) -> None:
        self._directory = directory
        self._files = files
        self._max_size = max_size
        self._max_age_us = max_age_us
        self._segments: list[_Segment] = []
        self._listed = False
        self._number = 0
        self._open: Appender | None = None

    @property
    def segment_size(self) -> int:
        """When a segment is this long, the next one should begin."""
        return max(4096, min(8 * 1024 * 1024, self._max_size // 8))

    @property
    def is_open(self) -> bool:
        """Whether a segment takes frames."""
        return self._open is not None

    @property
    def full(self) -> bool:
        """Whether the next segment should begin."""
        return self.is_open and self._segments[-1].size >= self.segment_size * 7 // 8

    def rotate(self, wall_us: int) -> None:
        """Begin a new segment and remove what is too much or too old."""
        self.close()
        self._list()
        self._trim(wall_us)
        path = self._directory / f"{PREFIX}{self._number:010d}{SUFFIX}"
        self._number += 1  # spent, even if what follows fails: a number is never used twice
        self._open = self._files.append(path)
        self._segments.append(_Segment(path, 0, wall_us))
        self.write(MAGIC, durable=False)

    def write(self, data: bytes, *, durable: bool) -> None:
        """Append to the open segment."""
        if self._open is None:
            raise OSError("no segment is open")
        self._segments[-1].size += len(data)
        self._open.write(data)
        if durable:
            self._open.sync()

    def close(self) -> None:
        """End the open segment; what is torn at its end stays so."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    def _list(self) -> None:
        """Find the segments of earlier sessions, at the first rotation: not on the loop."""
        if self._listed:
            return
        self._files.make_directory(self._directory)
        paths = [self._directory / name for name in segment_names(self._files, self._directory)]
        self._number = 1 + max((_number(path.name) for path in paths), default=-1)
        self._segments = [self._found(path) for path in paths]
        self._listed = True

    def _found(self, path: Path) -> _Segment:
        return _Segment(path, self._files.size(path), self._files.changed_us(path))

    def _trim(self, wall_us: int) -> None:
        if self._segments and wall_us - self._segments[0].changed_us > self._max_age_us:
            self._remove_oldest()
        while self._segments and sum(one.size for one in self._segments) + self.segment_size > self._max_size:
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        self._files.remove(self._segments[0].path)
        del self._segments[0]


def segment_names(files: Files, directory: Path) -> list[str]:
    """Return the names of the segments in a directory, oldest first."""
    names = [name for name in files.names(directory) if name.startswith(PREFIX) and name.endswith(SUFFIX)]
    return sorted((name for name in names if _number(name) >= 0), key=_number)


def _number(name: str) -> int:
    digits = name[len(PREFIX) : -len(SUFFIX)]
    return int(digits) if digits.isascii() and digits.isdigit() else -1


def read_journal(path: Path, files: Files | None = None) -> Iterator[Record]:
    """Yield the records of a journal, oldest first: all segments of a directory, or one segment.

    What is torn or damaged ends its segment; where frames of a session are missing a :class:`Gap` stands in
    their place.

    Raises:
        OSError: a segment cannot be read.
    """
    files = files or DiskFiles()
    session, expected = "", 0
    for frame in _frames(path, files):
        if frame.session == session and frame.number < expected:
            continue  # written again in a new segment after an error
        if frame.number != (expected if frame.session == session else 0):
            yield from _missing(frame, session, expected)
        session, expected = frame.session, frame.number + 1
        yield from frame.records


def _missing(frame: Frame, session: str, expected: int) -> Iterator[Record]:
    """Name what is missing; a session that was trimmed goes on from its checkpoint."""
    if frame.session != session and frame.records and isinstance(frame.records[0], Opened):
        return
    lost = f"{frame.number - expected} blocks are" if frame.session == session else "the beginning is"
    yield Gap(0, f"session {frame.session}: {lost} missing before block {frame.number}")


def _frames(path: Path, files: Files) -> Iterator[Frame]:
    directory = [path / name for name in segment_names(files, path)] if path.is_dir() else [path]
    for segment in directory:
        data = files.read(segment)
        if data.startswith(MAGIC):
            yield from unpack(data[len(MAGIC) :], str(segment))
