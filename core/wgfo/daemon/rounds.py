"""What the daemon's own delays do to a round's results; pure.

A round that was sent late says nothing at all, and one that was judged late says nothing against a path
(semantics.md, "Rounds"): what answered in time stays a good reply, however late it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wgfo.model import Outcome, ProbeResult


@dataclass(frozen=True, slots=True)
class Timing:
    """When a round should have been sent, and when it was."""

    nominal_us: int
    start_us: int
    interval_us: int
    timeout_us: int
    stagger_us: int
    probes: int

    @property
    def due_us(self) -> int:
        """When its last probe has answered or timed out."""
        return self.start_us + self.stagger_us * max(0, self.probes - 1) + self.timeout_us

    @property
    def tolerance_us(self) -> int:
        """Half an interval."""
        return self.interval_us // 2

    def sent_late(self, index: int, sent_us: int) -> bool:
        """Whether this probe of the round left later than half an interval after its time."""
        return sent_us - (self.nominal_us + index * self.stagger_us) > self.tolerance_us

    def judged_late(self, closed_us: int) -> bool:
        """Whether the round was closed later than half an interval after it should have been."""
        return closed_us - self.due_us > self.tolerance_us


def stagger_us(interval_us: int, probes: int) -> int:
    """Spread a round over a twentieth of its interval."""
    return interval_us // 20 // max(1, probes)


def patience_us(timeout_us: int, interval_us: int, probes: int) -> int:
    """Return how long each probe of a round is waited for, so that the whole is settled within the timeout.

    Without this the last of the staggered probes would hold up the verdict of all beyond the time that is
    promised for a blackout (invariant I17).
    """
    return max(timeout_us // 2, timeout_us - stagger_us(interval_us, probes) * max(0, probes - 1))


def judge(
    results: Sequence[ProbeResult], timing: Timing, closed_us: int, slept_us: int
) -> tuple[ProbeResult, ...]:
    """Return the results as the engine may believe them; ``slept_us``: how long the machine was suspended."""
    if len(results) != timing.probes:
        reason = f"the probe returned {len(results)} results for {timing.probes} targets"
        return unknown(timing, reason)
    late = "judged late" if timing.judged_late(closed_us) else ""
    slept = "the machine slept" if slept_us > timing.tolerance_us else ""
    return tuple(_believe(result, index, timing, late or slept) for index, result in enumerate(results))


def _believe(result: ProbeResult, index: int, timing: Timing, doubt: str) -> ProbeResult:
    if timing.sent_late(index, result.sent_us):
        return replace(result, outcome=Outcome.UNKNOWN, rtt_us=0, reason="sent late")
    if doubt and result.outcome is Outcome.LOST:
        return replace(result, outcome=Outcome.UNKNOWN, reason=doubt)
    return result


def unknown(timing: Timing, reason: str) -> tuple[ProbeResult, ...]:
    """Return a round of which nothing can be said."""
    return (ProbeResult(Outcome.UNKNOWN, timing.start_us, reason=reason),) * timing.probes
