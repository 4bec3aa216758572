"""Where each key of a TOML text stands: key path → line.

``tomllib`` keeps no positions, and an error without a line is half an error. The scanner reads a text that
``tomllib`` has accepted already, so it follows the grammar (https://toml.io/en/v1.0.0) and never judges it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the root: ``("group", 0, "path", 1, "interface")``."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE: Final = re.compile(r"[^,\]}#\r\n]*")
_STRINGS: Final = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)


def scan(text: str) -> Mapping[KeyPath, int]:
    """Return the line (from 1) of every table, key and list item of a valid TOML text."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


@dataclass(slots=True)
class _Scanner:
    text: str
    at: int = 0
    line: int = 1
    lines: dict[KeyPath, int] = field(default_factory=dict)
    table_counts: dict[KeyPath, int] = field(default_factory=dict)
    """How many ``[[tables]]`` of each array have been opened."""

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.peek("[["):
                table = self.header("[[", "]]", array=True)
            elif self.peek("["):
                table = self.header("[", "]", array=False)
            else:
                self.pair(table)

    def header(self, opening: str, closing: str, *, array: bool) -> KeyPath:
        """Read ``[a.b]`` or ``[[a.b]]``; a part that is an array of tables stands for its latest table."""
        self.advance(len(opening))
        *parents, last = self.key()
        path: KeyPath = ()
        for part in parents:
            path = self.latest((*path, part))
        path = (*path, last)
        if array:
            self.table_counts[path] = self.table_counts.get(path, 0) + 1
            self.note(path)
            path = self.latest(path)
            self.note(path)
        else:
            path = self.latest(path)
            self.note(path)
        self.skip(_SPACE)
        self.advance(len(closing))
        return path

    def latest(self, path: KeyPath) -> KeyPath:
        self.note(path)
        count = self.table_counts.get(path, 0)
        return (*path, count - 1) if count else path

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.line)

    def pair(self, table: KeyPath) -> None:
        path = table
        for part in self.key():
            path = (*path, part)
            self.note(path)
        self.skip(_SPACE)
        self.advance(len("="))
        self.skip(_SPACE)
        self.value(path)

    def key(self) -> list[str]:
        parts = []
        while True:
            self.skip(_SPACE)
            parts.append(self.key_part())
            self.skip(_SPACE)
            if not self.peek("."):
                return parts
            self.advance(len("."))

    def key_part(self) -> str:
        bare = _BARE_KEY.match(self.text, self.at)
        if bare:
            self.advance(len(bare.group()))
            return bare.group()
        quoted = self.string()
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def value(self, path: KeyPath) -> None:
        if self.peek("["):
            self.array(path)
        elif self.peek("{"):
            self.inline_table(path)
        elif self.peek('"') or self.peek("'"):
            self.string()
        else:
            self.skip(_PLAIN_VALUE)

    def array(self, path: KeyPath) -> None:
        self.advance(1)
        self.skip(_BLANK)
        index = 0
        while not self.peek("]"):
            self.note((*path, index))
            self.value((*path, index))
            index += 1
            self.comma()
        self.advance(1)

    def inline_table(self, path: KeyPath) -> None:
        self.advance(1)
        self.skip(_BLANK)
        while not self.peek("}"):
            self.pair(path)
            self.comma()
        self.advance(1)

    def comma(self) -> None:
        self.skip(_BLANK)
        if self.peek(","):
            self.advance(1)
            self.skip(_BLANK)

    def string(self) -> str:
        matches = (pattern.match(self.text, self.at) for pattern in _STRINGS)
        found = next(match.group() for match in matches if match)
        self.advance(len(found))
        return found

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        assert match is not None, "these patterns match the empty text too"
        self.advance(len(match.group()))
        return self.at

    def advance(self, length: int) -> None:
        assert self.at + length <= len(self.text), "the scanner has left the grammar"
        self.line += self.text.count("\n", self.at, self.at + length)
        self.at += length
