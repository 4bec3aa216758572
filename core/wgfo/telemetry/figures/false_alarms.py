"""How often a healthy path is left for background loss: mean time between false failovers.

Two kinds of background, both of share ``p``, with a standby that loses nothing (a standby as bad as the active
path holds a failover back, so that these times are too short rather than too long):

*independent*: every probe by itself. The blackout rule has the closed form of a run of ``f`` lost rounds,
``T * (P**-f - 1) / (1 - P)`` with ``P = p**targets`` (W. Feller, "An Introduction to Probability Theory", vol. 1,
XIII.7). For the loss rule the exact chain of :func:`_confirmed_rate` is run where it is small; else the rate at
which the window reaches its limit, without ``confirm``, bounds the time from below.

*bursty*: interruptions of everything, exponential with a mean of 3 s, begun at random (Gilbert's channel; E. N.
Gilbert, "Capacity of a burst-noise channel", 1960). They are drawn from a fixed seed and put to both rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import comb, exp, expm1
from random import Random
from typing import Final

from wgfo.engine.policy import SECOND_US
from wgfo.telemetry.figures.chances import at_least, binomial
from wgfo.telemetry.figures.detector import Detector, Rounds
from wgfo.telemetry.figures.gray import confirming

BURST_S: Final = 3.0
YEAR_S: Final = 365.25 * 86_400.0
NEVER_S: Final = 1e6 * YEAR_S
"""Longer times are not told apart: nothing lasts so long."""
_AFFORDABLE: Final = 600_000
"""Steps of the exact chain, beyond which the bound must do."""
_ABOVE: Final = 20
"""So far above the limit a window is as good as surely above it for the next rounds."""
_BURSTS: Final = 4_000
_SEED: Final = 1_960


def independent_s(detector: Detector, loss: float) -> float:
    """Return the mean seconds between false failovers by independent loss, at most ``NEVER_S``."""
    rates = 1 / _blackout_s(detector, loss) + _loss_rate(detector, loss)
    return min(NEVER_S, 1 / rates) if rates > 0 else NEVER_S


# --- independent: blackout --------------------------------------------------------------------------------


def _blackout_s(detector: Detector, loss: float) -> float:
    """Every stream must be silent at once; the far gateway must answer, or be silent as long."""
    interval_s = min(one.interval_us for one in detector.streams) / SECOND_US
    together = 1.0
    for rounds in detector.streams:
        together *= loss ** (rounds.pooled * rounds.fall)
    first = detector.streams[0]
    if first.anchor:
        together *= 1 - loss + loss**first.fall
    if together * NEVER_S < interval_s:
        return NEVER_S
    silent = loss**first.pooled
    return interval_s * (1 / together - 1) / (1 - silent)


# --- independent: loss ------------------------------------------------------------------------------------


@cache
def _loss_rate(detector: Detector, loss: float) -> float:
    """Return false failovers a second by the loss rule."""
    window = _Window.of(detector)
    reached = at_least(window.probes, window.limit, loss)
    if reached * NEVER_S < window.interval_s:
        return 0.0
    if window.steps <= _AFFORDABLE:
        free = 1 - reached
        rate = _confirmed_rate(window, loss) / window.interval_s
        return rate / free if free > 0 else 1 / window.interval_s
    return _crossing_rate(window, loss)


@dataclass(frozen=True, slots=True)
class _Window:
    """The loss window in equal rounds; several streams are pooled into rounds of the shortest interval."""

    interval_s: float
    each: int
    """Probes of a round."""
    rounds: int
    limit: int
    """Losses in a window that trip the rule."""
    hold: int
    """Rounds after the tripping one in which the limit must still be reached."""
    lenient: bool
    """In the last of them a lost probe will do too: it is not closed when ``confirm`` ends."""

    @classmethod
    def of(cls, detector: Detector) -> _Window:
        interval_us = min(one.interval_us for one in detector.streams)
        rounds = max(1, detector.window_us // interval_us)
        each = max(1, round(detector.possible / rounds))
        strict, last = confirming(detector)
        hold = min(strict + last, rounds - 1)
        lenient = bool(last) and hold == strict + last
        return cls(interval_us / SECOND_US, each, rounds, detector.trip, hold, lenient)

    @property
    def probes(self) -> int:
        return self.each * self.rounds

    @property
    def ceiling(self) -> int:
        """The largest number of losses that is told apart."""
        return min(self.probes, self.limit + max(_ABOVE, 3 * self.each))

    @property
    def steps(self) -> int:
        """What the exact chain costs."""
        states = self.limit * (self.ceiling - self.limit + 1)
        return states * 2 * (self.each + 1) * (self.hold + 1)


def _confirmed_rate(window: _Window, loss: float) -> float:
    """Return, a round, the chance that the limit was reached just now and stays so for ``hold`` more rounds.

    Exact for the sliding window, as a chain over (losses that will leave the window meanwhile, losses in it):
    given how many of the leaving rounds' probes were lost, each round's share of them is hypergeometric; what
    comes in is binomial.
    """
    leaving = (window.hold + 1) * window.each
    state = _before(window, leaving, loss)
    comes = [binomial(window.each, count, loss) for count in range(window.each + 1)]
    for turn in range(window.hold + 1):
        final = turn == window.hold
        state = _slide(window, state, leaving - turn * window.each, comes, final=final)
    return sum(state.values())


_State = dict[tuple[int, int], float]


def _before(window: _Window, leaving: int, loss: float) -> _State:
    """Return the chances just before: any content of the window below the limit."""
    staying = window.probes - leaving
    state: _State = {}
    for old in range(min(leaving, window.limit - 1) + 1):
        chance = binomial(leaving, old, loss)
        for others in range(min(staying, window.limit - 1 - old) + 1):
            state[old, old + others] = chance * binomial(staying, others, loss)
    return state


def _slide(window: _Window, state: _State, leaving: int, comes: list[float], *, final: bool) -> _State:
    """Return the chances one round later, of those at or above the limit."""
    after: _State = {}
    for (old, inside), chance in state.items():
        for gone, share in _shares(leaving, window.each, old):
            for fresh, likely in enumerate(comes):
                now = min(window.ceiling, inside - gone + fresh)
                if now >= window.limit or (final and window.lenient and fresh and window.hold):
                    key = (old - gone, now)
                    after[key] = after.get(key, 0.0) + chance * share * likely
    return after


@cache
def _shares(cells: int, each: int, lost: int) -> tuple[tuple[int, float], ...]:
    """Return how many of ``lost`` losses in ``cells`` probes fall on the next ``each`` probes (hypergeometric)."""
    whole = comb(cells, each)
    least, most = max(0, each - (cells - lost)), min(each, lost)
    return tuple(
        (gone, comb(lost, gone) * comb(cells - lost, each - gone) / whole) for gone in range(least, most + 1)
    )


def _crossing_rate(window: _Window, loss: float) -> float:
    """Return at most how often a second the window reaches its limit: the rate of up-crossings.

    One probe in, one out: ``r * p(1-p) * C(n-1, k-1) * p^(k-1) * (1-p)^(n-k)``.
    """
    probes_a_second = window.each / window.interval_s
    at_the_edge = binomial(window.probes - 1, window.limit - 1, loss)
    return probes_a_second * loss * (1 - loss) * at_the_edge


# --- bursts -----------------------------------------------------------------------------------------------


@cache
def bursty_s(detector: Detector, loss: float) -> float:
    """Return the mean seconds between false failovers by bursts that come to this share of the time."""
    failovers, passed_s = _Bursts(detector, loss).replay()
    if failovers:
        return min(NEVER_S, passed_s / failovers)
    return min(NEVER_S, blackout_by_bursts_s(detector, loss))


def blackout_by_bursts_s(detector: Detector, loss: float) -> float:
    """Return the mean seconds between bursts that silence ``fall`` rounds: a closed form.

    Bursts begin ``loss / mean`` times a second; one that begins ``u`` before a round, uniform in an interval,
    must last ``u`` and ``fall - 1`` intervals more.
    """
    first = max(detector.streams, key=_silence_us)
    interval_s, silence_s = first.interval_us / SECOND_US, _silence_us(first) / SECOND_US
    long_enough = exp(-silence_s / BURST_S) * -expm1(-interval_s / BURST_S) * BURST_S / interval_s
    return BURST_S / loss / long_enough


def _silence_us(rounds: Rounds) -> int:
    return (rounds.fall - 1) * rounds.interval_us + rounds.spread_us


@dataclass(slots=True)
class _Bursts:
    """Bursts against the first stream's rounds, from one failover to the next; after one all begins anew."""

    detector: Detector
    loss: float

    def replay(self) -> tuple[int, float]:
        """Return how many failovers there were, and in how many seconds."""
        random = Random(_SEED)  # noqa: S311 - a replay, no secret
        failovers, now_s = 0, 0.0
        lost: list[int] = []
        for _ in range(_BURSTS):
            now_s += random.expovariate(self.loss / BURST_S / (1 - self.loss))
            end_s = now_s + random.expovariate(1 / BURST_S)
            hit = list(self._hit(now_s, end_s))
            now_s = end_s
            lost = lost[bisect_right(lost, hit[0] - 2 * self._rounds_kept) :] + hit if hit else lost
            if len(hit) >= self._first.fall or self._confirmed(lost):
                failovers += 1
                lost = []
        return failovers, now_s

    @property
    def _first(self) -> Rounds:
        return max(self.detector.streams, key=_silence_us)

    @property
    def _rounds_kept(self) -> int:
        return self._first.in_window(self.detector.window_us)

    def _hit(self, start_s: float, end_s: float) -> Iterator[int]:
        """Yield the numbers of the rounds that a burst silences altogether."""
        rounds = self._first
        interval_s, spread_s = rounds.interval_us / SECOND_US, rounds.spread_us / SECOND_US
        number = -int(-start_s // interval_s)
        while number * interval_s + spread_s <= end_s:
            yield number
            number += 1

    def _confirmed(self, lost: list[int]) -> bool:
        """Whether the window held its limit for as long as ``confirm``.

        A window is at its limit from the last of ``needed`` losses until the first of them leaves it.
        """
        needed = -(-self.detector.trip * self._rounds_kept // self.detector.possible)
        strict, _ = confirming(self.detector)
        since, until = 0, -1
        for first, last in zip(lost, lost[needed - 1 :], strict=False):
            if first + self._rounds_kept <= last:
                continue
            since = last if last > until + 1 else since
            until = max(until, first + self._rounds_kept - 1)
            if until - since >= strict:
                return True
        return False


def longest_unseen_s(detector: Detector) -> tuple[float, float]:
    """Return the interruption that is never taken for an outage, and the one that always is, in seconds."""
    never = max((one.fall - 1) * one.interval_us for one in detector.streams)
    always = max(one.fall * one.interval_us + one.spread_us for one in detector.streams)
    return never / SECOND_US, always / SECOND_US
