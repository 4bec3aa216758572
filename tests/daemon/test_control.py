"""The control API answers everyone who may read, and obeys those who may change."""

from __future__ import annotations

import asyncio
import grp
import json
import shutil
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import aiohttp
import pytest
from tests.support.example import FakeSource, example_setup, exposed

from wgfo.daemon.control.access import Access, Peer, access_for
from wgfo.daemon.control.api import ControlApi
from wgfo.daemon.control.server import ControlInUse, ControlServer, bind_control, bind_http
from wgfo.plugin.errors import ConfigError


@pytest.fixture
def directory():
    """A directory that other users can enter."""
    path = Path(tempfile.mkdtemp(prefix="wgfo-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
async def served(source, directory):
    access = access_for(None)
    setup = example_setup(control=directory / "control.sock", http="127.0.0.1:0")
    api = ControlApi(source, exposed(b"wgfo_build_info 1.0\n"), access)
    server = ControlServer(api, setup.daemon, access)
    await server.start()
    yield server
    await server.aclose()


@pytest.fixture
async def control(served, directory):
    async with aiohttp.ClientSession(
        "http://wgfo", connector=aiohttp.UnixConnector(str(directory / "control.sock"))
    ) as session:
        yield session


@pytest.fixture
async def listener(served):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{served.http_port}") as session:
        yield session


@pytest.fixture(params=["control", "listener"])
def either(request, control, listener):
    return {"control": control, "listener": listener}[request.param]


async def got(session, path):
    async with session.get(path) as response:
        return response.status, await response.text()


async def asked(session, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post("/api/v1/requests", data=data) as response:
        return response.status, json.loads(await response.text())


# --- reading ------------------------------------------------------------------------------------------------


async def test_status_is_the_reference_object(either):
    code, text = await got(either, "/api/v1/status")
    shown = json.loads(text)
    assert (code, shown["state"], shown["groups"][0]["name"]) == (200, "ok", "cloud")
    assert "timers" not in shown["groups"][0]


async def test_status_with_timers_serves_the_table(either):
    _, text = await got(either, "/api/v1/status?timers=1")
    assert "timers" in json.loads(text)["groups"][0]


@pytest.mark.parametrize(("query", "groups"), [("", ["cloud", "gone"]), ("?group=gone", ["gone"])])
async def test_history_is_of_all_groups_or_of_one_that_may_be_gone(either, query, groups):
    code, text = await got(either, f"/api/v1/history{query}")
    assert code == 200
    assert [one["group"] for one in json.loads(text)["switches"]] == groups


async def test_history_of_an_unknown_group_names_the_known_ones(either):
    code, text = await got(either, "/api/v1/history?group=clowd")
    assert (code, json.loads(text)["error"]) == (404, "there is no group 'clowd' here; groups: cloud")


async def test_metrics_have_the_content_type_of_the_text_format(either):
    async with either.get("/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await response.text() == "wgfo_build_info 1.0\n"


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_health_is_ok_or_503_with_a_sentence(either, source, path):
    assert await got(either, path) == (200, "ok\n")
    source.well = False
    code, text = await got(either, path)
    assert code == 503
    assert json.loads(text)["error"].startswith("not ")


@pytest.mark.parametrize("path", ["/-/healthy", "/metrics", "/", "/api/v1/status", "/api/v1/events"])
async def test_whoever_wants_the_head_alone_gets_it(either, path):
    async with either.head(path) as response:
        assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/nowhere", 404), ("DELETE", "/metrics", 405)])
async def test_every_error_is_a_sentence(either, method, path, code):
    async with either.request(method, path) as response:
        assert response.status == code
        assert json.loads(await response.text())["error"].startswith(f"{method} {path}: ")


async def test_a_bug_in_an_endpoint_is_an_answer_too(either, source, caplog):
    source.switches = lambda: 1 / 0
    code, text = await got(either, "/api/v1/history")
    assert (code, "internal error" in json.loads(text)["error"]) == (500, True)
    assert "ZeroDivisionError" in caplog.text


# --- changing -----------------------------------------------------------------------------------------------


async def test_a_request_reaches_the_engine_with_the_name_of_its_user(control, source):
    body = {"group": "cloud", "kind": "lockout", "path": "primary", "reason": "work", "for_seconds": 3600}
    code, answer = await asked(control, body)
    assert (code, answer) == (200, {"api_version": 1, "accepted": True, "text": "done"})
    assert source.asked == [("cloud", "lockout", "primary", "work", "root", 3_600_000_000, None)]


async def test_a_refusal_by_policy_is_a_conflict_with_the_reason(control, source):
    source.accepted = False
    code, answer = await asked(control, {"group": "cloud", "kind": "switch", "path": "secondary"})
    assert (code, answer["accepted"], answer["text"]) == (409, False, "primary is locked out")


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"{", 400, "Invalid JSON"),
        ({"group": "cloud"}, 400, "kind: Field required"),
        ({"group": "cloud", "kind": "jump"}, 400, "kind: Input should be 'switch', 'force'"),
        ({"group": "cloud", "kind": "pause", "extra": 1}, 400, "extra: Extra inputs are not permitted"),
        (
            {"group": "clowd", "kind": "pause"},
            404,
            "there is no group 'clowd' here; groups of this process: cloud",
        ),
        ({"group": "cloud", "kind": "switch"}, 400, "switch needs a path, one of primary, secondary"),
        (
            {"group": "cloud", "kind": "switch", "path": "x"},
            400,
            "no path 'x'; its paths: primary, secondary",
        ),
        ({"group": "cloud", "kind": "pause", "path": "primary"}, 400, "pause takes no path"),
        ({"group": "cloud", "kind": "pause", "clear_kind": "forced"}, 400, "clear_kind is for clear alone"),
        ({"group": "cloud", "kind": "clear", "for_seconds": 3}, 400, "for_seconds means nothing with clear"),
        (
            {"group": "cloud", "kind": "pause", "for_seconds": -1},
            400,
            "for_seconds: Input should be greater than 0",
        ),
        ({"group": "cloud", "kind": "pause", "for_seconds": 1e99}, 400, "for_seconds: Input should be less"),
        (
            {"group": "cloud", "kind": "pause", "reason": "x" * 1001},
            400,
            "reason: String should have at most",
        ),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_before_the_engine(control, source, body, code, says):
    status, answer = await asked(control, body)
    assert status == code
    assert says in answer["error"]
    assert source.asked == []


async def test_a_body_without_bounds_is_refused(control, source):
    status, answer = await asked(control, b"x" * (65 * 1024))
    assert status == 413
    assert "error" in answer
    assert source.asked == []


async def test_an_engine_that_does_not_answer_is_not_waited_for_long(control, source, monkeypatch):
    monkeypatch.setattr("wgfo.daemon.control.changing.ANSWER_S", 0.02)
    source.hangs = True
    status, answer = await asked(control, {"group": "cloud", "kind": "pause"})
    assert (status, "did not answer within" in answer["error"]) == (504, True)


async def test_requests_do_not_exist_on_the_read_only_listener(listener, source):
    status, answer = await asked(listener, {"group": "cloud", "kind": "pause"})
    assert (status, answer["error"]) == (404, "POST /api/v1/requests: Not Found")
    assert source.asked == []


# --- who ----------------------------------------------------------------------------------------------------

AS_ANOTHER = """
import http.client, json, socket, sys
connection = http.client.HTTPConnection("wgfo")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.settimeout(5)
try:
    connection.sock.connect(sys.argv[1])
except PermissionError:
    print("kept out")
    sys.exit()
connection.request("GET", "/api/v1/status")
read = connection.getresponse()
read.read()
connection.request("POST", "/api/v1/requests", json.dumps({"group": "cloud", "kind": "pause"}))
changed = connection.getresponse()
print(read.status, changed.status, json.loads(changed.read()).get("error", ""))
"""
NOBODY = 65534


async def as_user(path, *, group, extra_groups=()):
    """What a user who is nobody in particular gets: to read, to change, and the error's text."""
    child = await asyncio.create_subprocess_exec(
        "/usr/bin/python3", "-c", AS_ANOTHER, str(path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=NOBODY, group=group, extra_groups=list(extra_groups),
    )  # fmt: skip
    out, err = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0, err.decode()
    return out.decode().strip()


def serve(source, path, operators):
    access = access_for(operators)
    api = ControlApi(source, exposed(), access)
    return ControlServer(api, example_setup(control=path, operators=operators).daemon, access)


@pytest.mark.net
async def test_a_member_of_the_operators_group_may_change_and_others_are_kept_out(source, directory):
    path = directory / "control.sock"
    operators = grp.getgrnam("games")
    server = serve(source, path, "games")
    await server.start()
    try:
        assert path.stat().st_gid == operators.gr_gid
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert await as_user(path, group=NOBODY) == "kept out"
        assert await as_user(path, group=operators.gr_gid) == "200 200"
        assert await as_user(path, group=NOBODY, extra_groups=[4, operators.gr_gid]) == "200 200"
        assert [asked[4] for asked in source.asked] == ["nobody", "nobody"]
    finally:
        await server.aclose()


@pytest.mark.net
async def test_a_reader_who_is_no_operator_is_told_who_may(source, directory):
    path = directory / "control.sock"
    server = serve(source, path, None)
    await server.start()
    try:
        path.chmod(0o666)
        answer = await as_user(path, group=NOBODY)
        assert answer.startswith("200 403 user nobody may read but not change: accepted are root")
        assert source.asked == []
    finally:
        await server.aclose()


def test_root_the_daemons_user_and_the_operators_may_change():
    access = Access(own_uid=990, operators=44)
    assert access.may_change(Peer(0, frozenset()))
    assert access.may_change(Peer(990, frozenset()))
    assert access.may_change(Peer(1000, frozenset({100, 44})))
    assert not access.may_change(Peer(1000, frozenset({100})))
    assert not Access(own_uid=990).may_change(Peer(1000, frozenset({0})))


def test_operators_that_do_not_exist_are_named():
    with pytest.raises(ConfigError, match="there is no group 'no-such-group' on this host"):
        access_for("no-such-group")


# --- the socket's file --------------------------------------------------------------------------------------


async def test_a_socket_left_by_a_dead_process_is_replaced(source, directory):
    path = directory / "control.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    server = serve(source, path, None)
    await server.start()
    await server.aclose()
    assert not path.exists()


async def test_a_living_socket_is_left_alone_and_named(served, source, directory):
    path = directory / "control.sock"
    with pytest.raises(
        ControlInUse, match=r"control .*: another wgfo answers there.*\[daemon\] control and state_dir"
    ):
        await serve(source, path, None).start()
    assert path.exists()


def test_a_file_that_is_no_socket_is_not_removed(tmp_path):
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(ControlInUse, match="a file that is no socket"):
        bind_control(path, None)
    assert path.read_text() == "precious"


def test_a_path_too_long_for_a_socket_says_so(tmp_path):
    with pytest.raises(ControlInUse, match="at most 107 bytes"):
        bind_control(tmp_path / ("x" * 110), None)


def test_a_directory_that_cannot_be_made_is_named():
    with pytest.raises(ControlInUse, match=r"control /proc/nope/control.sock: .*set \[daemon\] control"):
        bind_control(Path("/proc/nope/control.sock"), None)


async def test_ending_leaves_the_socket_of_a_successor(served, directory):
    path = directory / "control.sock"
    path.unlink()
    successor = bind_control(path, None)
    await served.aclose()
    assert path.exists()
    successor.close()


# --- the read-only listener's address -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["127.0.0.1:0", "localhost:0", "[::1]:0", "127.8.8.8:0"])
def test_loopback_addresses_are_listened_on(text):
    bind_http(text).close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.0.0.0:0", "is no loopback address"),
        ("10.20.0.9:9785", "is no loopback address"),
        ("[::]:0", "is no loopback address"),
        ("example:80", "accepted is HOST:PORT"),
        ("127.0.0.1", "accepted is HOST:PORT"),
        ("127.0.0.1:x", "accepted is HOST:PORT"),
    ],
)
def test_any_other_address_is_refused(text, says):
    with pytest.raises(ConfigError, match=says):
        bind_http(text)


def test_a_port_in_use_is_named():
    with bind_http("127.0.0.1:0") as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"\[daemon\] http 127.0.0.1:{port}: Address already in use"):
            bind_http(f"127.0.0.1:{port}")


async def test_when_the_listener_fails_the_control_socket_is_taken_back(source, directory):
    path = directory / "control.sock"
    access = access_for(None)
    setup = example_setup(control=path, http="0.0.0.0:0")
    with pytest.raises(ConfigError):
        await ControlServer(ControlApi(source, exposed(), access), setup.daemon, access).start()
    assert not path.exists()
