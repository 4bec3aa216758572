"""The mutants that no test can kill, each with the reason, as they stand in ``survivors.md``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant

LIST = Path(__file__).with_name("survivors.md")
ENTRY = re.compile(
    r"^### (?P<place>\S+)\n\n```diff\n- (?P<before>.*)\n\+ (?P<after>.*)\n```\n\n(?P<reason>\S.*)$",
    re.MULTILINE,
)

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Account:
    """The list held against what survived."""

    unlisted: list[Mutant]
    stale: list[Key]
    """Listed, but killed meanwhile, or no mutant any more."""


def listed(text: str) -> Counter[Key]:
    """Return the entries of the list; equal ones count."""
    return Counter((one["place"], one["before"], one["after"]) for one in ENTRY.finditer(text))


def account(survived: Iterable[Mutant], entries: Counter[Key], modules: Iterable[str]) -> Account:
    """Compare the list with what survived, of the modules that were tried."""
    tried = set(modules)
    left = Counter({key: count for key, count in entries.items() if key[0].partition(".")[0] in tried})
    unlisted = []
    for mutant in survived:
        if left[mutant.key] > 0:
            left[mutant.key] -= 1
        else:
            unlisted.append(mutant)
    return Account(unlisted, sorted(left.elements()))


def entry(key: Key, reason: str) -> str:
    """Return the text of an entry."""
    place, before, after = key
    return f"### {place}\n\n```diff\n- {before}\n+ {after}\n```\n\n{reason}\n"
