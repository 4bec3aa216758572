"""One life of the daemon in this process: start, signals' effects, reload, end, and what systemd hears."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.daemon.fakes import FakeCloud, FakeNet, group_setup, round_setup, route_set, whole_setup, with_sets

from wgfo.daemon.clock import SystemClock
from wgfo.daemon.house import Loaded, Options
from wgfo.daemon.lock import StateInUse
from wgfo.daemon.records import Opened, Stepped
from wgfo.daemon.segments import read_journal
from wgfo.daemon.stores import journal_directory
from wgfo.daemon.supervisor import Supervisor
from wgfo.engine.events import SessionStarted
from wgfo.plugin import ConfigError, Transient, WgfoError
from wgfo.plugin.manager import Registry


class Life:
    """A supervisor over fakes, with its state in a directory of the test."""

    def __init__(self, tmp: Path) -> None:
        self.clock = SystemClock()
        self.net = FakeNet(self.clock)
        self.cloud = FakeCloud(self.clock)
        probe = round_setup(self.net.offer(), anchors=False, interval_us=100_000, timeout_us=80_000)
        self.group = with_sets(group_setup("g", probe), route_set("g"))
        self.setup = whole_setup(tmp, [self.cloud.setup()], self.group)
        self.error: WgfoError | None = None
        self.options = Options(self.load)

    def daemon(self, **changes: object) -> None:
        self.setup = replace(self.setup, daemon=replace(self.setup.daemon, **changes))

    def load(self) -> Loaded:
        if self.error is not None:
            raise self.error
        return Loaded(self.setup, Registry())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        supervisor = Supervisor(self.options, self.clock)
        task = asyncio.ensure_future(supervisor.run())
        try:
            await soon(lambda: self.cloud.said("point") or task.done() or self.options.dry_run)
            yield supervisor
        finally:
            supervisor.stop()
            await asyncio.wait_for(task, 10)


async def soon(condition):
    """Poll, ten seconds at most."""
    async with asyncio.timeout(10):
        while not (value := condition()):  # noqa: ASYNC110 - several kinds of things are waited for
            await asyncio.sleep(0.01)
    return value


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What systemd hears, one text per message."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        heard: list[str] = []

        def hear() -> list[str]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    heard.append(listener.recv(4096).decode())
            return heard

        yield hear


async def test_it_starts_says_so_and_ends_in_order(life, systemd):
    async with life.running():
        await soon(lambda: any("READY=1" in text for text in systemd()))
        assert "1 group, 1 provider" in systemd()[0]
    assert systemd()[-1] == "STOPPING=1"
    assert life.cloud.said("close") == [None]


async def test_a_stop_while_a_provider_opens_does_not_wait_for_it(life):
    async def hang(_context):
        await asyncio.sleep(3_600)

    life.cloud.before_open = hang
    supervisor = Supervisor(life.options, life.clock)
    task = asyncio.ensure_future(supervisor.run())
    await soon(lambda: life.cloud.said("open"))
    supervisor.stop()
    await asyncio.wait_for(task, 3)


async def test_a_start_that_fails_raises_the_sentence_alone(life):
    async def refuse(_context):
        raise Transient("no credentials")

    life.cloud.before_open = refuse
    with pytest.raises(WgfoError, match="provider cloud: cannot be opened: no credentials"):
        await Supervisor(life.options, life.clock).run()


async def test_a_start_that_failed_leaves_the_state_directory_free(life):
    life.daemon(operators="no-such-group")
    for _ in range(2):
        with pytest.raises(ConfigError, match="no-such-group"):
            await Supervisor(life.options, life.clock).run()


async def test_a_second_one_on_the_same_state_is_refused(life, tmp_path):
    async with life.running():
        second = Life(tmp_path)
        second.daemon(control=tmp_path / "other.sock")
        with pytest.raises(StateInUse):
            await Supervisor(second.options, second.clock).run()
        assert second.cloud.log == []


async def test_a_bug_of_the_core_ends_the_daemon_and_closes_the_providers(life, monkeypatch):
    async with life.running():
        pass
    life.cloud.log.clear()

    def broken(*_arguments):
        raise RuntimeError("the engine is broken")

    monkeypatch.setattr("wgfo.daemon.runtime.engine.step", broken)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(Supervisor(life.options, life.clock).run(), 10)
    assert caught.group_contains(RuntimeError, match="the engine is broken")
    assert life.cloud.said("close") == [None]


async def test_a_reload_that_fails_is_said_in_log_and_metrics_and_the_next_good_one_takes_it_back(
    life, systemd, caplog, tmp_path
):
    life.daemon(textfile=tmp_path / "wgfo.prom")
    async with life.running() as supervisor:
        await soon(lambda: any("READY=1" in text for text in systemd()))
        life.error = ConfigError("wgfo.toml:3: found 'wait_to_restor'")
        supervisor.reload()
        await soon(lambda: "was not taken over" in caplog.text)
        assert "wgfo.toml:3" in caplog.text
        life.error = None
        supervisor.reload()
        await soon(lambda: "the configuration was taken over" in caplog.text)
        await soon(lambda: sum("READY=1" in text for text in systemd()) == 3)
        assert sum("RELOADING=1" in text for text in systemd()) == 2


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level("INFO", logger="wgfo")


async def test_what_only_a_restart_can_change_is_named(life, caplog, tmp_path):
    async with life.running() as supervisor:
        before = life.setup.daemon
        life.daemon(control=tmp_path / "moved.sock")
        supervisor.reload()
        await soon(lambda: "the configuration was taken over" in caplog.text)
        assert "control: " in caplog.text
        assert "takes effect at the next start" in caplog.text
        assert before.control.exists()


async def test_the_textfile_is_there_from_the_start(life, tmp_path):
    path = tmp_path / "wgfo.prom"
    life.daemon(textfile=path)
    async with life.running():
        text = await soon(lambda: path.exists() and path.read_text())
        assert 'wgfo_path_up{group="g",path="primary"}' in text
        assert "wgfo_config_last_reload_successful 1.0" in text


async def test_a_textfile_that_cannot_be_written_is_said_and_stops_nothing(life, tmp_path, caplog):
    life.daemon(textfile=tmp_path / "missing" / "wgfo.prom")
    async with life.running():
        await soon(lambda: "textfile: " in caplog.text)


async def test_a_dry_run_leaves_no_trace(life, tmp_path):
    life.options = replace(life.options, dry_run=True, control=False, http=False)
    async with life.running():
        await soon(lambda: life.cloud.said("observe"))
    assert list(tmp_path.iterdir()) == []
    assert life.cloud.said("point") == []
    assert life.cloud.said("open") == [True]


async def test_the_journal_is_one_that_can_be_read(life, tmp_path):
    async with life.running():
        pass
    records = list(read_journal(journal_directory(tmp_path / "state")))
    assert isinstance(records[0], Opened)
    steps = [one for one in records if isinstance(one, Stepped)]
    assert isinstance(steps[0].event, SessionStarted)
    assert any(step.decisions for step in steps)


async def test_a_bug_while_reading_the_configuration_again_leaves_the_daemon_alone(life, caplog):
    async with life.running() as supervisor:
        life.error = ZeroDivisionError("in a validator")  # type: ignore[assignment]
        supervisor.reload()
        await soon(lambda: "was not taken over" in caplog.text)
        assert "in a validator" in caplog.text


async def test_a_stop_does_not_wait_for_a_reload(life, tmp_path):
    async with life.running() as supervisor:

        async def hang(_context):
            await asyncio.sleep(3_600)

        life.cloud.before_open = hang
        life.setup = whole_setup(
            tmp_path, [life.cloud.setup()], with_sets(life.group, route_set("g", "other"))
        )
        supervisor.reload()
        await soon(lambda: len(life.cloud.said("open")) == 2)
