"""Azure's refusals as the contract's errors: data in, one of the contract's kinds out. No SDK is imported.

Azure Resource Manager answers with a status and ``{"error": {"code", "message", "details": […]}}``; the network
resource provider puts its own, more exact codes into ``details``. Those count first, then the outer code, then
the status. What no table lists is decided by the status alone.

    429, 409 busy        the request was not carried out: transient
    5xx on a write       it may have been: outcome unknown
    a failed operation   it was accepted, ran and changed nothing that carries traffic: by its code
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final

from wgfo.model import FailureKind
from wgfo.plugin import Conflict, Denied, NotFound, OutcomeUnknown, ProviderError, Transient, Unsupported

CODES: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "AnotherOperationInProgress": FailureKind.TRANSIENT,
        "RetryableError": FailureKind.TRANSIENT,
        "RetryableErrorDueToAnotherOperation": FailureKind.TRANSIENT,
        "ReferencedResourceNotProvisioned": FailureKind.TRANSIENT,
        "OperationPreempted": FailureKind.TRANSIENT,
        "TooManyRequests": FailureKind.TRANSIENT,
        "SubscriptionRequestsThrottled": FailureKind.TRANSIENT,
        "TenantRequestsThrottled": FailureKind.TRANSIENT,
        "ServerBusy": FailureKind.TRANSIENT,
        "AuthorizationFailed": FailureKind.DENIED,
        "LinkedAuthorizationFailed": FailureKind.DENIED,
        "DenyAssignmentAuthorizationFailed": FailureKind.DENIED,
        "AuthenticationFailed": FailureKind.DENIED,
        "AuthenticationFailedMissingToken": FailureKind.DENIED,
        "InvalidAuthenticationToken": FailureKind.DENIED,
        "InvalidAuthenticationTokenTenant": FailureKind.DENIED,
        "ExpiredAuthenticationToken": FailureKind.DENIED,
        "ScopeLocked": FailureKind.DENIED,
        "ReadOnlyDisabledSubscription": FailureKind.DENIED,
        "NotFound": FailureKind.NOT_FOUND,
        "ResourceNotFound": FailureKind.NOT_FOUND,
        "ParentResourceNotFound": FailureKind.NOT_FOUND,
        "ResourceGroupNotFound": FailureKind.NOT_FOUND,
        "SubscriptionNotFound": FailureKind.NOT_FOUND,
        "InvalidSubscriptionId": FailureKind.NOT_FOUND,
        "PreconditionFailed": FailureKind.CONFLICT,
        "PreconditionFailedEtagMismatch": FailureKind.CONFLICT,
        "RouteConflict": FailureKind.CONFLICT,
        "CanceledAndSupersededDueToAnotherOperation": FailureKind.CONFLICT,
        "RequestDisallowedByPolicy": FailureKind.UNSUPPORTED,
        "MissingSubscriptionRegistration": FailureKind.UNSUPPORTED,
    }
)
"""Kinds by code, whatever the status below 500."""

BUSY: Final = frozenset(
    {
        "AnotherOperationInProgress",
        "OperationPreempted",
        "ReferencedResourceNotProvisioned",
        "RetryableErrorDueToAnotherOperation",
    }
)
"""Something else is done with this very table: its Retry-After is no matter of the subscription, which is throttled
by codes of its own, and the other tables go on. (Some of these come with 429 as well as 409.)"""

STATUSES: Final[Mapping[int, FailureKind]] = MappingProxyType(
    {
        401: FailureKind.DENIED,
        403: FailureKind.DENIED,
        404: FailureKind.NOT_FOUND,
        409: FailureKind.TRANSIENT,
        412: FailureKind.CONFLICT,
        429: FailureKind.TRANSIENT,
    }
)
"""Kinds by status; every other 4xx and 3xx is unsupported: the same request would be refused again."""

_REMEDIES: Final[Mapping[FailureKind, str]] = MappingProxyType(
    {
        FailureKind.TRANSIENT: "it is tried again",
        FailureKind.DENIED: "grant the rights that `wgfo emit permissions` prints, or remove the lock",
        FailureKind.NOT_FOUND: "correct 'tables' and 'subscription_id'",
        FailureKind.CONFLICT: "it changed meanwhile; it is observed again",
        FailureKind.UNSUPPORTED: "Azure does not accept this; correct the configuration or the quota",
        FailureKind.UNKNOWN: "it is observed before the next write",
    }
)
_TYPES: Final[Mapping[FailureKind, type[ProviderError]]] = MappingProxyType(
    {kind.kind: kind for kind in (Transient, Denied, NotFound, Conflict, Unsupported, OutcomeUnknown)}
)
_SERVER_ERROR: Final = 500
_REDIRECT: Final = range(300, 400)
_OK: Final = range(200, 300)
_TIMEOUT: Final = 408
_LONGEST: Final = 300
"""Characters of Azure's message that are passed on."""
_RETRIED_IN: Final = re.compile(r"can be retried in (\d{1,6}) second", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"(?i:bearer)\s+\S+"
    r"|eyJ[\w-]{4,}(?:\.[\w-]*){0,2}"
    r"|(?i:sig|signature|password|secret|client_secret|assertion|access_token)=[^\s&]+"
    r"|[?&][tcsh]=[^\s&]+"
)
"""Tokens, and the signature parts of the URLs under which operations are polled."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Azure said, as plain data."""

    status: int
    codes: tuple[str, ...] = ()
    """The innermost first."""
    message: str = ""
    retry_after_ms: int | None = None


def refusal(status: int, body: object, headers: Mapping[str, str], now_s: float) -> Refusal:
    """Read an answer.

    Args:
        status: of the response, or of what stands for it.
        body: the decoded JSON, or anything else.
        headers: of the response.
        now_s: wall clock, for a Retry-After that is a date.
    """
    found = list(_errors(body))
    messages = [str(one.get("message") or "") for one in found]
    asked = [retry_after_ms(headers, now_s)]
    asked += [int(match.group(1)) * 1000 for text in messages for match in _RETRIED_IN.finditer(text)]
    named = [ms for ms in asked if ms is not None]
    return Refusal(
        status=status,
        codes=tuple(str(one["code"]) for one in reversed(found) if one.get("code")),
        message=next((text for text in reversed(messages) if text), ""),
        retry_after_ms=max(named, default=None),
    )


def _errors(body: object) -> Iterator[Mapping[str, Any]]:
    """Yield the error and its details, outermost first; bounded against a body that nests for ever."""
    level: list[object] = [body.get("error", body)] if isinstance(body, Mapping) else []
    for _ in range(5):
        for one in level:
            if isinstance(one, Mapping):
                yield one
        level = [inner for one in level if isinstance(one, Mapping) for inner in _details(one)]


def _details(one: Mapping[str, Any]) -> list[object]:
    details = one.get("details")
    return list(details) if isinstance(details, list) else []


def retry_after_ms(headers: Mapping[str, str], now_s: float) -> int | None:
    """Return what Retry-After says, in milliseconds; None where it says nothing that can be read."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if headers.get(name, "").isdecimal():
            return int(headers[name])
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,7}(\.\d+)?", text):
        return int(float(text) * 1000)
    try:
        return max(0, int((parsedate_to_datetime(text).timestamp() - now_s) * 1000))
    except (ValueError, TypeError):
        return None


def kind_of(refused: Refusal, *, writes: bool) -> FailureKind:
    """Say what kind of error an answer is."""
    status = refused.status
    if status >= _SERVER_ERROR or status in (*_OK, _TIMEOUT):
        return FailureKind.UNKNOWN if writes else FailureKind.TRANSIENT
    for code in refused.codes:
        if code in CODES:
            return CODES[code]
    return STATUSES.get(status, FailureKind.UNSUPPORTED)


def translated(refused: Refusal, where: str, *, writes: bool) -> ProviderError:
    """Return the contract's error for an answer."""
    kind = kind_of(refused, writes=writes)
    remedy = _REMEDIES[kind]
    if refused.status in _REDIRECT:
        remedy = "a redirection is not followed; correct 'endpoint_url' and 'cloud'"
    elif "MissingSubscriptionRegistration" in refused.codes:
        remedy = "run `az provider register --namespace Microsoft.Network` once"
    elif "RequestDisallowedByPolicy" in refused.codes:
        remedy = "an Azure Policy forbids it"
    text = f"{where}: Azure answered {said(refused)}; {remedy}"
    return made(kind, text, refused.retry_after_ms, busy=busy(refused))


def operation_failed(refused: Refusal, where: str, *, canceled: bool) -> ProviderError:
    """Return the contract's error for an operation that was accepted and ended badly.

    Nothing may be concluded from the route's next hop, which shows what was asked for.
    """
    known = next((CODES[code] for code in refused.codes if code in CODES), FailureKind.TRANSIENT)
    how = "was cancelled" if canceled else "failed"
    text = f"{where}: the operation was accepted and {how}: {said(refused)}; traffic keeps the old next hop"
    return made(known, text, refused.retry_after_ms, busy=busy(refused))


def busy(refused: Refusal) -> bool:
    """Whether this table is busy, and nothing is said of the others."""
    return next((code in BUSY for code in refused.codes if code in CODES), False)


def made(kind: FailureKind, text: str, asked_ms: int | None = None, *, busy: bool = False) -> ProviderError:
    """Return an error of a kind."""
    return _TYPES[kind](text, retry_after_ms=asked_ms, busy=busy)


def late(where: str, *, writes: bool) -> ProviderError:
    """Return the error for an answer that did not come in time."""
    kind = FailureKind.UNKNOWN if writes else FailureKind.TRANSIENT
    return made(kind, f"{where}: Azure did not answer in time; {_REMEDIES[kind]}")


def broken(where: str, what: str, *, writes: bool) -> ProviderError:
    """Return the error for a connection that broke, or an answer that cannot be read."""
    kind = FailureKind.UNKNOWN if writes else FailureKind.TRANSIENT
    return made(kind, f"{where}: {safe(what)}; {_REMEDIES[kind]}")


def said(refused: Refusal) -> str:
    """Return status, code and message for people."""
    code = refused.codes[0] if refused.codes else ""
    head = " ".join(word for word in (str(refused.status or ""), safe(code)) if word)
    return f"{head} ({safe(refused.message)})".strip() if refused.message else head or "no reason given"


def safe(text: str) -> str:
    """Cut a text of others short, make it one line, and leave out what may be a token or a signature."""
    return _SECRET.sub("[redacted]", " ".join(text.split()))[:_LONGEST]
