"""Loss and round-trip times of every path over the last hour, for the charts of the status page.

In memory alone and of fixed size: a ring of half-minutes per path, filled from the rounds of the base class. It
is a picture for people; long-term figures belong to Prometheus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event, RoundClosed
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, Outcome, PathName

SLICE_US: Final = 30_000_000
SLICES: Final = 120
"""One hour."""


@dataclass(slots=True)
class Slice:
    """What half a minute of probes found through one path."""

    number: int
    """Half-minutes of the session's monotonic time."""
    known: int = 0
    """Probes whose end is known."""
    lost: int = 0
    replies: int = 0
    rtt_sum_us: int = 0
    rtt_most_us: int = 0

    def add(self, outcome: Outcome, rtt_us: int) -> None:
        """Count one probe."""
        if outcome is Outcome.OK:
            self.replies += 1
            self.rtt_sum_us += rtt_us
            self.rtt_most_us = max(self.rtt_most_us, rtt_us)
        self.known += outcome in (Outcome.OK, Outcome.LOST)
        self.lost += outcome is Outcome.LOST


class Trends:
    """A listener with a ring per path."""

    def __init__(self) -> None:
        self._base: dict[GroupName, frozenset[int]] = {}
        self._rings: dict[tuple[GroupName, PathName], deque[Slice]] = {}

    def configure(self, policies: Mapping[GroupName, GroupPolicy]) -> None:
        """Go on with these groups; the rings of paths that are gone go too."""
        self._base = {
            name: frozenset(stream.index for stream in policy.base_streams)
            for name, policy in policies.items()
        }
        paths = {(name, path.name) for name, policy in policies.items() for path in policy.paths}
        self._rings = {key: self._rings.get(key, deque(maxlen=SLICES)) for key in sorted(paths)}

    def stepped(
        self,
        group: GroupName,
        event: Event,
        _decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Count a round of the base class."""
        if not isinstance(event, RoundClosed) or event.stream not in self._base.get(group, ()):
            return
        ring = self._rings.get((group, event.path))
        if ring is None:
            return
        number = event.at_us // SLICE_US
        if not ring or ring[-1].number != number:
            ring.append(Slice(number))
        for result in event.results or ((event.anchor,) if event.anchor else ()):
            ring[-1].add(result.outcome, result.rtt_us)

    def of(self, group: GroupName, path: PathName) -> Sequence[Slice]:
        """Return the slices of a path, oldest first; half-minutes without a round are not there."""
        return tuple(self._rings.get((group, path), ()))
