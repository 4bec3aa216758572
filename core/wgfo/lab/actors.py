"""What runs in the lab during a demonstration: the real daemon, and traffic from the client to the server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from wgfo.lab import config, meter
from wgfo.lab.errors import LabError
from wgfo.lab.lab import Lab
from wgfo.lab.topology import SERVER, Node

END_S: Final = 5
WGFO: Final = (sys.executable, "-P", "-c", "from wgfo.cli.main import main; main()")
LOG_LINES: Final = 15


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Daemon:
    """``wgfo run`` in the lab, asked over its control socket."""

    def __init__(self, process: subprocess.Popen[bytes], control: Path, log: Path) -> None:
        self._process = process
        self._control = control
        self._log = log

    def ask(self, path: str) -> dict[str, Any] | None:
        """Return an answer; None while there is none yet.

        Raises:
            LabError: the daemon has ended; the text holds its last words.
        """
        if self._process.poll() is not None:
            words = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            raise LabError("the daemon ended by itself; its last words:\n" + "\n".join(words))
        connection = _UnixConnection(self._control)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        parsed: dict[str, Any] = json.loads(body) if answer.status == http.client.OK else {}
        return parsed or None


@contextlib.contextmanager
def running_daemon(made: Lab, node: Node, settings_text: str) -> Iterator[Daemon]:
    """Run ``wgfo run`` in a node for the length of a block."""
    settings, log = made.directory / "wgfo.toml", made.directory / "wgfo.log"
    settings.write_text(settings_text, encoding="utf-8")
    with (
        log.open("wb") as words,
        _process(made, (*WGFO, "run", "--config", str(settings)), node, "wgfo", words) as process,
    ):
        yield Daemon(process, config.control_socket(made.directory), log)


@contextlib.contextmanager
def _process(
    made: Lab, argv: tuple[str, ...], node: Node, name: str, stdout: int | IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in the lab for the length of a block; it is asked to end, and then made to."""
    stderr = subprocess.STDOUT if name == "wgfo" else subprocess.DEVNULL
    process = made.enclosure.popen(argv, node, name, stdout=stdout, stderr=stderr)
    try:
        yield process
    finally:
        made.enclosure.signal(name)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            made.enclosure.signal(name, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):  # then it ends with the lab
                process.wait(END_S)
        if process.stdout is not None:
            process.stdout.close()


class Traffic:
    """The meter in the client, read without waiting."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._rest = b""

    def lines(self) -> list[bytes]:
        """Return the whole lines that have come since the last call."""
        data = b""
        while chunk := self._read():
            data += chunk
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe.fileno(), 65_536)
        except BlockingIOError:
            return b""


@contextlib.contextmanager
def running_traffic(made: Lab) -> Iterator[Traffic]:
    """Send traffic from the client to the server for the length of a block."""
    run_meter = (sys.executable, "-P", "-m", "wgfo.lab.meter")
    where = (SERVER, str(meter.PORT))
    serve, send = (*run_meter, "serve", *where), (*run_meter, "send", *where)
    with (
        _process(made, serve, Node.SERVER, "meter-serve", subprocess.DEVNULL),
        _process(made, send, Node.CLIENT, "meter-send", subprocess.PIPE) as process,
    ):
        yield Traffic(process)
