"""The scanner knows the line of every key that tomllib reads."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfo.config.scan import KeyPath, scan

EXAMPLES = sorted(Path(__file__).parent.glob("examples/*.toml"))

KEYS = st.text("abcXYZ09_-", min_size=1, max_size=5) | st.text("a. \"'[]{}#=\\é", min_size=1, max_size=4)
SCALARS = (
    st.integers(-99, 99).map(str)
    | st.booleans().map(lambda flag: str(flag).lower())
    | st.text("ab\"'\\]}#=,[{ ", max_size=6).map(json.dumps)
    | st.text('ab"\\]}#=,[{ ', max_size=6).map(lambda text: f"'{text}'")
    | st.text('a]}#=,"\n', max_size=6).map(lambda text: f"'''\n{text}'''")
    | st.sampled_from(['"""a\n"b" ]\n"""', '"""\\"""\n"""', "1979-05-27 07:32:00", "1e3", "''''x''''"])
)
GAPS = st.sampled_from(["", " ", "\n", " # [x] = {\n", "\n\n  "])


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(values, max_size=3))
    return "[" + ",".join(draw(GAPS) + item + draw(GAPS) for item in items) + draw(GAPS) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.dictionaries(KEYS, values, max_size=3))
    return "{" + ", ".join(f"{key_text(key)} = {value}" for key, value in pairs.items()) + "}"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=5)


def key_text(key: str) -> str:
    bare = key.isascii() and all(letter.isalnum() or letter in "_-" for letter in key)
    return key if bare else json.dumps(key)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """A document of arrays of tables, and the line of each key at the top of a table."""
    lines: list[str] = []
    expected: dict[KeyPath, int] = {}
    for index in range(draw(st.integers(1, 3))):
        lines.append(draw(st.sampled_from(["", "# [[group]]", "  "])))
        lines.append(draw(st.sampled_from(["[[group]]", "  [[ group ]] # x", '[["group"]]'])))
        expected["group", index] = len(lines)
        write_pairs(draw, lines, expected, ("group", index))
        for number in range(draw(st.integers(0, 2))):
            lines.append("[[group.'path']]")
            expected["group", index, "path", number] = len(lines)
            write_pairs(draw, lines, expected, ("group", index, "path", number))
    return "\n".join(lines), expected


def write_pairs(draw: st.DrawFn, lines: list[str], expected: dict[KeyPath, int], table: KeyPath) -> None:
    for key, value in draw(
        st.dictionaries(KEYS.filter(lambda key: key != "path"), VALUES, max_size=3)
    ).items():
        expected[(*table, key)] = len(lines) + 1
        lines.extend(f"{key_text(key)} = {value}".split("\n"))


def every_path(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for part, child in children:
        yield (*path, part)
        yield from every_path(child, (*path, part))


@given(documents())
def test_each_key_has_the_line_that_it_was_written_on(document: tuple[str, dict[KeyPath, int]]) -> None:
    text, expected = document
    found = scan(text)
    assert {path: found[path] for path in expected} == expected


@given(documents())
def test_exactly_what_tomllib_reads_has_a_line(document: tuple[str, dict[KeyPath, int]]) -> None:
    text, _ = document
    assert set(scan(text)) == set(every_path(tomllib.loads(text)))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_each_key_of_the_examples_stands_on_its_line(file: Path) -> None:
    text = file.read_text()
    found = scan(text)
    assert set(found) == set(every_path(tomllib.loads(text)))
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert path[-1] in text.splitlines()[line - 1]


def test_dotted_keys_and_items_of_a_long_list_have_their_own_lines() -> None:
    found = scan('a.b = 1\nlist = [\n  "x",\n\n  { c.d = 2 },\n]\n[t.u]\nv = 3\n')
    assert (found["a",], found["a", "b"]) == (1, 1)
    assert (found["list", 0], found["list", 1], found["list", 1, "c", "d"]) == (3, 5, 5)
    assert (found["t",], found["t", "u"], found["t", "u", "v"]) == (7, 7, 8)
