"""A thread that writes the latest content of a few small files, and never makes anyone wait.

A newer content replaces an older one that is still waiting; the files are written in the order in which they
began to wait. What fails is tried again, with the content that is the latest then. A disk that hangs holds up
this thread and nobody else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wgfo.daemon.files import Files
from wgfo.daemon.health import Health

Content = Callable[[], bytes]
"""Makes the bytes, on the thread: from frozen values alone."""

HUNG_S: Final = 2.0
"""What has waited longer is said to be stuck."""


@dataclass(slots=True)
class _Waiting:
    """The content of one file that is not on the disk yet, and who waits for it (or for a newer one)."""

    content: Content
    since: float
    futures: list[Future[None]] = field(default_factory=list)


class LatestWriter:
    """Owns the thread; :meth:`close` ends it.

    Args:
        files: the disk.
        health: told when a write fails or gets stuck, and when all is written again.
        what: names the store in texts.
        retry_ms: pause after a failed write.
    """

    def __init__(self, files: Files, health: Health, what: str, retry_ms: int = 1000) -> None:
        self._files = files
        self._health = health
        self._what = what
        self._retry_s = retry_ms / 1000
        self._waiting: dict[Path, _Waiting] = {}
        self._writing: _Waiting | None = None
        self._ended = False
        self._lost = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"wgfo-{what}", daemon=True)
        self._thread.start()

    def put(self, path: Path, content: Content) -> None:
        """Have it written."""
        with self._wake:
            self._put(path, content)
        self.check()

    def put_awaited(self, path: Path, content: Content) -> Future[None]:
        """Have it written; the future ends when it, or something newer, is durable. It never fails."""
        future: Future[None] = Future()
        with self._wake:
            waiting = self._put(path, content)
            waiting.futures = [one for one in waiting.futures if not one.cancelled()]
            waiting.futures.append(future)
        self.check()
        return future

    def check(self) -> None:
        """Notice a disk that hangs; cheap, to be called now and then."""
        with self._wake:
            oldest = min((one.since for one in self._all()), default=None)
        if oldest is not None and time.monotonic() - oldest > HUNG_S:
            self.stuck(f"not written for {HUNG_S:g} s")

    def stuck(self, text: str) -> None:
        """Say that what waits did not get through in time; taken back when it does."""
        with self._wake:
            if self._waiting or self._writing:
                self._health.say(False, f"{self._what}: {text}; is the disk hung?")

    def close(self, timeout_s: float) -> bool:
        """Write what waits, once, and end; False if it is not all written within the time."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._lost

    def _put(self, path: Path, content: Content) -> _Waiting:
        waiting = self._waiting.setdefault(path, _Waiting(content, time.monotonic()))
        waiting.content = content
        self._wake.notify()
        return waiting

    def _all(self) -> list[_Waiting]:
        return [*self._waiting.values(), *([self._writing] if self._writing else [])]

    def _run(self) -> None:
        while (item := self._take()) is not None:
            path, waiting = item
            try:
                self._files.replace(path, waiting.content())
            except OSError as error:
                self._failed(path, waiting, error)
            except Exception as error:  # noqa: BLE001 - a value without a codec must not end the thread
                self._given_up(path, error)
            else:
                self._written(waiting)

    def _take(self) -> tuple[Path, _Waiting] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting:
                return None
            path = next(iter(self._waiting))
            self._writing = self._waiting.pop(path)
            return path, self._writing

    def _written(self, waiting: _Waiting) -> None:
        with self._wake:
            self._writing = None
            if not self._waiting:
                self._health.say(True)
        for future in waiting.futures:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _given_up(self, path: Path, error: Exception) -> None:
        """What cannot be encoded now cannot be later: wait for something newer."""
        with self._wake:
            self._writing = None
            self._lost = True
            self._health.say(False, f"{self._what}: {path}: cannot be encoded: {error!r}")

    def _failed(self, path: Path, waiting: _Waiting, error: OSError) -> None:
        """Put it back unless something newer waits already, and pause."""
        with self._wake:
            newer = self._waiting.setdefault(path, waiting)
            if newer is not waiting:
                newer.since = waiting.since
                newer.futures[:0] = waiting.futures
            self._writing = None
            self._health.say(False, f"{self._what}: {path}: {error.strerror or error}; tried again")
            if self._ended:  # this one had its chance; the other files have theirs
                del self._waiting[path]
                self._lost = True
            else:
                self._wake.wait_for(lambda: self._ended, self._retry_s)
