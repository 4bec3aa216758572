"""The parts of a bug report. Each is made on its own: one that cannot be had says why, and the others go on."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wgfo.cli.client import Client
    from wgfo.config.setup import DaemonSetup, Setup
    from wgfo.daemon.records import Record
    from wgfo.plugin.manager import Registry

Part = Callable[[], object]
"""Returns a JSON-able value, or a text; whatever it raises becomes the part's text."""
STEPS: Final = 2_000
SEGMENTS: Final = 2
LOG_LINES: Final = 1_000
_COMMAND_S: Final = 10.0
_OUTPUT: Final = 1 << 20


def versions(registry: Registry) -> dict[str, object]:
    """Return what runs here."""
    from wgfo.daemon.session import versions as installed

    return {
        "distributions": dict(installed(registry)),
        "python": sys.version,
        "machine": dict(
            zip(("system", "node", "release", "version", "machine"), platform.uname(), strict=False)
        ),
        "os": _os_release(),
    }


def _os_release() -> dict[str, str]:
    try:
        return dict(platform.freedesktop_os_release())
    except OSError:
        return {}


def plugins(registry: Registry) -> dict[str, object]:
    """Return what is installed, offered and broken."""
    return {
        "plugins": [asdict(one) for one in registry.plugins],
        "broken": [asdict(one) for one in registry.broken],
        "duplicates": [str(one) for one in registry.duplicates],
    }


def of_daemon(client: Client, path: str) -> Part:
    """Return what the daemon answers there."""
    return lambda: client.get(path)


# --- the journal ------------------------------------------------------------------------------------------


def journal(daemon: DaemonSetup) -> str:
    """Return the last steps, one JSON text a line; the configuration in it is left out."""
    from wgfo.daemon.files import DiskFiles
    from wgfo.daemon.segments import read_journal, segment_names
    from wgfo.daemon.stores import journal_directory

    directory = journal_directory(daemon.state_dir)
    names = segment_names(DiskFiles(), directory)[-SEGMENTS:]
    records = chain.from_iterable(read_journal(directory / name) for name in names)
    return "".join(f"{json.dumps(_record(one), ensure_ascii=False)}\n" for one in deque(records, STEPS))


def _record(record: Record) -> Mapping[str, object]:
    from wgfo.daemon import codec
    from wgfo.daemon.records import Gap, Opened, Stepped
    from wgfo.engine.decisions import Decision
    from wgfo.engine.events import Event

    match record:
        case Stepped(group, event, decisions):
            return {
                "group": group,
                "event": codec.encode(event, Event),
                "decisions": [codec.encode(one, Decision) for one in decisions],
            }
        case Gap(dropped, text):
            return {"gap": dropped, "text": text}
        case Opened(header, _states, checkpoint):
            shown = {"session": header.session, "wall": header.wall, "versions": dict(header.versions)}
            return shown | {"digest": header.digest, "checkpoint": checkpoint}


# --- the host ---------------------------------------------------------------------------------------------


def host(daemon: DaemonSetup | None, setup: Setup | None) -> str:
    """Return what commands say of this host: links, rules, routes of the managed tables, the service's log."""
    return "".join(f"$ {' '.join(words)}\n{_said(words)}\n" for words in _commands(daemon, setup))


def _commands(daemon: DaemonSetup | None, setup: Setup | None) -> Iterator[tuple[str, ...]]:
    yield ("ip", "-brief", "link")
    yield ("ip", "-brief", "address")
    for family in ("-4", "-6"):
        yield ("ip", family, "rule")
        for table in _tables(setup):
            yield ("ip", family, "route", "show", "table", table)
        yield ("ip", family, "route", "show", "table", "all", "proto", "119")
    yield ("wg", "show", "all", "latest-handshakes")
    yield ("wg", "show", "all", "transfer")
    yield ("sysctl", "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv6.conf.all.forwarding")
    if daemon is not None:
        yield ("df", "-h", str(_standing(daemon.state_dir)))
        yield ("ls", "-l", str(daemon.state_dir))
    yield ("journalctl", "--unit", "wgfo", "--lines", str(LOG_LINES), "--no-pager")


def _tables(setup: Setup | None) -> list[str]:
    """The tables of this kernel; those of clouds are no words for ``ip``."""
    if setup is None:
        return []
    linux = {one.name for one in setup.providers if one.offer.kind == "linux"}
    sets = (one for group in setup.groups for one in group.sets if one.provider in linux)
    return list(dict.fromkeys(str(one.table) for one in sets))


def _standing(place: Path) -> Path:
    return next(one for one in (place, *place.absolute().parents) if one.exists())


def _said(words: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            words, capture_output=True, timeout=_COMMAND_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"could not be asked: {error}\n"
    out = (done.stdout + done.stderr)[-_OUTPUT:].decode("utf-8", errors="replace")
    return out if not done.returncode else f"{out}(exit status {done.returncode})\n"
