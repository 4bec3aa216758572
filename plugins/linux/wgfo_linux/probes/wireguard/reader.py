"""One WireGuard interface read by whatever way knows it: netlink, the userspace socket, ``wg``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from wgfo.plugin import ProbeError
from wgfo_linux.probes.wireguard import kernel, tool, uapi
from wgfo_linux.probes.wireguard.device import Device, NotFoundHere, ReadFailed

FRESH_S: Final = 0.5
"""An answer so young serves another group's probe too."""


async def read_device(name: str) -> Device:
    """Read a WireGuard interface once, within a few seconds at worst.

    Raises:
        ProbeError: there is no such interface, it is no WireGuard interface, or it cannot be read; the text
            says why for each way that was tried, and never contains a key that is secret.
    """
    _must_exist(name)
    failures: list[str] = []
    for read in (kernel.read, uapi.read):
        try:
            return await read(name)
        except NotFoundHere:
            continue
        except ReadFailed as error:
            failures.append(str(error))
    if not failures:
        raise ProbeError(
            f"{name} is no WireGuard interface: the kernel does not know it as one, and there is no socket "
            f"{uapi.find_sockets(name)[0]}"
        )
    return await _last_resort(name, failures)


def _must_exist(name: str) -> None:
    """A userspace socket may be left over, or belong to the same name in another network namespace."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        raise ProbeError(f"there is no interface {name}") from None


async def _last_resort(name: str, failures: list[str]) -> Device:
    try:
        return await tool.read(name)
    except NotFoundHere:
        failures.append("wg is not installed")
    except ReadFailed as error:
        failures.append(str(error))
    raise ProbeError(f"{name} cannot be read: {'; '.join(failures)}")


async def wireguard_interfaces() -> tuple[Device, ...]:
    """Read every WireGuard interface of this network namespace, by name; for setup and preflight.

    One that cannot be read is left out: it shows itself when it is configured.
    """
    found: list[Device] = []
    for _index, name in sorted(socket.if_nameindex(), key=lambda entry: entry[1]):
        try:
            found.append(await read_device(name))
        except ProbeError:
            continue
    return tuple(found)


@dataclass(slots=True)
class _Read:
    task: asyncio.Task[Device | ProbeError]
    begun_s: float


class DeviceReader:
    """Reads interfaces for many probes: what several ask for at about the same time is read once."""

    def __init__(self, read: Callable[[str], Awaitable[Device]] = read_device) -> None:
        self._read = read
        self._reads: dict[str, _Read] = {}

    async def read(self, name: str) -> Device:
        """Return the interface as it was at most half a second ago.

        Raises:
            ProbeError: as :func:`read_device`.
        """
        loop = asyncio.get_running_loop()
        current = self._reads.get(name)
        if current is None or loop.time() - current.begun_s >= FRESH_S:
            current = _Read(loop.create_task(self._try(name)), loop.time())
            self._reads[name] = current
        result = await asyncio.shield(current.task)  # a probe that stops does not stop the others' read
        if isinstance(result, ProbeError):
            raise ProbeError(str(result))
        return result

    async def _try(self, name: str) -> Device | ProbeError:
        try:
            return await self._read(name)
        except ProbeError as error:
            return error
