"""What the stand-in's timeline says of switches: no gap, no equal pair, whatever befalls them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence

import pytest
from plugins.gcp.tests.stage import (
    HOPS,
    PREFIX,
    A,
    B,
    CutPermit,
    opened,
    options_for,
    point,
    prefixes,
    route_set,
    see,
)
from tests.support.gcp_server import Fault, GcpServer, Harm
from tests.support.gcp_server.timeline import hop_of

from wgfo.model import FailureKind, PathName, RouteSet
from wgfo.plugin import Withdrawn
from wgfo.testing import RecordingPermit
from wgfo_gcp.routes import Key

OPERATION_S = 0.05
SWITCH_LIMIT_S = 60


def hop_url(path: PathName) -> str:
    zone, _, name = HOPS[path].removeprefix("instance:").partition("/")
    return f"https://www.googleapis.com/compute/v1/projects/wgfo-test/zones/{zone}/instances/{name}"


@pytest.mark.parametrize(("rests_in", "operations"), [("higher slot", 1), ("lower slot", 2)])
async def test_fifty_prefixes_in_four_networks_switch_without_an_instant_of_harm(
    rests_in: str, operations: int, record_property: Callable[[str, object], None]
) -> None:
    """The ideal: every destination's traffic has moved after ``operations``, so many at once as are allowed."""
    networks = ("prod", "dev", "lab", "edge")
    async with GcpServer(networks=networks, latency_s=OPERATION_S) as server:
        options = options_for(server)
        sets = [route_set(options, table, prefixes(50)) for table in networks]
        async with opened(options, *sets) as provider:
            stand(server, sets, A, 901 if operations == 1 else 900)
            since, begun = server.timeline.now, time.monotonic()
            outcomes = await asyncio.wait_for(
                asyncio.gather(*(point(provider, one, B) for one in sets)), SWITCH_LIMIT_S
            )
            ended = time.monotonic()
            at_once = provider.capabilities.parallel_writes
        assert all(outcome.ok and outcome.written == 50 for outcome in outcomes)
        moved = max(moved_at(server, one, since) for one in sets)
    assert len(server.routes) == 200
    ideal_s = operations * OPERATION_S * math.ceil(50 / at_once)
    record_property("gcp_moved_to_ideal", round((moved - begun) / ideal_s, 2))
    record_property("gcp_ended_to_ideal", round((ended - begun) / ideal_s, 2))


def stand(server: GcpServer, sets: Sequence[RouteSet], path: PathName, priority: int) -> None:
    """Have routes of ours stand in a slot, as a switch long ago left them."""
    for one in sets:
        for prefix in one.prefixes:
            name = Key(one.table, prefix, frozenset()).name(priority)
            mark = '{"wgfo": {"group": "cloud"}}'
            server.put(one.table, prefix, priority, name, nextHopInstance=hop_url(path), description=mark)


def moved_at(server: GcpServer, one: RouteSet, since: int) -> float:
    """See that a switch did no harm; return when the last destination had moved."""
    moved = []
    for prefix in one.prefixes:
        assert not list(server.timeline.faults(one.table, prefix, since))
        assert server.timeline.carriers(one.table, prefix, since) == [hop_url(A), hop_url(B)]
        history = server.timeline.of(one.table, prefix, since)
        moved.append(next(instant.at_s for instant in history if hop_of(instant.winners[0]) == hop_url(B)))
    return max(moved)


@pytest.mark.parametrize("finally_wanted", [A, B])
@pytest.mark.parametrize("begun_in", ["higher slot", "lower slot"])
async def test_a_process_killed_between_any_two_requests_leaves_what_the_next_one_finishes(
    finally_wanted: PathName, begun_in: str
) -> None:
    begun = 1 if begun_in == "higher slot" else 2
    for requests in range(1, 40):
        async with GcpServer(latency_s=OPERATION_S) as server:
            options = options_for(server)
            one = route_set(options, of=prefixes(2))
            async with opened(options, one) as provider:
                for path in (B, A)[-begun:]:
                    await point(provider, one, path)
                since = server.timeline.now
                whole = False
                with contextlib.suppress(Withdrawn):
                    whole = (await point(provider, one, B, CutPermit(requests))).ok
            async with opened(options, one) as provider:
                outcome = await point(provider, one, finally_wanted)
                assert outcome.ok, (requests, outcome)
                assert (await see(provider, one)).in_sync_with(finally_wanted), requests
            await asyncio.sleep(2 * OPERATION_S)
            assert len(server.routes) == len(one.prefixes), "an orphan"
            for prefix in one.prefixes:
                assert not list(server.timeline.faults("prod", prefix, since)), requests
                assert server.timeline.carriers("prod", prefix)[-1] == hop_url(finally_wanted)
        if whole:
            return
    raise AssertionError("a switch takes fewer than 40 requests")


async def test_a_stalled_insert_that_lands_late_does_not_outlive_a_newer_epoch() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            await point(provider, one, B)
            server.faults.add(Fault(Harm.STALL, times=1))
            outcome = await point(provider, one, A, RecordingPermit(deadline_ms=700))
            assert [failure.kind for failure in outcome.failures] == [FailureKind.UNKNOWN]
            assert (await point(provider, one, B)).ok
            await server.release()
            assert not (await see(provider, one)).in_sync_with(B)
            assert (await point(provider, one, B)).ok
            assert (await see(provider, one)).in_sync_with(B)
        assert len(server.routes) == 1
        assert not list(server.timeline.faults("prod", PREFIX, 2))


async def test_a_stalled_delete_that_lands_late_takes_nothing_away_that_carries() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            await point(provider, one, A)
            await point(provider, one, B)
            since = server.timeline.now
            server.faults.add(Fault(Harm.STALL, method="compute.routes.delete", times=1))
            await point(provider, one, A, RecordingPermit(deadline_ms=700))
            assert (await see(provider, one)).residue, "the route that may be deleted at any moment"
            assert (await point(provider, one, B)).ok
            await server.release()
            assert (await point(provider, one, B)).ok
            assert (await see(provider, one)).in_sync_with(B)
        assert not list(server.timeline.faults("prod", PREFIX, since))


async def test_a_write_whose_answer_was_lost_keeps_its_request_id_and_is_carried_out_once() -> None:
    async with GcpServer() as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            server.faults.add(Fault(Harm.DROP_BEFORE, times=1))
            assert not (await point(provider, one, A)).ok
            assert (await point(provider, one, A)).ok
            server.faults.add(Fault(Harm.DROP_AFTER, times=1))
            assert not (await point(provider, one, B)).ok
            assert (await point(provider, one, B)).ok
            assert (await see(provider, one)).in_sync_with(B)
        assert len(server.routes) == 1


async def test_an_operation_begun_by_a_killed_process_is_waited_for() -> None:
    async with GcpServer(held=True) as server:
        options = options_for(server)
        one = route_set(options)
        async with opened(options, one) as provider:
            with contextlib.suppress(Withdrawn):
                await point(provider, one, A, RecordingPermit(deadline_ms=500))
        async with opened(options, one) as provider:
            asyncio.get_running_loop().call_later(0.2, server.let_go)
            outcome = await point(provider, one, A)
            assert (outcome.written, outcome.unchanged) == (0, 1)


async def test_a_list_of_many_pages_is_read_to_its_end_with_a_permit_for_each() -> None:
    async with GcpServer(page_size=7) as server:
        options = options_for(server)
        one = route_set(options, of=prefixes(20))
        async with opened(options, one) as provider:
            assert (await point(provider, one, A)).ok
            permit = RecordingPermit()
            seen = (await provider.observe((one,), permit))[one.id]
            assert seen.in_sync_with(A)
            assert permit.reads == 3
