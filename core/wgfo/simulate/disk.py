"""The disk under the state directory, and a store on it: the daemon's own formats, in memory, without threads.

What is durable survives a crash of the daemon; a full or read-only disk refuses, a hung one takes everything
and makes nothing durable before it is good again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wgfo.daemon import codec
from wgfo.daemon.clock import Clock
from wgfo.daemon.files import Appender
from wgfo.daemon.stored import (
    Loaded,
    SavedGroup,
    Times,
    group_path,
    load_state,
    saved_group,
)
from wgfo.engine.events import StoredGroup
from wgfo.model import GroupName
from wgfo.simulate.plan import DiskState
from wgfo.telemetry.switches import SwitchRecord

DIRECTORY: Final = Path("/state")
_ERRORS: Final = {
    DiskState.FULL: OSError(errno.ENOSPC, "No space left on device"),
    DiskState.READ_ONLY: OSError(errno.EROFS, "Read-only file system"),
}


@dataclass(slots=True)
class Disk:
    """Files that survive the daemon."""

    state: DiskState = DiskState.GOOD
    content: dict[Path, bytes] = field(default_factory=dict)
    _waiting: dict[Path, bytes] = field(default_factory=dict)
    """What a hung disk took and has not written."""

    def become(self, state: DiskState) -> None:
        """Change how the disk is; one that hung writes what it took when it is good again."""
        self.state = state
        if state is DiskState.GOOD:
            self.content.update(self._waiting)
            self._waiting.clear()

    def forget(self) -> None:
        """The process died: what it had not written is gone."""
        self._waiting.clear()

    @property
    def hangs(self) -> bool:
        """Whether nothing becomes durable."""
        return self.state is DiskState.HUNG

    def names(self, directory: Path) -> Sequence[str]:
        """Return the names in a directory, sorted."""
        return sorted(path.name for path in self.content if path.parent == directory)

    def size(self, path: Path) -> int:
        """Return the bytes of a file."""
        return len(self.read(path))

    def changed_us(self, path: Path) -> int:
        """Return when a file was last written: nobody asks here."""
        raise NotImplementedError

    def read(self, path: Path) -> bytes:
        """Return a whole file."""
        if path not in self.content:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return self.content[path]

    def replace(self, path: Path, data: bytes) -> None:
        """Replace a file in one step."""
        if self.state in _ERRORS:
            raise _ERRORS[self.state]
        (self._waiting if self.hangs else self.content)[path] = data

    def append(self, path: Path) -> Appender:
        """Nobody appends here: the simulated journal is a list."""
        raise NotImplementedError

    def rename(self, path: Path, name: str) -> None:
        """Give a file another name."""
        self.content[path.with_name(name)] = self.content.pop(path)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        self.content.pop(path, None)

    def make_directory(self, directory: Path) -> None:
        """Directories need no making here."""


class SimulatedStore:
    """One life's state store.

    Args:
        disk: it outlives the store.
        times: the clocks.
        session: the life's name.
        told: hears when saving fails and when it works again.
    """

    def __init__(self, disk: Disk, times: Times, session: str, told: Callable[[bool, str], None]) -> None:
        self._disk = disk
        self._times = times
        self._session = session
        self._told = told
        self._failed: dict[Path, bytes] = {}
        self._healthy = True
        self.dead = False
        """The process is gone; nothing it still asks for is done."""

    @property
    def healthy(self) -> bool:
        """Whether saving works, as far as is known."""
        return self._healthy

    def load(self) -> Loaded:
        """Read everything, as after a restart."""
        return load_state(DIRECTORY, self._times, self._disk)

    def save(self, group: GroupName, stored: StoredGroup) -> None:
        """Have it saved."""
        if not self.dead:
            self._put(group_path(DIRECTORY, group), self._text(group, stored))

    async def save_bounded(self, group: GroupName, stored: StoredGroup, wait_ms: int = 50) -> bool:
        """Save and wait until it is durable, at most ``wait_ms``."""
        self.save(group, stored)
        if self._disk.state is DiskState.GOOD:
            return True
        clock: Clock = self._times.clock
        await clock.sleep_until_us(clock.monotonic_us() + wait_ms * 1_000)
        self._say(False, f"state: not durable within {wait_ms} ms; is the disk hung?")
        return False

    def save_switches(self, switches: Sequence[SwitchRecord]) -> None:
        """Nobody reads the list of switches here."""

    def check(self) -> None:
        """Try again what failed; notice a disk that hangs, and one that is good again."""
        for path, data in list(self._failed.items()):
            self._put(path, data)
        if self._disk.hangs:
            self._say(False, "state: not written for 2 s; is the disk hung?")
        elif not self._failed:
            self._say(True, "")

    async def aclose(self) -> bool:
        """Save what waits."""
        self.check()
        return not self._failed

    def _put(self, path: Path, data: bytes) -> None:
        try:
            self._disk.replace(path, data)
        except OSError as error:
            self._failed[path] = data
            self._say(False, f"state: {path}: {error.strerror}; tried again")
        else:
            self._failed.pop(path, None)

    def _say(self, healthy: bool, text: str) -> None:
        if healthy != self._healthy and not self.dead:
            self._healthy = healthy
            self._told(healthy, text)

    def _text(self, group: GroupName, stored: StoredGroup) -> bytes:
        saved = saved_group(group, stored, self._session, self._times)
        return codec.dumps(codec.encode(saved, SavedGroup))
