"""The clocks, and the loop that runs in virtual time."""

import asyncio
import threading
import time

import pytest

from wgfo.daemon.clock import SystemClock, wall_text
from wgfo.simulate.loop import VirtualLoop, VirtualTime, run_virtually

HOUR_US = 3_600_000_000


def test_an_hour_of_virtual_time_costs_no_real_time():
    clock = VirtualTime()
    begun = time.monotonic()
    run_virtually(clock.sleep_until_us(clock.monotonic_us() + HOUR_US), clock)
    assert time.monotonic() - begun < 5


def test_a_sleeper_wakes_at_its_microsecond_exactly():
    clock = VirtualTime(start_us=10**12)

    async def wake() -> list[int]:
        woke = []
        for step in (1, 333_333, 7, 1_000_000):
            due = clock.monotonic_us() + step
            await clock.sleep_until_us(due)
            woke.append(clock.monotonic_us() - due)
        return woke

    assert run_virtually(wake(), clock) == [0, 0, 0, 0]


def test_sleepers_wake_in_the_order_of_their_times():
    clock = VirtualTime()
    woke: list[int] = []

    async def sleeper(at: int) -> None:
        await clock.sleep_until_us(clock.monotonic_us() + at)
        woke.append(at)

    async def main() -> None:
        await asyncio.gather(*(sleeper(at) for at in (300, 100, 200)))

    run_virtually(main(), clock)
    assert woke == [100, 200, 300]


def test_the_virtual_clock_stands_still_while_a_thread_is_waited_for():
    clock = VirtualTime()
    release = threading.Event()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(1, lambda: None)
        before = clock.monotonic_us()
        with clock.outside():
            work = loop.run_in_executor(None, release.wait, 10)
            release.set()
            await work
        timer.cancel()
        return clock.monotonic_us() - before

    assert run_virtually(main(), clock) == 0


def test_a_suspended_machine_moves_boot_time_and_not_the_monotonic_clock():
    clock = VirtualTime()
    before = clock.monotonic_us(), clock.boottime_us()
    clock.suspend(HOUR_US)
    assert (clock.monotonic_us(), clock.boottime_us()) == (before[0], before[1] + HOUR_US)


def test_time_cannot_go_back():
    with pytest.raises(ValueError, match="cannot go back"):
        VirtualTime().advance(-1)


def test_wall_text_is_rfc_3339_in_utc():
    assert wall_text(1_767_225_600_123_456_789) == "2026-01-01T00:00:00.123Z"


def test_a_wall_clock_step_moves_no_monotonic_time_and_every_text():
    clock = VirtualTime()
    now = clock.monotonic_us()
    clock.step_wall(24 * HOUR_US)
    assert clock.monotonic_us() == now
    assert clock.rfc3339(now).startswith("2026-01-02T")


async def test_the_system_clock_is_the_clock_of_the_running_loop():
    clock = SystemClock()
    before = clock.monotonic_us()
    loop_us = asyncio.get_running_loop().time() * 1_000_000
    assert before - 1 <= loop_us <= clock.monotonic_us() + 1


async def test_the_system_clock_never_wakes_early():
    clock = SystemClock()
    due = clock.monotonic_us() + 1_500
    await clock.sleep_until_us(due)
    assert clock.monotonic_us() >= due


def test_a_virtual_loop_says_virtual_seconds():
    clock = VirtualTime(start_us=5_500_000)
    loop = VirtualLoop(clock)
    assert loop.time() == 5.5
    loop.close()
