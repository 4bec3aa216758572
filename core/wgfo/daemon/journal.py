"""The journal: every event and decision, in the order of the engine's steps, for replay and for people.

The loop only puts steps on a queue; a thread encodes, compresses and writes them, about once a second, and
at once (and durably) when something was decided. The queue is bounded. When the disk does not follow, probe
evidence is left out first, and a :class:`~wgfo.daemon.records.Gap` marks where the steps cease to be
complete; decisions, ticks, outcomes and requests stay until the queue holds ``HARD_LIMIT`` steps. The
journal never makes anyone wait and never raises: trouble is told to the runtime.

A checkpoint (all that a replay needs) begins a new segment: hourly, when a segment is full, and after a gap.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from wgfo.daemon.clock import Clock
from wgfo.daemon.codec import Json
from wgfo.daemon.files import DiskFiles, Files
from wgfo.daemon.health import Health, Told
from wgfo.daemon.records import Gap, Opened, Record, SessionHeader, Stepped, pack
from wgfo.daemon.segments import Segments
from wgfo.engine.decisions import (
    AlarmRaised,
    Decision,
    Established,
    OverrideEnded,
    OverrideSet,
    PathChanged,
    RequestAnswered,
    Switch,
)
from wgfo.engine.events import Event, HandshakeRead, ReferenceClosed, RoundClosed, ServiceClosed
from wgfo.engine.report import GroupReport
from wgfo.model import GroupName
from wgfo.telemetry.listener import Listener

EVIDENCE: Final = (RoundClosed, HandshakeRead, ReferenceClosed, ServiceClosed)
"""What may be left out, unless something was decided in the same step."""
LOUD: Final = (Switch, Established, PathChanged, AlarmRaised, OverrideSet, OverrideEnded, RequestAnswered)
"""Decisions that are written at once."""
SOFT_LIMIT: Final = 20_000
HARD_LIMIT: Final = 200_000
CHECKPOINT_US: Final = 3600 * 1_000_000
BLOCK_S: Final = 1.0
BLOCK_STEPS: Final = 5_000
HUNG_S: Final = 5.0
LEFT_OUT: Final = "left out: the disk did not follow"

States = Callable[[], Mapping[GroupName, Json]]
"""Encodes the state of every group as it is now."""


class Journal(Listener, Protocol):
    """What the runtime needs of a journal; the simulator has one without a disk."""

    @property
    def healthy(self) -> bool:
        """Whether everything so far was, or is about to be, written."""

    def begin(self, header: SessionHeader, going_on: Mapping[GroupName, Json] | None = None) -> None:
        """Begin a session; the ``SessionStarted`` of every group follow, save of those that go on."""

    def check(self) -> None:
        """Notice a disk that hangs; call it now and then."""

    async def aclose(self) -> bool:
        """Write what waits, within a bounded time; False if some of it is lost."""


class MemoryJournal:
    """Keeps everything in a list, encoded by nobody; for the simulator and for ``--dry-run``.

    Args:
        limit: records kept, the latest ones; None keeps all.
    """

    healthy = True

    def __init__(self, limit: int | None = None) -> None:
        self.records: deque[Record] = deque(maxlen=limit)

    def begin(self, header: SessionHeader, going_on: Mapping[GroupName, Json] | None = None) -> None:
        """Begin a session."""
        self.records.append(Opened(header, going_on or {}))

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Keep a step."""
        self.records.append(Stepped(group, event, tuple(decisions)))

    def check(self) -> None:
        """Nothing can hang."""

    async def aclose(self) -> bool:
        """Nothing waits."""
        return True


@dataclass(slots=True)
class _Queue:
    """What the thread has not written yet; guarded by the journal's lock."""

    items: deque[Record]
    dropped: int = 0
    gap_at: int = 0
    """Index of the :class:`Gap` that stands for the dropped ones."""
    since: float | None = None
    """When the oldest item came."""
    urgent: bool = False


class DiskJournal:
    """The journal on a disk; :meth:`aclose` ends its thread.

    Args:
        directory: where its segments stand.
        clock: stamps checkpoints.
        states: called on the loop at a checkpoint.
        told: called on the loop when writing fails or hangs, and when it works again.
        max_size: bytes on the disk.
        max_age_us: how long a segment is kept.
        files: the disk.
        retry_ms: pause after a failed write.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        states: States,
        told: Told,
        *,
        max_size: int,
        max_age_us: int,
        files: Files | None = None,
        retry_ms: int = 1000,
    ) -> None:
        self._clock = clock
        self._states = states
        self._health = Health(told)
        self._segments = Segments(directory, files or DiskFiles(), max_size, max_age_us)
        self._retry_s = retry_ms / 1000
        self._header: SessionHeader | None = None
        self._checkpoint_us = 0
        self._wants_checkpoint = False
        self._asked = False
        """The full segment has had its checkpoint asked for."""
        self._ended = False
        self._lost = False
        self._number = 0
        self._session = ""
        self._wake = threading.Condition()
        self._queue = _Queue(deque())
        self._thread = threading.Thread(target=self._run, name="wgfo-journal", daemon=True)
        self._thread.start()

    # --- on the loop ----------------------------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """Whether everything so far was, or is about to be, written."""
        return self._health.healthy

    def begin(self, header: SessionHeader, going_on: Mapping[GroupName, Json] | None = None) -> None:
        """Begin a session; the ``SessionStarted`` of every group follow, save of those that go on."""
        self._header = header
        self._checkpoint_us = self._clock.monotonic_us()
        self._wants_checkpoint = False
        self._put(Opened(header, going_on or {}), urgent=True)

    def stepped(
        self,
        group: GroupName,
        event: Event,
        decisions: Sequence[Decision],
        _report: Callable[[], GroupReport],
    ) -> None:
        """Queue a step, or count it as left out."""
        queue = self._queue
        waiting = len(queue.items)
        droppable = not decisions and isinstance(event, EVIDENCE)
        if waiting >= HARD_LIMIT or (droppable and (waiting >= SOFT_LIMIT or queue.dropped)):
            self._drop()
            return
        loud = any(isinstance(decision, LOUD) for decision in decisions)
        self._put(Stepped(group, event, tuple(decisions)), urgent=loud)
        self._checkpoint_if_due()

    def check(self) -> None:
        """Notice a disk that hangs; cheap, to be called now and then."""
        with self._wake:
            since = self._queue.since
            if since is not None and time.monotonic() - since > HUNG_S:
                self._health.say(False, f"journal: not written for {HUNG_S:g} s; is the disk hung?")

    async def aclose(self) -> bool:
        """Write what waits, within two seconds; False if some of it is lost."""
        return await asyncio.to_thread(self.close, 2.0)

    def close(self, timeout_s: float) -> bool:
        """Write what waits, once, and end the thread."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._lost

    def _put(self, record: Record, *, urgent: bool) -> None:
        with self._wake:
            if self._queue.since is None:
                self._queue.since = time.monotonic()
            self._queue.items.append(record)
            if urgent and not self._queue.urgent:
                self._queue.urgent = True
                self._wake.notify()

    def _drop(self) -> None:
        with self._wake:
            queue = self._queue
            queue.dropped += 1
            first = queue.dropped == 1
            if first:
                queue.gap_at = len(queue.items)
                queue.items.append(Gap(0, LEFT_OUT))
        if first:
            self._health.say(False, "journal: the disk does not follow; probe evidence is left out")

    def _checkpoint_if_due(self) -> None:
        now_us = self._clock.monotonic_us()
        if self._header and (self._wants_checkpoint or now_us - self._checkpoint_us >= CHECKPOINT_US):
            self._wants_checkpoint = False
            self._checkpoint_us = now_us
            header = replace(self._header, at_us=now_us, wall=self._clock.rfc3339(now_us))
            self._put(Opened(header, self._states(), checkpoint=True), urgent=False)

    # --- on the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            for records, durable in _blocks(taken):
                if not self._write_until_done(records, durable=durable):
                    self._lost = True
                    return
            with self._wake:
                if not self._queue.dropped:
                    self._health.say(True)
        self._end_segment()

    def _take(self) -> _Queue | None:
        """Wait for a second's worth, or for something loud, and take the queue."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue.urgent or self._ended, BLOCK_S)
            while not self._queue.items:
                if self._ended:
                    return None
                self._wake.wait_for(lambda: self._queue.urgent or self._ended, BLOCK_S)
            taken, self._queue = self._queue, _Queue(deque())
        if taken.dropped:
            taken.items[taken.gap_at] = Gap(taken.dropped, LEFT_OUT)
            self._wants_checkpoint = True
        return taken

    def _write_until_done(self, records: Sequence[Record], *, durable: bool) -> bool:
        """Write one block, in new segments while the disk refuses; False: given up when asked to end."""
        while True:
            try:
                self._write(records, durable=durable)
            except OSError as error:
                self._health.say(False, f"journal: {error.strerror or error}; tried again")
                self._end_segment()
                if self._ended:
                    return False
                with self._wake:
                    self._wake.wait_for(lambda: self._ended, self._retry_s)
            else:
                return True

    def _write(self, records: Sequence[Record], *, durable: bool) -> None:
        first = records[0]
        if isinstance(first, Opened) or not self._segments.is_open:
            self._segments.rotate(self._clock.wall_ns() // 1_000)
            self._asked = False
        if isinstance(first, Opened) and not first.checkpoint and first.header.session != self._session:
            self._session, self._number = first.header.session, 0
        self._segments.write(self._frame(records), durable=durable)
        self._number += 1
        if self._segments.full and not self._asked:
            self._asked = self._wants_checkpoint = True

    def _frame(self, records: Sequence[Record]) -> bytes:
        try:
            return pack(self._session, self._number, records)
        except Exception as error:  # noqa: BLE001 - a value without a codec must not end the journal
            gap = Gap(len(records), f"cannot be encoded: {error!r}")
            self._health.say(False, f"journal: {gap.text}; the span cannot be replayed")
            self._wants_checkpoint = True
            return pack(self._session, self._number, [gap])

    def _end_segment(self) -> None:
        try:
            self._segments.close()
        except OSError as error:
            self._health.say(False, f"journal: {error.strerror or error}")


def _blocks(taken: _Queue) -> list[tuple[list[Record], bool]]:
    """Cut into frames of bounded length; an :class:`Opened` has one to itself. Loud ones are durable."""
    blocks: list[list[Record]] = []
    for record in taken.items:
        if not blocks or isinstance(record, Opened) or _closed(blocks[-1]):
            blocks.append([record])
        else:
            blocks[-1].append(record)
    return [(block, taken.urgent) for block in blocks]


def _closed(block: Sequence[Record]) -> bool:
    return isinstance(block[0], Opened) or len(block) >= BLOCK_STEPS
