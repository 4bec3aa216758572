"""EC2's and the SDK's errors as the contract's.

An answer with an error code means that the request was refused and nothing was done; the exceptions stand in
``UNSURE``. No answer means that it may have been carried out, if it was sent at all. The codes are a table:
``MEANINGS`` by exact code, then ``FAMILIES`` by pattern. The SDK's exceptions are told by the names of their
classes, so that nothing of the SDK is imported here.

AWS's own sentence is passed on, for it names the principal and the resource, without whatever looks like a
credential or a signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wgfo.model import FailureKind
from wgfo.plugin import (
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    Transient,
    Unsupported,
    Withdrawn,
)

THROTTLED_MS: Final = 1_000
"""EC2 names no time when it throttles; its buckets refill every second."""
DRY_RUN: Final = "DryRunOperation"
"""The *error* by which a DryRun says that the real request would have been allowed."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one error code means."""

    kind: FailureKind
    advice: str
    whole: bool = False
    """It would be the same for every other destination of the table: no use in asking again."""


_AGAIN: Final = "it is tried again"
_SIGN_IN: Final = (
    "renew the credentials (profile, instance role or role_arn) and see `aws sts get-caller-identity`"
)
_GRANT: Final = "grant it: `wgfo emit permissions` writes the policy for these tables"
_THROTTLED: Final = Meaning(
    FailureKind.TRANSIENT, "too many EC2 requests in this account and region; " + _AGAIN, whole=True
)
_DENIED: Final = Meaning(FailureKind.DENIED, _GRANT, whole=True)
_SIGNED_OUT: Final = Meaning(FailureKind.DENIED, _SIGN_IN, whole=True)
_CLOCK: Final = Meaning(
    FailureKind.DENIED, "the clock of this host is wrong: check its time synchronisation", whole=True
)
_NO_TABLE: Final = Meaning(FailureKind.NOT_FOUND, "correct tables, region or account", whole=True)
_NO_TARGET: Final = Meaning(FailureKind.NOT_FOUND, "correct next_hop, or bring the target back", whole=True)
_NO_LIST: Final = Meaning(
    FailureKind.NOT_FOUND, "correct the prefix list, or have it shared with this account"
)
_REFUSED: Final = Meaning(
    FailureKind.UNSUPPORTED, "EC2 does not accept this route: correct prefixes or next_hop"
)
_FULL: Final = Meaning(
    FailureKind.DENIED, "the table is full: delete routes, or have the quota raised (Service Quotas)"
)
_CHANGED: Final = Meaning(FailureKind.CONFLICT, "the route changed meanwhile: it is read again")
_BUSY: Final = Meaning(FailureKind.TRANSIENT, "the target is changing; " + _AGAIN)
_SERVER: Final = Meaning(FailureKind.TRANSIENT, "EC2 has a problem of its own; " + _AGAIN)

MEANINGS: Final[Mapping[str, Meaning]] = {
    "UnauthorizedOperation": _DENIED,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "OperationNotPermitted": _DENIED,
    "Client.UnauthorizedOperation": _DENIED,
    "AuthFailure": _SIGNED_OUT,
    "ExpiredToken": _SIGNED_OUT,
    "ExpiredTokenException": _SIGNED_OUT,
    "InvalidClientTokenId": _SIGNED_OUT,
    "UnrecognizedClientException": _SIGNED_OUT,
    "MissingAuthenticationToken": _SIGNED_OUT,
    "SignatureDoesNotMatch": _SIGNED_OUT,
    "IncompleteSignature": _SIGNED_OUT,
    "InvalidSignatureException": _SIGNED_OUT,
    "Blocked": Meaning(FailureKind.DENIED, "AWS has blocked this account: contact AWS Support", whole=True),
    "OptInRequired": Meaning(
        FailureKind.DENIED, "enable the region for this account, or correct region", whole=True
    ),
    "PendingVerification": Meaning(FailureKind.DENIED, "AWS is still verifying this account", whole=True),
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestLimitExceeded": _THROTTLED,
    "SlowDown": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "BandwidthLimitExceeded": _THROTTLED,
    "429": _THROTTLED,
    "403": _DENIED,
    "InvalidRouteTableID.NotFound": _NO_TABLE,
    "InvalidRouteTableId.NotFound": _NO_TABLE,
    "InvalidRouteTableID.Malformed": _NO_TABLE,
    "InvalidRouteTableId.Malformed": _NO_TABLE,
    "InvalidPrefixListID.NotFound": _NO_LIST,
    "InvalidPrefixListId.NotFound": _NO_LIST,
    "InvalidPrefixListID.Malformed": _NO_LIST,
    "InvalidPrefixListId.Malformed": _NO_LIST,
    "NatGatewayNotFound": _NO_TARGET,
    "InvalidRoute.NotFound": _CHANGED,
    "RouteAlreadyExists": _CHANGED,
    "RouteLimitExceeded": _FULL,
    "InvalidRoute.InvalidState": _BUSY,
    "IncorrectState": _BUSY,
    "IncorrectInstanceState": _BUSY,
    "InvalidGatewayID.InvalidState": _BUSY,
    "InvalidTransitGatewayID.InvalidState": _BUSY,
    "InvalidInstanceID": Meaning(
        FailureKind.UNSUPPORTED,
        "an instance is a next hop only with exactly one interface: name the interface",
    ),
    "DependencyViolation": _REFUSED,
    "InvalidParameter": _REFUSED,
    "InvalidParameterValue": _REFUSED,
    "InvalidParameterCombination": _REFUSED,
    "MissingParameter": _REFUSED,
    "RouteNotSupported": _REFUSED,
    "UnsupportedOperation": _REFUSED,
    "Unsupported": _REFUSED,
    "OperationNotSupported": _REFUSED,
    "InvalidAction": _REFUSED,
    "Unavailable": _SERVER,
    "ServiceUnavailable": _SERVER,
    "ServiceUnavailableException": _SERVER,
    "InternalError": _SERVER,
    "InternalFailure": _SERVER,
    "RequestTimeout": _SERVER,
}
FAMILIES: Final[tuple[tuple[re.Pattern[str], Meaning], ...]] = (
    (re.compile(r"Throttl|RequestLimit|RateExceeded"), _THROTTLED),
    (re.compile(r"Id\.NotFound$|ID\.NotFound$|NotFound$"), _NO_TARGET),
    (re.compile(r"\.Malformed$|^InvalidParameter|^Unsupported"), _REFUSED),
    (re.compile(r"Unauthorized|AccessDenied"), _DENIED),
    (re.compile(r"ExpiredToken|Signature|Credential"), _SIGNED_OUT),
    (re.compile(r"IncorrectState|InvalidState$"), _BUSY),
)
UNSURE: Final = frozenset(
    {
        "Unavailable",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "InternalError",
        "InternalFailure",
        "RequestTimeout",
    }
)
"""After these a write may have been carried out all the same."""

_SERVER_STATUS: Final = 500
_UNSENT: Final = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"})
"""No connection was made."""
_CREDENTIALS: Final = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "SSOError",
        "TokenRetrievalError",
        "NoAuthTokenError",
        "UnknownCredentialError",
        "InvalidConfigError",
        "RefreshWithMFAUnsupportedError",
        "LoginError",
        "LoginTokenLoadError",
    }
)
_CONFIGURED: Final = frozenset(
    {
        "NoRegionError",
        "InvalidRegionError",
        "UnknownEndpointError",
        "EndpointProviderError",
        "ConfigParseError",
        "ParamValidationError",
        "UnknownRegionError",
    }
)
_RAISED: Final[Mapping[FailureKind, Callable[..., ProviderError]]] = {
    FailureKind.TRANSIENT: Transient,
    FailureKind.DENIED: Denied,
    FailureKind.NOT_FOUND: NotFound,
    FailureKind.UNSUPPORTED: Unsupported,
    FailureKind.CONFLICT: Conflict,
    FailureKind.UNKNOWN: OutcomeUnknown,
    FailureKind.WITHDRAWN: Withdrawn,
}
_SECRET: Final = re.compile(
    r"(?i)(?:encoded authorization failure message:\s*\S+)|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|[A-Za-z0-9/+=]{40,}"
)
"""Authorization blobs, access key ids, and whatever is as long as a secret key, a token or a signature."""
_LONGEST: Final = 300


@dataclass(slots=True, eq=False)
class AwsError(Exception):
    """What went wrong with one request; made in the worker thread, so that no SDK exception leaves it."""

    code: str
    """EC2's error code, or the name of the SDK's exception."""
    message: str
    """AWS's own words, without secrets."""
    answered: bool
    status: int = 0
    retry_after_ms: int | None = None

    @property
    def meaning(self) -> Meaning:
        """What the code means."""
        return meaning_of(self.code) if self.answered else _of_exception(self.code)

    @property
    def throttled(self) -> bool:
        """Whether the account sends too much."""
        return self.answered and self.meaning is _THROTTLED

    @property
    def may_have_happened(self) -> bool:
        """Whether a write that ended so may have been carried out, provided that it was sent."""
        if self.answered:
            return self.code in UNSURE or (self.status >= _SERVER_STATUS and not self.throttled)
        return self.code not in _UNSENT | _CREDENTIALS | _CONFIGURED

    @property
    def no_such_route(self) -> bool:
        """Whether ReplaceRoute found nothing to replace: EC2 says so by a code that has other meanings too."""
        missing = self.code == "InvalidParameterValue" and "no route" in self.message.lower()
        return self.answered and (missing or self.code == "InvalidRoute.NotFound")

    @property
    def exists_already(self) -> bool:
        """Whether CreateRoute found a route in its place."""
        return self.answered and self.code == "RouteAlreadyExists"

    def as_provider_error(self, what: str, *, writes: bool = False) -> ProviderError:
        """Return the contract's error; ``what`` says what was asked of which table."""
        if writes and self.may_have_happened:
            return OutcomeUnknown(
                f"{what}: {self._said()}: nobody knows whether it was done; it is read back"
            )
        meaning = self.meaning
        retry_ms = self.retry_after_ms or (THROTTLED_MS if self.throttled else None)
        return _RAISED[meaning.kind](f"{what}: {self._said()}; {meaning.advice}", retry_after_ms=retry_ms)

    def _said(self) -> str:
        return f"{self.message} ({self.code})" if self.message else self.code


def meaning_of(code: str) -> Meaning:
    """Return what an error code means; one that nobody knows is tried again."""
    if code in MEANINGS:
        return MEANINGS[code]
    return next((meaning for pattern, meaning in FAMILIES if pattern.search(code)), _SERVER)


def _of_exception(name: str) -> Meaning:
    if name in _CREDENTIALS:
        return _SIGNED_OUT
    if name in _CONFIGURED:
        return Meaning(FailureKind.UNSUPPORTED, "correct region, profile or endpoint_url", whole=True)
    if name in _UNSENT:
        return Meaning(FailureKind.TRANSIENT, "EC2 cannot be reached from here; " + _AGAIN, whole=True)
    return Meaning(FailureKind.TRANSIENT, "there was no whole answer; " + _AGAIN)


def from_exception(error: BaseException, secrets: frozenset[str] = frozenset()) -> AwsError:
    """Translate what an SDK call raised; ``secrets`` are taken out of its text."""
    response = getattr(error, "response", None)
    name = type(error).__name__
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        return _answered(response, secrets)
    if name in _CREDENTIALS or name in _CONFIGURED:
        return AwsError(name, scrub(str(error), secrets), answered=False)
    # The text of a network or parser error may hold the request with its signature: the name says enough.
    return AwsError(name, _WORDS.get(name, "the answer could not be read"), answered=False)


_WORDS: Final[Mapping[str, str]] = {
    "EndpointConnectionError": "no connection to the endpoint",
    "ConnectTimeoutError": "no connection to the endpoint in time",
    "ProxyConnectionError": "no connection to the proxy",
    "ReadTimeoutError": "no answer in time",
    "SSLError": "TLS failed",
    **dict.fromkeys(
        ("ConnectionClosedError", "HTTPClientError", "ResponseStreamingError", "IncompleteReadError"),
        "the connection broke",
    ),
}


def _answered(response: dict[str, Any], secrets: frozenset[str]) -> AwsError:
    error, metadata = response["Error"], response.get("ResponseMetadata", {})
    headers = {str(key).lower(): str(value) for key, value in metadata.get("HTTPHeaders", {}).items()}
    asked = headers.get("retry-after", "")
    return AwsError(
        code=scrub(str(error.get("Code", "Unknown")), secrets),
        message=scrub(str(error.get("Message", "")), secrets),
        answered=True,
        status=int(metadata.get("HTTPStatusCode", 0)),
        retry_after_ms=int(asked) * 1_000 if asked.isdecimal() else None,
    )


def scrub(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """Return a text on one line, bounded, without these secrets and without what looks like one."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    line = " ".join(_SECRET.sub("[redacted]", text).split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
