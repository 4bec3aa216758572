"""What a provider does to the loop is noticed, what others do is not."""

from __future__ import annotations

import asyncio
import threading
import time

from wgfo.testing.loopwatch import SpyExecutor, ThreadSpy, heartbeat, provider_code


async def test_a_stall_is_measured() -> None:
    async with heartbeat() as heart:
        time.sleep(0.12)  # noqa: ASYNC251 - the stall
    assert heart.longest_ms > 90


async def test_waiting_is_no_stall() -> None:
    longest = []
    for _ in range(3):
        async with heartbeat() as heart:
            await asyncio.sleep(0.12)
        longest.append(heart.longest_ms)
    assert min(longest) < 90


async def test_the_default_executor_tells_what_a_provider_ran_in_it() -> None:
    spy = SpyExecutor()
    asyncio.get_running_loop().set_default_executor(spy)
    await asyncio.to_thread(time.sleep, 0)
    with provider_code():
        await asyncio.to_thread(threading.get_ident)
        await asyncio.get_running_loop().run_in_executor(None, time.monotonic)
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 1)
    assert spy.used_for == ["get_ident", "monotonic"]


def test_threads_that_a_provider_started_are_known_while_they_live() -> None:
    done = threading.Event()
    with ThreadSpy().watching() as spy:
        mine, theirs = (threading.Thread(target=done.wait, name=name) for name in ("mine", "theirs"))
        mine.start()
        with provider_code():
            theirs.start()
    assert spy.alive() == ["theirs"]
    done.set()
    for thread in (mine, theirs):
        thread.join()
    assert spy.alive() == []
