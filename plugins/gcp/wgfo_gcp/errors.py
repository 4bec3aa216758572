"""Turns what the API, the SDK and the network say into what the core and an operator can act on.

One table, read from the top: the first rule that fits decides. An *answer* is a status with a reason (or an
operation's error code); what has no answer may have happened all the same, and is unknown for a write.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Final

from wgfo.model import FailureKind, Prefix, WriteFailure
from wgfo.plugin import Conflict, Denied, NotFound, OutcomeUnknown, ProviderError, Transient, Unsupported

_MINUTE_MS: Final = 60_000
_MARGIN_MS: Final = 1_000
_LONGEST_TEXT: Final = 400
_SERVER_ERROR: Final = 500
_KINDS: Final[dict[FailureKind, type[ProviderError]]] = {
    FailureKind.TRANSIENT: Transient,
    FailureKind.DENIED: Denied,
    FailureKind.NOT_FOUND: NotFound,
    FailureKind.UNSUPPORTED: Unsupported,
    FailureKind.CONFLICT: Conflict,
    FailureKind.UNKNOWN: OutcomeUnknown,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of answer means. Empty fields fit everything; ``text`` and ``reason`` are patterns."""

    kind: FailureKind
    status: int = 0
    reason: str = ""
    text: str = ""
    rate: bool = False
    """Too many requests: the quota is full again at the next whole minute."""
    remedy: str = ""


_RATE: Final = "rateLimitExceeded|userRateLimitExceeded|RATE_LIMIT_EXCEEDED|RESOURCE_OPERATION_RATE_EXCEEDED"
_GRANT: Final = "grant the role of `wgfo emit permissions` to the service account of this host"
RULES: Final = (
    Rule(FailureKind.TRANSIENT, reason=_RATE, rate=True, remedy="the quota refills at the next whole minute"),
    Rule(FailureKind.TRANSIENT, text="(?i)quota exceeded.*per (minute|second|100 seconds)", rate=True),
    Rule(FailureKind.TRANSIENT, status=429, rate=True, remedy="the quota refills at the next whole minute"),
    Rule(
        FailureKind.UNSUPPORTED,
        reason="quotaExceeded|QUOTA_EXCEEDED|LIMIT_EXCEEDED",
        remedy="a switch needs one route more than it leaves: ask for a higher quota, or delete unused routes",
    ),
    Rule(
        FailureKind.DENIED,
        reason="accessNotConfigured|SERVICE_DISABLED",
        remedy="enable the Compute Engine API in the project: gcloud services enable compute.googleapis.com",
    ),
    Rule(
        FailureKind.DENIED,
        reason="DefaultCredentialsError|RefreshError",
        remedy="give the host a service account, or set GOOGLE_APPLICATION_CREDENTIALS for the service",
    ),
    Rule(FailureKind.DENIED, status=401, remedy="see which credentials this host has: gcloud auth list"),
    Rule(FailureKind.DENIED, status=403, remedy=_GRANT),
    Rule(FailureKind.DENIED, reason="(?i)forbidden|.*permission.*", remedy=_GRANT),
    # Peered networks refuse changes of routes while one of them changes; Google says to try again.
    Rule(FailureKind.TRANSIENT, text="(?i)peering operation in progress|try again later"),
    Rule(
        FailureKind.TRANSIENT, reason="resourceNotReady|RESOURCE_NOT_READY|resourceInUse.*|RESOURCE_IN_USE.*"
    ),
    Rule(FailureKind.CONFLICT, reason="alreadyExists|RESOURCE_ALREADY_EXISTS", remedy="it is read again"),
    Rule(FailureKind.CONFLICT, status=409, remedy="it is read again"),
    Rule(FailureKind.CONFLICT, status=412, remedy="it is read again"),
    Rule(FailureKind.NOT_FOUND, status=404),
    Rule(FailureKind.NOT_FOUND, reason="notFound|RESOURCE_NOT_FOUND"),
    Rule(FailureKind.TRANSIENT, status=408),
    Rule(FailureKind.UNSUPPORTED, status=400),
    Rule(FailureKind.UNSUPPORTED, reason="invalid|INVALID_.*|UNSUPPORTED_.*|CONDITION_NOT_MET"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request, or that it was not."""

    status: int = 0
    """HTTP status, 0 if there was no answer."""
    reason: str = ""
    """``errors[].reason``, an operation's ``error.errors[].code``, or the name of an exception."""
    text: str = ""
    retry_after_ms: int | None = None
    sent: bool = True
    """False: it certainly never left this host."""
    timed_out: bool = False
    """It was sent, and may still land."""
    ended: bool = False
    """An operation that failed: nothing has changed."""


class GcpError(Exception):
    """A request that did not succeed; leaves this package only as a failure or a ProviderError."""

    def __init__(self, answer: Answer, *, write: bool) -> None:
        super().__init__(answer.text)
        self.answer = answer
        self.rule = _rule(answer)
        self.kind = _kind(answer, self.rule, write=write)

    @property
    def stops(self) -> bool:
        """Whether nothing more should be sent: the account is throttled, or this write may still land."""
        return self.rule.rate or self.answer.timed_out

    @property
    def retry_after_ms(self) -> int | None:
        """What the platform asked for, else the time to the next whole minute where a rate is exceeded."""
        if self.answer.retry_after_ms is not None:
            return self.answer.retry_after_ms
        return to_next_minute_ms() if self.rule.rate else None

    def explain(self, what: str) -> str:
        """Return ``what`` was refused, the platform's words, and the remedy."""
        answer = self.answer
        code = " ".join(filter(None, (str(answer.status or ""), answer.reason)))
        said = (answer.text or "no text").rstrip(".")[:_LONGEST_TEXT]
        remedy = f"; {self.rule.remedy}" if self.rule.remedy else ""
        return f"{what}: {said}{f' ({code})' if code else ''}{remedy}"

    def as_failure(self, what: str, prefix: Prefix | None) -> WriteFailure:
        """Return the outcome of one destination."""
        return WriteFailure(self.kind, self.explain(what), prefix, self.retry_after_ms)

    def as_provider_error(self, what: str) -> ProviderError:
        """Return the exception of the contract."""
        return _KINDS[self.kind](self.explain(what), retry_after_ms=self.retry_after_ms)


def to_next_minute_ms() -> int:
    """Return how long it is to the next whole minute of the wall clock, when Google's rate quotas refill."""
    now = dt.datetime.now(dt.UTC)
    return _MINUTE_MS - now.second * 1000 - now.microsecond // 1000 + _MARGIN_MS


_OTHER: Final = Rule(FailureKind.TRANSIENT, remedy="it is tried again")


def _rule(answer: Answer) -> Rule:
    return next((rule for rule in RULES if _fits(rule, answer)), _OTHER)


def _fits(rule: Rule, answer: Answer) -> bool:
    return (
        rule.status in {0, answer.status}
        and (not rule.reason or re.fullmatch(rule.reason, answer.reason) is not None)
        and (not rule.text or re.search(rule.text, answer.text) is not None)
    )


def _kind(answer: Answer, rule: Rule, *, write: bool) -> FailureKind:
    nobody_knows = not answer.ended and answer.sent and (not answer.status or answer.status >= _SERVER_ERROR)
    if nobody_knows and rule is _OTHER:
        return FailureKind.UNKNOWN if write else FailureKind.TRANSIENT
    return rule.kind


def from_operation(operation: Any) -> Answer | None:
    """Return why an operation that is DONE failed; None if it did not."""
    errors = list(operation.error.errors) if operation.error else []
    if not errors and not operation.http_error_status_code:
        return None
    first = errors[0] if errors else None
    return Answer(
        status=int(operation.http_error_status_code or 0),
        reason=first.code if first else "",
        text=(first.message if first else "") or operation.http_error_message or "the operation failed",
        ended=True,
    )


def from_exception(error: Exception) -> Answer:
    """Read an exception of the SDK, of its transport or of the credentials. Their texts may hold tokens."""
    import requests  # noqa: PLC0415 - an SDK is imported when a provider opens
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    if isinstance(error, GoogleAPICallError):
        return _from_call(error)
    if isinstance(error, GoogleAuthError):
        text = "the Google credentials are missing or could not be refreshed"
        return Answer(reason=type(error).__name__, text=text, sent=False)
    if isinstance(error, requests.exceptions.RequestException):
        return _from_transport(error)
    return Answer(reason=type(error).__name__, text="the answer could not be read")


def _from_call(error: Any) -> Answer:
    reasons = [one.get("reason", "") for one in error.errors if isinstance(one, dict)]
    info = [found for one in error.details if (found := getattr(one, "reason", ""))]
    return Answer(
        status=int(error.code or 0),
        reason=next(filter(None, (*reasons, *info)), ""),
        text=_one_line(str(error.message or "")),
        retry_after_ms=_retry_after_ms(error),
    )


def _retry_after_ms(error: Any) -> int | None:
    headers = getattr(error.response, "headers", None) or {}
    seconds = headers.get("Retry-After", "")
    if seconds.isdigit():
        return int(seconds) * 1000
    for detail in error.details:
        delay = getattr(detail, "retry_delay", None)
        if delay is not None:
            return int(delay.seconds * 1000 + delay.nanos // 1_000_000)
    return None


def _from_transport(error: Exception) -> Answer:
    import requests  # noqa: PLC0415 - an SDK is imported when a provider opens

    name = type(error).__name__
    refused = isinstance(error, requests.exceptions.ConnectTimeout) or "NewConnectionError" in str(error)
    if refused:
        return Answer(reason=name, text="the API could not be reached: no connection was made", sent=False)
    if isinstance(error, requests.exceptions.Timeout):
        return Answer(reason=name, text="the API did not answer in time", timed_out=True)
    return Answer(reason=name, text="the connection broke before the API had answered")


def _one_line(text: str) -> str:
    return " ".join(text.split())
