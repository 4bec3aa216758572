"""A whole daemon in a thread of its own, over fake probes and a fake cloud; its HTTP server is on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.daemon.fakes import FakeCloud, FakeNet, group_setup, round_setup, route_set, whole_setup, with_sets
from wgfo.config.setup import Setup
from wgfo.daemon.clock import SystemClock
from wgfo.daemon.house import House, Loaded, Options
from wgfo.daemon.supervisor import Supervisor
from wgfo.model import Outcome
from wgfo.plugin.manager import Registry

TABLE = "arn:aws:ec2:eu-central-1:123456789012:route-table/rtb-0123456789abcdef0123456789abcdef"
"""As long as names of tables get."""


class Visible(Supervisor):
    """A supervisor that shows its house."""

    house: House | None = None

    async def _live(self, house: House) -> None:
        self.house = house
        await super()._live(house)


class Station:
    """Groups ``g1``, ``g2``, … with two paths each; all that is cut or mended is so at once."""

    def __init__(self, tmp: Path, groups: int, interval_us: int, *, dry_run: bool = False) -> None:
        self.tmp = tmp
        self.names = [f"g{number}" for number in range(1, groups + 1)]
        self.interval_us = interval_us
        self.dry_run = dry_run
        self.dead: set[tuple[str, str]] = set()
        self.clock = SystemClock()
        self.net = FakeNet(self.clock, answer=self._answer)
        self.cloud = FakeCloud(self.clock)
        self.loop = asyncio.new_event_loop()
        self.supervisor: Visible | None = None
        self.error: BaseException | None = None
        self.changes: dict[str, object] = {}

    def _answer(self, sent, target):
        return Outcome.LOST if (sent.path, target) in self.dead else Outcome.OK

    def target(self, group):
        return f"10.9.{self.names.index(group)}.1"

    def cut(self, group, path):
        self.dead.add((path, self.target(group)))

    def mend(self, group, path):
        self.dead.discard((path, self.target(group)))

    def setup(self) -> Setup:
        groups = []
        for name in self.names:
            probe = round_setup(
                self.net.offer(),
                targets=(self.target(name),),
                anchors=False,
                interval_us=self.interval_us,
                timeout_us=self.interval_us * 4 // 5,
            )
            groups.append(with_sets(group_setup(name, probe, rise=2), route_set(name, f"{TABLE}-{name}")))
        setup = whole_setup(self.tmp, [self.cloud.setup()], *groups)
        return replace(setup, daemon=replace(setup.daemon, http="127.0.0.1:0"), **self.changes)

    # --- its thread -----------------------------------------------------------------------------------------

    async def _run(self):
        self.supervisor = Visible(
            Options(lambda: Loaded(self.setup(), Registry()), dry_run=self.dry_run), self.clock
        )
        await self.supervisor.run()

    def _thread(self):
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test raises it
            self.error = error
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    @contextlib.contextmanager
    def running(self) -> Iterator[Station]:
        thread = threading.Thread(target=self._thread)
        thread.start()
        try:
            self.until(lambda: self.error or self.ready(), "the daemon is ready")
            if self.error is not None:
                raise self.error
            yield self
        finally:
            if self.supervisor is not None and not self.loop.is_closed():
                self.loop.call_soon_threadsafe(self.supervisor.stop)
            thread.join(30)
            assert not thread.is_alive(), "the daemon did not end"

    def ready(self):
        house = self.supervisor.house if self.supervisor else None
        return bool(house and house.control and house.control.http_port and self.call(house.live.ready))

    def call(self, function, *arguments):
        """Call something on the daemon's loop."""

        async def called():
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(30)

    @property
    def house(self) -> House:
        assert self.supervisor is not None
        assert self.supervisor.house is not None
        return self.supervisor.house

    @property
    def port(self) -> int:
        assert self.house.control is not None
        assert self.house.control.http_port is not None
        return self.house.control.http_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def report(self, group):
        reports = self.call(self.house.live.reports)
        return next(one for one in reports if one.name == group)

    def healthy(self):
        """Every path up and every route where it should be."""
        reports = self.call(self.house.live.reports)
        return all(one.converged and all(path.state == "up" for path in one.paths) for one in reports)

    @staticmethod
    def until(condition, what, within_s=60):
        """Poll with a deadline."""
        end = time.monotonic() + within_s
        while not (value := condition()):
            assert time.monotonic() < end, f"not within {within_s} s: {what}"
            time.sleep(0.02)
        return value
