"""Every small way to break a module, as edits of its source.

A mutant is one edit of a few bytes, so that it reads as a line of a diff. Not touched: texts (their wording is no
behaviour), annotations, assertions, decorators, imports and what ``dataclasses.field`` declares.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

MODULE = "<module>"
"""The place of what runs when the module is imported: constants, tables, defaults of fields."""

COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
JUMPS: dict[type[ast.stmt], str] = {ast.Continue: "break", ast.Break: "continue"}
CONDITIONS = (ast.Compare, ast.BoolOp)
"""Conditions that are broken from inside; any other one is negated as a whole."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes of the source to put others in the place of."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break a module."""

    module: str
    place: str
    """The function or method, ``Class.method``; ``MODULE`` outside of all."""
    line: int
    statement: range
    """The lines of the statement that it stands in: a test that runs none of them cannot tell."""
    before: str
    after: str
    """The lines that the edit changes, blanks at their ends left out."""
    source: bytes
    """The whole module, broken."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the mutant when lines move."""
        return f"{self.module}.{self.place}", self.before, self.after


def mutants_of(module: str, source: bytes) -> Iterator[Mutant]:
    """Yield all mutants of a module's source, in its order."""
    text = _Source(source)
    walk = _Walk(text)
    statements = [_lines_of(node) for node in ast.walk(walk.tree) if isinstance(node, ast.stmt)]
    for place, edit in sorted(walk.module(), key=lambda one: (one[1].start, one[1].text)):
        broken = source[: edit.start] + edit.text.encode() + source[edit.end :]
        first, last = text.line_of(edit.start), text.line_of(edit.end)
        statement = max((one for one in statements if first in one), key=lambda one: one.start)
        before = _joined(source, first, last)
        after = _joined(broken, first, last - source.count(b"\n") + broken.count(b"\n"))
        yield Mutant(module, place, first, statement, before, after or "(nothing)", broken)


def _lines_of(node: ast.stmt) -> range:
    """Return the lines of a statement, without those of the statements in it."""
    body = getattr(node, "body", None)
    end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
    return range(node.lineno, max(end, node.lineno + 1))


def _joined(source: bytes, first: int, last: int) -> str:
    lines = source.decode().split("\n")[first - 1 : last]
    return " ".join(" ".join(lines).split())


class _Source:
    """Offsets in a source, which the syntax tree tells as lines and columns."""

    def __init__(self, source: bytes) -> None:
        self.bytes = source
        self.starts = [0, *(place + 1 for place, byte in enumerate(source) if byte == ord("\n"))]

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def line_of(self, offset: int) -> int:
        return sum(start <= offset for start in self.starts)

    def within(self, start: int, end: int, pattern: str) -> tuple[int, int]:
        """Return where a token stands between two others."""
        found = re.search(pattern.encode(), self.bytes[start:end])
        assert found is not None, (pattern, self.bytes[start:end])
        return start + found.start(), start + found.end()

    def of(self, node: ast.expr | ast.stmt) -> str:
        return self.bytes[self.start(node) : self.end(node)].decode()


Placed = tuple[str, Edit]


class _Walk:
    """Goes through a module and yields its edits, each with the function it stands in."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.tree = ast.parse(source.bytes)

    def module(self) -> Iterator[Placed]:
        for statement in self.tree.body:
            yield from self.statement(statement, "")

    def statement(self, node: ast.stmt, outer: str) -> Iterator[Placed]:
        """Yield the edits of what stands outside of functions, and of the functions in it."""
        if isinstance(node, ast.ClassDef):
            for one in node.body:
                yield from self.statement(one, f"{outer}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            place = f"{outer}{node.name}"
            yield from ((place, edit) for one in node.body for edit in self.edits(one))
            defaults = [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
            yield from ((MODULE, edit) for one in defaults for edit in self.edits(one))
        elif isinstance(node, ast.If):
            conditions = (*self.conditions(node), *self.edits(node.test))
            inner = (edit for one in (*node.body, *node.orelse) for _, edit in self.statement(one, outer))
            yield from ((MODULE, edit) for edit in (*conditions, *inner))
        elif not _declares(node):
            yield from ((MODULE, edit) for edit in (*self.edits(node), *self.elements(node)))

    def elements(self, node: ast.stmt) -> Iterator[Edit]:
        """Drop each element of a table, and give each key of a mapping the next one's value."""
        for one in ast.walk(node):
            if _annotates(node, one):
                continue
            if isinstance(one, ast.Tuple | ast.Set | ast.List):
                yield from (self.dropped(element) for element in one.elts)
            elif isinstance(one, ast.Dict):
                others = [*one.values[1:], *one.values[:1]]
                yield from (
                    self.instead(value, self.source.of(other))
                    for value, other in zip(one.values, others, strict=True)
                    if self.source.of(value) != self.source.of(other)
                )

    def edits(self, node: ast.AST) -> Iterator[Edit]:
        """Yield the edits of a statement or expression and of all that is in it."""
        if isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Raise):
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "field":
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            yield from self.kinds(node.args[1])
            node = node.args[0]
        if isinstance(node, ast.keyword) and node.arg == "strict":
            return  # an assertion about lengths
        yield from self.own(node)
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "decorator_list", "returns"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self.edits(child)

    def own(self, node: ast.AST) -> Iterator[Edit]:
        """Yield the edits of the node itself."""
        match node:
            case ast.Compare():
                yield from self.compared(node)
            case ast.BoolOp():
                yield from self.joined(node)
            case ast.BinOp():
                yield from self.arithmetic(node.left, node.right, node.op)
            case ast.AugAssign():
                yield from self.arithmetic(node.target, node.value, node.op)
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
                start = self.source.start(node)
                yield Edit(*self.source.within(start, self.source.end(node), r"not\b\s*|[-~]"), "")
            case ast.Constant():
                yield from self.constant(node)
            case ast.Call():
                yield from self.call(node)
            case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
                yield self.instead(node, "pass")
            case ast.Continue() | ast.Break():
                yield self.instead(node, JUMPS[type(node)])
        yield from self.conditions(node)

    def compared(self, node: ast.Compare) -> Iterator[Edit]:
        sides = pairwise([node.left, *node.comparators])
        for (left, right), operator in zip(sides, node.ops, strict=True):
            token, others = COMPARISONS[type(operator)]
            word = rf"\b{token}\b" if token[0].isalpha() else re.escape(token)
            start, end = self.source.within(self.source.end(left), self.source.start(right), word)
            yield from (Edit(start, end, other) for other in others)

    def joined(self, node: ast.BoolOp) -> Iterator[Edit]:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            start, end = self.source.within(self.source.end(left), self.source.start(right), rf"\b{old}\b")
            yield Edit(start, end, new)

    def arithmetic(self, left: ast.expr, right: ast.expr, operator: ast.operator) -> Iterator[Edit]:
        if type(operator) not in ARITHMETIC or _texts(left) or _texts(right):
            return
        old, new = ARITHMETIC[type(operator)]
        start, end = self.source.within(self.source.end(left), self.source.start(right), re.escape(old))
        yield Edit(start, end, new)

    def constant(self, node: ast.Constant) -> Iterator[Edit]:
        if isinstance(node.value, bool):
            yield self.instead(node, str(not node.value))
        elif isinstance(node.value, int):
            yield self.instead(node, str(node.value + 1))

    def call(self, node: ast.Call) -> Iterator[Edit]:
        if isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield self.instead(node.func, CALLS[node.func.id])
        yield from (self.dropped(keyword) for keyword in node.keywords if keyword.arg not in (None, "strict"))

    def kinds(self, node: ast.expr) -> Iterator[Edit]:
        """Leave out each of the types that something may be an instance of."""
        if isinstance(node, ast.BinOp):
            yield self.instead(node, self.source.of(node.left))
            yield self.instead(node, self.source.of(node.right))

    def conditions(self, node: ast.AST) -> Iterator[Edit]:
        """Negate conditions that hold no operator to break; leave out the filters of comprehensions."""
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield from self.negated(node.test)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self.negated(value)
        elif isinstance(node, ast.comprehension):
            yield from (self.instead(condition, "True") for condition in node.ifs)

    def negated(self, node: ast.expr) -> Iterator[Edit]:
        inverted = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        if not isinstance(node, CONDITIONS) and not inverted and not isinstance(node, ast.Constant):
            yield self.instead(node, f"(not {self.source.of(node)})")

    def instead(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        return Edit(self.source.start(node), self.source.end(node), text)

    def dropped(self, node: ast.expr | ast.keyword) -> Edit:
        """Leave out one of several things that commas separate."""
        end = self.source.end(node)
        comma = re.match(rb"\s*,[^\S\n]*", self.source.bytes[end:])
        return Edit(self.source.start(node), end + (comma.end() if comma else 0), "")


def _declares(statement: ast.stmt) -> bool:
    """Whether it says something to type checkers and importers alone: an alias of a type, ``__all__``."""
    if not isinstance(statement, ast.Assign):
        return False
    union = isinstance(statement.value, ast.BinOp) and isinstance(statement.value.op, ast.BitOr)
    target = statement.targets[0]
    return union or isinstance(statement.value, ast.Subscript) or getattr(target, "id", "") == "__all__"


def _annotates(statement: ast.stmt, node: ast.AST) -> bool:
    """Whether an expression is (part of) the annotation of a statement."""
    annotated: Iterable[ast.AST] = (
        ast.walk(statement.annotation) if isinstance(statement, ast.AnnAssign) else ()
    )
    return any(one is node for one in annotated)


def _texts(node: ast.expr) -> bool:
    """Whether an operand is a text: joining texts is wording."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    if isinstance(node, ast.IfExp):
        return _texts(node.body) or _texts(node.orelse)
    return isinstance(node, ast.JoinedStr)
