"""A real daemon that decides by alerts alone: Alertmanager dies, comes back, repeats itself, and comes late."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.world import World, world
from tests.support.netns import eventually

pytestmark = pytest.mark.net

TOKEN = "token-of-the-test"
WITHIN_S = 60
GROUP = """
[[group.probe]]
kind = "alertmanager"
act = "alone"
match = { alertname = "PathDown", path = "{path}" }
heartbeat = { alertname = "Watchdog" }
expiry = "8s"
"""


def ask(control: Path, what: str, head: str = "", body: str = "") -> bytes:
    """Return the whole answer to one request over the control socket."""
    text = f"{what} HTTP/1.1\r\nHost: wgfo\r\nConnection: close\r\n{head}\r\n{body}"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(control))
        client.sendall(text.encode())
        return b"".join(iter(lambda: client.recv(65_536), b""))


class Alertmanager:
    """Posts what Alertmanager would, over the control socket; its heart beats in a thread of its own."""

    def __init__(self, made: World) -> None:
        self._control = made.control
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def _beat(self) -> None:
        while not self._stop.wait(0.3):
            with contextlib.suppress(OSError):  # the daemon starts anew
                self.post("firing", alertname="Watchdog")

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        self._heart.start()
        try:
            yield
        finally:
            self._stop.set()
            self._heart.join(10)

    def post(
        self, status: str, starts: str = "2026-11-22T10:00:00Z", token: str = TOKEN, **labels: str
    ) -> int:
        """Return the status of the answer."""
        alert = {"status": status, "labels": labels, "startsAt": starts}
        body = json.dumps({"version": "4", "alerts": [alert]})
        head = f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n"
        return int(ask(self._control, "POST /api/v1/alerts", head, body).split()[1])

    def fires(self, path: str, **more: str) -> int:
        return self.post("firing", alertname="PathDown", path=path, **more)

    def ends(self, path: str, **more: str) -> int:
        return self.post("resolved", alertname="PathDown", path=path, **more)


@pytest.fixture
def made(tmp_path):
    with world(tmp_path) as one:
        token = tmp_path / "token"
        token.touch(0o600)
        token.write_text(TOKEN)
        one.write(daemon=f'http = "127.0.0.1:0"\nwebhook_token_file = "{token}"')
        text = one.config.read_text()
        packets = text[text.index("[[group.probe]]") : text.index("[[group.route]]")]
        one.config.write_text(text.replace(packets, GROUP))
        yield one


def group(made: World) -> dict[str, Any]:
    """Return the group's status; nothing while no daemon answers."""
    with contextlib.suppress(OSError, json.JSONDecodeError, IndexError):
        _, _, body = ask(made.control, "GET /api/v1/status").partition(b"\r\n\r\n")
        return dict(json.loads(body)["groups"][0])
    return {}


def states(made: World) -> dict[str, str]:
    return {path["name"]: path["state"] for path in group(made).get("paths", ())}


def until(made: World, **wanted: str) -> None:
    eventually(lambda: states(made) == wanted, within=WITHIN_S, what=f"{wanted}")


def test_alerts_alone_move_traffic_once_whatever_is_repeated_late_or_strange(made):
    made.run().ready()
    with Alertmanager(made).alive():
        until(made, primary="up", secondary="up")
        alertmanager = Alertmanager(made)
        assert alertmanager.fires("third") == 200
        assert alertmanager.fires("primary", token="wrong") == 401
        assert alertmanager.ends("primary", starts="2026-11-22T09:00:00Z") == 200
        assert alertmanager.fires("primary", starts="2026-11-22T08:00:00Z") == 200
        until(made, primary="up", secondary="up")
        assert (group(made)["epoch"], made.route()) == (1, "pa")
        for _ in range(3):
            assert alertmanager.fires("primary") == 200
        made.points_at("pb", within=WITHIN_S)
        alertmanager.ends("primary", starts="2026-11-22T09:00:00Z")
        alertmanager.fires("primary")
        assert states(made)["primary"] == "down"
        eventually(
            lambda: group(made).get("active") == "secondary", within=WITHIN_S, what="the move is read back"
        )
        assert group(made)["epoch"] == 2
        alertmanager.ends("primary")
        until(made, primary="up", secondary="up")
        assert made.route() == "pb"


def test_an_alertmanager_that_dies_leaves_everything_where_it_is(made):
    daemon = made.run().ready()
    with Alertmanager(made).alive():
        until(made, primary="up", secondary="up")
        assert Alertmanager(made).fires("primary") == 200
        made.points_at("pb", within=WITHIN_S)
    until(made, primary="unknown", secondary="unknown")
    assert made.route() == "pb"
    daemon.close()
    made.run().ready()
    assert states(made) == {"primary": "unknown", "secondary": "unknown"}
    with Alertmanager(made).alive():
        until(made, primary="up", secondary="up")
    assert made.route() == "pb"


def test_a_new_token_counts_after_a_reload_and_a_bad_one_changes_nothing(made):
    daemon = made.run().ready()
    alertmanager = Alertmanager(made)
    file = made.tmp / "token"
    file.chmod(0o644)
    daemon.signal(signal.SIGHUP)
    daemon.says("can be read by everyone", within=WITHIN_S)
    assert alertmanager.fires("primary") == 200
    file.chmod(0o600)
    file.write_text("another")
    daemon.signal(signal.SIGHUP)
    eventually(
        lambda: alertmanager.fires("primary", token="another") == 200, within=WITHIN_S, what="the new token"
    )
    assert alertmanager.fires("primary") == 401
