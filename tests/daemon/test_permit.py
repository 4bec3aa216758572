"""The permit: nothing leaves after it lapsed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from wgfo.daemon.budget import Budget, Priority
from wgfo.daemon.permit import CallPermit, Veto, no_veto
from wgfo.plugin import Withdrawn
from wgfo.simulate.loop import VirtualTime, run_virtually

SECOND_US = 1_000_000
Scenario = Callable[[CallPermit, Budget, VirtualTime], Awaitable[None]]


def play(scenario: Scenario, veto: Veto = no_veto) -> None:
    clock = VirtualTime()

    async def main() -> None:
        budget = Budget(clock)
        deadline = clock.monotonic_us() + 10 * SECOND_US
        await scenario(
            CallPermit(budget, clock, deadline_us=deadline, priority=Priority.FAILOVER, veto=veto),
            budget,
            clock,
        )

    run_virtually(main(), clock)


def test_a_valid_permit_lets_writes_out_and_counts_them():
    async def scenario(permit: CallPermit, _budget: Budget, _clock: VirtualTime) -> None:
        await permit.write()
        await permit.write()
        await permit.read()
        assert permit.writes == 2

    play(scenario)


def test_a_withdrawn_permit_lets_nothing_out_and_says_why():
    async def scenario(permit: CallPermit, _budget: Budget, _clock: VirtualTime) -> None:
        permit.withdraw("epoch 4 replaces epoch 3")
        permit.withdraw("something later")
        with pytest.raises(Withdrawn, match="epoch 4"):
            await permit.write()
        with pytest.raises(Withdrawn, match="epoch 4"):
            await permit.read()
        assert permit.writes == 0

    play(scenario)


def test_nothing_leaves_after_the_deadline():
    async def scenario(permit: CallPermit, _budget: Budget, clock: VirtualTime) -> None:
        clock.advance(10 * SECOND_US)
        assert permit.remaining_ms() == 0
        with pytest.raises(Withdrawn, match="deadline"):
            await permit.write()

    play(scenario)


def test_a_wait_for_the_budget_ends_with_the_deadline():
    async def scenario(permit: CallPermit, budget: Budget, clock: VirtualTime) -> None:
        budget.pause(60 * SECOND_US)
        before = clock.monotonic_us()
        with pytest.raises(Withdrawn, match="budget"):
            await permit.write()
        assert clock.monotonic_us() - before == 10 * SECOND_US

    play(scenario)


def test_withdrawing_wakes_a_request_that_waits():
    async def scenario(permit: CallPermit, budget: Budget, clock: VirtualTime) -> None:
        budget.pause(60 * SECOND_US)
        request = asyncio.ensure_future(permit.write())
        await asyncio.sleep(1)
        before = clock.monotonic_us()
        permit.withdraw("paused")
        with pytest.raises(Withdrawn, match="paused"):
            await request
        assert clock.monotonic_us() == before

    play(scenario)


def test_a_veto_that_comes_while_waiting_stops_the_write():
    held = [True]

    async def scenario(permit: CallPermit, budget: Budget, _clock: VirtualTime) -> None:
        budget.pause(SECOND_US)
        request = asyncio.ensure_future(permit.write())
        await asyncio.sleep(0.5)
        held[0] = False
        with pytest.raises(Withdrawn, match="lease"):
            await request

    play(scenario, lambda: None if held[0] else "the lease was lost")


def test_a_veto_stops_no_read():
    async def scenario(permit: CallPermit, _budget: Budget, _clock: VirtualTime) -> None:
        await permit.read()

    play(scenario, lambda: "dry run")


def test_a_cancelled_call_leaves_nobody_in_the_line():
    async def scenario(permit: CallPermit, budget: Budget, _clock: VirtualTime) -> None:
        budget.pause(SECOND_US)
        request = asyncio.ensure_future(permit.write())
        await asyncio.sleep(0.5)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert len(asyncio.all_tasks()) == 1

    play(scenario)
