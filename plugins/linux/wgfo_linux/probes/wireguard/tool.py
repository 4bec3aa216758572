"""The last resort: ``wg show NAME dump``, for hosts where ``wg`` may do what this process may not.

Its first line holds the private key and the second column of the others the preshared key; both are passed
over.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from wgfo_linux.probes.wireguard.device import NANOSECONDS, Device, NotFoundHere, Peer, ReadFailed

COMMAND: Final = "wg"
TIMEOUT_S: Final = 1.0
_COLUMNS: Final = 8
_SHOWN_ERROR: Final = 200


async def read(name: str) -> Device:
    """Run ``wg`` and read what it prints.

    Raises:
        NotFoundHere: it is not installed.
        ReadFailed: it failed, was too slow, or printed something else.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            "show",
            name,
            "dump",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError:
        raise NotFoundHere from None
    output, complaint = await _finish(process)
    if process.returncode:
        text = complaint.decode(errors="replace").strip()[:_SHOWN_ERROR]
        raise ReadFailed(f"wg show {name} dump failed: {text}")
    try:
        return parse_device(name, output.decode(errors="replace"))
    except ValueError as error:
        raise ReadFailed(f"wg show {name} dump printed something else: {error}") from None


async def _finish(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await process.communicate()
    except TimeoutError:
        raise ReadFailed("wg show gave no answer within a second") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def parse_device(name: str, output: str) -> Device:
    """Read the table: one line for the interface, then one for each peer (wg(8), "show").

    Raises:
        ValueError: it is something else. The text repeats nothing of it.
    """
    lines = output.splitlines()
    if not lines:
        raise ValueError("nothing")
    return Device(name, tuple(_parse_peer(number, line) for number, line in enumerate(lines[1:], start=2)))


def _parse_peer(number: int, line: str) -> Peer:
    columns = line.split("\t")
    if len(columns) != _COLUMNS:
        raise ValueError(f"line {number} has {len(columns)} columns and not {_COLUMNS}")
    key, _preshared, _endpoint, allowed_ips, seconds, received, sent, _keepalive = columns
    try:
        return Peer(
            public_key=key,
            allowed_ips=() if allowed_ips == "(none)" else tuple(map(_allowed_ip, allowed_ips.split(","))),
            stamp=int(seconds) * NANOSECONDS,
            received_bytes=int(received),
            sent_bytes=int(sent),
        )
    except (ValueError, OSError):
        raise ValueError(f"line {number} has numbers that are none") from None


def _allowed_ip(text: str) -> str:
    address, _slash, length = text.partition("/")
    family, bits = (socket.AF_INET6, 128) if ":" in address else (socket.AF_INET, 32)
    socket.inet_pton(family, address)
    if not 0 <= int(length) <= bits:
        raise ValueError(length)
    return text
