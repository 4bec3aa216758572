"""The mutator itself: what it breaks, how it puts it in place, and that its list of survivors cannot lie."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.mutation import forks, survivors, swap
from tests.mutation.forks import Verdict
from tests.mutation.operators import MODULE, Mutant, mutants_of
from wgfo.engine import window


def broken(source: str) -> set[str]:
    """Return the lines that the mutants of a source bring."""
    return {mutant.after for mutant in mutants_of("toy", source.encode())}


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a is not None", {"a is None"}),
        ("a in b", {"a not in b"}),
        ("a and not b", {"a or not b", "a and b", "(not a) and not b"}),
        ("a + 1", {"a - 1", "a + 2"}),
        ("a + 'text'", set()),
        ("f'{a + 1}'", set()),
        ("min(a, b)", {"max(a, b)"}),
        ("g(a, key=b)", {"g(a, )"}),
        ("isinstance(a, int | str)", {"isinstance(a, int)", "isinstance(a, str)"}),
        (
            "[c for c in a if c > b]",
            {"[c for c in a if True]", "[c for c in a if c >= b]", "[c for c in a if c <= b]"},
        ),
        ("a if b else True", {"a if (not b) else True", "a if b else False"}),
        ("-a", {"a"}),
        ("~(a | b)", {"(a | b)", "~(a & b)"}),
    ],
)
def test_an_expression_is_broken_in_every_small_way(line: str, after: set[str]) -> None:
    found = broken(f"def f(a, b):\n    return {line}\n")
    assert found == {f"return {one}" for one in after}


def test_statements_are_left_out_and_tables_lose_their_lines() -> None:
    assert broken("def f(a):\n    a.add(7)\n") == {"pass", "a.add(8)"}
    assert broken("T: Final = frozenset({A, B})\n") == {
        "T: Final = frozenset({B})",
        "T: Final = frozenset({A, })",
    }
    assert broken("T: Final = {A: x, B: y}\n") == {"T: Final = {A: y, B: y}", "T: Final = {A: x, B: x}"}


def test_annotations_assertions_and_texts_are_left_alone() -> None:
    assert broken('def f(a: int | None) -> int:\n    """1 + 1"""\n    assert a < 3\n    return a\n') == set()
    assert broken("Event = A | B\n__all__ = ['a', 'b']\n") == set()
    assert broken("if A:\n    import b\nelse:\n    T = tuple[A, B]\n    t: Final[dict[A, B]] = {}\n") == {
        "if (not A):"
    }


def test_what_stands_under_a_condition_runs_when_the_module_is_imported() -> None:
    source = b"if A:\n    def f(a):\n        return a < 3\n"
    found = [(one.place, one.after) for one in mutants_of("toy", source)]
    assert found == [
        (MODULE, "if (not A):"),
        (MODULE, "return a <= 3"),
        (MODULE, "return a >= 3"),
        (MODULE, "return a < 4"),
    ]


def test_a_mutant_names_its_place_and_its_statement() -> None:
    method = b"    def f(self, a):\n        return g(\n            a,\n            key=not a,\n        )\n"
    source = b"class K:\n    n: int = 3\n\n" + method
    default, dropped, inverted = mutants_of("toy", source)
    assert (default.place, default.line, default.after) == (MODULE, 2, "n: int = 4")
    assert (dropped.place, list(dropped.statement)) == ("K.f", [5, 6, 7, 8])
    assert (dropped.before, dropped.after) == ("key=not a,", "(nothing)")
    assert inverted.after == "key=a,"


def test_every_mutant_of_a_module_is_another_program() -> None:
    path = swap.folder() / "window.py"
    mutants = list(mutants_of("window", path.read_bytes()))
    assert len(mutants) > 100
    assert all(mutant.source != path.read_bytes() for mutant in mutants)
    assert len({mutant.source for mutant in mutants}) == len(mutants)


def test_a_function_that_is_imported_already_gets_the_broken_code() -> None:
    source = (swap.folder() / "window.py").read_bytes()
    mutant = next(one for one in mutants_of("window", source) if one.place == "recent")
    whole = window.recent.__code__
    try:
        assert window.recent(0b1011, 2) == 0b11
        swap.into_function(mutant)
        assert window.recent(0b1011, 2) != 0b11
    finally:
        window.recent.__code__ = whole


def endless() -> Verdict:
    forks.within(0.05)
    while True:
        pass


def refused() -> Verdict:
    compile("a b", "toy", "exec")
    return Verdict.SURVIVED


def failing() -> Verdict:
    raise KeyError


def test_whatever_a_mutant_does_its_child_ends_and_is_told_apart() -> None:
    trials = {
        "fine": lambda: Verdict.SURVIVED,
        "told": lambda: Verdict.KILLED,
        "raises": failing,
        "hangs": endless,
        "no python": refused,
    }
    assert dict(forks.each(trials.items(), 2)) == {
        "fine": Verdict.SURVIVED,
        "told": Verdict.KILLED,
        "raises": Verdict.KILLED,
        "hangs": Verdict.HANGS,
        "no python": Verdict.INVALID,
    }


def mutant(after: str) -> Mutant:
    return Mutant("toy", "f", 1, range(1, 2), "a < b", after, b"")


def test_the_list_of_survivors_is_held_against_what_survived() -> None:
    text = "# Survivors\n\n" + survivors.entry(mutant("a <= b").key, "Never equal.")
    text += "\n" + survivors.entry(mutant("a > b").key, "Killed meanwhile.")
    entries = survivors.listed(text)
    assert entries == Counter({mutant("a <= b").key: 1, mutant("a > b").key: 1})
    held = survivors.account([mutant("a <= b"), mutant("a == b")], entries, ["toy"])
    assert held.unlisted == [mutant("a == b")]
    assert held.stale == [mutant("a > b").key]
    assert survivors.account([], entries, ["other"]).stale == []


def test_each_entry_of_the_list_is_a_mutant_of_the_engine_with_a_reason() -> None:
    entries = survivors.listed(survivors.LIST.read_text())
    headings = survivors.LIST.read_text().count("\n### ")
    assert headings == sum(entries.values())
    modules = {place.partition(".")[0] for place, _, _ in entries}
    found = Counter(
        one.key for name in modules for one in mutants_of(name, (swap.folder() / f"{name}.py").read_bytes())
    )
    assert not entries - found
