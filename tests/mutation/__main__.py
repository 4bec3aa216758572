"""Break the engine in every small way and see which mutants the tests let live: ``make mutants``.

Exit status: 0 where at least 95 % of the mutants are killed and ``survivors.md`` tells no untruth, 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from tests.mutation import forks, survivors, swap, trials
from tests.mutation.forks import Verdict
from tests.mutation.operators import MODULE, Mutant, mutants_of
from tests.mutation.trials import Baseline

ENOUGH_PERCENT = 95
TESTS = (
    "tests/engine/unit",
    "tests/engine/test_small_machines.py",
)
"""The quick ones: what takes seconds to tell a mutant cannot be asked thousands of times."""
PYTEST = [
    "-o",
    "addopts=--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:terminal",
    "--capture=no",
]
EVERY = 200

Ended = list[tuple[Mutant, Verdict]]


def main() -> int:
    """Try the mutants and say what became of them."""
    options = _options()
    began = monotonic()
    mutants = [mutant for name in options.modules for mutant in _mutants(name)]
    print(f"{len(mutants)} mutants; running the tests as they are", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        _keep_bytecode(scratch)
        inside = [one for one in mutants if one.place != MODULE]
        baseline, ended = _inside(inside, results, options.jobs)
        if baseline is None or baseline.failed:
            return 1
        untold = {one.key for one, verdict in ended if verdict is Verdict.UNTOLD}
        ended = [one for one in ended if one[1] is not Verdict.UNTOLD]
        outside = [one for one in mutants if one.place == MODULE or one.key in untold]
        ended += _outside(baseline, outside, results, options.jobs)
    print(f"{monotonic() - began:.0f} s, {len(baseline.seconds)} tests\n")
    return _told(options.modules, [one for one in ended if one[1] is not Verdict.INVALID])


def _keep_bytecode(scratch: str) -> None:
    """Let the tests be compiled once and not by each child, where nothing may be written beside the sources."""
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = scratch


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    names = sorted(path.stem for path in swap.folder().glob("*.py") if path.stem != "__init__")
    parser.add_argument("modules", nargs="*", choices=[*names, []], help="modules of the engine; none: all")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="mutants at once")
    options = parser.parse_args()
    options.modules = options.modules or names
    return options


def _mutants(name: str) -> Iterable[Mutant]:
    return mutants_of(name, (swap.folder() / f"{name}.py").read_bytes())


def _inside(mutants: list[Mutant], results: Path, jobs: int) -> tuple[Baseline | None, Ended]:
    """Measure the tests and try the mutants of functions, in a child that may import the engine."""

    def then(baseline: Baseline, items: dict[str, pytest.Item]) -> None:
        ended: Ended = []
        if not baseline.failed:
            ended = _followed(trials.Inside(baseline, items, mutants), len(mutants), jobs)
        results.write_bytes(pickle.dumps((baseline, ended)))

    _pytest(trials.Measure(then))
    if not results.exists():
        print("the tests could not be run: see make test ARGS=tests/engine")
        return None, []
    baseline, ended = pickle.loads(results.read_bytes())  # our own child wrote it
    for test in baseline.failed:
        print(f"fails on the engine as it is, so nothing can be told: {test}")
    return baseline, ended


def _outside(baseline: Baseline, mutants: list[Mutant], results: Path, jobs: int) -> Ended:
    """Try the mutants of constants, tables and defaults, in a child that must not import the engine."""

    def then(session: pytest.Session) -> None:
        tries = trials.Outside(baseline, session, TESTS, mutants)
        results.write_bytes(pickle.dumps(_followed(tries, len(mutants), jobs)))

    results.unlink()
    _pytest(trials.Anew(then))
    ended: Ended = pickle.loads(results.read_bytes())
    return ended


def _pytest(plugin: object) -> None:
    child = os.fork()
    if not child:
        pytest.main([*PYTEST, *TESTS], plugins=[plugin])
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)


def _followed(tries: Iterable[tuple[Mutant, Callable[[], Verdict]]], count: int, jobs: int) -> Ended:
    ended: Ended = []
    for mutant, verdict in forks.each(tries, jobs):
        ended.append((replace(mutant, source=b""), verdict))
        if verdict is Verdict.SURVIVED:
            print(f"  lives: {mutant.module}.{mutant.place}:{mutant.line}: {mutant.after}", flush=True)
        if len(ended) % EVERY == 0:
            print(f"  {len(ended)} of {count}", flush=True)
    return ended


def _told(modules: list[str], ended: Ended) -> int:
    killed = sum(verdict is not Verdict.SURVIVED for _, verdict in ended)
    _table(modules, ended)
    survived = sorted(
        (mutant for mutant, verdict in ended if verdict is Verdict.SURVIVED),
        key=lambda one: (one.module, one.line),
    )
    held = survivors.account(survived, survivors.listed(survivors.LIST.read_text()), modules)
    print(f"\n{len(survived)} survived, {len(held.unlisted)} of them not in {survivors.LIST.name}:\n")
    for mutant in held.unlisted:
        print(f"{mutant.module}.{mutant.place} (line {mutant.line})\n- {mutant.before}\n+ {mutant.after}\n")
    for place, before, after in held.stale:
        print(f"in {survivors.LIST.name}, but killed or gone; take it out:\n{place}\n- {before}\n+ {after}\n")
    enough = killed * 100 >= ENOUGH_PERCENT * len(ended)
    print(f"{_percent(killed, len(ended))} killed, {ENOUGH_PERCENT} % are asked for")
    return 0 if enough and not held.stale else 1


def _table(modules: list[str], ended: Ended) -> None:
    counts: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for mutant, verdict in ended:
        counts[mutant.module][verdict is Verdict.SURVIVED] += 1
    print(f"{'module':<12} {'mutants':>8} {'killed':>8} {'survived':>9}")
    for name in modules:
        killed, survived = counts[name][False], counts[name][True]
        count = killed + survived
        if count:
            print(f"{name:<12} {count:>8} {killed:>8} {survived:>9} {_percent(killed, count):>8}")


def _percent(part: int, whole: int) -> str:
    return f"{part * 1000 // max(1, whole) / 10:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
