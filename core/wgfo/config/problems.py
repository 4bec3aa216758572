"""Mistakes in a configuration: each with its place, what was found, what is accepted; all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wgfo.plugin import ConfigError


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake; ``str()`` is one line for the operator."""

    origin: Origin | None
    where: str
    """In the configuration's words: ``[[group]] "cloud" → path "primary" → interfce``."""
    found: str
    accepted: str = ""
    hint: str = ""
    """What to do next, such as the name that was probably meant."""

    def __str__(self) -> str:
        place = f"{self.origin}: " if self.origin else ""
        where = f"{self.where}: " if self.where else ""
        accepted = f"; accepted: {self.accepted}" if self.accepted else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{where}{self.found}{hint}{accepted}"


class ConfigProblems(ConfigError):
    """Everything that is wrong with a configuration, in the order of the files' lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems), key=_place))
        super().__init__("\n".join([*(str(problem) for problem in self.problems), self._count]))

    @property
    def _count(self) -> str:
        count = len(self.problems)
        return f"{count} problem{'' if count == 1 else 's'} in the configuration"


def _place(problem: Problem) -> tuple[str, int, str, str]:
    origin = problem.origin or Origin("", 0)
    return origin.file, origin.line, problem.where, problem.found


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return ``did you mean "name"?`` for the nearest known name, or nothing."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def listed(names: Iterable[str], *, limit: int = 30) -> str:
    """Return the names as a list in a sentence; "none" for nothing."""
    every = sorted(set(names))
    shown: Sequence[str] = every[:limit]
    rest = f" and {len(every) - limit} more" if len(every) > limit else ""
    return (", ".join(shown) + rest) or "none"
