"""Azure's refusals become the contract's kinds; nothing secret is passed on."""

from __future__ import annotations

import pytest
from plugins.azure.tests.calls import point, route_set
from plugins.azure.tests.world import AzureWorld
from tests.support.azure_server import Answer
from tests.support.azure_server.faults import BUSY

from wgfo.model import FailureKind
from wgfo_azure.errors import (
    CODES,
    Refusal,
    kind_of,
    operation_failed,
    refusal,
    retry_after_ms,
    safe,
    translated,
)
from wgfo_azure.provider import AzureProvider

KINDS = {
    Answer(409, "AnotherOperationInProgress"): FailureKind.TRANSIENT,
    Answer(429, "TooManyRequests"): FailureKind.TRANSIENT,
    Answer(429, "Unheard"): FailureKind.TRANSIENT,
    Answer(409, "Unheard"): FailureKind.TRANSIENT,
    Answer(409, "ScopeLocked"): FailureKind.DENIED,
    Answer(409, "ReadOnlyDisabledSubscription"): FailureKind.DENIED,
    Answer(409, "MissingSubscriptionRegistration"): FailureKind.UNSUPPORTED,
    Answer(401, "ExpiredAuthenticationToken"): FailureKind.DENIED,
    Answer(403, "AuthorizationFailed"): FailureKind.DENIED,
    Answer(403, "RequestDisallowedByPolicy"): FailureKind.UNSUPPORTED,
    Answer(404, "ParentResourceNotFound"): FailureKind.NOT_FOUND,
    Answer(412, "PreconditionFailed"): FailureKind.CONFLICT,
    Answer(400, "RouteConflict"): FailureKind.CONFLICT,
    Answer(400, "Refused", "no", ("ReferencedResourceNotProvisioned", "busy")): FailureKind.TRANSIENT,
    Answer(400, "InvalidRequestFormat"): FailureKind.UNSUPPORTED,
    Answer(307, "Elsewhere"): FailureKind.UNSUPPORTED,
    Answer(500, "InternalServerError"): FailureKind.UNKNOWN,
    Answer(503, "ServiceUnavailable"): FailureKind.UNKNOWN,
    Answer(504, "AnotherOperationInProgress"): FailureKind.UNKNOWN,
}


@pytest.mark.parametrize(("answer", "kind"), KINDS.items(), ids=lambda one: getattr(one, "code", one))
async def test_a_refused_write_has_the_kind_of_its_code_and_status(
    azure: AzureWorld, provider: AzureProvider, answer: Answer, kind: FailureKind
) -> None:
    azure.platform.faults.writes = answer
    outcome = await point(provider, route_set())
    assert [one.kind for one in outcome.failures] == [kind]
    assert answer.code in outcome.failures[0].text or answer.detail


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 200])
def test_a_read_that_may_have_failed_by_chance_is_transient(status: int) -> None:
    assert kind_of(Refusal(status), writes=False) is FailureKind.TRANSIENT


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_an_inner_code_counts_before_the_outer_one(code: str, kind: FailureKind) -> None:
    body = {"error": {"code": "Outer", "message": "m", "details": [{"code": code, "message": "inner"}]}}
    assert kind_of(refusal(400, body, {}, 0), writes=True) is kind


async def test_the_time_in_a_message_is_honoured(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.faults.writes = BUSY
    outcome = await point(provider, route_set())
    assert outcome.failures[0].retry_after_ms == 11_000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "3"}, 3_000),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "0.5"}, 500),
        ({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50_000),
        ({"x-ms-retry-after-ms": "70", "Retry-After": "1"}, 70),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_reads_every_way_of_saying_when_to_come_back(headers: dict[str, str], expected: int | None) -> None:
    assert retry_after_ms(headers, now_s=10) == expected


@pytest.mark.parametrize("body", [None, [], "text", {"error": "text"}, {"error": {"details": "x"}}, {"a": 1}])
def test_a_body_of_any_shape_is_read(body: object) -> None:
    assert kind_of(refusal(403, body, {}, 0), writes=True) is FailureKind.DENIED


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abc.def",
        "eyJhbGciOi.eyJzdWIi.sig-na_ture",
        "client_secret=hunter2",
        "https://x/o?api=1&s=hunter2",
    ],
)
def test_tokens_and_signatures_are_left_out(secret: str) -> None:
    shown = safe(f"request with {secret} was refused")
    assert secret.rsplit("=", 1)[-1] not in shown
    assert "[redacted]" in shown
    assert shown.endswith("was refused")


def test_a_long_message_is_cut() -> None:
    assert len(str(translated(Refusal(400, message="x" * 10_000), "table t", writes=True))) < 500


def test_a_redirection_says_which_options_to_look_at() -> None:
    assert "endpoint_url" in str(translated(Refusal(307), "table t", writes=False))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InternalServerError", FailureKind.TRANSIENT),
        ("CanceledAndSupersededDueToAnotherOperation", FailureKind.CONFLICT),
        ("AuthorizationFailed", FailureKind.DENIED),
    ],
)
def test_an_operation_that_failed_has_the_kind_of_its_code(code: str, kind: FailureKind) -> None:
    error = operation_failed(Refusal(0, (code,)), "table t", canceled=False)
    assert error.kind is kind
    assert "old next hop" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "busy"),
    [
        (409, "AnotherOperationInProgress", True),
        (429, "RetryableErrorDueToAnotherOperation", True),
        (429, "TooManyRequests", False),
        (429, "SubscriptionRequestsThrottled", False),
        (503, "ServerBusy", False),
    ],
)
def test_a_table_that_is_busy_is_told_from_a_subscription_that_is_throttled(
    status: int, code: str, *, busy: bool
) -> None:
    error = translated(Refusal(status, (code,), retry_after_ms=7_000), "table t", writes=False)
    assert (error.retry_after_ms, error.busy) == (7_000, busy)
