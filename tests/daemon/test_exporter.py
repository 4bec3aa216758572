"""The textfile is kept fresh, and a bad directory is said once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

import pytest
from tests.support.example import example_report, example_setup

from wgfo.daemon.exporter import keep_textfile


@dataclass
class Source:
    setup: object
    written: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    def reports(self):
        self.asked += 1
        if self.asked > 2:
            self.written.set()
        return [example_report()]


@contextlib.asynccontextmanager
async def kept(source):
    task = asyncio.create_task(keep_textfile(source, lambda: b"wgfo_build_info 1\n", period_s=0.001))
    try:
        await asyncio.wait_for(source.written.wait(), 5)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_file_is_written_again_and_again(tmp_path):
    path = tmp_path / "wgfo.prom"
    async with kept(Source(example_setup(textfile=path))):
        assert path.read_text().startswith("wgfo_build_info 1\n")
        assert "wireguard_wg0_healthy 1" in path.read_text()


async def test_trouble_is_said_once(tmp_path, caplog):
    caplog.set_level(logging.INFO, "wgfo")
    async with kept(Source(example_setup(textfile=tmp_path / "none" / "wgfo.prom"))):
        pass
    texts = [record.message for record in caplog.records]
    assert len(texts) == 1
    assert "No such file or directory; tried again" in texts[0]


async def test_the_end_of_the_trouble_is_said_too(tmp_path, caplog):
    caplog.set_level(logging.INFO, "wgfo")
    directory = tmp_path / "later"
    source = Source(example_setup(textfile=directory / "wgfo.prom"))
    async with kept(source):
        directory.mkdir()
        source.asked = 0
        source.written.clear()
        await asyncio.wait_for(source.written.wait(), 5)
    assert "written again" in caplog.text


async def test_without_a_textfile_nothing_is_asked():
    source = Source(example_setup())
    task = asyncio.create_task(keep_textfile(source, lambda: pytest.fail("not needed"), period_s=0.001))
    await asyncio.sleep(0)
    task.cancel()
    assert source.asked == 0
