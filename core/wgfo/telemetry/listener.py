"""Who hears what the engine was told and what it decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName


class Listener(Protocol):
    """Called by the runtime after every step of the engine, in the order of the steps.

    It stands between a probe's reply and the decision's execution: it must be fast, it must not block, and it
    never raises.
    """

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        report: Callable[[], GroupReport],
    ) -> None:
        """Take note of one step.

        ``report()`` makes the group's report *after* the step; it costs, so ask only where it is needed.
        """
