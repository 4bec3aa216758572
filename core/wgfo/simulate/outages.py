"""I17: a blackout of the path that carries the traffic is decided by the deadline, where a standby stands ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wgfo.engine.policy import GroupPolicy
from wgfo.model import PathName, PathState
from wgfo.simulate.memory import Memory
from wgfo.simulate.plan import Fault
from wgfo.simulate.truth import Truth

_S: Final = 1_000_000
SLACK_US: Final = 150_000
"""For the stagger of a round and the turns of the loop."""
CALM_US: Final = 45 * _S
"""How long nothing else must have happened before the outage."""


class Outages:
    """The outages of one path alone that are still to come, and those that wait for a decision.

    Args:
        policy: of the group.
        truth: what the world really is.
    """

    def __init__(self, policy: GroupPolicy, truth: Truth) -> None:
        self._policy, self._truth = policy, truth
        base = policy.base_streams
        fall = max((one.fall for one in base), default=3)
        interval_us = min((one.interval_us for one in base), default=_S)
        self._limit_us = fall * interval_us + max((one.timeout_us for one in base), default=_S) + SLACK_US
        self._pending = [] if policy.leading else list(truth.outages())
        self._under_way: list[tuple[Fault, PathName | None, int]] = []

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._pending or self._under_way)

    def forget(self) -> None:
        """The daemon ended: what it had heard is gone."""
        self._under_way.clear()

    def overdue(self, memory: Memory, now_us: int, *, excused: Callable[[], bool]) -> Iterator[str]:
        """Yield what should have been decided by now.

        ``excused``: tells whether an operator's request stands, or nothing may be decided.
        """
        for fault in [one for one in self._pending if self._truth.begins_us(one) <= now_us]:
            self._pending.remove(fault)
            self._under_way.append((fault, memory.desired, memory.epoch))
        for fault, desired, epoch in list(self._under_way):
            since_us = self._truth.begins_us(fault)
            if memory.epoch > epoch or desired != fault.paths[0]:
                self._under_way.remove((fault, desired, epoch))
            elif now_us > since_us + self._limit_us:
                self._under_way.remove((fault, desired, epoch))
                ready = None if self._policy.hold_off_us else self._ready(memory, fault)
                if ready is not None and not excused():
                    yield (
                        f"{fault.paths[0]} is out since {(now_us - since_us) / _S:.3f} s, {ready} stands, and "
                        "nothing is decided"
                    )

    def _ready(self, memory: Memory, fault: Fault) -> PathName | None:
        """Return a path that stood ready, where the outage was all that happened and lasted to its deadline."""
        path, since_us = fault.paths[0], self._truth.begins_us(fault)
        before_us, by_us = since_us - CALM_US, since_us + self._limit_us
        calm = self._truth.undisturbed(before_us, by_us) and before_us > memory.begun_us
        alone = self._truth.touching(path, before_us, by_us) == [fault]
        lasted = self._truth.lasted_us(fault, by_us) >= by_us - since_us
        if not (calm and alone and lasted):
            return None
        ready = (
            other
            for other, watch in memory.paths.items()
            if other != path
            and watch.state is PathState.UP
            and not self._truth.touching(other, before_us, by_us)
        )
        return next(ready, None)
