"""Every answer has its kind, and a text that says what to do."""

from __future__ import annotations

import re

import pytest
from plugins.gcp.tests.stage import PREFIX, A, opened, options_for, point, route_set, see
from tests.support.gcp_server import Fault, GcpServer, Harm

from wgfo.model import FailureKind
from wgfo.plugin import Denied, NotFound, Transient
from wgfo_gcp.errors import RULES, Answer, GcpError, to_next_minute_ms

K = FailureKind
ANSWERS = [
    (Answer(403, "rateLimitExceeded", "Rate Limit Exceeded"), K.TRANSIENT),
    (Answer(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), K.TRANSIENT),
    (Answer(403, "quotaExceeded", "Quota exceeded for quota metric 'Queries' per minute"), K.TRANSIENT),
    (Answer(429, "", "Too Many Requests"), K.TRANSIENT),
    (Answer(403, "quotaExceeded", "Quota 'ROUTES' exceeded.  Limit: 200.0 globally."), K.UNSUPPORTED),
    (Answer(0, "QUOTA_EXCEEDED", "Quota 'ROUTES' exceeded.", ended=True), K.UNSUPPORTED),
    (Answer(0, "RESOURCE_OPERATION_RATE_EXCEEDED", "Operation rate exceeded", ended=True), K.TRANSIENT),
    (Answer(403, "accessNotConfigured", "API has not been used"), K.DENIED),
    (Answer(403, "forbidden", "Required 'compute.routes.create' permission"), K.DENIED),
    (Answer(401, "authError", "Invalid Credentials"), K.DENIED),
    (Answer(0, "RefreshError", "the credentials", sent=False), K.DENIED),
    (Answer(0, "TransportError", "the credentials", sent=False), K.TRANSIENT),
    (Answer(400, "badRequest", "There is a peering operation in progress on the local"), K.TRANSIENT),
    (Answer(400, "resourceNotReady", "The resource is not ready"), K.TRANSIENT),
    (Answer(409, "alreadyExists", "The resource already exists"), K.CONFLICT),
    (Answer(412, "conditionNotMet", "Precondition"), K.CONFLICT),
    (Answer(404, "notFound", "The resource was not found"), K.NOT_FOUND),
    (Answer(0, "RESOURCE_NOT_FOUND", "The resource was not found", ended=True), K.NOT_FOUND),
    (Answer(400, "invalid", "Invalid value for field 'resource.destRange'"), K.UNSUPPORTED),
    (Answer(503, "backendError", "Backend error"), K.UNKNOWN),
    (Answer(500, "internalError", "Internal error"), K.UNKNOWN),
    (Answer(0, "ConnectionError", "the connection broke"), K.UNKNOWN),
    (Answer(0, "ReadTimeout", "no answer", timed_out=True), K.UNKNOWN),
    (Answer(0, "ConnectTimeout", "no connection", sent=False), K.TRANSIENT),
    (Answer(0, "INTERNAL_ERROR", "Internal error", ended=True), K.TRANSIENT),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS, ids=lambda one: getattr(one, "reason", "") or str(one))
def test_an_answer_to_a_write_has_its_kind(answer: Answer, kind: FailureKind) -> None:
    error = GcpError(answer, write=True)
    assert error.kind is kind
    assert answer.text.rstrip(".") in error.explain("network prod")


@pytest.mark.parametrize(("answer", "kind"), ANSWERS, ids=lambda one: getattr(one, "reason", "") or str(one))
def test_a_read_is_never_unknown(answer: Answer, kind: FailureKind) -> None:
    expected = K.TRANSIENT if kind is K.UNKNOWN else kind
    assert GcpError(answer, write=False).kind is expected


def test_every_rule_is_the_one_that_fits_some_answer() -> None:
    used = {GcpError(answer, write=True).rule for answer, _ in ANSWERS}
    unused = {rule for rule in RULES if rule not in used}
    assert {rule.status or rule.reason for rule in unused} <= {409, 408, "(?i)forbidden|.*permission.*"} | {
        "invalid|INVALID_.*|UNSUPPORTED_.*|CONDITION_NOT_MET"
    }


def test_an_exceeded_rate_is_over_at_the_next_whole_minute() -> None:
    error = GcpError(Answer(403, "rateLimitExceeded", "Rate Limit Exceeded"), write=True)
    assert error.retry_after_ms is not None
    assert 0 < error.retry_after_ms <= 61_000
    assert abs(error.retry_after_ms - to_next_minute_ms()) < 2_000 or to_next_minute_ms() > 59_000
    assert error.stops


def test_what_the_platform_asks_for_goes_before_the_minute() -> None:
    answer = Answer(429, "rateLimitExceeded", "Rate Limit Exceeded", retry_after_ms=7_000)
    assert GcpError(answer, write=True).retry_after_ms == 7_000


async def test_a_throttled_account_sends_nothing_more() -> None:
    async with GcpServer(mutations_a_minute=3) as server:
        options = options_for(server)
        one = route_set(options, of=[f"10.{number}.0.0/16" for number in range(40)])  # type: ignore[misc]
        async with opened(options, one) as provider:
            outcome = await point(provider, one, A)
        assert server.writes() <= 3 + provider.capabilities.parallel_writes
        assert outcome.not_attempted > 20
        assert {failure.kind for failure in outcome.failures} == {K.TRANSIENT}


async def test_a_full_quota_of_routes_says_so_and_leaves_everything_in_place() -> None:
    async with GcpServer(route_quota=1) as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            assert (await point(provider, one, A)).ok
            outcome = await point(provider, one, next(path for path in one.hops if path != A))
            assert [failure.kind for failure in outcome.failures] == [K.UNSUPPORTED]
            assert "quota" in outcome.failures[0].text
            assert (await see(provider, one)).in_sync_with(A)


async def test_a_peering_operation_in_progress_is_tried_again_later() -> None:
    text = "There is a peering operation in progress on the local or peer network. Try again later."
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        server.faults.add(Fault(Harm.ANSWER, status=400, reason="badRequest", text=text, times=1))
        async with opened(options, one) as provider:
            outcome = await point(provider, one, A)
            assert [failure.kind for failure in outcome.failures] == [K.TRANSIENT]
            assert (await point(provider, one, A)).ok


async def test_a_route_that_is_gone_when_it_is_to_be_deleted_is_fine() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            await point(provider, one, A)
            server.faults.add(
                Fault(Harm.ANSWER, method="compute.routes.delete", status=404, reason="notFound", times=1)
            )
            assert (await point(provider, one, next(path for path in one.hops if path != A))).ok


async def test_a_token_that_is_refused_is_not_sent_again_by_itself() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            server.faults.add(Fault(Harm.ANSWER, status=401, reason="authError", text="Invalid Credentials"))
            before = server.writes()
            outcome = await point(provider, one, A)
        assert [failure.kind for failure in outcome.failures] == [K.DENIED]
        assert server.writes() == before + 1


async def test_opening_tells_what_is_denied() -> None:
    async with GcpServer() as server:
        text = "Required 'compute.routes.list' permission for 'projects/wgfo-test'"
        server.faults.add(Fault(Harm.ANSWER, writes=False, status=403, reason="forbidden", text=text))
        options = options_for(server)
        with pytest.raises(Denied, match=re.escape("compute.routes.list")) as raised:
            async with opened(options, route_set(options)):
                pass
        assert "emit permissions" in str(raised.value)


async def test_an_api_that_cannot_be_reached_is_transient() -> None:
    async with GcpServer() as server:
        options = options_for(server)
    with pytest.raises(Transient, match="could not be reached"):
        async with opened(options, route_set(options)):
            pass


async def test_a_network_that_is_not_there_is_named() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options, "nowhere")
        async with opened(options, one) as provider:
            with pytest.raises(NotFound, match="nowhere"):
                await see(provider, one)


async def test_a_load_balancer_that_is_not_there_is_named() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options, hops={A: "ilb:missing"})
        server.put("prod", PREFIX, 2000)
        async with opened(options, one) as provider:
            with pytest.raises(NotFound, match="missing"):
                await point(provider, one, A)
