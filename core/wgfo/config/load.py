"""Find the configuration, read it with its includes, and validate it against the schema.

A mistake does not hide the next one: what is wrong is cut out of the tree and the rest is validated again,
until a :class:`Config` stands, on which the checks across sections then work.
"""

from __future__ import annotations

import glob
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from wgfo.config.models import Config
from wgfo.config.problems import ConfigProblems, Origin, Problem
from wgfo.config.scan import KeyPath
from wgfo.config.source import Node, cut, from_mapping, merge, plant
from wgfo.config.translate import problem_at, translate
from wgfo.plugin import ConfigError

ENVIRONMENT: Final = "WGFO_CONFIG"
PLACES: Final = (Path("wgfo.toml"), Path("/etc/wgfo/wgfo.toml"))
_SYNTAX_LINE: Final = re.compile(r"(.*?) \(at line (\d+), column \d+\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration that was read, with the place of every key and the mistakes found so far.

    :func:`wgfo.config.resolve.resolve` adds its own and raises them all together.
    """

    config: Config
    root: Node
    problems: tuple[Problem, ...] = ()
    path: Path | None = None
    """The main file; None when made from text or values."""

    def problem(self, path: KeyPath, found: str, accepted: str = "", hint: str = "") -> Problem:
        """Make a problem of a place."""
        return problem_at(self.root, path, found, accepted, hint)

    def origin(self, path: KeyPath) -> Origin | None:
        """Return where a key stands, or else what contains it."""
        return self.root.origin_of(path)

    def lost(self, path: KeyPath, key: str) -> bool:
        """Whether the list ``key`` of the table at ``path`` lost an item to a mistake."""
        node = self.root.find(path)
        return node is not None and key in node.lost

    def beside(self, file: Path, path: KeyPath) -> Path:
        """Return a file named in the configuration: a relative one is relative to the file that names it."""
        origin = self.origin(path)
        return Path(origin.file).parent / file if origin and origin.file else file


def find(option: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return the configuration file: ``--config``, else ``$WGFO_CONFIG``, else the usual places.

    Raises:
        ConfigError: there is none; the text lists where it was looked for.
    """
    if option is not None:
        return option
    named = (os.environ if environ is None else environ).get(ENVIRONMENT)
    if named:
        return Path(named)
    for place in PLACES:
        if place.exists():
            return place
    looked = ", ".join(["--config", f"${ENVIRONMENT}", *(str(_dotted(place)) for place in PLACES)])
    raise ConfigError(
        f"no configuration found; looked at: {looked}. 'wgfo config init' writes a starting file"
    )


def load(path: Path) -> Document:
    """Read a file and what it includes.

    Mistakes in the schema stand in ``Document.problems``. Raises :class:`ConfigProblems` for what is no TOML,
    and :class:`ConfigError` for a file that cannot be read.
    """
    root = _read(path)
    problems: list[Problem] = []
    unreadable: list[Problem] = []
    for file in _includes(root, path, problems):
        try:
            other = _read(file)
        except ConfigProblems as error:
            unreadable.extend(error.problems)
            continue
        if other.child("include") is not None:
            problems.append(
                problem_at(other, ("include",), "stands in an included file", "in the main file only")
            )
            cut(other, ("include",))
        problems.extend(merge(root, other))
    if unreadable:
        raise ConfigProblems(unreadable)
    return _document(root, problems, path)


def parse(text: str, name: str = "wgfo.toml") -> Document:
    """Read a configuration from its text; ``include`` is not followed."""
    return _document(_plant(text, name), [], None)


def of_mapping(value: Mapping[str, Any]) -> Document:
    """Make a document of plain values, without places."""
    return _document(from_mapping(value), [], None)


def of_tree(root: Node) -> Document:
    """Make a document of a tree whose nodes know their own places, wherever they were read."""
    return _document(root, [], None)


def _dotted(place: Path) -> str:
    return str(place) if place.is_absolute() else f"./{place}"


def _read(path: Path) -> Node:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; a TOML file is UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return _plant(text, str(path))


def _plant(text: str, name: str) -> Node:
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblems([_syntax(error, text, name)]) from None
    return plant(text, name, value)


def _syntax(error: tomllib.TOMLDecodeError, text: str, name: str) -> Problem:
    match = _SYNTAX_LINE.fullmatch(str(error))
    line = int(match.group(2)) if match else text.count("\n") + 1
    said = match.group(1) if match else str(error)
    return Problem(Origin(name, line), "", f"no valid TOML: {said}")


def _includes(root: Node, path: Path, problems: list[Problem]) -> list[Path]:
    """Return the included files in lexical order."""
    include = root.child("include")
    files: set[Path] = set()
    for index, item in enumerate((include.items if include else None) or ()):
        if not isinstance(item.value, str):
            continue
        matches = glob.glob(str(path.parent / item.value))  # noqa: PTH207 - the pattern may be absolute
        if not matches and not glob.has_magic(item.value):
            problems.append(
                problem_at(root, ("include", index), f'"{item.value}" does not exist', "a file or a pattern")
            )
        files.update(Path(match) for match in matches)
    return sorted(files)


def _document(root: Node, problems: list[Problem], path: Path | None) -> Document:
    """Validate, cutting out what is wrong until the rest is right.

    The first round sees every mistake of the schema; later rounds see only what the cuts have torn.
    """
    first: list[Problem] | None = None
    while True:
        try:
            config = Config.model_validate(root.raw())
        except ValidationError as error:
            found = translate(root, (), Config, error)
            first = [problem for _, problem in found] if first is None else first
            _cut_out(root, [path for path, _ in found])
        else:
            return Document(config, root, (*problems, *(first or ())), path)


def _cut_out(root: Node, paths: Iterable[KeyPath]) -> None:
    """Remove each mistake: a wrong value by itself, a table that lacks a key as a whole."""
    for path in sorted({_doomed(root, path) for path in paths}, key=_last_first, reverse=True):
        cut(root, path)


def _doomed(root: Node, path: KeyPath) -> KeyPath:
    """What must go for this error to go: the value itself, or the nearest thing that contains the lack."""
    length = len(list(root.along(path))) - 1
    assert length > 0, "the root itself is always valid: every section of it is optional"
    return path[:length]


def _last_first(path: KeyPath) -> tuple[tuple[int, str], ...]:
    """Order such that later items of a list come after earlier ones."""
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)
