"""The raw configuration as a tree that remembers where each value stands, over all files of ``include``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wgfo.config.problems import Origin, Problem
from wgfo.config.scan import KeyPath, scan

_NAMED_TABLES: Final = frozenset({"site", "provider", "profile"})


@dataclass(slots=True, eq=False)
class Node:
    """A table, a list or a plain value. Changed only while files are merged and mistakes are cut out."""

    origin: Origin | None = None
    table: dict[str, Node] | None = None
    items: list[Node] | None = None
    value: Any = None
    number: int = 0
    """Place in its list as written, from 1."""
    lost: set[str] = field(default_factory=set)
    """Keys lost to a mistake, and those of lists that lost an item: what refers to them cannot be judged."""

    def raw(self) -> Any:
        """Return the plain value, as ``tomllib`` would."""
        if self.table is not None:
            return {key: node.raw() for key, node in self.table.items()}
        if self.items is not None:
            return [node.raw() for node in self.items]
        return self.value

    def child(self, part: str | int) -> Node | None:
        """Return the node of a key or an index, if it is there."""
        if isinstance(part, int):
            return self.items[part] if self.items is not None and 0 <= part < len(self.items) else None
        return (self.table or {}).get(part)

    def along(self, path: KeyPath) -> Iterator[Node]:
        """Yield this node and those along ``path``, as far as they exist."""
        node: Node | None = self
        yield self
        for part in path:
            node = node.child(part) if node else None
            if node is None:
                return
            yield node

    def find(self, path: KeyPath) -> Node | None:
        """Return the node at ``path``, if it is there."""
        nodes = list(self.along(path))
        return nodes[-1] if len(nodes) == len(path) + 1 else None

    def origin_of(self, path: KeyPath) -> Origin | None:
        """Return where ``path`` stands, or else what contains it."""
        return [node.origin for node in self.along(path)][-1]

    @property
    def label(self) -> str:
        """How an item of a list is called: its name, else its number and kind."""
        table = self.table or {}
        name = table.get("name")
        if name is not None and isinstance(name.value, str):
            return f'"{name.value}"'
        kind = table.get("kind") or table.get("provider")
        return f"{self.number} ({kind.value})" if kind is not None else str(self.number)


def plant(text: str, file: str, value: Mapping[str, Any]) -> Node:
    """Make the tree of one file from its text and what ``tomllib`` read from it."""
    return _grow(value, (), scan(text), file)


def from_mapping(value: Mapping[str, Any]) -> Node:
    """Make a tree without places, from values at hand."""
    return _grow(value, (), {}, "")


def _grow(value: Any, path: KeyPath, lines: Mapping[KeyPath, int], file: str) -> Node:
    origin = Origin(file, lines.get(path, 1)) if lines or file else None
    if isinstance(value, Mapping):
        return Node(origin, table={key: _grow(it, (*path, key), lines, file) for key, it in value.items()})
    if isinstance(value, list | tuple):
        items = [_grow(it, (*path, index), lines, file) for index, it in enumerate(value)]
        for number, item in enumerate(items, start=1):
            item.number = number
        return Node(origin, items=items)
    return Node(origin, value=value)


def merge(into: Node, other: Node, path: KeyPath = ()) -> Iterator[Problem]:
    """Merge a file of ``include``: tables are joined, lists of tables appended.

    Anything else that is set twice is a mistake, which is yielded.
    """
    assert into.table is not None
    for key, node in (other.table or {}).items():
        mine = into.table.get(key)
        if mine is None:
            into.table[key] = node
        elif mine.table is not None and node.table is not None:
            yield from merge(mine, node, (*path, key))
        elif mine.items is not None and _tables(mine) and _tables(node):
            _append(mine, node)
        else:
            found = f"set here and at {mine.origin}"
            yield Problem(node.origin, where(into, (*path, key)), found, "one place", "remove one of them")


def _tables(node: Node) -> bool:
    return bool(node.items) and all(item.table is not None for item in node.items or ())


def _append(mine: Node, other: Node) -> None:
    assert mine.items is not None
    for item in other.items or ():
        mine.items.append(item)
        item.number = len(mine.items)


def cut(root: Node, path: KeyPath) -> None:
    """Take the value at ``path`` out of the tree, if it is still there."""
    parent = root.find(path[:-1])
    part = path[-1]
    if parent is None or parent.child(part) is None:
        return
    if isinstance(part, int):
        assert parent.items is not None
        del parent.items[part]
        holder = root.find(path[:-2])
        if holder is not None:
            holder.lost.add(str(path[-2]))
    else:
        assert parent.table is not None
        del parent.table[part]
        parent.lost.add(part)


def where(root: Node, path: KeyPath) -> str:
    """Name a place in the configuration's words: ``[[group]] "cloud" → path "primary" → interface``."""
    if not path:
        return ""
    words, rest = _section(root, path)
    while rest:
        word, rest = _step(root, path, rest)
        words.append(word)
    return " → ".join(words)


def _section(root: Node, path: KeyPath) -> tuple[list[str], KeyPath]:
    """The words for the first one or two parts, as they stand in the file's headers."""
    head, *rest = path
    if rest and isinstance(rest[0], int):
        node = root.find(path[:2])
        if node is None or node.table is None:
            return [str(head), f"item {rest[0] + 1}"], path[2:]
        return [f"[[{head}]] {node.label}"], path[2:]
    if rest and head in _NAMED_TABLES:
        return [f"[{head}.{rest[0]}]"], path[2:]
    return [f"[{head}]" if rest else str(head)], path[1:]


def _step(root: Node, path: KeyPath, rest: KeyPath) -> tuple[str, KeyPath]:
    head = rest[0]
    if len(rest) == 1 or not isinstance(rest[1], int):
        return str(head), rest[1:]
    node = root.find(path[: len(path) - len(rest) + 2])
    if node is not None and node.table is not None:
        return f"{head} {node.label}", rest[2:]
    return f"{head} → item {rest[1] + 1}", rest[2:]
