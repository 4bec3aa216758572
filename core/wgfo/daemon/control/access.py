"""Who is at the other end of the control socket, and whether they may change something.

The kernel says who connected (``SO_PEERCRED``, ``SO_PEERGROUPS``; unix(7)): nothing that the client sends is
believed.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from typing import Final

from wgfo.plugin.errors import ConfigError

_CREDENTIALS: Final = struct.Struct("3i")
_SO_PEERGROUPS: Final = 59
"""asm-generic/socket.h, Linux 4.13; not in Python's socket module."""
_MOST_BYTES: Final = 1024
"""The most that ``getsockopt`` of Python takes: 256 groups."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The user at the other end."""

    uid: int
    groups: frozenset[int]

    @property
    def name(self) -> str:
        """The login name, or the number where it has none."""
        return user_name(self.uid)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may send requests: root, the daemon's own user, and the members of the operators' group."""

    own_uid: int
    operators: int | None = None
    """Group id."""

    def may_change(self, peer: Peer) -> bool:
        """Whether the peer may send requests that change something."""
        return peer.uid in {0, self.own_uid} or (self.operators is not None and self.operators in peer.groups)


def access_for(operators: str | None) -> Access:
    """Return the rights of ``[daemon] operators``.

    Raises:
        ConfigError: there is no such group on this host.
    """
    if operators is None:
        return Access(os.geteuid())
    try:
        return Access(os.geteuid(), grp.getgrnam(operators).gr_gid)
    except KeyError:
        raise ConfigError(
            f"[daemon] operators: there is no group {operators!r} on this host; accepted is a Unix group: "
            f"groupadd --system {operators}, or leave operators out (root and the daemon's user alone)"
        ) from None


def peer_of(connection: socket.socket) -> Peer:
    """Return who connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, gid = _CREDENTIALS.unpack(raw)
    return Peer(uid, frozenset({gid, *_groups(connection, uid, gid)}))


def _groups(connection: socket.socket, uid: int, gid: int) -> list[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
    except OSError:  # an older kernel, or more groups than fit: what the user database says
        return _listed_groups(uid, gid)
    return list(struct.unpack(f"{len(raw) // 4}I", raw[: len(raw) // 4 * 4]))


def _listed_groups(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return []


def user_name(uid: int) -> str:
    """Return a login name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
