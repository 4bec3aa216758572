"""Numbers, times and states as the status page writes them."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "–"  # noqa: RUF001 - for people, and it is as wide as a digit
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
LEVELS: Final = {
    "ok": "good",
    "up": "good",
    "on_standby": "warn",
    "degraded": "warn",
    "paused": "warn",
    "starting": "idle",
    "unknown": "idle",
    "not_probed": "idle",
    "masked": "idle",
}
"""How loud a state is; every other one is bad."""


def level(state: str) -> str:
    """Return the class of a state: ``good``, ``idle``, ``warn`` or ``bad``."""
    return LEVELS.get(state, "bad")


def words(name: str) -> str:
    """Return a name of the API for people."""
    return str(name).replace("_", " ")


def percent(ratio: float | None) -> str:
    """Return a share; what is lost at all is never shown as 0 %."""
    if ratio is None:
        return NOTHING
    share = 100 * ratio
    return f"{share:.0f} %" if share in (0, 100) or share >= 10 else f"{share:.1f} %"  # noqa: PLR2004


def duration(seconds: float | None) -> str:
    """Return a duration with two or three digits."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"  # noqa: PLR2004
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"


def clock(at: str) -> str:
    """Return date and time of an RFC 3339 text without its fraction."""
    date, _, time = at.partition("T")
    return f"{date} {time[:8]}" if time else at
