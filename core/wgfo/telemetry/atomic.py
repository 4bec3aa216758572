"""Replace a file so that a reader, or a crash, sees the old or the new one whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Write ``data`` to ``path`` with exactly ``mode``, whatever the umask: temporary file, fsync, rename.

    The temporary file stands in the same directory (a rename across file systems is no rename), begins with a
    dot and ends in ``.tmp``, so that no collector takes it for a finished one. It bears our process id: the
    daemon and a one-shot command may write the same file.

    Raises:
        OSError: the directory is missing, read-only or full; the old file is untouched and no residue stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, data, mode)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def _write(path: Path, data: bytes, mode: int) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - takes over the descriptor
        os.fchmod(descriptor, mode)
        write_all(file.fileno(), data)
        os.fsync(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write to the last byte: a disk that fills up takes a part first and fails at the next call."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(directory: Path) -> None:
    """Make a rename or a new name in ``directory`` survive a power cut (fsync(2), notes)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
