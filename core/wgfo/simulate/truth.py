"""What the world really was: what the checks compare the daemon's decisions with."""

from __future__ import annotations

from typing import Final

from wgfo.model import PathName
from wgfo.simulate.plan import Fault, FaultKind, Plan

OUTAGES: Final = frozenset(
    {
        FaultKind.CUT,
        FaultKind.ONE_WAY_OUT,
        FaultKind.ONE_WAY_IN,
        FaultKind.DATA_DEAD,
        FaultKind.KEY_MISMATCH,
        FaultKind.LINK_DOWN,
    }
)
"""Kinds that lose everything on their paths while they last."""
HARMLESS: Final = frozenset({FaultKind.SERVICE, FaultKind.REFERENCE, FaultKind.RP_FILTER})
"""Kinds for which no path may be left: no probe of it feels them, or what they lose is known to prove nothing."""


class Truth:
    """The plan's faults, on the virtual clock, and when the process itself was disturbed."""

    def __init__(self, plan: Plan, begin_us: int) -> None:
        self._begin_us = begin_us
        self._faults = [fault for fault in plan.faults if fault.kind not in HARMLESS]
        self._disturbed_us: list[int] = []
        self._stalls: list[tuple[int, int]] = []
        trouble_us = [ask.at_us for ask in plan.asks] + [one.at_us for one in plan.mishaps]
        self._planned_us = [begin_us + at_us for at_us in trouble_us]

    def stalled(self, at_us: int, for_us: int) -> None:
        """The process stood still."""
        self._stalls.append((at_us, for_us))
        self.disturbed(at_us + for_us)

    def disturbed(self, at_us: int) -> None:
        """Something other than the network happened to the process."""
        self._disturbed_us.append(at_us)

    def undisturbed(self, from_us: int, to_us: int) -> bool:
        """Whether nothing but the network happened between two moments."""
        times = (*self._disturbed_us, *self._planned_us)
        return not any(from_us <= at_us <= to_us for at_us in times)

    def recent(self, path: PathName, now_us: int, within_us: int) -> list[Fault]:
        """Return the faults that touched a path within a time, stalls of ours not counted."""
        since_us = (
            now_us
            - within_us
            - sum(for_us for at_us, for_us in self._stalls if at_us + for_us > now_us - within_us - for_us)
        )
        return [
            fault
            for fault in self._faults
            if path in fault.paths
            and self._begin_us + fault.start_us <= now_us
            and self._begin_us + fault.end_us > since_us
        ]

    def begins_us(self, fault: Fault) -> int:
        """Return when a fault begins on the virtual clock."""
        return self._begin_us + fault.start_us

    def lasted_us(self, fault: Fault, now_us: int) -> int:
        """Return how long a fault has lasted by now."""
        return min(now_us, self._begin_us + fault.end_us) - self.begins_us(fault)

    def outages(self) -> list[Fault]:
        """Return the faults that lose everything on one path alone."""
        return [fault for fault in self._faults if fault.kind in OUTAGES and len(fault.paths) == 1]

    def touching(self, path: PathName, from_us: int, to_us: int) -> list[Fault]:
        """Return the faults that touch a path between two moments."""
        return [
            fault
            for fault in self._faults
            if path in fault.paths
            and self._begin_us + fault.start_us <= to_us
            and self._begin_us + fault.end_us >= from_us
        ]
