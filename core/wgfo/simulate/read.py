"""Reads a scenario file: every mistake at once, each with its line, what was found and what is accepted."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from wgfo.config.load import Document, of_tree
from wgfo.config.problems import ConfigProblems, Origin, Problem
from wgfo.config.scan import KeyPath
from wgfo.config.source import Node, from_mapping, plant
from wgfo.config.translate import problem_at, translate
from wgfo.plugin import ConfigError
from wgfo.simulate.defaults import Shape, configuration
from wgfo.simulate.plan import Content
from wgfo.simulate.scenario import Scenario

_SYNTAX_LINE: Final = re.compile(r"(.*?) \(at line (\d+), column \d+\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Read:
    """A scenario, ready to be played."""

    scenario: Scenario
    document: Document


def read(path: Path) -> Read:
    """Read a file.

    Raises:
        ConfigError: it cannot be read.
        ConfigProblems: something in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; a TOML file is UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse(text, str(path))


def parse(text: str, name: str = "scenario.toml") -> Read:
    """Read a scenario from its text; raises :class:`ConfigProblems`."""
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX_LINE.fullmatch(str(error))
        line = int(match.group(2)) if match else text.count("\n") + 1
        said = match.group(1) if match else str(error)
        raise ConfigProblems([Problem(Origin(name, line), "", f"no valid TOML: {said}")]) from None
    root = plant(text, name, value)
    return _made(root)


def _made(root: Node) -> Read:
    assert root.table is not None
    group = root.table.pop("group", None)
    try:
        scenario = Scenario.model_validate(root.raw())
    except ValidationError as error:
        known = ["group"]
        raise ConfigProblems([one for _, one in translate(root, (), Scenario, error, known)]) from None
    problems = list(_unknown_names(root, scenario))
    if problems:
        raise ConfigProblems(problems)
    return Read(scenario, of_tree(_configuration(scenario, group)))


def _configuration(scenario: Scenario, group: Node | None) -> Node:
    """Return the default configuration with the scenario's own group over it, in its own lines."""
    root = from_mapping(configuration(shape(scenario)))
    whole = root.find(("group", 0))
    assert whole is not None
    if group is not None:
        if group.table is None:
            raise ConfigProblems([problem_at(group, (), "[group] is no table", "[group]")])
        _over(whole, group)
    return root


def _over(below: Node, above: Node) -> None:
    """Lay tables over tables, key by key; anything else replaces what was there."""
    assert below.table is not None
    below.origin = above.origin
    for key, node in (above.table or {}).items():
        old = below.table.get(key)
        if old is not None and old.table is not None and node.table is not None:
            _over(old, node)
        else:
            below.table[key] = node


def shape(scenario: Scenario) -> Shape:
    """Return what the default configuration is made for."""
    return Shape(
        scenario.paths,
        scenario.targets,
        scenario.classes,
        scenario.providers,
        scenario.prefixes,
        scenario.reference,
        scenario.service,
    )


# --- names that must exist ----------------------------------------------------------------------------------


def _unknown_names(root: Node, scenario: Scenario) -> Iterable[Problem]:
    """Yield a problem for each name of a path, target, provider or table that the scenario does not have."""
    tables = tuple(table for some in scenario.providers.values() for table in some)
    places: list[tuple[KeyPath, Any, tuple[str, ...]]] = [
        (("begin",), scenario.begin, (*scenario.paths, *Content)),
    ]
    for number, fault in enumerate(scenario.fault):
        places.append((("fault", number, "paths"), fault.paths, scenario.paths))
        places.append((("fault", number, "targets"), fault.targets, scenario.targets))
    for number, table in enumerate(scenario.table):
        places.append((("table", number, "rewrite"), table.rewrite, (*scenario.paths, *Content)))
        places.append((("table", number, "provider"), table.provider, tuple(scenario.providers)))
        places.append((("table", number, "tables"), table.tables, tables))
    for number, expect in enumerate(scenario.expect):
        of_paths = ("switch", "desired", "path", "tables", "to")
        known_names = dict.fromkeys(of_paths, scenario.paths) | dict.fromkeys(("only", "requests"), tables)
        places += [
            (("expect", number, key), getattr(expect, key), known) for key, known in known_names.items()
        ]
    for path, found, known in places:
        for name in (found,) if isinstance(found, str) else found or ():
            if name not in known:
                yield problem_at(root, path, f'there is no "{name}" here', ", ".join(known))
