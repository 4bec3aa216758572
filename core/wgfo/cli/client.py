"""Talking to a running daemon: over its control socket, or over the URL of its read-only listener."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from wgfo.cli.errors import CliError, Misnamed, Refused, Unreachable

TIMEOUT_S: Final = 10.0
MOST: Final = 256 * 1024 * 1024
"""A longer answer is none of a wgfo."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    fields: Mapping[str, object]


class _OverSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("wgfo", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Asks one daemon.

    Args:
        control: its control socket.
        url: the URL of its ``http`` listener instead; it answers questions and takes no requests.
    """

    def __init__(self, control: Path | None = None, url: str | None = None) -> None:
        if (control is None) == (url is None):
            raise ValueError("a client needs either a socket or a URL")
        self._control = control
        self._url = url

    def get(self, path: str) -> Mapping[str, object]:
        """Return an answer's object.

        Raises:
            Unreachable: nobody answers, or somebody else does.
            CliError: the daemon says that it cannot; the text is its own.
        """
        answer = self._ask("GET", path)
        if answer.status != http.client.OK:
            raise CliError(_error(answer))
        return answer.fields

    def request(self, body: Mapping[str, object]) -> str:
        """Send an operator's request and return the engine's text.

        Raises:
            Refused: by policy.
            Misnamed: the request makes no sense there.
            CliError: the user may not.
            Unreachable: nobody answers.
        """
        answer = self._ask("POST", "/api/v1/requests", json.dumps(body).encode())
        match answer.status:
            case http.client.OK:
                return str(answer.fields.get("text", ""))
            case http.client.CONFLICT:
                raise Refused(str(answer.fields.get("text", "")))
            case http.client.BAD_REQUEST | http.client.NOT_FOUND:
                raise Misnamed(_error(answer))
            case _:
                raise CliError(_error(answer))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        connection, prefix = self._connection()
        try:
            connection.request(method, prefix + path, body)
            with connection.getresponse() as response:
                answer = Answer(response.status, self._object(response.read(MOST)))
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self._nobody(error)) from None
        finally:
            connection.close()
        return answer

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        if self._control is not None:
            return _OverSocket(self._control), ""
        parts = urlsplit(self._url or "")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CliError(f"--url: found {self._url!r}, accepted is a URL such as http://127.0.0.1:9785")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=TIMEOUT_S), parts.path.rstrip("/")

    def _object(self, content: bytes) -> Mapping[str, object]:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unreachable(f"{self._place}: what answers there is no wgfo")
        return cast("Mapping[str, object]", found)

    @property
    def _place(self) -> str:
        return str(self._control or self._url)

    def _nobody(self, error: Exception) -> str:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, PermissionError):
            return (
                f"{self._place}: {why}: the socket is for root and the group of [daemon] operators; "
                "run this with sudo, or have yourself added to that group"
            )
        start = "start it with 'wgfo run' (systemctl start wgfo)"
        other = "--url" if self._control is None else "--control or --config"
        return f"no daemon answers at {self._place} ({why}): {start}, or name another one with {other}"


def _error(answer: Answer) -> str:
    return str(answer.fields.get("error") or f"the daemon answered with status {answer.status}")


def client_for(
    config: Path | None, site: str | None, control: Path | None = None, url: str | None = None
) -> Client:
    """Return the client that the options name: the URL, else the socket, else the configuration's socket."""
    if url is not None:
        return Client(url=url)
    if control is not None:
        return Client(control)
    from wgfo.cli.configured import configure_client

    return Client(configure_client(config, site).control)
