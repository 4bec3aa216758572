"""Where the control API listens: the Unix socket, and the read-only listener for monitoring."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import Final

from aiohttp import web

from wgfo.config.setup import DaemonSetup
from wgfo.daemon.control.access import Access
from wgfo.daemon.control.api import ControlApi
from wgfo.plugin.errors import ConfigError, WgfoError

SOCKET_MODE: Final = 0o660
BACKLOG: Final = 64
SHUTDOWN_S: Final = 1.0
"""How long a response that is under way is waited for at the end."""


class ControlInUse(WgfoError):
    """The control socket cannot be had; the text says why and what to do."""


class ControlServer:
    """Both listeners, from :meth:`start` to :meth:`aclose`.

    Args:
        api: the endpoints.
        daemon: where to listen.
        access: names the group of the socket.
    """

    def __init__(self, api: ControlApi, daemon: DaemonSetup, access: Access) -> None:
        self._api = api
        self._daemon = daemon
        self._access = access
        self._runners: list[web.AppRunner] = []
        self._bound: tuple[Path, int] | None = None
        """The socket's file and its inode: only our own is removed at the end."""
        self.http_port: int | None = None
        """The port of the ``http`` listener; of use where port 0 was asked for."""

    async def start(self) -> None:
        """Listen.

        Raises:
            ControlInUse: another process answers on the control socket.
            ConfigError: ``http`` is no loopback address, or cannot be listened on.
        """
        try:
            control = bind_control(self._daemon.control, self._access.operators)
            self._bound = (self._daemon.control, self._daemon.control.stat().st_ino)
            await self._serve(self._api.for_socket(), control)
            if self._daemon.http is not None:
                listener = bind_http(self._daemon.http)
                self.http_port = listener.getsockname()[1]
                await self._serve(self._api.for_http(), listener)
        except BaseException:
            await self.aclose()
            raise

    async def _serve(self, app: web.Application, listener: socket.socket) -> None:
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, listener, backlog=BACKLOG).start()

    async def aclose(self) -> None:
        """End both listeners and remove the socket's file."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        if self._bound is not None:
            path, inode = self._bound
            self._bound = None
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == inode:
                    path.unlink()


# --- the Unix socket ----------------------------------------------------------------------------------------


def bind_control(path: Path, operators: int | None) -> socket.socket:
    """Bind the control socket for its user and group alone.

    Raises:
        ControlInUse: another process answers there, or something else stands in the way.
    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _clear_the_way(path)
        return _bound(path, operators)
    except OSError as error:
        raise ControlInUse(_cannot(path, error, operators)) from None


def _bound(path: Path, operators: int | None) -> socket.socket:
    """Bind, then restrict, and only then (in ``SockSite``) listen: nobody gets in between."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        if operators is not None:
            os.chown(path, -1, operators)
        path.chmod(SOCKET_MODE)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _clear_the_way(path: Path) -> None:
    """Remove the socket of a dead process; a living one is left alone."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlInUse(f"control {path}: there is a file that is no socket; move it away or set control")
    if _answers(path):
        raise ControlInUse(
            f"control {path}: another wgfo answers there. Two processes on one host need a control socket "
            "and a state_dir each: set [daemon] control and state_dir, or give --control and --state-dir"
        )
    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # a full backlog or no right to connect: somebody is there
            return True
        return True


def _cannot(path: Path, error: OSError, operators: int | None) -> str:
    if len(os.fsencode(path)) > 107:  # noqa: PLR2004 - sun_path, unix(7)
        return (
            f"control {path}: the path of a Unix socket has at most 107 bytes; set a shorter [daemon] control"
        )
    why = error.strerror or str(error)
    if error.errno == errno.EPERM and operators is not None:
        return (
            f"control {path}: {why}: the daemon's user must be a member of the operators' group (id "
            f"{operators}) to give the socket to it; add it, or leave [daemon] operators out"
        )
    return (
        f"control {path}: {why}; accepted is a path that the daemon's user may create: set [daemon] control"
    )


# --- the read-only listener ---------------------------------------------------------------------------------


def bind_http(text: str) -> socket.socket:
    """Bind ``HOST:PORT`` of ``[daemon] http``.

    Raises:
        ConfigError: it is no loopback address, or it cannot be had.
    """
    host, port = _host_and_port(text)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(f"[daemon] http {text}: {error.strerror or error}; set another HOST:PORT") from None
    listener.setblocking(False)
    return listener


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
        number = int(port)
    except ValueError:
        raise ConfigError(
            f"[daemon] http: found {text!r}, accepted is HOST:PORT such as 127.0.0.1:9785"
        ) from None
    if not loopback:
        raise ConfigError(
            f"[daemon] http: {text} is no loopback address, and without TLS everyone on the way could read "
            "and forge the answers; accepted: 127.0.0.1:PORT or [::1]:PORT, behind a proxy that does TLS"
        )
    return host, number
