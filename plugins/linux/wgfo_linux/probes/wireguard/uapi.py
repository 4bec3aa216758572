"""WireGuard in user space, over its configuration socket (https://www.wireguard.com/xplatform/).

The socket is a file, ``/var/run/wireguard/NAME.sock``, which network namespaces do not keep apart. The other
side may be any program, or one that hangs: the answer is bounded in size and time, and no error repeats a
line of it, because it contains the private key.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wgfo_linux.probes.wireguard.device import NANOSECONDS, Device, NotFoundHere, Peer, ReadFailed

DIRECTORIES: Final = (Path("/var/run/wireguard"), Path("/run/wireguard"))
TIMEOUT_S: Final = 1.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_END: Final = b"\n\n"
_COUNTERS: Final = frozenset(
    {"last_handshake_time_sec", "last_handshake_time_nsec", "rx_bytes", "tx_bytes"},
)


async def read(name: str) -> Device:
    """Read a userspace WireGuard interface.

    Raises:
        NotFoundHere: there is no socket for it.
        ReadFailed: nobody answers on it, or not with what the protocol says.
    """
    for path in find_sockets(name):
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await _ask(path)
        except FileNotFoundError:
            continue
        except TimeoutError:
            raise ReadFailed(f"{path} gave no complete answer within a second") from None
        except PermissionError:
            raise ReadFailed(f"{path} may not be opened: run as root or as its owner") from None
        except OSError as error:
            raise ReadFailed(f"{path} cannot be used: {error.strerror or error}") from None
        return _parse(name, path, answer)
    raise NotFoundHere


def find_sockets(name: str) -> tuple[Path, ...]:
    """Return where the interface's socket may be; ``/var/run`` mostly is ``/run``, but not everywhere."""
    return tuple(directory / f"{name}.sock" for directory in DIRECTORIES)


async def _ask(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(b"get=1\n\n")
        answer = bytearray()
        while not answer.endswith(_END):
            if not (data := await reader.read(65536)):
                break
            answer += data
            if len(answer) > MAX_ANSWER_BYTES:
                raise ReadFailed(f"{path} answered with more than {MAX_ANSWER_BYTES} bytes")
        return bytes(answer)
    finally:
        writer.transport.abort()


def _parse(name: str, path: Path, answer: bytes) -> Device:
    try:
        return parse_device(name, answer)
    except ValueError as error:
        raise ReadFailed(f"{path} answered with what is not WireGuard's protocol: {error}") from None


@dataclass(slots=True)
class _Draft:
    public_key: str
    allowed_ips: list[str] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def finish(self) -> Peer:
        seconds = self.counters.get("last_handshake_time_sec", 0)
        return Peer(
            public_key=self.public_key,
            allowed_ips=tuple(self.allowed_ips),
            stamp=seconds * NANOSECONDS + self.counters.get("last_handshake_time_nsec", 0),
            received_bytes=self.counters.get("rx_bytes", 0),
            sent_bytes=self.counters.get("tx_bytes", 0),
        )


def parse_device(name: str, answer: bytes) -> Device:
    """Read the answer to ``get=1``: lines of key=value, ended by ``errno=0`` and an empty line.

    Raises:
        ValueError: it is cut off or malformed. The text repeats nothing of it.
    """
    if not answer.endswith(_END):
        raise ValueError("it is cut off" if answer else "it is empty")
    drafts: list[_Draft] = []
    code = None
    for number, line in enumerate(answer[: -len(_END)].decode("ascii", "replace").split("\n"), start=1):
        key, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"line {number} is not key=value")
        if key == "errno":
            code = _integer(number, value)
        else:
            _take(drafts, number, key, value)
    if code != 0:
        raise ValueError("it does not end with errno" if code is None else f"it ends with errno={code}")
    return Device(name, tuple(draft.finish() for draft in drafts))


def _take(drafts: list[_Draft], number: int, key: str, value: str) -> None:
    """Take one line; keys that are not named here are passed over, the secret ones among them."""
    if key == "public_key":
        drafts.append(_Draft(_base64(number, value)))
    elif drafts and key == "allowed_ip":
        drafts[-1].allowed_ips.append(_allowed_ip(number, value))
    elif drafts and key in _COUNTERS:
        drafts[-1].counters[key] = _integer(number, value)


def _base64(number: int, value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ValueError(f"line {number} has no key of 32 bytes")
    return base64.b64encode(bytes.fromhex(value)).decode()


def _integer(number: int, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"line {number} has no number") from None


def _allowed_ip(number: int, value: str) -> str:
    address, slash, length = value.partition("/")
    family, bits = (socket.AF_INET6, 128) if ":" in address else (socket.AF_INET, 32)
    try:
        socket.inet_pton(family, address)
        possible = bool(slash) and 0 <= int(length) <= bits
    except (OSError, ValueError):
        possible = False
    if not possible:
        raise ValueError(f"line {number} has no address range")
    return value
