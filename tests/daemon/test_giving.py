"""Released routes are given back by the providers that mark theirs, and never in the middle of a write."""

from __future__ import annotations

import asyncio

import pytest
from tests.daemon.fakes import FakeProvider, play, route_set
from tests.daemon.test_reconciler import Rig

from wgfo.daemon.giving import WITHIN_US
from wgfo.plugin import Denied


class Marking(FakeProvider):
    """A provider with a mark."""

    async def give_back(self, one, permit):
        await permit.write()
        self.cloud.log.append(("give_back", one.id))
        await self.giving()
        return "plain now"

    async def giving(self):
        pass


async def rig_with(clock, spawn, provider=Marking, **terms):
    sets = [route_set("g", "rtb-a"), route_set("g", "rtb-b"), route_set("other", "rtb-c")]
    rig = Rig(clock, spawn, *sets)
    rig.cloud.provider = lambda: provider(rig.cloud)
    await rig.start(**terms)
    return rig, sets


def test_every_set_of_the_group_is_given_back_and_no_other():
    async def scenario(clock, spawn):
        rig, (one, two, _other) = await rig_with(clock, spawn)
        told = await rig.reconciler.give_back("g")
        assert told == (f"{one.id}: plain now", f"{two.id}: plain now")
        assert rig.cloud.said("give_back") == [one.id, two.id]

    play(scenario)


def test_a_write_under_way_ends_first_and_what_waits_is_dropped():
    async def scenario(clock, spawn):
        rig, (one, _two, _other) = await rig_with(clock, spawn)
        rig.cloud.took_us = 1_000_000
        rig.point(one)
        await asyncio.sleep(0.5)
        rig.point(one, epoch=2)
        await rig.reconciler.give_back("g")
        await asyncio.sleep(5)
        mine = [(said, what) for said, what in rig.cloud.log if one.id in str(what)]
        assert [said for said, _ in mine] == ["point", "give_back"]

    play(scenario)


def test_nothing_is_written_to_a_table_that_is_being_given_back():
    async def scenario(clock, spawn):
        rig, (one, _two, _other) = await rig_with(clock, spawn)
        giving = asyncio.ensure_future(rig.reconciler.give_back("g"))
        await asyncio.sleep(0)
        rig.point(one)
        await giving
        await asyncio.sleep(1)
        assert [said for said, _ in rig.cloud.log if said in {"give_back", "point"}][-1] == "point"
        assert rig.ended()[0].outcome.ok

    play(scenario)


def test_a_provider_without_a_mark_and_a_dry_run_give_nothing_back():
    async def scenario(clock, spawn):
        rig, _ = await rig_with(clock, spawn, FakeProvider)
        assert await rig.reconciler.give_back("g") == ("", "")
        rig, _ = await rig_with(clock, spawn, dry_run=True)
        assert await rig.reconciler.give_back("g") == ("", "")
        assert rig.cloud.said("give_back") == []

    play(scenario)


@pytest.mark.parametrize("error", [Denied("no CAP_NET_ADMIN"), None], ids=["refused", "hanging"])
def test_what_cannot_be_given_back_says_why_and_the_table_is_free_again(error):
    class Failing(Marking):
        async def giving(self):
            if error is None:
                await asyncio.Event().wait()
            raise error

    async def scenario(clock, spawn):
        rig, (one, _two, _other) = await rig_with(clock, spawn, Failing)
        begun_us = clock.monotonic_us()
        told = await rig.reconciler.give_back("g")
        assert all("keeps its mark" in text for text in told)
        assert clock.monotonic_us() - begun_us <= 2 * WITHIN_US
        rig.point(one)
        await asyncio.sleep(1)
        assert rig.ended()[0].outcome.ok

    play(scenario)
