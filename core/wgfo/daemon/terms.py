"""What every call to a provider is made under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wgfo.daemon.clock import Clock
from wgfo.daemon.instances import Requests, unheard
from wgfo.daemon.permit import Veto, no_veto


@dataclass(frozen=True, slots=True)
class Terms:
    """One object for the whole process."""

    clock: Clock
    requests: Requests = unheard
    """Counts the calls."""
    veto: Veto = no_veto
    """Why nothing may be written now."""
    dry_run: bool = False
    """Decide and read, write nothing."""
    notice: Callable[[str], None] = field(default=lambda _text: None)
    """Hears what is worth a line in the log."""
