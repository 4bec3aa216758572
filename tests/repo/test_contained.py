"""``make test`` runs in namespaces of its own: what it makes is gone with it."""

from __future__ import annotations

import os
import secrets
import subprocess

import pytest

from tests.repo.tree import ROOT
from tests.support.netns import eventually

pytestmark = pytest.mark.net


def contained(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/contained", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def marked(word: str) -> list[str]:
    """The process ids whose command line has the word."""
    done = subprocess.run(["pgrep", "-f", word], capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.split()


def test_a_namespace_made_inside_is_not_seen_outside() -> None:
    done = contained("ip netns add left-behind && ip netns list")
    assert "left-behind" in done.stdout
    assert not os.path.lexists("/run/netns/left-behind")


def test_only_its_own_loopback_is_inside_and_it_is_up() -> None:
    done = contained("ip -o link show up")
    assert len(done.stdout.splitlines()) == 1, done.stderr
    assert ": lo: " in done.stdout


def test_a_process_left_behind_ends_with_it() -> None:
    word = f"left-{secrets.token_hex(4)}"
    assert contained(f"sh -c 'sleep 600; : {word}' >/dev/null 2>&1 & echo started").stdout == "started\n"
    eventually(lambda: not marked(word), what="the process is gone")


def test_the_exit_status_is_the_commands() -> None:
    assert contained("exit 7").returncode == 7
