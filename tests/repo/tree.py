"""What belongs to the project: every file below the root that .gitignore does not name."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> Iterator[Path]:
    """Yield the project's files; git itself is not needed, so that an unpacked archive passes too."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split() if line]
    yield from _walk(ROOT, [*ignored, ".git"])


def _walk(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _walk(path, ignored)
        else:
            yield path


def documents() -> list[Path]:
    """The Markdown files."""
    return [path for path in files() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """A document without its code blocks: a comment in a shell block is no heading."""
    return _FENCE.sub("", path.read_text())


def blocks(path: Path, language: str) -> Iterator[str]:
    """A document's code blocks in that language."""
    yield from (body for name, body in _FENCE.findall(path.read_text()) if name == language)
