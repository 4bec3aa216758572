"""Behind the lab's first process: starting it, running commands in its nodes, ending it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from wgfo.lab.errors import CommandFailed, LabError
from wgfo.lab.holder import PIDS, STAY, WIREGUARD, WIREGUARD_OF
from wgfo.lab.requirements import Means
from wgfo.lab.topology import Node

COMMAND_S: Final = 20
START_S: Final = 10.0
END_S: Final = 10.0
START_TIME_FIELD: Final = 19
"""Of /proc/PID/stat, counted after the command's name (proc(5): field 22, starttime)."""

_ENTER: Final = (
    f'mount --bind {WIREGUARD_OF}/"$0" {WIREGUARD} && {{ cd "$1" 2>/dev/null; shift; exec "$@"; }}'
)
"""In a node: its own WireGuard sockets, the caller's directory where the lab has it, then the command."""
_NOTE_PID: Final = f'echo $$ > {PIDS}/"$0"; exec "$@"'
_AWAIT_PID: Final = f'for _ in $(seq 500); do [ -s {PIDS}/"$0" ] && exit 0; sleep 0.01; done; exit 1'
"""Ends once the process has noted its PID: a signal sent next finds it."""
_BACKGROUND: Final = f'rm -f {PIDS}/"$0"; "$@" </dev/null >/dev/null 2>&1 & {_AWAIT_PID}'


def start_time(pid: int) -> int | None:
    """Return when a process started, in ticks since boot; None when it is not there, or dead and not reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[START_TIME_FIELD])


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A lab's namespaces, reached through its first process."""

    pid: int
    """Of the first process, as seen from outside."""
    started: int
    user_namespace: bool

    @property
    def alive(self) -> bool:
        """Whether the first process is there, and is the same one."""
        return start_time(self.pid) == self.started

    def command(self, argv: Sequence[str], node: Node | None = None) -> list[str]:
        """Return the command that runs ``argv`` in a node, or in the lab but in no node."""
        user = ["--user", "--preserve-credentials"] if self.user_namespace else []
        enter = ["nsenter", "--target", str(self.pid), *user, "--mount", "--net", "--pid", "--"]
        if node is None:
            return [*enter, *argv]
        return [*enter, "ip", "netns", "exec", node, "sh", "-c", _ENTER, node, str(Path.cwd()), *argv]

    def run(self, *argv: str, node: Node | None = None, given: str | None = None, check: bool = True) -> str:
        """Run a command to its end and return its standard output.

        Raises:
            CommandFailed: it failed (unless ``check`` is false) or did not end within 20 s.
        """
        try:
            done = subprocess.run(  # noqa: S603 - our own commands, no shell
                self.command(argv, node), capture_output=True, text=True, input=given or "",
                timeout=COMMAND_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{' '.join(argv)} did not end within {COMMAND_S} s") from None
        if check and done.returncode:
            raise CommandFailed(_failure(argv, node, given, done))
        return done.stdout

    def succeeds(self, *argv: str, node: Node | None = None) -> bool:
        """Run a command for its exit status alone."""
        done = subprocess.run(  # noqa: S603 - our own commands, no shell
            self.command(argv, node),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_S,
            check=False,
        )
        return done.returncode == 0

    def ip(self, lines: Sequence[str], node: Node | None = None) -> None:
        """Run several ``ip`` commands at once, in a node or in the lab.

        Raises:
            CommandFailed: one of them failed; the others before it are done.
        """
        where = ["-n", node] if node else []
        if lines:
            self.run("ip", *where, "-batch", "-", given="\n".join(lines) + "\n")

    def popen(
        self,
        argv: Sequence[str],
        node: Node,
        name: str,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in a node in a session of its own; ``signal(name)`` reaches it, kill() does not."""
        self.run("rm", "-f", str(PIDS / name))
        noted = ["sh", "-c", _NOTE_PID, name, *argv]
        process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            self.command(noted, node), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
        self.succeeds("sh", "-c", _AWAIT_PID, name)
        return process

    def spawn(self, argv: Sequence[str], node: Node, name: str) -> None:
        """Start a command in the background; it stays until ``signal(name, …)`` or the lab's end."""
        noted = ["sh", "-c", _NOTE_PID, name, *argv]
        self.run("sh", "-c", _BACKGROUND, name, *noted, node=node)

    def signal(self, name: str, number: signal.Signals = signal.SIGTERM) -> bool:
        """Send a signal to a process started under a name; False when it is gone."""
        script = f'kill -{number.value} "$(cat {PIDS}/"$0")"'
        return self.succeeds("sh", "-c", script, name)

    def running(self, name: str) -> bool:
        """Whether a process started under a name is there (a zombie is not)."""
        script = f'grep -q "^State:.[^Z]" /proc/"$(cat {PIDS}/"$0")"/status'
        return self.succeeds("sh", "-c", script, name)

    def end(self) -> None:
        """End the first process and thereby all that the lab is; returns when it is gone.

        Raises:
            LabError: it is still there after 10 s (a process in uninterruptible sleep).
        """
        if not self.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                os.kill(self.pid, signal.SIGKILL)
                _await_end(descriptor, self.pid)
            finally:
                os.close(descriptor)


class Founding:
    """A lab's first process while its builder holds it: it ends with the builder unless told to stay.

    It is nobody's child (``setsid --fork``), so that a builder which lives on has nothing to wait for.
    """

    def __init__(self, means: Means, state_dir: Path) -> None:
        self.stayed = False
        command = [*means.unshare, "--", sys.executable, "-P", "-m", "wgfo.lab.holder", str(state_dir)]
        self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            ["setsid", "--fork", *command],  # noqa: S607 - as surveyed
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            self._process.wait(START_S)
            pid = self._await_pid()
        except BaseException:
            self.close()
            raise
        self.enclosure = Enclosure(pid, start_time(pid) or 0, means.user_namespace)

    def stay(self) -> None:
        """Let the lab outlive the builder."""
        pipe = self._process.stdin
        assert pipe is not None
        pipe.write(STAY)
        pipe.flush()
        self.stayed = True

    def close(self) -> None:
        """Close the pipes; unless it was told to stay, the lab ends by that alone."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def abandon(self) -> None:
        """End the lab and wait for the end."""
        self.close()
        self.enclosure.end()

    def _await_pid(self) -> int:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        ready, _, _ = select.select([stdout], [], [], START_S)
        line = stdout.readline() if ready else b""
        answer: dict[str, object] = json.loads(line) if line else {}
        pid = answer.get("pid")
        if isinstance(pid, int):
            return pid
        said = answer.get("error") or (
            stderr.read().decode(errors="replace").strip() if ready else "no answer"
        )
        raise LabError(
            f"the lab's first process did not start: {said}; look for what forbids namespaces here"
        )


def _await_end(descriptor: int, pid: int) -> None:
    deadline = time.monotonic() + END_S
    ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        raise LabError(
            f"the lab's first process {pid} did not end within {END_S:.0f} s; look at it with ps and retry"
        )


def _failure(
    argv: Sequence[str], node: Node | None, given: str | None, done: subprocess.CompletedProcess[str]
) -> str:
    where = f"in {node}: " if node else ""
    said = done.stderr.strip() or done.stdout.strip() or "no words"
    text = f"{where}{' '.join(argv)}: exit status {done.returncode}: {said}"
    return f"{text}\ngiven:\n{given}" if given else text
