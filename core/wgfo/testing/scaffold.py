"""A plugin package to begin with: files from ``template/``, the names filled in.

What stands in ``{{…}}``: ``name`` (the kind), ``package``, ``distribution``, ``title`` and ``version`` of wgfo.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SUFFIX: Final = ".tmpl"


def package_files(name: str, version: str) -> Mapping[PurePosixPath, str]:
    """Return the files of a new plugin, by their place in its directory.

    Raises:
        ValueError: the name cannot be a package's; the text says what is accepted.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot name a plugin; accepted: up to 31 lower-case letters, digits and underscores, a "
            "letter first, such as 'acme'"
        )
    words = {
        "name": name,
        "package": f"wgfo_{name}",
        "distribution": distribution(name),
        "title": "".join(part.capitalize() for part in name.split("_")),
        "version": version,
    }
    return {_place(place, words): _filled(text, words) for place, text in _templates()}


def distribution(name: str) -> str:
    """Return the distribution's name, which is that of its directory too."""
    return f"wgfo-{name.replace('_', '-')}"


def _templates() -> Iterator[tuple[PurePosixPath, str]]:
    yield from _below(files("wgfo.testing") / "template", PurePosixPath())


def _below(folder: Traversable, place: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _below(entry, place / entry.name)
        elif entry.name.endswith(_SUFFIX):
            yield place / entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")


def _place(place: PurePosixPath, words: Mapping[str, str]) -> PurePosixPath:
    parts = [words["package"] if part == "package" else part for part in place.parts]
    return PurePosixPath(*parts)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: words[match.group(1)], text)
