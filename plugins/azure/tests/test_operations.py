"""Long-running operations are followed to their end, at the pace that Azure asks for, within the deadline."""

from __future__ import annotations

import time

import pytest
from plugins.azure.tests.calls import HOP_A, HOP_B, PREFIX, TABLE, A, B, observe, opened, point, route_set
from plugins.azure.tests.world import AzureWorld, azure_world, hop_json
from tests.support.azure_server import Answer, Style
from tests.support.azure_server.faults import DENIED

from wgfo.model import FailureKind, Health, PathHop
from wgfo.testing import RecordingPermit
from wgfo_azure.operation import Ending, Pace, Progress, Response, Way, begun, looked
from wgfo_azure.provider import AzureProvider

POLLED = [Style.STATUS, Style.LOCATION, Style.BODY]


@pytest.mark.parametrize("style", POLLED)
async def test_a_write_is_done_when_its_operation_is(style: Style) -> None:
    async with azure_world(style, lro_ms=120) as world:
        world.platform.put(TABLE, PREFIX, hop_json(HOP_A))
        async with opened(world.server.url) as provider:
            assert (await point(provider, route_set())).written == 1
        assert world.platform.tables[TABLE].traffic == {PREFIX: HOP_B}


@pytest.mark.parametrize("style", POLLED)
async def test_a_write_that_is_accepted_by_a_status_the_sdk_does_not_know_is_followed(style: Style) -> None:
    async with azure_world(style, lro_ms=60) as world:
        world.platform.faults.accepted = 202
        async with opened(world.server.url) as provider:
            assert (await point(provider, route_set())).written == 1
        assert world.platform.tables[TABLE].traffic == {PREFIX: HOP_B}


@pytest.mark.parametrize("style", POLLED)
@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [("Failed", "InternalServerError", "failed"), ("Canceled", "Canceled", "was cancelled")],
)
async def test_an_operation_that_ends_badly_is_told_and_the_route_is_pending(
    style: Style, ending: str, code: str, said: str
) -> None:
    async with azure_world(style, lro_ms=30) as world:
        world.platform.put(TABLE, PREFIX, hop_json(HOP_A))
        world.platform.faults.failing[PREFIX] = (ending, code)
        async with opened(world.server.url) as provider:
            outcome = await point(provider, route_set())
            seen = await observe(provider, route_set())
        assert said in outcome.failures[0].text
        assert (seen.majority, seen.health) == (PathHop(B), Health.PENDING)
        assert world.platform.tables[TABLE].traffic == {PREFIX: HOP_A}


async def test_a_route_whose_operation_failed_is_written_again() -> None:
    async with azure_world(lro_ms=10) as world:
        world.platform.put(TABLE, PREFIX, hop_json(HOP_A))
        world.platform.faults.failing[PREFIX] = ("Failed", "InternalServerError")
        async with opened(world.server.url) as provider:
            await point(provider, route_set())
            world.platform.faults.failing.clear()
            assert (await point(provider, route_set())).written == 1
            assert (await observe(provider, route_set())).in_sync_with(B)


async def test_an_operation_of_an_earlier_process_is_awaited_instead_of_repeated() -> None:
    async with azure_world(lro_ms=300) as world:
        world.platform.put(TABLE, PREFIX, hop_json(HOP_A), "r")
        table = world.platform.tables[TABLE]
        async with opened(world.server.url) as provider:
            world.platform.begin(table, "r", {"properties": {"addressPrefix": PREFIX, **hop_json(HOP_B)}})
            outcome = await point(provider, route_set())
        assert (outcome.written, outcome.unchanged) == (0, 1)
        assert table.traffic == {PREFIX: HOP_B}


@pytest.mark.parametrize(("asked", "least_s", "most_s"), [(None, 0.1, 1.2), ("0", 0.1, 1.2), ("1", 1.0, 2.5)])
async def test_polls_come_when_azure_asks_for_them_and_soon_where_it_does_not(
    asked: str | None, least_s: float, most_s: float
) -> None:
    async with azure_world(lro_ms=100) as world:
        world.platform.faults.retry_after = asked
        async with opened(world.server.url) as provider:
            begun_s = time.monotonic()
            assert (await point(provider, route_set(), A)).ok
            assert least_s <= time.monotonic() - begun_s <= most_s


async def test_an_operation_that_outlasts_the_deadline_is_unknown() -> None:
    async with azure_world(lro_ms=60_000) as world:
        world.platform.faults.retry_after = "15"
        async with opened(world.server.url) as provider:
            begun_s = time.monotonic()
            outcome = await point(provider, route_set(PREFIX, "10.21.0.0/16"), A, deadline_ms=700)
            took_s = time.monotonic() - begun_s
    assert [one.kind for one in outcome.failures] == [FailureKind.UNKNOWN]
    assert (outcome.written, outcome.not_attempted) == (0, 1)
    assert took_s < 1.2


async def test_a_permit_withdrawn_while_polling_leaves_the_rest_unattempted() -> None:
    async with azure_world(lro_ms=60_000) as world, opened(world.server.url) as provider:
        permit = RecordingPermit(reads=2)
        outcome = await point(provider, route_set(PREFIX, "10.21.0.0/16"), A, permit=permit)
    assert (outcome.written, outcome.not_attempted) == (0, 2)
    assert [one.kind for one in outcome.failures] == [FailureKind.WITHDRAWN]


async def test_no_write_is_begun_that_the_deadline_would_leave_in_the_unknown() -> None:
    prefixes = [f"10.{number}.0.0/16" for number in range(20)]
    async with azure_world(lro_ms=250) as world, opened(world.server.url) as provider:
        outcome = await point(provider, route_set(*prefixes), A, deadline_ms=1_500)
        assert world.platform.tables[TABLE].operation is None
    assert {one.kind for one in outcome.failures} == {FailureKind.WITHDRAWN}
    assert outcome.written + outcome.not_attempted == 20
    assert outcome.written > 1


@pytest.mark.parametrize("answer", [DENIED, Answer(404, "NotFound")])
async def test_where_the_operation_cannot_be_read_the_route_tells(
    azure: AzureWorld, provider: AzureProvider, answer: Answer
) -> None:
    azure.platform.faults.polls = answer
    azure.platform.faults.lro_ms = 80
    assert (await point(provider, route_set())).written == 1


async def test_polls_that_keep_failing_make_the_end_unknown(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.polls = Answer(503, "ServiceUnavailable")
    outcome = await point(provider, route_set())
    assert [one.kind for one in outcome.failures] == [FailureKind.UNKNOWN]


async def test_a_throttled_poll_is_polled_again(azure: AzureWorld, provider: AzureProvider) -> None:
    faults = azure.platform.faults
    faults.polls = Answer(429, "TooManyRequests", retry_after="0")

    def heal(_number: int, _method: str) -> None:
        if ("GET", azure.server.seen[-1][1]) in azure.server.seen[:-1]:
            faults.polls = None

    faults.before = heal
    assert (await point(provider, route_set())).ok


async def test_the_token_is_not_sent_to_a_host_that_an_answer_names(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    assert not provider._arm._may_ask("https://evil.example/operations/1")
    assert provider._arm._may_ask(f"{azure.server.url}/operations/1")


# --- pure -------------------------------------------------------------------------------------------------


def answer(status: int = 200, body: object = None, **headers: str) -> Response:
    return Response(status, {key.replace("_", "-"): value for key, value in headers.items()}, body, 0)


def route(state: str) -> dict[str, object]:
    return {"properties": {"provisioningState": state}}


def test_the_status_url_counts_before_the_location() -> None:
    found = begun(answer(201, route("Updating"), Azure_AsyncOperation="u1", Location="u2", Retry_After="10"))
    assert (found.way, found.url, found.retry_after_ms, found.ending) == (
        Way.STATUS,
        "u1",
        10_000,
        Ending.RUNNING,
    )


@pytest.mark.parametrize(
    ("state", "ending"),
    [("Succeeded", Ending.SUCCEEDED), ("Updating", Ending.RUNNING), ("Failed", Ending.FAILED)],
)
def test_without_a_url_the_route_itself_tells(state: str, ending: Ending) -> None:
    assert begun(answer(200, route(state))).ending is ending


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        ("InProgress", Ending.RUNNING),
        ("Succeeded", Ending.SUCCEEDED),
        ("Failed", Ending.FAILED),
        ("Canceled", Ending.CANCELED),
        ("Cancelled", Ending.CANCELED),
        ("", Ending.RUNNING),
    ],
)
def test_a_status_tells_how_an_operation_stands(status: str, ending: Ending) -> None:
    assert looked(answer(200, {"status": status}), Way.STATUS, "u").ending is ending


def test_a_location_that_is_over_without_a_word_leaves_it_to_the_route() -> None:
    assert looked(answer(202), Way.LOCATION, "u") == Progress(Ending.RUNNING, Way.LOCATION, "u")
    assert looked(answer(204), Way.LOCATION, "u") == Progress(Ending.RUNNING, Way.ROUTE)


def test_a_location_may_move() -> None:
    assert looked(answer(202, Location="u2"), Way.LOCATION, "u").url == "u2"


def test_the_pace_learns_how_long_operations_take() -> None:
    pace = Pace()
    assert pace.wait_ms(0, None) == 0
    pace.ended(polls=4, took_ms=1_000)
    assert pace.wait_ms(0, None) == 900
    pace.ended(polls=0, took_ms=900)
    assert pace.wait_ms(0, None) == 810


def test_the_pace_slows_down_but_never_stops() -> None:
    pace = Pace()
    waits = [pace.wait_ms(polls, None) for polls in range(40)]
    assert waits == sorted(waits)
    assert waits[-1] == 5_000


def test_what_azure_asks_for_counts_before_the_pace() -> None:
    assert Pace().wait_ms(0, 7_000) == 7_000
