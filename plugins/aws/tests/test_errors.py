"""What each error becomes, and that nothing secret is in it."""

from __future__ import annotations

import pytest
from botocore import exceptions as sdk

from wgfo.model import FailureKind
from wgfo_aws.errors import MEANINGS, AwsError, from_exception, meaning_of, scrub

K = FailureKind
BY_CODE = {
    "UnauthorizedOperation": K.DENIED,
    "AuthFailure": K.DENIED,
    "ExpiredToken": K.DENIED,
    "RequestExpired": K.DENIED,
    "OptInRequired": K.DENIED,
    "RouteLimitExceeded": K.DENIED,
    "RequestLimitExceeded": K.TRANSIENT,
    "Throttling": K.TRANSIENT,
    "ThrottlingException": K.TRANSIENT,
    "ThrottledException": K.TRANSIENT,
    "EC2ThrottledException": K.TRANSIENT,
    "InternalError": K.TRANSIENT,
    "Unavailable": K.TRANSIENT,
    "NeverHeardOf": K.TRANSIENT,
    "IncorrectState": K.TRANSIENT,
    "InvalidRouteTableID.NotFound": K.NOT_FOUND,
    "InvalidNetworkInterfaceID.NotFound": K.NOT_FOUND,
    "InvalidGatewayID.NotFound": K.NOT_FOUND,
    "InvalidTransitGatewayID.NotFound": K.NOT_FOUND,
    "InvalidVpcPeeringConnectionID.NotFound": K.NOT_FOUND,
    "InvalidCarrierGatewayID.NotFound": K.NOT_FOUND,
    "InvalidPrefixListId.NotFound": K.NOT_FOUND,
    "InvalidInstanceID.NotFound": K.NOT_FOUND,
    "InvalidInstanceID": K.UNSUPPORTED,
    "InvalidParameterValue": K.UNSUPPORTED,
    "InvalidParameterCombination": K.UNSUPPORTED,
    "InvalidNetworkInterfaceID.Malformed": K.UNSUPPORTED,
    "InvalidRoute.NotFound": K.CONFLICT,
    "RouteAlreadyExists": K.CONFLICT,
}


def answer(code: str, message: str = "no", status: int = 400, **headers: str) -> sdk.ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return sdk.ClientError(response, "ReplaceRoute")


@pytest.mark.parametrize(("code", "kind"), BY_CODE.items())
def test_an_error_code_has_its_kind(code: str, kind: FailureKind) -> None:
    assert from_exception(answer(code)).as_provider_error("x").kind is kind


@pytest.mark.parametrize("code", MEANINGS)
def test_every_code_of_the_table_says_what_to_do(code: str) -> None:
    assert meaning_of(code).advice
    assert code in str(from_exception(answer(code)).as_provider_error("table rtb-1: pointing 10.0.0.0/8"))


@pytest.mark.parametrize("code", ["InternalError", "Unavailable", "502"])
def test_a_write_after_which_the_server_failed_may_have_been_done(code: str) -> None:
    error = from_exception(answer(code, status=502))
    assert error.as_provider_error("x", writes=True).kind is K.UNKNOWN
    assert error.as_provider_error("x").kind is K.TRANSIENT


def test_a_throttled_write_was_not_done_although_its_status_is_503() -> None:
    error = from_exception(answer("RequestLimitExceeded", status=503)).as_provider_error("x", writes=True)
    assert (error.kind, error.retry_after_ms) == (K.TRANSIENT, 1_000)


def test_a_retry_after_of_the_server_is_passed_on() -> None:
    found = from_exception(answer("Throttling", **{"Retry-After": "7"})).as_provider_error("x")
    assert found.retry_after_ms == 7_000


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (sdk.EndpointConnectionError(endpoint_url="u", error="e"), K.TRANSIENT, K.TRANSIENT),
        (sdk.ConnectTimeoutError(endpoint_url="u", error="e"), K.TRANSIENT, K.TRANSIENT),
        (sdk.ProxyConnectionError(proxy_url="u"), K.TRANSIENT, K.TRANSIENT),
        (sdk.ReadTimeoutError(endpoint_url="u", error="e"), K.TRANSIENT, K.UNKNOWN),
        (sdk.ConnectionClosedError(endpoint_url="u"), K.TRANSIENT, K.UNKNOWN),
        (sdk.HTTPClientError(error="e"), K.TRANSIENT, K.UNKNOWN),
        (ValueError("a parser's"), K.TRANSIENT, K.UNKNOWN),
        (sdk.NoCredentialsError(), K.DENIED, K.DENIED),
        (sdk.CredentialRetrievalError(provider="p", error_msg="e"), K.DENIED, K.DENIED),
        (sdk.ProfileNotFound(profile="p"), K.DENIED, K.DENIED),
        (sdk.NoRegionError(), K.UNSUPPORTED, K.UNSUPPORTED),
    ],
)
def test_an_exception_of_the_sdk_has_its_kind(
    error: Exception, read: FailureKind, write: FailureKind
) -> None:
    found = from_exception(error)
    assert found.as_provider_error("x").kind is read
    assert found.as_provider_error("x", writes=True).kind is write


@pytest.mark.parametrize(
    ("code", "message", "missing"),
    [
        ("InvalidParameterValue", "There is no route defined for '10.0.0.0/8' in the route table.", True),
        ("InvalidRoute.NotFound", "no route with destination-cidr-block", True),
        ("InvalidParameterValue", "Value (eigw) for parameter is invalid", False),
    ],
)
def test_a_missing_route_is_told_from_other_wrong_values(code: str, message: str, missing: bool) -> None:
    assert from_exception(answer(code, message)).no_such_route is missing


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "FwoGZXIvYXdzEJr" + "x" * 80 + "==",
        "Encoded authorization failure message: 4GIOHlTkIaWHQD0Q_-abc",
    ],
)
def test_what_looks_like_a_credential_is_taken_out(secret: str) -> None:
    who = "User: arn:aws:sts::111122223333:assumed-role/wgfo/i-0123 is not authorized"
    text = f"{who}. {secret} on rtb-0123456789abcdef0"
    found = scrub(text)
    assert secret not in found
    assert "assumed-role/wgfo/i-0123" in found
    assert "rtb-0123456789abcdef0" in found


def test_known_secrets_are_taken_out_whatever_they_look_like() -> None:
    assert "minioadmin" not in scrub("signed by minioadmin", frozenset({"minioadmin"}))


def test_the_text_of_a_broken_connection_is_not_passed_on() -> None:
    error = from_exception(sdk.HTTPClientError(error="Authorization: AWS4-HMAC-SHA256 Credential=x"))
    assert "Authorization" not in str(error.as_provider_error("x"))


def test_no_sdk_exception_hangs_on_an_error() -> None:
    assert AwsError("c", "m", answered=True).__cause__ is None
    found = from_exception(answer("AuthFailure")).as_provider_error("x")
    assert found.__cause__ is None
    assert found.__context__ is None
