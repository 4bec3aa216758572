"""`wgfo reflect` as a process: it serves, tells its figures, and ends in order."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from wgfo.cli.main import main
from wgfo.daemon import reflector
from wgfo.probes.reflect import Reflector
from wgfo.probes.stamp_key import Key
from wgfo.probes.stamp_packet import Request, decode_reply, encode_request

SECRET = "sixteen octets !"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@contextlib.contextmanager
def running(tmp_path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, ready; it is killed at the end if it still runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        process = subprocess.Popen(
            [sys.executable, "-m", "wgfo", "reflect", *arguments],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert systemd.recv(4096).decode().startswith("READY=1\nSTATUS=reflecting on 127.0.0.1:")
            yield process
        finally:
            process.kill()
            process.communicate()


def ask(port: int, key: Key | None = None, sequence: int = 1) -> int:
    """Send a request, and return the reflector's own number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(encode_request(Request(sequence, 5, 9), key), ("127.0.0.1", port))
        return decode_reply(sock.recv(200), key).sequence


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def test_it_answers_until_sigterm_and_ends_with_its_figures(tmp_path, port):
    with running(tmp_path, "--listen", f"127.0.0.1:{port}", "--json") as process:
        assert [ask(port), ask(port)] == [0, 1]
        code, out, err = end(process)
    assert code == 0
    figures = json.loads(out)
    assert (figures["api_version"], figures["received"], figures["reflected"]) == (1, 2, 2)
    assert err.splitlines() == [
        f"reflecting on 127.0.0.1:{port}",
        "2 received, 2 reflected, 1 sessions",
    ]


def test_an_interrupt_ends_it_in_order_too(tmp_path, port):
    with running(tmp_path, "--listen", f"127.0.0.1:{port}") as process:
        code, out, err = end(process, signal.SIGINT)
    assert (code, out) == (0, "")
    assert "0 received" in err


def test_sigusr1_tells_the_figures_and_it_goes_on(tmp_path, port):
    with running(tmp_path, "--listen", f"127.0.0.1:{port}") as process:
        ask(port)
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(2)]
        assert lines[1] == "1 received, 1 reflected, 1 sessions\n"
        assert ask(port) == 1


def test_several_addresses_share_the_sessions_table(tmp_path, port):
    other = free_port()
    arguments = ("--listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{other}")
    with running(tmp_path, *arguments) as process:
        assert [ask(port), ask(other)] == [0, 1]
        assert f"reflecting on 127.0.0.1:{port}, 127.0.0.1:{other}" in end(process)[2]


def test_with_a_key_it_answers_who_has_it_and_shows_it_nowhere(tmp_path, port):
    key_file = tmp_path / "stamp.key"
    key_file.write_text(SECRET)
    key_file.chmod(0o600)
    arguments = ("--listen", f"127.0.0.1:{port}", "--key-file", str(key_file), "--json")
    with running(tmp_path, *arguments) as process:
        assert ask(port, Key(SECRET.encode())) == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(encode_request(Request(1, 5, 9), Key(b"another sixteen!")), ("127.0.0.1", port))
        assert ask(port, Key(SECRET.encode())) == 1
        _, out, err = end(process)
    assert json.loads(out)["unauthenticated"] == 1
    assert f"127.0.0.1:{port}, authenticated" in err
    assert SECRET not in out + err


def test_without_sessions_it_copies_the_number(tmp_path, port):
    with running(tmp_path, "--listen", f"127.0.0.1:{port}", "--max-sessions", "0"):
        assert ask(port, sequence=77) == 77


# --- what it cannot do --------------------------------------------------------------------------------------


@pytest.fixture
def cli(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["reflect", *arguments])
        return (ended.value.code, *capsys.readouterr())

    return run


def test_a_port_in_use_says_who_would_know(cli):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        code, out, err = cli("--listen", where)
    assert (code, out) == (1, "")
    assert err == (
        f"wgfo: cannot listen on {where}: Address already in use; "
        "another program listens there: ss -lnup names it\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--listen", "nowhere:862"), 2, "'nowhere:862' is no address to listen on; accepted:"),
        (("--listen", "192.0.2.1:862"), 1, "this host has no such address: ip address lists them"),
        (
            ("--listen", "127.0.0.1:8620", "--device", "gone0"),
            1,
            "there is no such device: ip link lists them",
        ),
        (("--key-file", "/nowhere/stamp.key"), 1, "key file /nowhere/stamp.key: No such file or directory"),
        (("--rate", "0"), 2, "--rate"),
    ],
)
def test_what_it_cannot_do_is_said_with_the_remedy(cli, arguments, code, said):
    result = cli(*arguments)
    assert result[0] == code
    assert said in " ".join(result[2].split())


def test_a_privileged_port_says_what_to_grant(cli, monkeypatch):
    def refuse(_self: object, _address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    _, _, err = cli("--listen", "127.0.0.1")
    assert (
        "cannot listen on 127.0.0.1:862: Permission denied; ports below 1024 need CAP_NET_BIND_SERVICE" in err
    )


def test_where_there_is_no_ipv6_it_listens_on_ipv4_alone(monkeypatch):
    real = socket.socket

    def ipv4_only(family: int, *more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *more)

    everywhere = (f"127.0.0.1:{free_port()}", "[::1]:8620")
    monkeypatch.setattr(reflector, "EVERYWHERE", tuple(map(reflector.Listen.parse, everywhere)))
    monkeypatch.setattr(reflector.socket, "socket", ipv4_only)
    opened = reflector.open_all((), None, Reflector())
    assert [one.address.partition(":")[0] for one in opened] == ["127.0.0.1"]
    for one in opened:
        one.close()
