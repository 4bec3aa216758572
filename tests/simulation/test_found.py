"""Worlds that broke an invariant once, or proved one wrong; tests/engine/test_found.py has the causes."""

from __future__ import annotations

import asyncio

import pytest

from wgfo.simulate.campaign import run_world
from wgfo.simulate.loop import run_virtually

FOUND = {
    "a restart in the quiet end writes what had drifted": 100020,
    "a write without an answer is in doubt when the old path is desired again": 100061,
    "a target that died long before the rest proves nothing": 100638,
    "a site goes dark again and again, one target is dead on one path": 101009,
    "a machine that slept begins a session, its switch is stored": 101378,
    "a standby that gets worse makes the active path rise": 101632,
    "a session in the middle of a life": 102019,
    "timers of one moment, and a wall clock that steps": 102772,
    "a read comes in while a write is under way": 106605,
    "killed in the very step of a switch": 109498,
    "a Tick of a stalled path comes after a read": 208560,
    "a third path that gets worse makes the preferred one look better": 305800,
    "an outage in rounds that the desired path did not probe": 307048,
    "a class answers before the controller is told that it is isolated no more": 1113562,
    "an answer of the desired path made the other rise": 706632,
    "a class fails, and a small packet passes": 1179776,
    "a dead path without proof would be left for its losses if it were better": 1154376,
    "killed while it stops": 1158800,
    "strict filtering is mended before a round closes that was lost under it": 1124728,
    "strict filtering is mended, and the path had risen before it": 602036,
    "strict filtering is mended while the controller is isolated": 521593,
    "strict filtering is mended while the site is dark": 205679,
}


@pytest.mark.parametrize("seed", FOUND.values(), ids=FOUND.keys())
def test_the_world_breaks_no_invariant_any_more(seed: int) -> None:
    assert run_world(seed).failures == ()


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set() -> None:
    """Seed 102772: a heap alone deals them out in any order, and another one with a timer more."""

    async def order(others: int) -> list[int]:
        loop, heard = asyncio.get_running_loop(), list[int]()
        at = loop.time() + 5
        for number in range(others):
            loop.call_at(at - 1 - number % 3, heard.clear)
        for number in range(12):
            loop.call_at(at, heard.append, number)
        await asyncio.sleep(6)
        return heard

    assert [run_virtually(order(others)) for others in range(6)] == [list(range(12))] * 6
