"""Runs the engine's tests against mutants, inside of pytest.

First every test runs once on the engine as it is, which tells its time and the lines that it runs. Then each mutant
is tried in a forked child: the tests that run its statement, the quick ones first, until one fails.

A mutant of what runs when its module is imported needs a child that has imported nothing of the engine, and asks
every test.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from mmap import mmap
from pathlib import Path
from struct import Struct
from time import process_time

import pytest
from _pytest.runner import runtestprotocol
from coverage import Coverage

from tests.mutation import forks, swap
from tests.mutation.forks import Verdict
from tests.mutation.operators import Mutant

_SLOT = Struct("I")
_LATELY = 16
"""So many mutants back it is looked for what killed them; more are never under way."""
SLOW_S = 0.5
"""Tests that take longer try no mutants: quicker ones must be enough."""
SLACK_S = 2.0
TIMES_LONGER = 10
"""How much longer than on the engine as it is a test may take, before the mutant counts as hanging."""


@dataclass
class Baseline:
    """What the tests do on the engine as it is."""

    seconds: dict[str, float] = field(default_factory=dict)
    """CPU time of each test that is quick enough, quickest first."""
    covering: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """The tests that run a line of a module."""
    failed: list[str] = field(default_factory=list)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that can tell the mutant, quickest first."""
        lines = {mutant.line, *mutant.statement}
        found = {test for line in lines for test in self.covering.get((mutant.module, line), ())}
        return [test for test in self.seconds if test in found]


class FewExamples:
    """A pytest plugin that makes hypothesis quick, the same at every run, and no searcher of small examples."""

    def pytest_configure(self) -> None:
        """Come before the tests are imported."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest wants to be the first to import it

        settings.register_profile(
            "mutants",
            max_examples=20,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            deadline=None,
        )
        settings.load_profile("mutants")


class Measure(FewExamples):
    """A pytest plugin that fills in a baseline, and then hands it to what goes on in the same process."""

    def __init__(self, then: Callable[[Baseline, dict[str, pytest.Item]], None]) -> None:
        self.then = then

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every test once; pytest's own loop is not needed any more."""
        baseline = Baseline()
        coverage = Coverage(data_file=None, include=[f"{swap.folder()}/*"], config_file=False)
        coverage.start()
        for item in session.items:
            coverage.switch_context(item.nodeid)
            began = process_time()
            if not _passes(item):
                baseline.failed.append(item.nodeid)
            baseline.seconds[item.nodeid] = process_time() - began
        coverage.stop()
        quick = sorted((took, test) for test, took in baseline.seconds.items() if took < SLOW_S)
        baseline.seconds = {test: took for took, test in quick}
        data = coverage.get_data()
        for path in sorted(swap.folder().glob("*.py")):
            for line, tests in data.contexts_by_lineno(str(path)).items():
                baseline.covering[path.stem, line] = tests
        self.then(baseline, {item.nodeid: item for item in session.items})
        return True


class Anew(FewExamples):
    """A pytest plugin that goes no further than to where the first test would be imported, and hands over there.

    All that does not depend on the engine is imported by then: what takes longest, once for all mutants.
    """

    def __init__(self, then: Callable[[pytest.Session], None]) -> None:
        self.then = then

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect nothing here: each child does it for itself, with its own engine."""
        self.then(session)
        return True


class Inside:
    """The trials of mutants of functions: the tests are imported already."""

    def __init__(self, baseline: Baseline, items: dict[str, pytest.Item], mutants: Sequence[Mutant]) -> None:
        self.baseline = baseline
        self.items = items
        self.mutants = mutants
        self.killers: defaultdict[str, list[str]] = defaultdict(list)
        """By function, the tests that killed mutants of it, the latest last: they often kill the next one too."""
        self.names = list(items)
        self.told = mmap(-1, _SLOT.size * max(1, len(mutants)))
        """Where each child leaves the number of the test that killed its mutant."""

    def __iter__(self) -> Iterator[tuple[Mutant, Callable[[], Verdict]]]:
        """Yield a trial for each mutant."""
        for place, mutant in enumerate(self.mutants):
            self._learn(place)
            yield mutant, partial(self._try, place)

    def _learn(self, until: int) -> None:
        for place in range(max(0, until - _LATELY), until):
            mutant = self.mutants[place]
            (number,) = _SLOT.unpack_from(self.told, place * _SLOT.size)
            if number:
                known = self.killers[f"{mutant.module}.{mutant.place}"]
                known[:] = [*(one for one in known if one != self.names[number - 1]), self.names[number - 1]]

    def _try(self, place: int) -> Verdict:
        mutant = self.mutants[place]
        swap.into_function(mutant)
        tests = self.baseline.tests_of(mutant)
        if not tests:
            return Verdict.UNTOLD
        first = [one for one in reversed(self.killers[f"{mutant.module}.{mutant.place}"]) if one in tests]
        for test in (*first, *(one for one in tests if one not in first)):
            _bounded(self.baseline, test)
            if not _passes(self.items[test]):
                _SLOT.pack_into(self.told, place * _SLOT.size, self.names.index(test) + 1)
                return Verdict.KILLED
        return Verdict.SURVIVED


class Outside:
    """The trials of mutants of constants, tables and defaults: each child imports engine and tests anew."""

    def __init__(
        self, baseline: Baseline, session: pytest.Session, tests: Sequence[str], mutants: Sequence[Mutant]
    ) -> None:
        self.baseline = baseline
        self.session = session
        self.tests = tests
        self.mutants = mutants

    def __iter__(self) -> Iterator[tuple[Mutant, Callable[[], Verdict]]]:
        """Yield a trial for each mutant."""
        for mutant in self.mutants:
            yield mutant, partial(self._try, mutant)

    def _try(self, mutant: Mutant) -> Verdict:
        """Ask the module's own tables first: to import all the others takes longer than to run them."""
        compile(mutant.source, mutant.module, "exec")
        sys.meta_path.insert(0, swap.OnImport(mutant))
        own = [str(path) for path in Path(self.tests[0]).glob(f"test_{mutant.module}.py")]
        asked: set[str] = set()
        for tests in filter(None, (own, self.tests)):
            if not self._pass(tests, asked):
                return Verdict.KILLED
        return Verdict.SURVIVED

    def _pass(self, tests: Sequence[str], asked: set[str]) -> bool:
        """Whether the tests can be imported, and those that were not asked yet pass."""
        forks.within(30 * SLACK_S)
        items = {item.nodeid: item for item in self.session.perform_collect(tests)}
        if self.session.testsfailed:
            return False
        for test in self.baseline.seconds:
            if test in items and test not in asked:
                asked.add(test)
                _bounded(self.baseline, test)
                if not _passes(items[test]):
                    return False
        return True


def _bounded(baseline: Baseline, test: str) -> None:
    forks.within(SLACK_S + TIMES_LONGER * baseline.seconds[test])


def _passes(item: pytest.Item) -> bool:
    reports = runtestprotocol(item, nextitem=None, log=False)
    return not any(report.failed for report in reports)
