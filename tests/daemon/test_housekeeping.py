"""The watchdog, waking up, and the file that is written off the loop."""

import asyncio
import threading

from tests.daemon.fakes import SECOND_US, play

from wgfo.daemon.housekeeping import SleepWatch, SlowFile, Watchdog, periodically


class Progress:
    """A runtime as the watchdog sees it."""

    def __init__(self):
        self.steps = 0
        self.late = 0

    def late_us(self):
        return self.late


def test_the_watchdog_is_fed_while_decisions_are_made_or_nothing_is_due():
    fed = []
    runtime = Progress()
    watchdog = Watchdog(runtime, lambda: bool(fed.append(1)))
    watchdog.feed()
    watchdog.feed()
    runtime.late, runtime.steps = 60 * SECOND_US, 5
    watchdog.feed()
    assert len(fed) == 3


def test_the_watchdog_starves_when_a_deadline_is_left_and_nothing_is_decided():
    fed = []
    runtime = Progress()
    watchdog = Watchdog(runtime, lambda: bool(fed.append(1)))
    watchdog.feed()
    runtime.late = 60 * SECOND_US
    watchdog.feed()
    assert len(fed) == 1


def test_a_nap_is_noticed_once():
    async def scenario(clock, _spawn):
        slept = []
        watch = SleepWatch(clock, slept.append)
        watch.look()
        clock.suspend(3_600 * SECOND_US)
        watch.look()
        watch.look()
        assert slept == [3_600 * SECOND_US]

    play(scenario)


def test_work_is_done_at_intervals():
    async def scenario(clock, spawn):
        done = []
        spawn(periodically(clock, 2 * SECOND_US, lambda: done.append(clock.monotonic_us())), name="x")
        begun = clock.monotonic_us()
        await asyncio.sleep(7)
        assert [at - begun for at in done] == [2 * SECOND_US, 4 * SECOND_US, 6 * SECOND_US]

    play(scenario)


async def test_a_hung_disk_holds_one_thread_and_nobody_else():
    release = threading.Event()
    begun = []
    async with asyncio.TaskGroup() as tasks:

        def spawn(coroutine, *, name):
            return tasks.create_task(coroutine, name=name)

        def write():
            begun.append(1)
            release.wait(10)

        slow = SlowFile(lambda: write, spawn, begun.append)
        for _ in range(3):
            slow.refresh()
        await asyncio.to_thread(lambda: None)
        release.set()
    assert begun == [1]


async def test_a_failure_that_lasts_is_said_once():
    said = []

    def full():
        raise OSError(28, "No space left on device")

    def spawn_into(tasks):
        return lambda coroutine, *, name: tasks.create_task(coroutine, name=name)

    slow = None
    for _ in range(3):
        async with asyncio.TaskGroup() as tasks:
            slow = slow or SlowFile(lambda: full, spawn_into(tasks), said.append)
            slow._spawn = spawn_into(tasks)
            slow.refresh()
    assert said == ["textfile: [Errno 28] No space left on device"]
