"""The alert webhook: whoever has the token is heard; what is refused changes nothing and is counted."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import tempfile
from pathlib import Path

import aiohttp
import pytest
from tests.support.example import FakeSource, example_setup

from wgfo.daemon.alerts import MOST, AlertBoard
from wgfo.daemon.control.access import access_for
from wgfo.daemon.control.alerts import BURST, MOST_BYTES, PER_SECOND, Bucket, Webhook
from wgfo.daemon.control.api import ControlApi
from wgfo.daemon.control.server import ControlServer
from wgfo.plugin import ConfigError
from wgfo.plugin.alerts import AlertState
from wgfo.probes.secret import Secret, read_secret
from wgfo.telemetry.metrics import Exposition
from wgfo.telemetry.webhook import WebhookCounts

TOKEN = "s3cret-token"
DEAD = {"alertname": "PathDown", "path": "primary"}


class Clock:
    now_us = 0

    def __call__(self) -> int:
        return self.now_us


class Hook:
    """The webhook, its board and its counts, behind a real server."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.board = AlertBoard(self.clock)
        self.board.subscribe(lambda labels: labels.get("alertname") == "PathDown", lambda: None)
        self.counts = WebhookCounts()
        self.webhook = Webhook(self.board, self.counts, self.clock)
        self.webhook.token = Secret(TOKEN)
        self.session: aiohttp.ClientSession

    def state(self) -> AlertState | None:
        return next((alert.state for alert in self.board.alerts()), None)

    def counted(self) -> dict[str, float]:
        return {
            sample.labels["result"]: sample.value
            for family in self.counts.families()
            for sample in family.samples
            if sample.value
        }

    async def post(self, body: object, token: str | None = TOKEN, **headers: str):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        shown = headers if token is None else {"Authorization": f"Bearer {token}", **headers}
        async with self.session.post("/api/v1/alerts", data=io.BytesIO(data), headers=shown) as response:
            return response.status, json.loads(await response.text())


def payload(status: str = "firing", labels=DEAD, starts: str = "2026-11-22T10:00:00.123456789Z", **more):
    """What Alertmanager 0.25 sends."""
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "primary is down"},
        "startsAt": starts,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "c4ca4238a0b92382",
    }
    return {
        "version": "4",
        "groupKey": '{}:{path="primary"}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "wgfo",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [alert],
        **more,
    }


@pytest.fixture
async def hook():
    directory = Path(tempfile.mkdtemp(prefix="wgfo-test-"))
    made, source, access = Hook(), FakeSource(), access_for(None)
    setup = example_setup(control=directory / "control.sock", http="127.0.0.1:0")
    api = ControlApi(source, lambda _accept: Exposition(b"", "text/plain"), access, webhook=made.webhook)
    server = ControlServer(api, setup.daemon, access)
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.http_port}") as made.session:
        yield made
    await server.aclose()
    shutil.rmtree(directory)


# --- what is heard -------------------------------------------------------------------------------------------


async def test_an_alert_is_heard(hook):
    assert await hook.post(payload()) == (200, {"api_version": 1, "alerts": 1})
    assert hook.state() is AlertState.FIRING
    assert hook.counted() == {"accepted": 1, "changed": 1}


async def test_a_notification_that_is_sent_twice_is_heard_once(hook):
    for _ in range(2):
        await hook.post(payload())
    assert hook.state() is AlertState.FIRING
    assert hook.counted() == {"accepted": 2, "changed": 1, "repeated": 1}


async def test_the_end_of_an_earlier_alert_comes_late_and_does_no_harm(hook):
    await hook.post(payload(starts="2026-11-22T11:00:00Z"))
    await hook.post(payload("resolved", starts="2026-11-22T11:59:59+01:00"))
    assert hook.state() is AlertState.FIRING
    assert hook.counted()["stale"] == 1


async def test_an_alert_that_is_resolved_before_it_fires_does_not_fire(hook):
    await hook.post(payload("resolved"))
    await hook.post(payload())
    assert hook.state() is AlertState.DOUBTFUL


async def test_an_alert_of_nobody_is_accepted_and_not_kept(hook):
    assert (await hook.post(payload(labels={"alertname": "DiskFull"})))[0] == 200
    assert hook.state() is None
    assert hook.counted() == {"accepted": 1, "unmatched": 1}


async def test_keys_of_newer_versions_are_ignored(hook):
    assert (await hook.post(payload(something={"new": 1})))[0] == 200


async def test_the_scheme_is_read_as_http_has_it(hook):
    assert (await hook.post(payload(), None, Authorization=f"bearer  {TOKEN}"))[0] == 200


# --- what is refused -----------------------------------------------------------------------------------------


def without(key: str) -> dict:
    body = payload()
    del body["alerts"][0][key]
    return body


MALFORMED = {
    "no JSON": (b"{", "Invalid JSON"),
    "no object": (b"[]", "object"),
    "another version": (payload(version="5"), "version: Input should be '4'"),
    "no version": ({"alerts": []}, "version: Field required"),
    "alerts of another shape": (payload(alerts={}), "alerts:"),
    "no labels": (without("labels"), "alerts.0.labels: Field required"),
    "no start": (without("startsAt"), "alerts.0.startsAt: Field required"),
    "a start that is no time": (payload(starts="yesterday"), "is no RFC 3339 time"),
    "a start without a zone": (payload(starts="2026-11-22T10:00:00"), "without a zone"),
    "another status": (payload("pending"), "alerts.0.status"),
    "labels that are no text": (payload(labels={"path": 1}), "alerts.0.labels.path"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_makes_no_sense_is_refused_with_a_reason(hook, name):
    body, reason = MALFORMED[name]
    code, answer = await hook.post(body)
    assert code == 400
    assert reason in answer["error"]
    assert (hook.state(), hook.counted()) == (None, {"malformed": 1})


@pytest.mark.parametrize("token", [None, "", "s3cret-toke", "s3cret-token2", "S3CRET-TOKEN"])
async def test_without_the_token_nothing_is_heard(hook, token):
    code, answer = await hook.post(payload(), token)
    assert (code, hook.state(), hook.counted()) == (401, None, {"unauthorised": 1})
    assert TOKEN not in answer["error"]


async def test_another_scheme_is_no_token(hook):
    assert (await hook.post(payload(), None, Authorization=f"Basic {TOKEN}"))[0] == 401


async def test_where_no_token_is_configured_the_webhook_is_off(hook):
    hook.webhook.token = None
    code, answer = await hook.post(payload())
    assert (code, hook.state()) == (403, None)
    assert "webhook_token_file" in answer["error"]


async def test_a_body_that_is_too_large_is_refused(hook):
    code, answer = await hook.post(b" " * (MOST_BYTES + 1))
    assert (code, hook.counted()) == (413, {"too_large": 1})
    assert "max_alerts" in answer["error"]


async def test_a_body_that_never_comes_is_not_waited_for(hook, monkeypatch):
    monkeypatch.setattr("wgfo.daemon.control.alerts.BODY_S", 0.01)
    base = hook.session._base_url
    reader, writer = await asyncio.open_connection(base.host, base.port)
    lines = (
        "POST /api/v1/alerts HTTP/1.1",
        "Host: wgfo",
        f"Authorization: Bearer {TOKEN}",
        "Content-Length: 9",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    await writer.wait_closed()
    assert answer.split()[1] == b"408"
    assert hook.counted() == {"malformed": 1}


async def test_a_flood_is_refused_and_the_next_second_is_not(hook):
    hook.webhook._bucket._tokens_us = 0
    assert (await hook.post(payload()))[0] == 429
    assert hook.state() is None
    hook.clock.now_us += 1_000_000
    assert (await hook.post(payload()))[0] == 200


async def test_strangers_do_not_use_up_what_the_sender_may_send(hook):
    before = hook.webhook._bucket._tokens_us
    await hook.post(payload(), "wrong")
    assert hook.webhook._bucket._tokens_us == before


async def test_more_alerts_than_are_kept_are_refused(hook):
    starts = "2026-11-22T10:00:00Z"
    alerts = [
        {"status": "firing", "labels": {**DEAD, "n": str(n)}, "startsAt": starts} for n in range(MOST + 1)
    ]
    code, answer = await hook.post(payload(alerts=alerts))
    assert (code, hook.state(), hook.counted()) == (422, None, {"refused": 1})
    assert "narrow match" in answer["error"]


async def test_the_token_is_in_no_answer_and_in_no_log(hook, caplog):
    await hook.post(payload(), "wrong-token")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not any(word in caplog.text for word in (TOKEN, "wrong-token"))


async def test_a_reason_is_logged_once_until_a_notification_is_accepted(hook, caplog):
    for body in (b"{", b"{", payload(), b"{"):
        await hook.post(body)
    assert len(caplog.records) == 2


def test_the_bucket_holds_a_burst_and_fills_at_its_rate():
    clock = Clock()
    bucket = Bucket(clock)
    assert sum(bucket.take() for _ in range(2 * BURST)) == BURST
    clock.now_us += 2_000_000
    assert sum(bucket.take() for _ in range(2 * BURST)) == 2 * PER_SECOND


# --- the token's file ----------------------------------------------------------------------------------------


def test_a_token_is_one_line_of_a_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o640)
    secret = read_secret(path, "webhook_token_file")
    assert secret.is_(TOKEN)
    assert TOKEN not in repr(secret)


@pytest.mark.parametrize(
    ("data", "mode", "text"),
    [
        (b"", 0o600, "one line"),
        (b"one\ntwo\n", 0o600, "one line"),
        (b"\xff\xfe", 0o600, "printable ASCII"),
        (b"token\n", 0o644, "chmod o-r"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path, data, mode, text):
    path = tmp_path / "token"
    path.write_bytes(data)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=text):
        read_secret(path, "webhook_token_file")


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"webhook_token_file .*/token: No such file"):
        read_secret(tmp_path / "token", "webhook_token_file")
