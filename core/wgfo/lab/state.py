"""What a lab leaves on disk so that the next command finds it: one directory per lab, ``lab.json`` in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from wgfo.lab.enclosure import Enclosure
from wgfo.lab.errors import LabError

DEFAULT_NAME: Final = "lab"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
ENVIRONMENT: Final = "WGFO_LAB_DIR"


@dataclass(frozen=True, slots=True)
class Wound:
    """A fault that is active in a lab."""

    fault: str
    path: str | None
    """None for a fault that belongs to no path."""
    value: str | None
    since: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class LabState:
    """``lab.json``."""

    name: str
    pid: int
    started: int
    user_namespace: bool
    kernel_wireguard: bool
    created: str
    """RFC 3339."""
    ready: bool = False
    """False: it is being built, or its builder was killed."""
    wounds: tuple[Wound, ...] = ()

    @property
    def enclosure(self) -> Enclosure:
        """The way into the lab."""
        return Enclosure(self.pid, self.started, self.user_namespace)

    def with_wounds(self, wounds: tuple[Wound, ...]) -> LabState:
        """Return this state with other active faults."""
        return replace(self, wounds=wounds)


def root() -> Path:
    """Return the directory of all labs of this user: ``$WGFO_LAB_DIR``, else below the runtime directory."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/run/wgfo-lab")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "wgfo-lab" if runtime else Path(f"/tmp/wgfo-lab-{os.geteuid()}")  # noqa: S108 - owner checked


def check_name(name: str) -> str:
    """Return a lab's name.

    Raises:
        LabError: it is none.
    """
    if NAME.fullmatch(name):
        return name
    raise LabError(f"{name!r} is no name for a lab: up to 24 of a-z, 0-9 and '-', not starting with '-'")


def directory(name: str) -> Path:
    """Return the directory of a lab, whether it exists or not."""
    return root() / check_name(name)


def make_directory(name: str) -> Path:
    """Make the empty directory of a new lab.

    Raises:
        LabError: the directory of labs belongs to somebody else.
    """
    root().mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root().lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LabError(f"{root()} is not a directory of this user; set {ENVIRONMENT} to one that is")
    place = directory(name)
    place.mkdir(mode=0o700)
    return place


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lab's directory for one command at a time; a directory that is not there is not held."""
    try:
        descriptor = os.open(directory(name), os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def save(state: LabState) -> None:
    """Write ``lab.json`` atomically."""
    path = directory(state.name) / "lab.json"
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(state), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)


def load(name: str) -> LabState | None:
    """Read ``lab.json``; None when there is none, or none that can be read (its builder was killed)."""
    try:
        raw = json.loads((directory(name) / "lab.json").read_text(encoding="utf-8"))
        wounds = tuple(Wound(**wound) for wound in raw.pop("wounds"))
        return LabState(**raw, wounds=wounds)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def names() -> list[str]:
    """Return the names of all labs of this user, live or crashed."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(entry.name for entry in root().iterdir() if NAME.fullmatch(entry.name))
    return []


def remove(name: str) -> None:
    """Remove a lab's directory, and the directory of labs with the last one."""
    shutil.rmtree(directory(name), ignore_errors=True)
    with contextlib.suppress(OSError):
        root().rmdir()
