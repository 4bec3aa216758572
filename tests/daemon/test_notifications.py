"""Commands and webhooks are told, in order, with bounds, without secrets; and nobody waits for them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from dataclasses import replace

import pytest
from aiohttp import web
from tests.support.example import example_report, example_setup

from wgfo.config.models import Occasion
from wgfo.config.setup import NotifySetup
from wgfo.daemon.clock import SystemClock
from wgfo.daemon.notifications import notifier as notifier_module
from wgfo.daemon.notifications.aside import Aside, StillBusy
from wgfo.daemon.notifications.channel import NotDelivered
from wgfo.daemon.notifications.command import Command
from wgfo.daemon.notifications.desk import Desk
from wgfo.daemon.notifications.message import Message, Moment, Occasions
from wgfo.daemon.notifications.notifier import QUEUED, Notifier, Result
from wgfo.daemon.notifications.webhook import Webhook
from wgfo.engine.decisions import AlarmCleared, AlarmName, AlarmRaised, Rule, Switch
from wgfo.engine.events import Tick
from wgfo.engine.report import GroupState, Mode
from wgfo.telemetry.changes import Changes

PATIENCE_S = 30
SECRET = "s3cr3t-t0k3n"


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not (value := condition()):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    return value


# --- what is told -------------------------------------------------------------------------------------------


@pytest.fixture
def told():
    return []


@pytest.fixture
def occasions(told):
    return Occasions(lambda us: f"wall {us}", told.append)


def step(listener, *decisions):
    listener.stepped("cloud", Tick(5), decisions, None)


def raised(text="all dead"):
    return AlarmRaised(5, AlarmName.NO_USABLE_PATH, text, page=True)


def test_a_switch_is_told_with_its_reason_and_numbers(occasions, told):
    step(occasions, Switch(5, 4, "primary", "secondary", Rule.SIGNAL_FAIL, "all dead", numbers={"rounds": 3}))
    shown = json.loads(told[0].body("vpc", "core1"))
    assert shown | {"details": None} == {
        "api_version": 1,
        "on": "switch",
        "moment": "happens",
        "group": "cloud",
        "at": "wall 5",
        "text": "cloud: switches from primary to secondary by signal_fail: all dead",
        "site": "vpc",
        "host": "core1",
        "details": None,
    }
    assert shown["details"]["numbers"] == {"rounds": 3}


def test_an_alarm_is_told_when_it_begins_and_when_it_ends_and_not_when_its_text_changes(occasions, told):
    step(occasions, raised())
    step(occasions, raised("still all dead"))
    step(occasions, AlarmCleared(6, AlarmName.NO_USABLE_PATH))
    step(occasions, raised())
    assert [one.moment for one in told] == [Moment.BEGINS, Moment.ENDS, Moment.BEGINS]
    assert {one.on for one in told} == {Occasion.NO_USABLE_PATH}


def test_every_alarm_is_an_occasion():
    assert {Occasion(name) for name in AlarmName} == set(Occasion) - {Occasion.SWITCH, Occasion.FROZEN}


def test_a_group_that_freezes_and_thaws_is_told(occasions, told):
    changes = Changes(lambda work: work(), (occasions.group_changed,))
    for mode, state in (
        (Mode.AUTO, "ok"),
        (Mode.FROZEN, "isolated"),
        (Mode.FROZEN, "paused"),
        (Mode.AUTO, "ok"),
    ):
        report = example_report(mode=mode, state=GroupState(state))
        changes.stepped("cloud", Tick(5), (raised(),), lambda report=report: report)
    assert [(one.on, one.moment) for one in told] == [
        (Occasion.FROZEN, Moment.BEGINS),
        (Occasion.FROZEN, Moment.ENDS),
    ]


# --- the queue ----------------------------------------------------------------------------------------------


class Channel:
    """Delivers, or fails, as it is told."""

    kind, name = "webhook", "webhook fake"

    def __init__(self):
        self.tries, self.errors = [], []
        self.gate = asyncio.Event()
        self.gate.set()

    async def deliver(self, body):
        self.tries.append(body)
        await self.gate.wait()
        if self.errors and (error := self.errors.pop(0)):
            raise error


@pytest.fixture
def counts():
    return {}


@pytest.fixture
async def made(counts, monkeypatch):
    monkeypatch.setattr(notifier_module, "PAUSES_US", (1_000, 1_000))
    channel = Channel()

    def counted(kind, result):
        counts[result] = counts.get(result, 0) + 1

    notifier = Notifier(channel, 30_000_000, SystemClock(), counted)
    task = asyncio.ensure_future(notifier.run())
    yield notifier, channel
    task.cancel()


async def test_messages_are_delivered_in_order(made, counts):
    notifier, channel = made
    for body in (b"1", b"2", b"3"):
        notifier.offer(body)
    await until(lambda: counts.get(Result.DELIVERED) == 3)
    assert channel.tries == [b"1", b"2", b"3"]


async def test_what_may_help_is_tried_again(made, counts):
    notifier, channel = made
    channel.errors = [NotDelivered("no answer", again=True), None]
    notifier.offer(b"1")
    await until(lambda: counts)
    assert (counts, channel.tries) == ({Result.DELIVERED: 1}, [b"1", b"1"])


async def test_it_is_given_up_in_the_end_and_what_cannot_help_at_once(made, counts):
    notifier, channel = made
    channel.errors = [NotDelivered("no answer", again=True)] * 3 + [NotDelivered("404", again=False)]
    notifier.offer(b"1")
    notifier.offer(b"2")
    await until(lambda: counts.get(Result.FAILED) == 2)
    assert channel.tries == [b"1", b"1", b"1", b"2"]


async def test_failures_are_said_once_until_it_works_again(made, counts, caplog):
    notifier, channel = made
    channel.errors = [NotDelivered("HTTP status 404", again=False)] * 5
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            notifier.offer(b"x")
        await until(lambda: counts.get(Result.DELIVERED) == 1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]
    assert "webhook fake: HTTP status 404; further failures are only counted" in caplog.messages[0]


async def test_a_full_queue_drops_the_oldest_and_counts_them(made, counts):
    notifier, channel = made
    channel.gate.clear()
    notifier.offer(b"first")
    await until(lambda: channel.tries)
    for number in range(QUEUED + 7):
        notifier.offer(str(number).encode())
    assert counts == {Result.DROPPED: 7}
    channel.gate.set()
    await until(lambda: counts.get(Result.DELIVERED) == QUEUED + 1)
    assert channel.tries[1] == b"7"


async def test_a_bug_in_a_channel_is_a_failure_and_no_more(made, counts, caplog):
    notifier, channel = made
    channel.errors = [ZeroDivisionError("oops")]
    notifier.offer(b"1")
    notifier.offer(b"2")
    await until(lambda: counts.get(Result.DELIVERED) == 1)
    assert counts[Result.FAILED] == 1
    assert "ZeroDivisionError" in caplog.text


async def test_a_channel_that_hangs_is_given_up_after_its_timeout(counts, monkeypatch):
    monkeypatch.setattr(notifier_module, "PAUSES_US", ())
    channel = Channel()
    channel.gate.clear()
    notifier = Notifier(channel, 20_000, SystemClock(), lambda _kind, result: counts.setdefault(result, 1))
    task = asyncio.ensure_future(notifier.run())
    notifier.offer(b"1")
    await until(lambda: Result.FAILED in counts)
    task.cancel()


@pytest.fixture
def example():
    return example_setup()


# --- the desk -----------------------------------------------------------------------------------------------


class Spawned:
    def __init__(self):
        self.tasks = []

    def __call__(self, coroutine, *, name):
        self.tasks.append(asyncio.ensure_future(coroutine))
        return self.tasks[-1]


@pytest.fixture
async def spawned():
    made = Spawned()
    yield made
    for task in made.tasks:
        task.cancel()


def message(on=Occasion.SWITCH, text="x"):
    return Message(on, Moment.HAPPENS, "cloud", "wall 5", text)


def appending(path):
    """A command that writes what it gets into a file."""
    return ("/bin/sh", "-c", 'cat >> "$0"', str(path))


async def test_only_those_who_asked_are_told(spawned, counts, tmp_path, example):
    desk = Desk(SystemClock(), spawned, lambda _kind, result: counts.setdefault(result, 1))
    switches = NotifySetup(frozenset({"switch"}), command=appending(tmp_path / "switches"))
    alarms = NotifySetup(frozenset({"partial"}), command=appending(tmp_path / "alarms"))
    desk.configure(replace(example, notify=(switches, alarms)))
    desk.tell(message())
    await until(lambda: counts)
    assert json.loads((tmp_path / "switches").read_text())["text"] == "x"
    assert not (tmp_path / "alarms").exists()


async def test_a_reload_keeps_what_is_the_same_and_ends_what_is_gone(spawned, counts, example):
    desk = Desk(SystemClock(), spawned, lambda *_: None)
    one, two = (NotifySetup(frozenset({"switch"}), command=(name,)) for name in ("/one", "/two"))
    desk.configure(replace(example, notify=(one, two)))
    desk.configure(replace(example, notify=(two,)))
    await until(spawned.tasks[0].done)
    assert len(spawned.tasks) == 2
    assert not spawned.tasks[1].done()


# --- commands -----------------------------------------------------------------------------------------------


async def test_a_command_gets_the_message_on_standard_input_and_its_arguments_as_they_are(tmp_path):
    out = tmp_path / "out put"
    script = 'cat > "$1"; printf "%s\\n" "$2" "$3" >> "$1"'
    await Command(("/bin/sh", "-c", script, "sh", str(out), "two  blanks", "$HOME;'")).deliver(b'{"a": 1}\n')
    assert out.read_text() == '{"a": 1}\ntwo  blanks\n$HOME;\'\n'


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("/bin/false",), "exit status 1"),
        (("/bin/sh", "-c", "kill -9 $$"), "killed by signal 9"),
        (("/nonexistent/page",), "there is no such command"),
        (("/etc/passwd",), "cannot be executed"),
    ],
)
async def test_a_command_that_fails_says_how_and_is_not_run_again(command, says):
    with pytest.raises(NotDelivered, match=says) as caught:
        await Command(command).deliver(b"{}")
    assert not caught.value.again


async def test_a_command_that_reads_nothing_is_no_failure():
    await Command(("/bin/true",)).deliver(b"x" * 1_000_000)


async def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path):
    pids = tmp_path / "pids"
    script = 'sleep 600 & echo $! $$ > "$0.new"; mv "$0.new" "$0"; wait'
    delivery = asyncio.ensure_future(Command(("/bin/sh", "-c", script, str(pids))).deliver(b"{}"))
    await until(pids.exists)
    delivery.cancel()
    await asyncio.wait({delivery})
    for pid in pids.read_text().split():
        await until(lambda pid=pid: not runs(pid))


async def test_a_command_that_is_given_up_while_it_starts_is_killed_as_well(tmp_path, monkeypatch):
    begun, go_on = asyncio.Event(), asyncio.Event()
    start = asyncio.create_subprocess_exec

    async def slow_start(*command, **options):
        process = await start(*command, **options)
        begun.set()
        await go_on.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow_start)
    pids = tmp_path / "pids"
    script = 'echo $$ > "$0.new"; mv "$0.new" "$0"; sleep 600'
    delivery = asyncio.ensure_future(Command(("/bin/sh", "-c", script, str(pids))).deliver(b"{}"))
    await begun.wait()
    await until(pids.exists)
    delivery.cancel()
    go_on.set()
    await asyncio.wait({delivery})
    assert delivery.cancelled()
    await until(lambda: not runs(pids.read_text().strip()))


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - /proc does not block
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- webhooks -----------------------------------------------------------------------------------------------


class Hook:
    """A server that answers as it is told."""

    def __init__(self):
        self.status, self.headers, self.requests = 200, {}, []

    async def answer(self, request):
        self.requests.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def hook():
    made = Hook()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = site._server.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{made.port}/hooks/{SECRET}"
    yield made
    await runner.cleanup()


async def test_a_webhook_gets_json_and_the_token_of_its_file(hook, tmp_path):
    token = tmp_path / "token"
    token.write_text("bearer-one\n")
    webhook = Webhook(hook.url, None, token)
    await webhook.deliver(b'{"a": 1}')
    token.write_text("bearer-two\n")
    await webhook.deliver(b'{"a": 1}')
    path, headers, body = hook.requests[0]
    assert (path, body, headers["Content-Type"]) == (f"/hooks/{SECRET}", b'{"a": 1}', "application/json")
    assert [one[1]["Authorization"] for one in hook.requests] == ["Bearer bearer-one", "Bearer bearer-two"]


async def test_a_url_may_stand_in_a_file(hook, tmp_path):
    file = tmp_path / "url"
    file.write_text(hook.url + "\n")
    await Webhook(None, file, None).deliver(b"{}")
    assert len(hook.requests) == 1


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (404, False), (302, False), (408, True), (429, True), (500, True)]
)
async def test_another_status_than_success_is_a_failure(hook, status, again):
    hook.status = status
    hook.headers = {"Location": "/elsewhere"} if status == 302 else {}
    with pytest.raises(NotDelivered, match=f"HTTP status {status}") as caught:
        await Webhook(hook.url, None, None).deliver(b"{}")
    assert caught.value.again is again
    assert len(hook.requests) == 1  # a redirect is not followed


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "cannot be read"),
        ("", "one line"),
        ("two words", "one line"),
        ("ü", "one line"),
        ("x" * 9999, "one line"),
    ],
)
async def test_a_file_that_holds_no_secret_is_named_and_its_text_is_not(hook, tmp_path, written, says):
    file = tmp_path / "token"
    if written is not None:
        file.write_text(written)
    with pytest.raises(NotDelivered, match=f"{file}.*{says}"):
        await Webhook(hook.url, None, file).deliver(b"{}")
    assert hook.requests == []


@pytest.mark.parametrize("what", ["refused", "no URL", "closed"])
async def test_no_failure_shows_the_url_or_the_token(hook, tmp_path, what):
    file, token = tmp_path / "url", tmp_path / "token"
    token.write_text(SECRET)
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    closing = listener.sockets[0].getsockname()[1]
    urls = {
        "refused": f"http://127.0.0.1:1/{SECRET}",
        "no URL": f"gopher:{SECRET}",
        "closed": f"http://127.0.0.1:{closing}/{SECRET}",
    }
    file.write_text(urls[what])
    webhook = Webhook(None, file, token)
    with pytest.raises(NotDelivered) as caught:
        await webhook.deliver(b"{}")
    listener.close()
    assert SECRET not in str(caught.value)
    assert SECRET not in webhook.name
    assert SECRET not in Webhook(hook.url, None, None).name


async def test_a_call_that_hangs_gets_no_second_thread_beside_it():
    aside, gate = Aside(), threading.Event()
    first = asyncio.ensure_future(aside.call(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(StillBusy):
        await aside.call(lambda: 1)
    gate.set()
    assert await first
    assert await aside.call(os.getpid) == os.getpid()
