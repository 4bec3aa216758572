"""The event stream: numbered, resumable, bounded, and indifferent to those who do not read it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import aiohttp
import pytest
from tests.support.example import FakeSource, example_setup, exposed

from wgfo.daemon.control.access import access_for
from wgfo.daemon.control.api import ControlApi
from wgfo.daemon.control.endpoint import Views
from wgfo.daemon.control.server import ControlServer
from wgfo.engine.decisions import AlarmName, AlarmRaised
from wgfo.engine.events import Tick
from wgfo.telemetry.feed import Feed

PATIENCE_S = 30


def alarm(feed, text="all dead", at_us=7):
    feed.stepped("cloud", Tick(at_us), (AlarmRaised(at_us, AlarmName.NO_USABLE_PATH, text, page=True),), None)


@pytest.fixture
def views():
    return Views(Feed("s1", lambda us: f"wall {us}", kept=5))


@pytest.fixture
async def server(views, tmp_path):
    access = access_for(None)
    setup = example_setup(control=tmp_path / "control.sock", http="127.0.0.1:0")
    made = ControlServer(ControlApi(FakeSource(), exposed(), access, views), setup.daemon, access)
    await made.start()
    yield made
    views.feed.close()
    await made.aclose()


@pytest.fixture
async def client(server):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.http_port}") as session:
        yield session


class Stream:
    """What one client reads."""

    def __init__(self, response):
        self.response = response

    async def event(self):
        """The next event as (id, name, data); None at the end of the stream."""
        fields = {}
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.response.content.readline()).decode():
                if line != "\n":
                    name, _, value = line.rstrip("\n").partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    return fields.get("id"), fields["event"], json.loads(fields["data"])
        return None


@contextlib.asynccontextmanager
async def follow(client, last_id=None):
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with client.get("/api/v1/events", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        await response.content.readline()
        yield Stream(response)


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_a_decision_is_an_event_with_an_id(client, views):
    async with follow(client) as stream:
        alarm(views.feed)
        assert await stream.event() == (
            "s1-1",
            "alarm",
            {
                "at": "wall 7",
                "kind": "alarm",
                "group": "cloud",
                "name": "no_usable_path",
                "active": True,
                "text": "all dead",
                "page": True,
            },
        )


async def test_without_an_id_the_stream_begins_with_what_comes(client, views):
    alarm(views.feed, "before")
    async with follow(client) as stream:
        alarm(views.feed, "after")
        assert (await stream.event())[2]["text"] == "after"


async def test_who_comes_back_gets_what_was_missed(client, views):
    for text in ("one", "two", "three"):
        alarm(views.feed, text)
    async with follow(client, "s1-1") as stream:
        assert [(await stream.event())[2]["text"] for _ in range(2)] == ["two", "three"]


@pytest.mark.parametrize(
    "last_id", ["s0-1", "s1-9999", "s1-", "s1-x", "s1-\u0661", "nonsense", "s1-" + "9" * 400]
)
async def test_an_id_that_means_nothing_here_is_answered_by_a_reset(client, views, last_id):
    alarm(views.feed)
    async with follow(client, last_id) as stream:
        assert (await stream.event())[:2] == ("s1-1", "reset")
        alarm(views.feed, "next")
        assert (await stream.event())[2]["text"] == "next"


async def test_who_was_away_for_too_long_is_told_so(client, views):
    for number in range(9):
        alarm(views.feed, str(number))
    async with follow(client, "s1-1") as stream:
        assert (await stream.event())[:2] == ("s1-9", "reset")


async def test_silence_is_filled_with_beats(client, monkeypatch):
    monkeypatch.setattr("wgfo.daemon.control.events.BEAT_S", 0.01)
    async with follow(client) as stream:
        assert await stream.event() == (None, "beat", {})


async def test_the_number_of_clients_is_bounded(client, views, monkeypatch):
    monkeypatch.setattr("wgfo.daemon.control.events.CLIENTS", 1)
    monkeypatch.setattr("wgfo.daemon.control.events.BEAT_S", 0.01)
    async with follow(client), client.get("/api/v1/events") as second:
        assert second.status == 503
        assert "1 clients follow" in (await second.json())["error"]
    await until(lambda: views.audience.clients == 0)
    async with follow(client):
        pass


async def test_the_stream_ends_with_the_daemon(client, views):
    async with follow(client) as stream:
        views.feed.close()
        assert await stream.event() is None


async def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(client, server, views, monkeypatch):
    monkeypatch.setattr("wgfo.daemon.control.events.SEND_S", 0.2)
    monkeypatch.setattr("wgfo.daemon.control.events.BEAT_S", 0.2)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", server.http_port))
    deaf.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: wgfo\r\n\r\n")
    try:
        await until(lambda: views.audience.clients == 1)
        async with follow(client) as stream:
            for number in range(3_000):
                alarm(views.feed, str(number) + "x" * 3_000)
                if views.audience.cut_off:
                    break
                while not (await stream.event())[2]["text"].startswith(f"{number}x"):
                    pass
            await until(lambda: views.audience.cut_off == 1)
            alarm(views.feed, "still here")
            while (await stream.event())[2].get("text") != "still here":
                pass
    finally:
        deaf.close()
