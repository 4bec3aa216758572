"""Rule 7: a permit for each request; no retry, no cache; what was not let out is reported as not attempted."""

from __future__ import annotations

import pytest

from wgfo.model import FailureKind, PathHop, RouteSet, SetOutcome
from wgfo.plugin import RouteProvider, Withdrawn
from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can

FAILING = pytest.mark.parametrize("fault", [Can.THROTTLE, Can.BREAK])


class APermitForEachRequest(Rule):
    """Rule 7."""

    rule = 7

    async def test_every_write_follows_a_permit_of_its_own(self, bench: Bench) -> None:
        bench.require(Can.REQUESTS)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.moved(provider, one, bench.b)
        bound = provider.capabilities.parallel_writes
        writes = [request for request in bench.world.log.requests if request.write]
        assert writes, "Can.REQUESTS is declared, but the log is told of no write"
        for request in writes:
            assert request.granted >= request.received, f"no permit.write() came before {request}"
            ahead = request.granted - request.received + 1
            assert ahead <= bound, f"{ahead} permits were taken at once, parallel_writes = {bound}: {request}"

    async def test_every_read_follows_a_permit(self, bench: Bench) -> None:
        bench.require(Can.REQUESTS)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.check(provider, one)
        await bench.observe(provider, one)
        await bench.moved(provider, one, bench.a)
        reads = [request for request in bench.world.log.requests if not request.write]
        assert reads, "Can.REQUESTS is declared, but the log is told of no read"
        for request in reads:
            assert request.granted >= request.received, f"no permit.read() came before {request}"

    async def test_a_withdrawn_permit_lets_no_write_out(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        permit, received = bench.withdraw_after(0), bench.world.log.writes
        outcome = await bench.point(provider, one, bench.b, permit=permit, owned=True)
        assert not outcome.ok, "nothing was let out"
        assert outcome.not_attempted == len(one.prefixes), f"all of them were not attempted: {outcome}"
        _assert_no_other_failure(outcome)
        assert bench.world.log.writes == received, "a write was sent without a permit"
        await bench.assert_carried(one, bench.a)

    async def test_what_a_permit_no_longer_lets_out_is_not_attempted(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        permit, received = bench.withdraw_after(2), bench.world.log.writes
        outcome = await bench.point(provider, one, bench.b, permit=permit, owned=True)
        moved = [each for each in one.prefixes if one.hops[bench.b] in await bench.carriers(one.table, each)]
        assert len(moved) <= 2, f"2 writes were let out, {len(moved)} prefixes moved"
        assert bench.world.log.writes - received <= permit.writes, "more writes were sent than let out"
        assert outcome.written <= len(moved), f"{len(moved)} prefixes moved: {outcome}"
        rest = len(one.prefixes) - outcome.written
        assert outcome.not_attempted == rest, (
            f"{rest} prefixes were not attempted, or not to the end: {outcome}"
        )
        _assert_no_other_failure(outcome)

    async def test_a_permit_withdrawn_in_the_middle_lets_nothing_more_out(self, bench: Bench) -> None:
        bench.require(Can.SLOW, Can.REQUESTS)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.inject(Can.SLOW)
        permit, received = bench.permit(), bench.world.log.writes
        call = bench.begin(bench.point(provider, one, bench.b, permit=permit, owned=True))
        await bench.write_received(received)
        permit.withdraw()
        await bench.ended(call)
        sent = bench.world.log.writes - received
        assert sent <= permit.writes, f"{permit.writes} writes were let out, {sent} were sent"
        if permit.writes < len(one.prefixes):
            assert not call.result().ok, f"the permit was withdrawn: {call.result()}"

    async def test_a_permit_that_lapsed_lets_nothing_be_read(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        received = bench.world.log.reads
        permit = bench.permit(reads=0)
        with pytest.raises(Withdrawn):
            await bench.observe(provider, one, permit=permit)
        assert bench.world.log.reads == received, "a read was sent without a permit"
        await bench.point(provider, one, bench.b, permit=permit, owned=True)
        await bench.assert_carried(one, bench.a)

    @FAILING
    async def test_a_write_that_failed_is_not_tried_again(self, bench: Bench, fault: Can) -> None:
        bench.require(fault, Can.REQUESTS)
        one = bench.route_set(bench.prefixes[:1])
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.inject(fault)
        received = bench.world.log.writes
        outcome = await bench.point(provider, one, bench.b, owned=True)
        assert not outcome.ok, f"Can.{fault.name} was injected for writes: {outcome}"
        sent = bench.world.log.writes - received
        assert sent == 1, f"{sent} writes were sent where the first one failed; retrying is the core's"

    @FAILING
    async def test_a_read_that_failed_is_not_tried_again(self, bench: Bench, fault: Can) -> None:
        bench.require(fault, Can.REQUESTS)
        provider = await bench.open()
        await bench.observe(provider, bench.route_set())
        before = bench.world.log.reads
        await bench.observe(provider, bench.route_set())
        needed = bench.world.log.reads - before
        await bench.inject(fault, bench.spot(writes=False))
        await bench.fails(bench.observe(provider, bench.route_set()))
        sent = bench.world.log.reads - before - needed
        assert 1 <= sent <= needed, f"{sent} reads were sent, {needed} are enough; retrying is the core's"

    async def test_every_observation_reads_the_platform_anew(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.in_sync(provider, one, bench.a)
        for path in (bench.b, bench.a, bench.b):
            permit = bench.permit()
            await _somebody_points(bench, one, one.hops[path])
            await bench.observe(provider, one, permit=permit)
            assert permit.reads, "observe() awaited no permit.read(): what it said was not read"
            await _shows(bench, provider, one, PathHop(path))


async def _somebody_points(bench: Bench, one: RouteSet, hop: str) -> None:
    found = next(each for each in one.hops.values() if each == hop)
    for prefix in one.prefixes:
        await bench.world.put(one.table, prefix, found)


async def _shows(bench: Bench, provider: RouteProvider, one: RouteSet, hop: PathHop) -> None:
    await bench.observe_until(
        provider, one, lambda seen: seen.majority == hop, f"somebody pointed all routes at {hop.path}"
    )


def _assert_no_other_failure(outcome: SetOutcome) -> None:
    """What was not let out has not failed; a failure of kind ``withdrawn`` for the whole set may say why."""
    other = [each for each in outcome.failures if each.kind is not FailureKind.WITHDRAWN]
    assert not other, f"what a permit does not let out is not attempted, it has not failed: {outcome}"
