"""A child for each mutant: whatever it breaks, hangs or eats dies with it."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import TypeVar

T = TypeVar("T")

MOST_MEMORY = 4 << 30
MOST_CPU_S = 120


class Verdict(Enum):
    """What became of a mutant."""

    SURVIVED = 0
    KILLED = 1
    INVALID = 3
    """Python refuses it: no mutant at all."""
    UNTOLD = 4
    """No test runs its statement: it may run when the module is imported."""
    HANGS = -1
    """Killed by the limit on its time or memory."""


def each(trials: Iterable[tuple[T, Callable[[], Verdict]]], workers: int) -> Iterator[tuple[T, Verdict]]:
    """Run every trial in a child of its own, so many at once, and yield how each ended."""
    running: dict[int, T] = {}
    for what, trial in trials:
        running[_child(trial)] = what
        if len(running) >= workers:
            yield _ended(running)
    while running:
        yield _ended(running)


def _child(trial: Callable[[], Verdict]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        verdict = trial()
    except SyntaxError:
        verdict = Verdict.INVALID
    except BaseException:  # noqa: BLE001 - a mutant may raise anything anywhere; it is told apart and that is all
        verdict = Verdict.KILLED
    os._exit(verdict.value)


def _ended(running: dict[int, T]) -> tuple[T, Verdict]:
    child, status = os.wait()
    what = running.pop(child)
    if os.WIFSIGNALED(status):
        return what, Verdict.HANGS
    return what, Verdict(os.WEXITSTATUS(status))


def within(cpu_s: float) -> None:
    """Let this process die when it has used so much more CPU time; a loaded machine does not count."""
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
