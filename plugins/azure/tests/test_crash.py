"""Whatever ends the process, and whenever: no prefix is left without a route, and the next process converges."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from plugins.azure.tests.calls import HOP_A, HOP_B, TABLE, A, B, observe, opened, point, route_set
from plugins.azure.tests.world import AzureWorld, azure_world, hop_json
from tests.support.azure_server import Style

from wgfo.model import FailureKind, PathHop, SetObservation
from wgfo.testing import RecordingPermit
from wgfo_azure.provider import AzureProvider

PREFIXES = ("10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16")
MOST_TRIES = 20


class Killed(RecordingPermit):
    """Lets so many requests out; where the next one would go, the process is gone."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self._left = requests
        self.gone = asyncio.Event()

    async def _turn(self) -> None:
        if not self._left:
            self.gone.set()
            await asyncio.Event().wait()
        self._left -= 1


async def killed(world: AzureWorld, requests: int) -> bool:
    """Begin a switch and kill it before its next request; return whether it came to that."""
    async with opened(world.server.url, route_set(*PREFIXES)) as provider:
        permit = Killed(requests)
        call = asyncio.ensure_future(point(provider, route_set(*PREFIXES), permit=permit))
        gone = asyncio.ensure_future(permit.gone.wait())
        await asyncio.wait({call, gone}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        for task in (call, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return permit.gone.is_set()


async def converged(world: AzureWorld) -> None:
    async with opened(world.server.url, route_set(*PREFIXES)) as provider:
        for _ in range(MOST_TRIES):
            if (await observe(provider, route_set(*PREFIXES))).in_sync_with(B):
                return
            await point(provider, route_set(*PREFIXES))
    raise AssertionError("the next process does not converge")


@pytest.mark.parametrize("style", [Style.STATUS, Style.BODY])
@pytest.mark.parametrize("shared_etags", [False, True])
async def test_killed_between_any_two_requests_the_next_process_converges_without_a_gap(
    style: Style, shared_etags: bool
) -> None:
    requests, alive = 0, True
    while alive:
        async with azure_world(style, lro_ms=5, shared_etags=shared_etags) as world:
            for prefix in PREFIXES:
                world.platform.put(TABLE, prefix, hop_json(HOP_A))
            begun = len(world.platform.timeline.of(TABLE))
            alive = await killed(world, requests)
            await converged(world)
            for prefix in PREFIXES:
                assert world.platform.timeline.gaps(TABLE, prefix, since=begun) == []
                assert world.platform.timeline.wrong(TABLE, prefix, {HOP_A, HOP_B}, since=begun) == []
        requests += 1
    assert requests > len(PREFIXES)


@pytest.fixture
async def stalled(azure: AzureWorld, provider: AzureProvider) -> SetObservation:
    """A switch to B that was sent and not answered; then what is observed."""
    azure.platform.faults.stall_write = True
    outcome = await point(provider, route_set(), B, deadline_ms=300)
    assert [one.kind for one in outcome.failures] == [FailureKind.UNKNOWN]
    return await observe(provider, route_set())


async def test_a_write_that_may_still_land_shows_as_residue(stalled: SetObservation) -> None:
    assert stalled.majority == PathHop(A)
    assert "may still land" in stalled.residue[0]
    assert not stalled.in_sync_with(A)


async def test_a_stalled_write_cannot_undo_a_newer_decision_however_late_it_lands(
    azure: AzureWorld, provider: AzureProvider, stalled: SetObservation
) -> None:
    assert (await point(provider, route_set(), A)).written == 1, "the route is fenced, though it stood"
    assert (await observe(provider, route_set())).in_sync_with(A)
    await azure.server.release()
    assert azure.platform.tables[TABLE].traffic == {"10.20.0.0/16": HOP_A}
    assert (await observe(provider, route_set())).in_sync_with(A)


async def test_a_stalled_write_that_did_land_is_no_residue_any_more(
    azure: AzureWorld, provider: AzureProvider, stalled: SetObservation
) -> None:
    await azure.server.release()
    assert (await observe(provider, route_set())).in_sync_with(B)
    assert (await point(provider, route_set(), B)).unchanged == 1


async def test_a_route_is_fenced_once_and_then_left_alone(
    azure: AzureWorld, provider: AzureProvider, stalled: SetObservation
) -> None:
    await point(provider, route_set(), A)
    assert (await point(provider, route_set(), A)).unchanged == 1
