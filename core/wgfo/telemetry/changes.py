"""What people see of a group changes: told once per change, after the decisions were handed on.

A report of a group costs more than a step of it. So it is not made inside the step, between a probe's reply and
the decision's execution, but in the loop's next turn, and only after a step that may have changed something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event, HandshakeRead, LayerReported, RoundClosed, Tick
from wgfo.engine.report import GroupReport, GroupState, Mode
from wgfo.model import GroupName, PathName

_ROUTINE: Final = (RoundClosed, Tick, HandshakeRead, LayerReported)
"""Events that change nothing of a group unless a decision comes with them."""

AT_ONCE: Final = 10
"""Reports in one turn: when very many groups change at once, their probes and writes have turns in between."""

Later = Callable[[Callable[[], None]], object]
"""Runs a callback soon, outside of the present step."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a group stands, as far as it is worth telling."""

    state: GroupState
    mode: Mode
    active: PathName | None
    desired: PathName | None
    converged: bool


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A group stands otherwise than before."""

    at_us: int
    group: GroupName
    before: Standing | None
    """None: it was not seen before in this session."""
    after: Standing
    reason: str


Told = Callable[[GroupChanged], None]


class Changes:
    """A listener that compares how groups stand, and tells of differences.

    Args:
        later: how to get out of the step; the loop's ``call_soon``.
        told: hear of each change, in order; must not block.
    """

    def __init__(self, later: Later, told: Sequence[Told] = ()) -> None:
        self._later = later
        self.told = tuple(told)
        self._standing: dict[GroupName, Standing] = {}
        self._due: dict[GroupName, tuple[int, Callable[[], GroupReport]]] = {}

    def configure(self, groups: Sequence[GroupName]) -> None:
        """Forget groups that are gone."""
        self._standing = {name: one for name, one in self._standing.items() if name in groups}
        self._due = {name: one for name, one in self._due.items() if name in groups}

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        report: Callable[[], GroupReport],
    ) -> None:
        """Note that a group may stand otherwise now."""
        if isinstance(event, _ROUTINE) and not decisions:
            return
        first = not self._due
        self._due[group] = (event.at_us, report)
        if first:
            self._later(self._compare)

    def _compare(self) -> None:
        for name in list(self._due)[:AT_ONCE]:
            at_us, report = self._due.pop(name)
            shown = report()
            after = Standing(shown.state, shown.mode, shown.active, shown.desired, shown.converged)
            before = self._standing.get(name)
            if after != before:
                self._standing[name] = after
                self._tell(GroupChanged(at_us, name, before, after, shown.reason))
        if self._due:
            self._later(self._compare)

    def _tell(self, change: GroupChanged) -> None:
        for told in self.told:
            told(change)
