"""The stores of a run: on the disk, locked against a second process; or in memory for ``--dry-run``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo.config.setup import DaemonSetup
from wgfo.daemon.health import Told
from wgfo.daemon.journal import DiskJournal, Journal, MemoryJournal, States
from wgfo.daemon.lock import StateLock
from wgfo.daemon.state import MemoryStore, StateStore, Store
from wgfo.daemon.stored import Loaded, Times, load_state
from wgfo.plugin import WgfoError

REMEMBERED: Final = 10_000
"""Records that a dry run keeps in memory."""


class StateUnusable(WgfoError):
    """The state directory cannot be made or written."""


@dataclass(slots=True)
class Stores:
    """State, journal, and what was stored before."""

    state: Store
    journal: Journal
    load: Callable[[], Loaded]
    """Read everything that is stored."""
    lock: StateLock | None = None

    def check(self) -> None:
        """Notice a disk that hangs."""
        self.state.check()
        self.journal.check()

    async def aclose(self) -> bool:
        """Write what waits, bounded, and let another process have the directory."""
        kept = await asyncio.gather(self.state.aclose(), self.journal.aclose())
        if self.lock is not None:
            self.lock.release()
        return all(kept)


def open_stores(
    daemon: DaemonSetup, session: str, times: Times, states: States, told: Callable[[str], Told]
) -> Stores:
    """Lock the state directory and open both stores.

    Raises:
        StateInUse: another process runs on it.
        StateUnusable: it cannot be made or written.
    """
    directory = daemon.state_dir
    try:
        lock = StateLock(directory)
        state = StateStore(directory, session, times, told("state"))
        journal = DiskJournal(
            journal_directory(directory),
            times.clock,
            states,
            told("journal"),
            max_size=daemon.journal_max_size,
            max_age_us=daemon.journal_max_age_us,
        )
    except OSError as error:
        raise StateUnusable(
            f"state directory {directory}: {error.strerror or error}; accepted is a directory that this user "
            "may write: set [daemon] state_dir, or give --state-dir"
        ) from None
    return Stores(state, journal, state.load, lock)


def memory_stores(daemon: DaemonSetup, session: str, times: Times) -> Stores:
    """Return stores that touch nothing; what the live daemon stored is read."""

    def load() -> Loaded:
        return load_state(daemon.state_dir, times)

    return Stores(MemoryStore(session, times), MemoryJournal(REMEMBERED), load)


def journal_directory(state_dir: Path) -> Path:
    """Where the journal's segments stand."""
    return state_dir / "journal"
