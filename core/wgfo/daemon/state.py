"""The state store: what must survive a restart, in one small file per group.

Saving never blocks an escape: a write waits for the store at most 50 ms and then goes on (semantics.md,
"Acting"). A full, read-only or hung disk is told to the runtime, which lets voluntary moves wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wgfo.daemon import codec
from wgfo.daemon.files import DiskFiles, Files
from wgfo.daemon.health import Health, Told
from wgfo.daemon.latest import Content, LatestWriter
from wgfo.daemon.stored import (
    FORMAT,
    Loaded,
    SavedGroup,
    SavedSwitches,
    Times,
    group_path,
    groups_directory,
    load_state,
    restore,
    saved_group,
    switches_path,
)
from wgfo.engine.events import StoredGroup
from wgfo.model import GroupName
from wgfo.telemetry.switches import SwitchRecord


class Store(Protocol):
    """What the runtime needs of a state store; the simulator has one without a disk."""

    @property
    def healthy(self) -> bool:
        """Whether saving works, as far as is known."""

    def save(self, group: GroupName, stored: StoredGroup) -> None:
        """Have it saved some time; returns at once."""

    async def save_bounded(self, group: GroupName, stored: StoredGroup, wait_ms: int = 50) -> bool:
        """Save and wait until it is durable, at most ``wait_ms``; False: not yet, and ``told`` was called."""

    def save_switches(self, switches: Sequence[SwitchRecord]) -> None:
        """Have the list of switches saved some time; returns at once."""

    def check(self) -> None:
        """Notice a disk that hangs; call it now and then."""

    async def aclose(self) -> bool:
        """Save what waits, within a bounded time; False if some of it is lost."""


class StateStore:
    """The store on a disk, written by a thread; take the :class:`~wgfo.daemon.lock.StateLock` first.

    Args:
        directory: ``[daemon] state_dir``.
        session: this session's name.
        times: the clocks.
        told: called on the loop when the store stops working, and when it works again.
        files: the disk.
        retry_ms: pause after a failed write.
    """

    def __init__(
        self,
        directory: Path,
        session: str,
        times: Times,
        told: Told,
        *,
        files: Files | None = None,
        retry_ms: int = 1000,
    ) -> None:
        self._directory = directory
        self._session = session
        self._times = times
        self._health = Health(told)
        self._files = files or DiskFiles()
        self._files.make_directory(groups_directory(directory))
        self._writer = LatestWriter(self._files, self._health, "state", retry_ms)

    @property
    def healthy(self) -> bool:
        """Whether saving works, as far as is known."""
        return self._health.healthy

    def load(self) -> Loaded:
        """Read everything; a file that cannot be understood is kept aside under another name."""
        return load_state(self._directory, self._times, self._files, keep_aside=True)

    def save(self, group: GroupName, stored: StoredGroup) -> None:
        """Have it saved some time; returns at once."""
        self._writer.put(group_path(self._directory, group), self._content(group, stored))

    async def save_bounded(self, group: GroupName, stored: StoredGroup, wait_ms: int = 50) -> bool:
        """Save and wait until it is durable, at most ``wait_ms``; False: not yet, and ``told`` was called."""
        saved = self._writer.put_awaited(group_path(self._directory, group), self._content(group, stored))
        try:
            await asyncio.wait_for(asyncio.wrap_future(saved), wait_ms / 1000)
        except TimeoutError:
            self._writer.stuck(f"not durable within {wait_ms} ms")
            return False
        return True

    def save_switches(self, switches: Sequence[SwitchRecord]) -> None:
        """Have the list of switches saved some time; returns at once."""
        content = SavedSwitches(FORMAT, tuple(switches))
        path = switches_path(self._directory)
        self._writer.put(path, lambda: codec.dumps(codec.encode(content, SavedSwitches)))

    def check(self) -> None:
        """Notice a disk that hangs; call it now and then."""
        self._writer.check()

    async def aclose(self) -> bool:
        """Save what waits, within two seconds; False if some of it is lost."""
        return await asyncio.to_thread(self._writer.close, 2.0)

    def _content(self, group: GroupName, stored: StoredGroup) -> Content:
        content = saved_group(group, stored, self._session, self._times)
        return lambda: codec.dumps(codec.encode(content, SavedGroup))


class MemoryStore:
    """A store without a disk or a thread: for the simulator, and for ``--dry-run``.

    What is saved survives a simulated crash as long as the object does; ``works`` False is a full disk.
    """

    def __init__(self, session: str, times: Times, told: Told = lambda _healthy, _text: None) -> None:
        self._session = session
        self._times = times
        self._told = told
        self._works = True
        self.saved: dict[GroupName, SavedGroup] = {}
        self.switches: tuple[SwitchRecord, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether saving works."""
        return self._works

    def set_working(self, *, works: bool) -> None:
        """Let the disk fill up, or be emptied again."""
        if works != self._works:
            self._works = works
            self._told(works, "" if works else "state: No space left on device; tried again")

    def load(self) -> Loaded:
        """Read what was saved, as after a restart."""
        problems: list[str] = []
        groups = {group: restore(saved, self._times, problems) for group, saved in self.saved.items()}
        return Loaded(groups, self.switches, tuple(problems))

    def save(self, group: GroupName, stored: StoredGroup) -> None:
        """Save at once, if it works."""
        if self._works:
            self.saved[group] = saved_group(group, stored, self._session, self._times)

    async def save_bounded(self, group: GroupName, stored: StoredGroup, wait_ms: int = 50) -> bool:
        """Save at once; False where it does not work."""
        del wait_ms  # nothing to wait for
        self.save(group, stored)
        return self._works

    def save_switches(self, switches: Sequence[SwitchRecord]) -> None:
        """Save at once, if it works."""
        if self._works:
            self.switches = tuple(switches)

    def check(self) -> None:
        """Nothing can hang."""

    async def aclose(self) -> bool:
        """Nothing waits."""
        return self._works
