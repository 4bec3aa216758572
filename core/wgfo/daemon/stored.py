"""What is stored of a group, and what it means when it is read again.

Within a boot an override ends by the boot-time clock, which also runs while the machine sleeps; after a
reboot the wall clock is used once, and where it is implausible the override stays (semantics.md, "Time").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from wgfo.daemon import codec
from wgfo.daemon.clock import Clock
from wgfo.daemon.codec import CodecError
from wgfo.daemon.files import DiskFiles, Files
from wgfo.engine.events import Override, StoredGroup
from wgfo.model import GroupName
from wgfo.telemetry.switches import SwitchRecord

T = TypeVar("T")
FORMAT: Final = 1
SUFFIX: Final = ".json"
DAY_US: Final = 24 * 3600 * 1_000_000
IMPLAUSIBLE_US: Final = 366 * DAY_US
"""A wall clock that moved further than this since the save is believed to be wrong."""


@dataclass(frozen=True, slots=True)
class Times:
    """The clock, and the boot that its monotonic and boot times belong to."""

    clock: Clock
    boot_id: str

    def monotonic_us(self) -> int:
        """The session's time base; stands still while the machine sleeps."""
        return self.clock.monotonic_us()

    def boottime_us(self) -> int:
        """Goes on while the machine sleeps."""
        return self.clock.boottime_us()

    def wall_us(self) -> int:
        """Since 1970; may step."""
        return self.clock.wall_ns() // 1_000


def read_boot_id() -> str:
    """Return the name that the kernel gave to this boot (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was saved, on every clock that can be read again."""

    session: str
    boot_id: str
    boottime_us: int
    wall_us: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an override expires, on the clocks that survive the session."""

    boottime_us: int
    wall_us: int


@dataclass(frozen=True, slots=True)
class SavedGroup:
    """The content of a group's file."""

    format: int
    group: GroupName
    stamp: Stamp
    stored: StoredGroup
    deadlines: tuple[Deadline | None, ...]
    """One per override, in order."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A group as it was read back, its times in *this* session's time base."""

    stored: StoredGroup
    stamp: Stamp
    downtime_us: int
    """Since the save; :data:`IMPLAUSIBLE_US` where nobody can tell."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that was read at start."""

    groups: Mapping[GroupName, Restored]
    switches: tuple[SwitchRecord, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read, and overrides that stay because no clock can be trusted; for log and alarm."""


@dataclass(frozen=True, slots=True)
class SavedSwitches:
    """The content of the file of switches."""

    format: int
    switches: tuple[SwitchRecord, ...]


def saved_group(group: GroupName, stored: StoredGroup, session: str, times: Times) -> SavedGroup:
    """Put a group's state on the clocks that outlive the session."""
    stamp = Stamp(session, times.boot_id, times.boottime_us(), times.wall_us())
    now_us = times.monotonic_us()
    deadlines = tuple(_deadline(override, stamp, now_us) for override in stored.overrides)
    return SavedGroup(FORMAT, group, stamp, stored, deadlines)


def _deadline(override: Override, stamp: Stamp, now_us: int) -> Deadline | None:
    if override.expires_us is None:
        return None
    left_us = override.expires_us - now_us
    return Deadline(stamp.boottime_us + left_us, stamp.wall_us + left_us)


def groups_directory(directory: Path) -> Path:
    """Where the groups' files stand."""
    return directory / "groups"


def group_path(directory: Path, group: GroupName) -> Path:
    """Return a group's file; every name is a file name of its own, slashes and dots included."""
    return groups_directory(directory) / f"{quote(group, safe='')}{SUFFIX}"


def switches_path(directory: Path) -> Path:
    """Where the list of switches stands."""
    return directory / f"switches{SUFFIX}"


# --- reading back -------------------------------------------------------------------------------------------


def load_state(
    directory: Path, times: Times, files: Files | None = None, *, keep_aside: bool = False
) -> Loaded:
    """Read a state directory.

    A file that cannot be understood is a problem with a text, and is renamed so that it can be looked into;
    without ``keep_aside`` nothing is changed (``plan``, ``--dry-run``).
    """
    reader = _Reader(files or DiskFiles(), keep_aside)
    groups: dict[GroupName, Restored] = {}
    for path in reader.paths(groups_directory(directory)):
        saved = reader.read(path, SavedGroup)
        if saved is not None:
            groups[saved.group] = restore(saved, times, reader.problems)
    switches: tuple[SwitchRecord, ...] = ()
    if switches_path(directory) in reader.paths(directory):
        kept = reader.read(switches_path(directory), SavedSwitches)
        switches = kept.switches if kept else ()
    return Loaded(groups, switches, tuple(reader.problems))


class _Reader:
    """Reads files of ours, and collects what is wrong with them."""

    def __init__(self, files: Files, keep_aside: bool) -> None:
        self._files = files
        self._keep_aside = keep_aside
        self.problems: list[str] = []

    def paths(self, directory: Path) -> Sequence[Path]:
        """Return the stored files of a directory."""
        try:
            names = self._files.names(directory)
        except OSError as error:
            self.problems.append(
                f"{directory}: {error.strerror or error}; starting without what is stored there"
            )
            return ()
        return [directory / name for name in names if name.endswith(SUFFIX)]

    def read(self, path: Path, as_type: type[T]) -> T | None:
        """Return the content, or None and a problem more."""
        try:
            return self._parse(self._files.read(path), as_type, path)
        except OSError as error:
            self.problems.append(f"{path}: {error.strerror or error}; starting without it")
        except CodecError as error:
            self.problems.append(f"{error}; starting without it{self._put_aside(path)}")
        return None

    def _parse(self, text: bytes, as_type: type[T], path: Path) -> T:
        data = codec.loads(text, str(path))
        version = data.get("format") if isinstance(data, dict) else None
        if version != FORMAT:
            raise CodecError(f"{path}: found format {version!r}, this version reads {FORMAT}")
        return codec.decode(data, as_type, str(path))

    def _put_aside(self, path: Path) -> str:
        if not self._keep_aside:
            return ""
        aside = f"{path.name}.unreadable"
        try:
            self._files.rename(path, aside)
        except OSError as error:
            return f" (it could not be renamed: {error.strerror or error})"
        return f", kept as {aside}"


def restore(saved: SavedGroup, times: Times, problems: list[str]) -> Restored:
    """Put what was saved on this session's time base."""
    same_boot = saved.stamp.boot_id == times.boot_id
    overrides = [
        _same_boot(override, deadline, times)
        if same_boot
        else _after_reboot(override, deadline, saved, times, problems)
        for override, deadline in zip(saved.stored.overrides, saved.deadlines, strict=False)
    ]
    downtime_us = _downtime_us(saved.stamp, times)
    return Restored(replace(saved.stored, overrides=tuple(overrides)), saved.stamp, downtime_us)


def _downtime_us(stamp: Stamp, times: Times) -> int:
    if stamp.boot_id == times.boot_id:
        return max(0, times.boottime_us() - stamp.boottime_us)
    return times.wall_us() - stamp.wall_us if _plausible(stamp, times) else IMPLAUSIBLE_US


def _plausible(stamp: Stamp, times: Times) -> bool:
    return 0 <= times.wall_us() - stamp.wall_us <= IMPLAUSIBLE_US


def _same_boot(override: Override, deadline: Deadline | None, times: Times) -> Override:
    if deadline is None:
        return replace(override, expires_us=None)
    left_us = deadline.boottime_us - times.boottime_us()
    return replace(override, expires_us=times.monotonic_us() + left_us)


def _after_reboot(
    override: Override, deadline: Deadline | None, saved: SavedGroup, times: Times, problems: list[str]
) -> Override:
    if deadline is None:
        return replace(override, expires_us=None)
    if not _plausible(saved.stamp, times):
        problems.append(_stays(saved.group, override))
        return replace(override, expires_us=None)
    left_us = deadline.wall_us - times.wall_us()
    return replace(override, expires_us=times.monotonic_us() + left_us)


def _stays(group: GroupName, override: Override) -> str:
    return (
        f"group {group}: the override {override.kind} would expire at {override.expires}, but after the "
        "reboot the wall clock cannot be right; it stays until it is cleared: set the clock, then "
        f"wgfo clear {group} --kind {override.kind}"
    )
