"""What every call to a provider is made under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wgfo.daemon.clock import Clock
from wgfo.daemon.instances import Requests, unheard
from wgfo.model import GroupName

MayWrite = Callable[[GroupName, int], str | None]
"""Why a group's write of this epoch must not be sent now; None: it may. Asked before every request."""


def always(group: GroupName, epoch: int) -> str | None:
    """Every write may be sent."""
    del group, epoch
    return None


@dataclass(frozen=True, slots=True)
class Terms:
    """One object for the whole process."""

    clock: Clock
    requests: Requests = unheard
    """Counts the calls."""
    veto: MayWrite = always
    dry_run: bool = False
    """Decide and read, write nothing."""
    notice: Callable[[str], None] = field(default=lambda _text: None)
    """Hears what is worth a line in the log."""
