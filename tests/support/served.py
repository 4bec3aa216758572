"""A control API in a thread of its own, for commands that run in this one."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from tests.support.example import FakeSource, example_setup, exposed
from wgfo.daemon.control.access import access_for
from wgfo.daemon.control.api import ControlApi
from wgfo.daemon.control.server import ControlServer


@contextlib.contextmanager
def served(control, source=None):
    """Serve ``source`` on a socket and on a loopback port; the server has both, and ends with the block."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    held = {}

    async def run():
        access = access_for(None)
        setup = example_setup(control=control, http="127.0.0.1:0")
        server = ControlServer(ControlApi(source or FakeSource(), exposed(), access), setup.daemon, access)
        await server.start()
        held["server"], held["end"] = server, asyncio.Event()
        started.set()
        await held["end"].wait()
        await server.aclose()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert started.wait(10), "the control API did not start"
    try:
        yield held["server"]
    finally:
        loop.call_soon_threadsafe(held["end"].set)
        thread.join(10)
        loop.close()
