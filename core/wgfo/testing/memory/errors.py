"""The platform's errors as the contract's. No text of the platform is passed on: it may hold the credential."""

from __future__ import annotations

from typing import Final

from wgfo.plugin import Conflict, Denied, NotFound, OutcomeUnknown, ProviderError, Transient, Unsupported
from wgfo.testing.memory.platform import Code, PlatformError

_KINDS: Final[dict[Code, tuple[type[ProviderError], str]]] = {
    Code.THROTTLED: (Transient, "too many requests for this account; it is tried again"),
    Code.DENIED: (Denied, "the credential may not do this; grant it the right"),
    Code.NO_TABLE: (NotFound, "it does not exist; correct its name"),
    Code.CHANGED: (Conflict, "the route changed meanwhile; it is observed again"),
    Code.INVALID: (Unsupported, "the platform does not accept this route; see its quotas and rules"),
    Code.FAILED: (Transient, "the operation was accepted and failed; it is tried again"),
}
_LOST: Final = frozenset({Code.INTERNAL, Code.RESET})
"""After these nobody knows whether a write was carried out."""


def translated(error: PlatformError, table: str, *, writes: bool) -> ProviderError:
    """Return the error of the contract."""
    if error.code in _LOST:
        return (
            _lost(table) if writes else Transient(f"table {table}: the connection broke; it is tried again")
        )
    kind, text = _KINDS[error.code]
    return kind(f"table {table}: {text}", retry_after_ms=error.retry_after_ms)


def late(table: str, *, writes: bool) -> ProviderError:
    """Return the error for an answer that did not come in time."""
    return _lost(table) if writes else Transient(f"table {table}: no answer in time; it is tried again")


def _lost(table: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"table {table}: the answer to a write was lost; it is observed before the next one"
    )
