"""What the control API asks of the running daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from wgfo.config.setup import Setup
from wgfo.daemon.control.flows import PathFlows
from wgfo.engine.decisions import RequestAnswered
from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.engine.outlook import PathOutlook
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, PathName
from wgfo.telemetry.switches import SwitchRecord


class Source(Protocol):
    """The running daemon as the control API sees it. Only ``request`` changes anything."""

    @property
    def setup(self) -> Setup:
        """What this process does; another object after a reload."""

    @property
    def version(self) -> str:
        """The version of wgfo that runs."""

    def reports(self) -> Sequence[GroupReport]:
        """Return every group, in configured order."""

    def flows(self) -> PathFlows:
        """Return what the probes say of each path's flows, for those paths where any does."""

    def outlooks(self) -> Mapping[GroupName, Sequence[PathOutlook]]:
        """Return what the paths of every group lack, and what counts against them."""

    def switches(self) -> Sequence[SwitchRecord]:
        """Return the switches that are remembered, newest last."""

    async def request(
        self,
        group: GroupName,
        kind: RequestKind,
        path: PathName | None,
        *,
        reason: str,
        by: str,
        duration_us: int | None,
        clear_kind: OverrideKind | None,
    ) -> RequestAnswered:
        """Step an operator's request and return the engine's answer.

        The group and the path exist: the caller has checked them. ``duration_us`` None: until cleared.
        """

    def now_us(self) -> int:
        """Return the monotonic time of the session."""

    def rfc3339(self, at_us: int) -> str:
        """Return the wall-clock text of a monotonic time, for people."""

    def ready(self) -> bool:
        """Whether every provider has been opened and every group has its first verdicts."""

    def healthy(self) -> bool:
        """Whether the loop runs and the core tasks live; a path that is down does not make it unhealthy."""
