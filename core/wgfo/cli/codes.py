"""Exit codes; scripts and timers rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    ERROR = 1
    USAGE = 2
    ATTENTION = 3
    """``check``: not all up. ``status``: any state but ok. ``doctor``: findings."""
    CHANGES = 4
    """``plan``: there are changes."""
    UNREACHABLE = 5
    REFUSED = 6
    """A request refused by policy."""
