"""A process that is killed between any two requests of a switch leaves what the next one finishes."""

from __future__ import annotations

import pytest
from plugins.aws.tests.rig import A, B, Rig

from wgfo.model import PathName
from wgfo.plugin import Withdrawn
from wgfo.testing import RecordingPermit

PREFIXES = ("10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16", "fd20::/32")


class Killed(RecordingPermit):
    """Lets so many requests out; there is nothing after them."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self._left = requests

    async def _turn(self) -> None:
        self._left -= 1
        if self._left < 0:
            self._refuse("killed")


@pytest.mark.parametrize("finally_wanted", [A, B])
async def test_killed_between_any_two_requests_the_next_process_finishes(
    rig: Rig, finally_wanted: PathName
) -> None:
    one = rig.set(*PREFIXES)
    ours = set(rig.hops.values())
    for requests in range(1, 3 * len(PREFIXES)):
        async with rig.open(one) as provider:
            assert (await rig.point(provider, one, A)).ok
            permit = Killed(requests)
            try:
                whole = (await rig.point(provider, one, B, permit=permit)).ok
            except Withdrawn:
                whole = False
        assert rig.standing(one) <= ours, f"after {requests} requests a prefix is without a route of ours"
        async with rig.open(one) as provider:
            assert (await rig.point(provider, one, finally_wanted)).ok
            assert (await rig.observe(provider, one)).in_sync_with(finally_wanted), requests
        if whole:
            assert requests > len(PREFIXES)
            return
    raise AssertionError("a switch takes fewer requests")


async def test_killed_before_the_first_routes_stood_the_next_process_makes_the_rest(rig: Rig) -> None:
    one = rig.set(*PREFIXES, table=rig.cloud.table())
    async with rig.open(one) as provider:
        outcome = await rig.point(provider, one, A, permit=Killed(3))
        assert (outcome.written, outcome.not_attempted) == (2, 2)
    async with rig.open(one) as provider:
        outcome = await rig.point(provider, one, A)
        assert (outcome.written, outcome.unchanged) == (2, 2)
    assert rig.sent("DeleteRoute") == 0
