"""The account's budget: order, rate, pause."""

import asyncio
from collections.abc import Awaitable, Callable

from wgfo.daemon.budget import LONGEST_PAUSE_US, Budget, Line, Priority
from wgfo.plugin import RequestRates
from wgfo.simulate.loop import VirtualTime, run_virtually

SECOND_US = 1_000_000


def play(scenario: Callable[[Budget, VirtualTime], Awaitable[None]]) -> None:
    clock = VirtualTime()

    async def main() -> None:
        await scenario(Budget(clock), clock)

    run_virtually(main(), clock)


def test_without_a_declared_rate_nobody_waits():
    async def scenario(budget: Budget, clock: VirtualTime) -> None:
        before = clock.monotonic_us()
        for _ in range(100):
            await budget.acquire(Line.WRITE, Priority.REPAIR, 0)
        assert clock.monotonic_us() == before

    play(scenario)


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate():
    async def scenario(budget: Budget, clock: VirtualTime) -> None:
        budget.limit(RequestRates(writes_per_s=2, write_burst=3))
        before = clock.monotonic_us()
        times = []
        for _ in range(5):
            await budget.acquire(Line.WRITE, Priority.REPAIR, 0)
            times.append((clock.monotonic_us() - before) / SECOND_US)
        assert times == [0, 0, 0, 0.5, 1.0]

    play(scenario)


def test_failover_writes_go_before_repairs_and_the_configured_order_breaks_ties():
    async def scenario(budget: Budget, _clock: VirtualTime) -> None:
        budget.limit(RequestRates(writes_per_s=10, write_burst=1))
        await budget.acquire(Line.WRITE, Priority.REPAIR, 0)
        served: list[str] = []

        async def ask(name: str, priority: Priority, order: int) -> None:
            await budget.acquire(Line.WRITE, priority, order)
            served.append(name)

        await asyncio.gather(
            ask("repair", Priority.REPAIR, 0),
            ask("second", Priority.FAILOVER, 2),
            ask("first", Priority.FAILOVER, 1),
        )
        assert served == ["first", "second", "repair"]

    play(scenario)


def test_reads_do_not_eat_the_budget_of_writes():
    async def scenario(budget: Budget, clock: VirtualTime) -> None:
        budget.limit(RequestRates(writes_per_s=1, write_burst=1, reads_per_s=1, read_burst=1))
        await budget.acquire(Line.READ, Priority.RECONCILE, 0)
        before = clock.monotonic_us()
        await budget.acquire(Line.WRITE, Priority.FAILOVER, 0)
        assert clock.monotonic_us() == before

    play(scenario)


def test_a_retry_after_pauses_the_whole_account():
    async def scenario(budget: Budget, clock: VirtualTime) -> None:
        before = clock.monotonic_us()
        budget.pause(7 * SECOND_US)
        await asyncio.gather(
            budget.acquire(Line.WRITE, Priority.FAILOVER, 0), budget.acquire(Line.READ, Priority.VERIFY, 0)
        )
        assert clock.monotonic_us() - before == 7 * SECOND_US

    play(scenario)


def test_an_absurd_retry_after_is_cut():
    async def scenario(budget: Budget, _clock: VirtualTime) -> None:
        budget.pause(24 * 3600 * SECOND_US)
        assert budget.paused_for_us() == LONGEST_PAUSE_US

    play(scenario)


def test_of_two_instances_the_stricter_rate_counts():
    async def scenario(budget: Budget, clock: VirtualTime) -> None:
        budget.limit(RequestRates(writes_per_s=1))
        budget.limit(RequestRates(writes_per_s=100))
        before = clock.monotonic_us()
        await budget.acquire(Line.WRITE, Priority.REPAIR, 0)
        await budget.acquire(Line.WRITE, Priority.REPAIR, 0)
        assert clock.monotonic_us() - before == SECOND_US

    play(scenario)


def test_one_who_gave_up_takes_no_token():
    async def scenario(budget: Budget, clock: VirtualTime) -> None:
        budget.limit(RequestRates(writes_per_s=1))
        await budget.acquire(Line.WRITE, Priority.REPAIR, 0)
        impatient = asyncio.ensure_future(budget.acquire(Line.WRITE, Priority.FAILOVER, 0))
        patient = asyncio.ensure_future(budget.acquire(Line.WRITE, Priority.REPAIR, 0))
        await asyncio.sleep(0)
        impatient.cancel()
        before = clock.monotonic_us()
        await patient
        assert clock.monotonic_us() - before == SECOND_US

    play(scenario)
