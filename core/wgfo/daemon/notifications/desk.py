"""All notifiers of the daemon: they come and go with the configuration."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from wgfo.config.setup import NotifySetup, Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import Spawn
from wgfo.daemon.notifications.channel import Channel
from wgfo.daemon.notifications.command import Command
from wgfo.daemon.notifications.message import Message
from wgfo.daemon.notifications.notifier import Counted, Notifier
from wgfo.daemon.notifications.webhook import Webhook


@dataclass(frozen=True, slots=True)
class _Post:
    setup: NotifySetup
    notifier: Notifier
    task: asyncio.Task[None]


class Desk:
    """Hands each message to those who asked for its kind.

    Args:
        clock: the daemon's.
        spawn: starts core tasks.
        counted: hears what became of each message.
    """

    def __init__(self, clock: Clock, spawn: Spawn, counted: Counted) -> None:
        self._clock = clock
        self._spawn = spawn
        self._counted = counted
        self._posts: list[_Post] = []
        self._site: str | None = None
        self._host = socket.gethostname()

    def configure(self, setup: Setup) -> None:
        """Go on with these; one that is the same keeps its queue."""
        self._site = setup.site
        before, self._posts = self._posts, []
        for one in setup.notify:
            kept = next((post for post in before if post.setup == one), None)
            if kept is not None:
                before.remove(kept)
            self._posts.append(kept or self._opened(one))
        for gone in before:
            gone.task.cancel()

    def _opened(self, setup: NotifySetup) -> _Post:
        notifier = Notifier(channel_of(setup), setup.timeout_us, self._clock, self._counted)
        return _Post(setup, notifier, self._spawn(notifier.run(), name="notify"))

    def tell(self, message: Message) -> None:
        """Put a message into the queues of those who want it; returns at once."""
        wanting: Sequence[_Post] = [post for post in self._posts if message.on in post.setup.on]
        if not wanting:
            return
        body = message.body(self._site, self._host)
        for post in wanting:
            post.notifier.offer(body)


def channel_of(setup: NotifySetup) -> Channel:
    """Return the way to deliver that a configuration names."""
    if setup.command:
        return Command(setup.command)
    return Webhook(setup.url, setup.url_file, setup.token_file)
