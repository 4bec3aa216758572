"""Places on this machine that the daemon needs, as this user sees them."""

from __future__ import annotations

import grp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wgfo.config.setup import Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.stored import Times, load_state, read_boot_id
from wgfo.model import Finding, Severity
from wgfo.plugin import ConfigError
from wgfo.probes.secret import read_secret

_MIB: Final = 1 << 20
_AS_DAEMON: Final = "run doctor as the user that runs the daemon, or give that user the directory"


def host_findings(setup: Setup, clock: Clock) -> list[Finding]:
    """Return what is wrong with the places that ``[daemon]`` names; blocks on the disk for a moment."""
    return [
        *_state(setup, clock),
        *_control(setup.daemon.control),
        *_textfile(setup.daemon.textfile),
        *_operators(setup.daemon.operators),
        *_token(setup.daemon.webhook_token_file),
    ]


def _state(setup: Setup, clock: Clock) -> Iterator[Finding]:
    place = setup.daemon.state_dir
    yield from _writable("state_dir", place)
    room = shutil.disk_usage(_standing(place)).free
    if room < setup.daemon.journal_max_size:
        most = setup.daemon.journal_max_size // _MIB
        text = f"{room // _MIB} MiB are free at {place}; the journal may take {most}"
        remedy = (
            "make room, or lower max_size of [daemon.journal]: without the journal no voluntary move is made"
        )
        yield Finding(Severity.WARNING, "state_dir", text, remedy)
    if place.is_dir() and os.access(place, os.R_OK | os.X_OK):
        for problem in load_state(place, Times(clock, read_boot_id())).problems:
            remedy = "the daemon goes on without it; delete the file that is named once it has done so"
            yield Finding(Severity.WARNING, "state", problem, remedy)


def _control(place: Path) -> Iterator[Finding]:
    yield from _writable("control", place.parent)


def _textfile(place: Path | None) -> Iterator[Finding]:
    if place is None:
        return
    if not place.parent.is_dir():
        text = f"there is no directory {place.parent}: no metrics are written"
        yield Finding(Severity.WARNING, "textfile", text, f"mkdir -p {place.parent}, or correct textfile")
    else:
        yield from _writable("textfile", place.parent)


def _writable(key: str, place: Path) -> Iterator[Finding]:
    """The daemon makes directories that are missing, so the nearest that stands is what counts."""
    there = _standing(place)
    if not there.is_dir():
        text = f"{there} is no directory"
        yield Finding(Severity.ERROR, key, text, f"correct {key}, or move that file away")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(Severity.WARNING, key, f"{there} cannot be written by this user", _AS_DAEMON)


def _standing(place: Path) -> Path:
    return next(one for one in (place, *place.absolute().parents) if one.exists())


def _operators(group: str | None) -> Iterator[Finding]:
    if group is None:
        return
    try:
        grp.getgrnam(group)
    except KeyError:
        text = f"there is no Unix group {group!r}: nobody but root can send requests"
        yield Finding(Severity.ERROR, "operators", text, f"groupadd --system {group}, or correct operators")


def _token(file: Path | None) -> Iterator[Finding]:
    if file is None:
        return
    try:
        read_secret(file, "webhook_token_file")
    except ConfigError as error:
        text, _, remedy = str(error).partition("; ")
        yield Finding(Severity.ERROR, "webhook_token_file", text, remedy)
