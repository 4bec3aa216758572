"""systemd hears what it should, and nothing happens without it."""

from __future__ import annotations

import os
import secrets
import socket

import pytest

from wgfo.daemon import notify


@pytest.fixture(params=["file", "abstract"])
def systemd(request, tmp_path, monkeypatch):
    name = str(tmp_path / "notify") if request.param == "file" else f"@wgfo-{secrets.token_hex(6)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1))
        listener.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield lambda: listener.recv(4096).decode()


def test_ready_bears_the_status(systemd):
    assert notify.ready("2 groups")
    assert systemd() == "READY=1\nSTATUS=2 groups"


def test_reloading_bears_the_monotonic_time(systemd):
    assert notify.reloading()
    first, second = systemd().split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


def test_stopping_and_the_watchdog_are_one_word_each(systemd):
    assert notify.stopping()
    assert notify.alive()
    assert (systemd(), systemd()) == ("STOPPING=1", "WATCHDOG=1")


@pytest.mark.parametrize("address", [None, "", "relative", "/nonexistent/notify"])
def test_without_a_listener_nothing_happens(monkeypatch, address):
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert notify.alive() is False


@pytest.mark.parametrize(
    ("usec", "pid", "due"),
    [
        ("3000000", "", 3_000_000),
        ("3000000", str(os.getpid()), 3_000_000),
        ("3000000", str(os.getpid() + 1), None),
        ("", "", None),
    ],
)
def test_the_watchdogs_period_is_read_if_it_watches_this_process(monkeypatch, usec, pid, due):
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert notify.watchdog_us() == due
