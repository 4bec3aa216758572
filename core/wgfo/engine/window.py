"""Bitset windows over rounds, and the running tally of one target.

Decides nothing. A window holds the last rounds of one target as two integers, newest round at bit 0: ``known``
(the round's end is known) and ``lost``. Windows of two paths are compared on the *same rounds*: the prober
sends one round under one number through every path.

May not be added here: anything that knows of paths, classes or states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.engine.values import replace
from wgfo.model import Outcome, ProbeResult

_SUB_BITS: Final = 3
"""RTT buckets are logarithmic, eight to an octave: the median is exact to 12 %."""
_LOST_BUCKET: Final = 255


@dataclass(frozen=True, slots=True)
class Tally:
    """What one target's probes came to.

    ``fails`` and ``good`` count the running series; at most one of them is not zero. Rounds whose end is
    unknown change neither.
    """

    head: int = -1
    """Number of the newest closed round; -1 before the first."""
    lost: int = 0
    known: int = 0
    fails: int = 0
    good: int = 0
    first_lost_us: int = 0
    """When the first lost probe of the running series was sent; meaningful while ``fails``."""
    last_lost_us: int = 0
    first_lost_round: int = 0
    last_good_us: int = -1
    """When the newest answered probe was sent; -1 for never."""
    reason: str = ""
    """Why the newest probe was lost or said nothing."""
    rtts: bytes = b""
    """RTT buckets of the newest rounds, newest last."""


def closed(tally: Tally, number: int, result: ProbeResult, capacity: int, rtt_capacity: int) -> Tally:
    """Return the tally with one more round; ``capacity`` bounds the bits kept."""
    shift = number - tally.head
    if shift < 0:
        return tally  # older than the window's head: the prober closes rounds in order
    mask = (1 << capacity) - 1
    known = (tally.known << shift) & mask
    lost = (tally.lost << shift) & mask
    if result.outcome is Outcome.OK:
        return replace(
            tally,
            head=number,
            lost=lost,
            known=known | 1,
            fails=0,
            good=tally.good + 1,
            first_lost_us=0,
            last_lost_us=0,
            first_lost_round=0,
            last_good_us=result.sent_us,
            reason="",
            rtts=(tally.rtts + bytes((_bucket(result.rtt_us),)))[-rtt_capacity:],
        )
    if result.outcome is Outcome.LOST:
        running = tally.fails > 0
        return replace(
            tally,
            head=number,
            lost=lost | 1,
            known=known | 1,
            fails=tally.fails + 1,
            good=0,
            first_lost_us=tally.first_lost_us if running else result.sent_us,
            last_lost_us=result.sent_us,
            first_lost_round=tally.first_lost_round if running else number,
            reason=result.reason,
            rtts=(tally.rtts + bytes((_LOST_BUCKET,)))[-rtt_capacity:],
        )
    return replace(tally, head=number, lost=lost, known=known, reason=result.reason)


def condemned(tally: Tally, fall: int, interval_us: int) -> bool:
    """Whether the running series is long enough, in probes and in time.

    The time guards invariant I18 when rounds were bunched: ``fall`` probes lost within less than
    (fall-1) intervals say nothing about an interruption of that length. A twentieth of an interval is
    allowed for the stagger's jitter.
    """
    span_us = tally.last_lost_us - tally.first_lost_us
    return tally.fails >= fall and span_us + interval_us // 20 >= (fall - 1) * interval_us


def recent(bits: int, rounds: int) -> int:
    """Return the newest ``rounds`` bits."""
    return bits & ((1 << rounds) - 1)


def aligned(bits: int, head: int, onto: int) -> int:
    """Return ``bits`` of a window with head ``head`` in the numbering of a window with head ``onto``."""
    shift = onto - head
    return bits << shift if shift >= 0 else bits >> -shift


def answered_while_failing(failing: Tally, other: Tally, since_round: int = 0) -> int:
    """Return the rounds of ``failing``'s running series, as bits of its window, that ``other`` answered.

    ``since_round``: older rounds of the series do not count.
    """
    if not failing.fails or other.head < 0:
        return 0
    first = max(failing.first_lost_round, since_round)
    series = recent(failing.lost, failing.head - first + 1) if first <= failing.head else 0
    return series & aligned(answered(other), other.head, failing.head)


def answered(tally: Tally) -> int:
    """Return the rounds that were answered, as bits."""
    return tally.known & ~tally.lost


def own_losses(here: Tally, there: Tally, rounds: int, alive: int = -1) -> int:
    """Return how many more probes were lost here than there, over the same ``rounds``; never below 0.

    A loss here counts as shared when the other path lost the same target in the same round or a neighbouring
    one: a target that goes dark between two staggered probes must not look like a difference of the paths
    (invariant I14). The newest round is not counted yet, for its later neighbour is still to come.

    ``alive``: the rounds of the other path to compare with, as bits of its window; all of them by default.
    """
    both = recent(here.known & aligned(there.known & alive, there.head, here.head), rounds)
    lost_here = here.lost & both
    lost_there = aligned(there.lost & alive, there.head, here.head)
    shared = lost_there | lost_there << 1 | lost_there >> 1
    more = lost_here.bit_count() - (lost_there & both).bit_count()
    return max(0, min(more, (lost_here & ~shared & ~1).bit_count()))


def lost_beyond(here: Tally, others: Sequence[tuple[Tally, int]], rounds: int) -> int:
    """Return how many more probes were lost here than on the other path that lost least.

    ``others``: the same target's tally there, and the rounds in which that path was alive: one that was dark
    says nothing of the target. What was lost in rounds of which no other path says anything counts.
    """
    lost = recent(here.lost, rounds)
    more = seen = 0
    for there, alive in others:
        seen |= aligned(there.known & alive, there.head, here.head)
        more = max(more, own_losses(here, there, rounds, alive))
    return more + (lost & ~seen).bit_count()


def median_us(series: list[bytes]) -> int | None:
    """Return the median RTT of the answered probes in several ``Tally.rtts``; None where there are none."""
    buckets = sorted(bucket for rtts in series for bucket in rtts if bucket != _LOST_BUCKET)
    return _bucket_us(buckets[(len(buckets) - 1) // 2]) if buckets else None


def _bucket(rtt_us: int) -> int:
    if rtt_us < 1 << _SUB_BITS:
        return max(0, rtt_us)
    exponent = rtt_us.bit_length() - 1 - _SUB_BITS
    return min(_LOST_BUCKET - 1, ((exponent + 1) << _SUB_BITS) + (rtt_us >> exponent) - (1 << _SUB_BITS))


def _bucket_us(bucket: int) -> int:
    exponent = (bucket >> _SUB_BITS) - 1
    if exponent < 0:
        return bucket
    low = ((bucket & ((1 << _SUB_BITS) - 1)) + (1 << _SUB_BITS)) << exponent
    return low + (1 << exponent) // 2
