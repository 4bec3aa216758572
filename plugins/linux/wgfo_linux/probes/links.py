"""The interfaces that somebody watches, kept in step with the kernel by its events.

One table and one event socket serve all interface probes of a process. An event is applied in the loop turn
in which it arrives; whatever it does not tell (the reverse-path filter of a new interface, what an
overflowing socket lost) is read again at once, and everything once a second in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from wgfo.plugin import ProbeError
from wgfo_linux.probes.netlink import RECEIVE_BYTES, Message, messages, open_socket
from wgfo_linux.probes.rtnetlink import (
    ALL_INTERFACES,
    RTM_DELLINK,
    RTM_NEWLINK,
    RTM_NEWNETCONF,
    RTMGRP_IPV4_NETCONF,
    RTMGRP_LINK,
    Link,
    make_link,
    parse_link,
    parse_netconf,
    read_link,
)

POLL_S: Final = 1.0
EVENT_BUFFER_BYTES: Final = 1024 * 1024
DATAGRAMS_PER_TURN: Final = 256
"""So many are applied before other work of the loop has its turn."""
HISTORY: Final = 64
"""States kept for a watcher that is slower than the kernel; the oldest are dropped, never the last."""


class Watch:
    """What one watcher has not yet seen of one interface."""

    def __init__(self) -> None:
        self._states: deque[Link | None] = deque(maxlen=HISTORY)
        self._last: Link | None = None
        self._failure: str | None = None
        self._news = asyncio.Event()
        self._told = False

    def push(self, link: Link | None) -> None:
        """Add a state."""
        self._states.append(link)
        self._news.set()

    def fail(self, text: str) -> None:
        """End the watch: nothing more can be learned."""
        self._failure = text
        self._news.set()

    async def next(self, *, again_after_s: float) -> Link | None:
        """Return the next state (None: no such interface), or the last one once more after that time.

        Raises:
            ProbeError: the kernel can no longer be asked.
        """
        while not self._states and self._failure is None:
            if not await self._wait(again_after_s) and self._told:
                return self._last
        if self._failure is not None:
            raise ProbeError(self._failure)
        self._last, self._told = self._states.popleft(), True
        return self._last

    async def _wait(self, seconds: float) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                return await self._news.wait()
        except TimeoutError:
            return False


class LinkTable:
    """Every watched interface by name, and who watches it."""

    def __init__(self) -> None:
        self._links: dict[str, Link | None] = {}
        self._watches: dict[str, list[Watch]] = {}
        self._events: socket.socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._stale = asyncio.Event()
        self._applied = 0
        self._lost = False

    @contextlib.asynccontextmanager
    async def watching(self, name: str) -> AsyncIterator[Watch]:
        """Watch an interface; its present state comes first.

        Raises:
            ProbeError: no netlink socket could be opened.
        """
        watch = Watch()
        if self._events is None:
            self._open()
        self._watches.setdefault(name, []).append(watch)
        if name in self._links:
            watch.push(self._links[name])
        else:
            self._stale.set()
        try:
            yield watch
        finally:
            self._leave(name, watch)

    def _open(self) -> None:
        try:
            self._events = open_socket(socket.NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_NETCONF)
        except OSError as error:
            raise ProbeError(f"the kernel's link events cannot be received over netlink: {error}") from error
        with contextlib.suppress(OSError):  # an option that is only nice to have
            self._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, EVENT_BUFFER_BYTES)
        self._stale, self._lost = asyncio.Event(), False
        loop = asyncio.get_running_loop()
        loop.add_reader(self._events, self._drain)
        self._reader = loop.create_task(self._keep_fresh(), name="wgfo-linux links")

    def _close(self) -> None:
        if self._events is not None:
            asyncio.get_running_loop().remove_reader(self._events)
            self._events.close()
        if self._reader is not None:
            self._reader.cancel()
        self._events = self._reader = None
        self._links.clear()
        self._watches.clear()

    def _leave(self, name: str, watch: Watch) -> None:
        watches = self._watches.get(name, [])
        if watch in watches:  # not after a failure: the table may have been opened anew by others
            watches.remove(watch)
            if not watches:
                del self._watches[name]
                self._links.pop(name, None)
            if not self._watches:
                self._close()

    def _fail(self, error: Exception) -> None:
        watches = [watch for same_name in self._watches.values() for watch in same_name]
        self._close()
        for watch in watches:
            watch.fail(f"the kernel's interfaces cannot be read over netlink: {error}")

    def _drain(self) -> None:
        """Apply what waits in the event socket."""
        for _ in range(DATAGRAMS_PER_TURN):
            if self._events is None:
                return
            try:
                self._apply_all(self._events.recv(RECEIVE_BYTES))
            except BlockingIOError:
                self._drained()
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    self._fail(error)
                self._lost = True
            except ValueError as error:
                self._fail(error)

    def _drained(self) -> None:
        """Make good for an overflow, and only now.

        What still waited was older than what was lost, and the kernel goes on losing events, without a
        further word, until the socket is empty: a state read before would be overwritten by an older one.
        """
        if self._lost:
            self._lost = False
            self._stale.set()

    def _apply_all(self, data: bytes) -> None:
        for message in messages(data):
            self._apply(message)

    def _apply(self, message: Message) -> None:
        if message.kind in (RTM_NEWLINK, RTM_DELLINK):
            self._apply_link(message)
        elif message.kind == RTM_NEWNETCONF:
            self._apply_netconf(message)

    def _apply_link(self, message: Message) -> None:
        event = parse_link(message)
        if event is None:
            return
        deleted = message.kind == RTM_DELLINK
        for name, link in tuple(self._links.items()):
            if link is not None and link.index == event.index:
                self._applied += 1
                if deleted or name != event.name:  # deleted, moved to another namespace, or renamed
                    self._publish(name, None)
                else:
                    fresh = make_link(event, rp_filter=link.rp_filter, rp_filter_all=link.rp_filter_all)
                    self._publish(name, fresh)
        known = self._links.get(event.name)
        if not deleted and event.name in self._watches and known is None:
            self._applied += 1
            self._stale.set()  # new under this name: the event does not tell its reverse-path filter

    def _apply_netconf(self, message: Message) -> None:
        index, rp_filter = parse_netconf(message)
        if rp_filter is None:
            return
        for name, link in tuple(self._links.items()):
            if link is not None and index in (ALL_INTERFACES, link.index):
                self._applied += 1
                everyone = index == ALL_INTERFACES
                self._publish(
                    name,
                    replace(link, rp_filter_all=rp_filter)
                    if everyone
                    else replace(link, rp_filter=rp_filter),
                )

    def _publish(self, name: str, link: Link | None) -> None:
        if name not in self._links or self._links[name] != link:
            self._links[name] = link
            for watch in self._watches.get(name, ()):
                watch.push(link)

    async def _keep_fresh(self) -> None:
        """Read everything again whenever asked to, and once a second."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._stale.wait()
                self._stale.clear()
                for name in tuple(self._watches):
                    await self._refresh(name)
        except (OSError, ValueError) as error:
            self._fail(error)

    async def _refresh(self, name: str) -> None:
        """Read one interface; what an event has overtaken meanwhile is not believed but read again."""
        before = self._applied
        link = await read_link(name)
        if before != self._applied:
            self._stale.set()
        elif name in self._watches:
            self._publish(name, link)
