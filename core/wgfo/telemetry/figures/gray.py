"""How long it takes to find loss: a replay of the engine's own rules over random losses.

There is no closed form: the loss rule looks at a window that slides, and wants its limit held without a break for
``confirm``; the exact chain has a state for every content of the window. So the rules themselves are run, round by
round, in thousands of runs side by side (:mod:`~wgfo.telemetry.figures.lanes`): every probe is lost with the same
chance, by itself; the standby is clean; all was clean before. What is replayed:

- loss: the window holds at least the limit, the margin without the newest round, until ``confirm`` has passed
- blackout: every target silent for ``fall`` rounds, the far gateway answering or silent as long

The moment at which the loss begins is uniform within an interval, which the quantiles take into account exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from heapq import merge
from random import Random
from typing import Final

from wgfo.engine.policy import SECOND_US
from wgfo.telemetry.figures.chances import at_least
from wgfo.telemetry.figures.detector import Detector, Rounds
from wgfo.telemetry.figures.lanes import Chance, Counter, summed

RUNS: Final = ((2_000, 16_384), (16_000, 4_096))
"""Runs of a replay of so many probes; longer ones need fewer, for their windows hold so much the more."""
FEWEST_RUNS: Final = 1_024
HORIZON_US: Final = 600 * SECOND_US
"""What is not found in ten minutes is not found reliably."""
MOST_PROBES: Final = 16_000
WINDOWS: Final = 3
"""So many times the window and its confirmation are replayed, whatever it costs."""
NEGLIGIBLE: Final = 1e-6
_SEED: Final = 20_130
_HALVINGS: Final = 40


@dataclass(frozen=True, slots=True)
class Found:
    """When a loss is found; None: not in so many of the runs before the horizon."""

    median_us: int | None
    p99_us: int | None
    share: float
    """Of the runs that found it before the horizon."""
    horizon_us: int


@dataclass(frozen=True, slots=True)
class _Hit:
    """Runs that found it in one round; the moment is uniform over the interval before ``latest_us``."""

    latest_us: int
    interval_us: int
    runs: int

    def by(self, at_us: float) -> float:
        """Return how many of them have found it by then."""
        return self.runs * min(1.0, max(0.0, 1 - (self.latest_us - at_us) / self.interval_us))


@cache
def found(detector: Detector, loss: float) -> Found:
    """Return when a loss of this share (of probes, there and back) is found."""
    probes_a_second = sum(one.pooled * SECOND_US / one.interval_us for one in detector.streams)
    least_us = WINDOWS * (detector.window_us + detector.confirm_us)
    horizon_us = max(least_us, min(HORIZON_US, int(MOST_PROBES / probes_a_second * SECOND_US)))
    probes = probes_a_second * horizon_us / SECOND_US
    if _hopeless(detector, loss, probes):
        return Found(None, None, 0.0, horizon_us)
    runs = next((runs for most, runs in RUNS if probes <= most), FEWEST_RUNS)
    hits = list(_Replay(detector, loss, runs).hits(horizon_us))
    share = sum(hit.runs for hit in hits) / runs
    median_us, p99_us = _quantile(hits, 0.5 * runs), _quantile(hits, 0.99 * runs)
    return Found(median_us, p99_us, share, horizon_us)


def _hopeless(detector: Detector, loss: float, probes: float) -> bool:
    """Whether neither rule has a chance worth a replay: a bound over all rounds."""
    window = at_least(detector.possible, detector.trip, loss)
    silence = loss ** min(one.pooled * one.fall for one in detector.streams)
    return (window + silence) * probes < NEGLIGIBLE


def _quantile(hits: list[_Hit], runs: float) -> int | None:
    """Return when so many runs have found it, by bisection of a sum that only grows."""
    if sum(hit.runs for hit in hits) < runs:
        return None
    low, high = 0.0, float(max(hit.latest_us for hit in hits))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if sum(hit.by(middle) for hit in hits) >= runs:
            high = middle
        else:
            low = middle
    return round(high)


# --- the rules, in all runs at once -----------------------------------------------------------------------


@dataclass(slots=True)
class _Stream:
    """One stream in all runs."""

    rounds: Rounds
    window: deque[list[int]]
    """How many probes each round of the window lost."""
    silent: deque[int]
    """Of the newest ``fall`` rounds, the runs that lost every target."""
    anchor: deque[int]
    answered: Counter = field(default_factory=Counter)
    """Rounds running that lost nothing."""

    @property
    def condemned(self) -> int:
        """Every target was silent for ``fall`` rounds."""
        return _all(self.silent)


@dataclass(slots=True)
class _Replay:
    """The rules over one loss.

    ``held`` counts the rounds for which the limit was reached without a break. The first one starts the
    clock of ``confirm``; ``strict`` more are closed before it ends, and where ``last`` a further one is if
    nothing of it is lost: a lost probe is waited for until the timeout, an answered one is not.
    """

    detector: Detector
    loss: float
    runs: int
    held: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)
    faults: deque[int] = field(init=False)
    """The blackout's fault after the newest round, and after those of the hold-off before."""
    down: int = 0
    """Condemned within the hold-off, and not risen since: the loss rule does not look at a path that is down."""

    def __post_init__(self) -> None:
        kept = 1 + held_off(self.detector, self.detector.streams[0])
        self.faults = deque([0] * kept, maxlen=kept)

    def hits(self, horizon_us: int) -> Iterator[_Hit]:
        """Yield the runs that find it, round by round."""
        chance = Chance(Random(_SEED), self.runs, self.loss)  # noqa: S311 - a replay, no secret
        streams = [self._stream(rounds) for rounds in self.detector.streams]
        searching = (1 << self.runs) - 1
        for at_us, place in _order(self.detector.streams, horizon_us):
            stream = streams[place]
            any_lost = self._round(stream, chance)
            black = self._black(streams, place, any_lost) & searching
            gray = self._gray(stream, any_lost) & searching & ~black & ~self._recovering(streams)
            searching &= ~(black | gray)
            yield from self._hit(at_us, stream.rounds, black, gray)
            if not searching:
                return

    def _stream(self, rounds: Rounds) -> _Stream:
        clean: deque[list[int]] = deque([[]] * rounds.in_window(self.detector.window_us))
        none = deque([0] * rounds.fall, maxlen=rounds.fall)
        return _Stream(rounds, clean, none, none.copy())

    def _round(self, stream: _Stream, chance: Chance) -> int:
        """Close one round; return the runs in which anything of it was waited for in vain."""
        lost = [chance.draw() for _ in range(stream.rounds.pooled)]
        newest = summed(lost)
        self.lost.add(newest)
        self.lost.subtract(stream.window.popleft())
        stream.window.append(newest)
        stream.silent.append(_all(lost))
        if stream.rounds.anchor:
            stream.anchor.append(chance.draw())
            lost.append(stream.anchor[-1])
        return _any(lost)

    def _black(self, streams: list[_Stream], place: int, any_lost: int) -> int:
        """Return the runs in which the blackout has lasted for the hold-off too.

        Its last round is still open when the hold-off ends, if anything of it is lost.
        """
        if len(self.faults) == 1:
            self.faults.append(self._fault(streams))
            return self.faults[-1]
        if place:
            return 0
        before = _all(list(self.faults)[1:])
        self.faults.append(self._fault(streams))
        return before & any_lost

    def _fault(self, streams: list[_Stream]) -> int:
        """Return the runs in which every target is silent, and the far gateway answers or is silent as long."""
        silent = _all([stream.condemned for stream in streams])
        if not silent or not streams[0].rounds.anchor:
            return silent
        return silent & (~streams[0].anchor[-1] | _all(streams[0].anchor))

    def _recovering(self, streams: list[_Stream]) -> int:
        """Return the runs in which the path is down, and stays: without a hold-off it would have been left."""
        if not self.detector.hold_off_us:
            return 0
        everyone = (1 << self.runs) - 1
        first = streams[0]
        clean = everyone & ~_any(first.window[-1])
        first.answered.keep(clean)
        first.answered.add([clean])
        low = everyone & ~self.lost.at_least(self.detector.trip, everyone)
        risen = first.answered.at_least(self.detector.rise, everyone) & low
        self.down = (self.down & ~risen) | self.faults[-1]
        return self.down

    def _gray(self, stream: _Stream, any_lost: int) -> int:
        everyone = (1 << self.runs) - 1
        tripped = self.lost.at_least(self.detector.trip, everyone) & self._worse(stream, everyone)
        strict, last = confirming(self.detector)
        nearly = self.held.at_least(strict + 1, everyone)
        self.held.keep(tripped)
        self.held.add([tripped])
        if last:
            return nearly & (any_lost | tripped)
        return self.held.at_least(strict + 1, everyone)

    def _worse(self, stream: _Stream, everyone: int) -> int:
        """Return the runs with the margin; it cannot be missing where the newest round is too small for it."""
        if self.detector.trip - stream.rounds.pooled >= self.detector.worse:
            return everyone
        without = self.lost.copy()
        without.subtract(stream.window[-1])
        return without.at_least(self.detector.worse, everyone)

    def _hit(self, at_us: int, rounds: Rounds, black: int, gray: int) -> Iterator[_Hit]:
        closed_us = at_us + rounds.closing_us - rounds.anchor * rounds.stagger_us
        if black:
            held_us = self.detector.hold_off_us - held_off(self.detector, rounds) * rounds.interval_us
            yield _Hit(closed_us + held_us, rounds.interval_us, black.bit_count())
        if gray:
            strict, last = confirming(self.detector)
            early_us = self.detector.confirm_us - (strict + last) * rounds.interval_us
            several = len(self.detector.streams) > 1
            yield _Hit(closed_us + (0 if several else early_us), rounds.interval_us, gray.bit_count())


def confirming(detector: Detector) -> tuple[int, int]:
    """Return how many more rounds are closed while ``confirm`` passes, and whether one more if all answer."""
    confirm_us = detector.confirm_us
    strict = sum(max(0, confirm_us - 1) // rounds.interval_us for rounds in detector.streams)
    if len(detector.streams) > 1:
        return strict, 0
    rounds = detector.streams[0]
    return strict, min(1, (confirm_us + rounds.timeout_us) // rounds.interval_us - strict)


def held_off(detector: Detector, rounds: Rounds) -> int:
    """Return how many more rounds must stay silent while the hold-off passes; an answer is known before."""
    return (detector.hold_off_us + rounds.timeout_us) // rounds.interval_us if detector.hold_off_us else 0


def _order(streams: tuple[Rounds, ...], horizon_us: int) -> Iterator[tuple[int, int]]:
    """Yield the rounds of all streams in the order of their latest moments."""
    return merge(*(_times(rounds, place, horizon_us) for place, rounds in enumerate(streams)))


def _times(rounds: Rounds, place: int, horizon_us: int) -> Iterator[tuple[int, int]]:
    return ((at_us, place) for at_us in range(rounds.interval_us, horizon_us + 1, rounds.interval_us))


def _all(masks: deque[int] | list[int]) -> int:
    found_in = -1
    for mask in masks:
        found_in &= mask
    return found_in


def _any(masks: list[int]) -> int:
    found_in = 0
    for mask in masks:
        found_in |= mask
    return found_in
