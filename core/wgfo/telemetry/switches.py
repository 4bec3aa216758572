"""The switches that happened, each with how long its phases took.

A record is opened by the engine's ``Switch`` and completed by what follows in the same epoch. All phases
count from the decision, except ``detect_us``, which leads up to it::

    fault ──detect──▶ decision ──write──▶ last set written
                          ├───────verified──────▶ every set read back in sync, settle time included
                          └─────first packet────▶ a good reply to a probe sent after the last write

A phase that has not ended, or that the next switch cut short, is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wgfo.engine.decisions import Decision, Rule, SetConverged, Switch
from wgfo.engine.events import Event, RoundClosed, ServiceClosed, WriteEnded
from wgfo.engine.policy import GroupPolicy
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName, Outcome, PathName, ProbeResult, RouteSetId, SetOutcome

REMEMBERED: Final = 1000
"""Switches kept over all groups; the journal has the older ones."""


@dataclass(frozen=True, slots=True)
class SwitchRecord:
    """One change of a group's desired path. Finding it at start is none."""

    at: str
    """RFC 3339; when it was decided."""
    group: GroupName
    epoch: int
    source: PathName | None
    target: PathName
    rule: Rule
    reason: str
    prefixes: int = 0
    """Prefixes in all sets of the group."""
    failed: int = 0
    """Prefixes whose latest write in this epoch failed, ended unknown, or was not attempted."""
    detect_us: int | None = None
    write_us: int | None = None
    verified_us: int | None = None
    first_packet_us: int | None = None


Key = tuple[GroupName, int, str]
Observer = Callable[[SwitchRecord], None]


@dataclass(slots=True)
class _Open:
    """A switch whose phases are still running."""

    key: Key
    at_us: int
    target: PathName
    unwritten: set[RouteSetId]
    unverified: set[RouteSetId]
    failed: dict[RouteSetId, int] = field(default_factory=dict)
    written_us: int = 0
    """When the last write of the epoch ended; no write needed: when it was decided."""


class SwitchLog:
    """A listener that keeps the latest switches of all groups.

    Args:
        policies: the groups, by name; :meth:`configure` replaces them after a reload.
        rfc3339: the wall-clock text of a monotonic time.
        changed: called with each record that is new or has a phase more; to store it. It must not block.
        restored: the records of earlier sessions, oldest first.
    """

    def __init__(
        self,
        policies: Mapping[GroupName, GroupPolicy],
        rfc3339: Callable[[int], str],
        changed: Observer = lambda _record: None,
        restored: Iterable[SwitchRecord] = (),
    ) -> None:
        self._policies = policies
        self._rfc3339 = rfc3339
        self._changed = changed
        self._records: dict[Key, SwitchRecord] = {}
        self._open: dict[GroupName, _Open] = {}
        for record in restored:
            self._records[(record.group, record.epoch, record.at)] = record

    def configure(self, policies: Mapping[GroupName, GroupPolicy]) -> None:
        """Go on with other groups; the records stay."""
        self._policies = policies

    def records(self) -> Sequence[SwitchRecord]:
        """Return what is remembered, newest last."""
        return tuple(self._records.values())

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        report: Callable[[], GroupReport],  # noqa: ARG002 - the events say enough
    ) -> None:
        """Follow the running switch of the group, and open a record where one was decided."""
        running = self._open.get(group)
        if running is not None:
            self._follow(running, event, decisions)
        for decision in decisions:
            if isinstance(decision, Switch):
                self._begin(group, decision)
                self._follow(self._open[group], event, decisions)

    def _begin(self, group: GroupName, switch: Switch) -> None:
        policy = self._policies.get(group)
        sets = policy.sets if policy else ()
        at = self._rfc3339(switch.at_us)
        key = (group, switch.epoch, at)
        ids = {route_set.id for route_set in sets}
        self._open[group] = _Open(key, switch.at_us, switch.target, ids, set(ids), written_us=switch.at_us)
        self._put(
            key,
            SwitchRecord(
                at,
                group,
                switch.epoch,
                switch.source,
                switch.target,
                switch.rule,
                switch.reason,
                prefixes=sum(route_set.prefixes for route_set in sets),
                detect_us=None if switch.fault_us is None else switch.at_us - switch.fault_us,
            ),
        )

    def _follow(self, running: _Open, event: Event, decisions: Sequence[Decision]) -> None:
        if isinstance(event, WriteEnded) and event.epoch == running.key[1]:
            self._written(running, event)
        for decision in decisions:
            if isinstance(decision, SetConverged) and decision.epoch == running.key[1]:
                self._converged(running, decision)
        if not running.unwritten:
            self._packet(running, event)

    def _written(self, running: _Open, event: WriteEnded) -> None:
        failed = _failed(event.outcome, self._prefixes(running.key[0], event.set_id))
        running.failed[event.set_id] = failed
        if not failed:
            running.unwritten.discard(event.set_id)
            running.written_us = max(running.written_us, event.at_us)
        self._update(running, failed=sum(running.failed.values()))
        self._close_write(running)

    def _converged(self, running: _Open, decision: SetConverged) -> None:
        """A set that stood already, or whose write was lost from sight, is proven by the reading back."""
        running.unverified.discard(decision.set_id)
        running.unwritten.discard(decision.set_id)
        running.failed.pop(decision.set_id, None)
        self._update(running, failed=sum(running.failed.values()))
        self._close_write(running)
        if not running.unverified:
            self._first(running, "verified_us", decision.at_us)

    def _close_write(self, running: _Open) -> None:
        if not running.unwritten:
            self._first(running, "write_us", running.written_us)

    def _packet(self, running: _Open, event: Event) -> None:
        policy = self._policies.get(running.key[0])
        if policy is None:
            return
        if isinstance(event, ServiceClosed):
            if event.alive and event.sent_us >= running.written_us:
                self._first(running, "first_packet_us", event.at_us)
        elif isinstance(event, RoundClosed) and not policy.services and event.path == running.target:
            self._round(running, event, policy)

    def _round(self, running: _Open, event: RoundClosed, policy: GroupPolicy) -> None:
        if not any(stream.index == event.stream and stream.base for stream in policy.streams):
            return
        arrived = _first_reply_us(_pooled(event), running.written_us)
        if arrived is not None:
            self._first(running, "first_packet_us", arrived)

    def _first(self, running: _Open, phase: str, at_us: int) -> None:
        """Fill a phase, once."""
        if getattr(self._records.get(running.key), phase, 0) is None:
            self._update(running, **{phase: max(0, at_us - running.at_us)})

    def _update(self, running: _Open, **values: int) -> None:
        record = self._records.get(running.key)
        if record is not None and any(getattr(record, name) != value for name, value in values.items()):
            self._put(running.key, replace(record, **values))  # type: ignore[arg-type]  # ints and None alone

    def _put(self, key: Key, record: SwitchRecord) -> None:
        self._records[key] = record
        while len(self._records) > REMEMBERED:
            del self._records[next(iter(self._records))]
        self._changed(record)

    def _prefixes(self, group: GroupName, set_id: RouteSetId) -> int:
        policy = self._policies.get(group)
        sets = policy.sets if policy else ()
        return next((route_set.prefixes for route_set in sets if route_set.id == set_id), 1)


def _failed(outcome: SetOutcome | None, prefixes: int) -> int:
    """Count what one write did not bring about; with an unknown outcome, everything."""
    if outcome is None:
        return prefixes
    whole = any(failure.prefix is None for failure in outcome.failures)
    return prefixes if whole else len(outcome.failures) + outcome.not_attempted


def _pooled(event: RoundClosed) -> tuple[ProbeResult, ...]:
    """The targets, or the anchor where it stands in for them."""
    return event.results or ((event.anchor,) if event.anchor else ())


def _first_reply_us(results: Iterable[ProbeResult], after_us: int) -> int | None:
    """When the first good reply to a probe sent at ``after_us`` or later arrived."""
    arrivals = [
        result.sent_us + result.rtt_us
        for result in results
        if result.outcome is Outcome.OK and result.sent_us >= after_us
    ]
    return min(arrivals, default=None)
