"""The ``handshake`` probe: WireGuard's own figures for the peer behind a path, read every two seconds.

It reports the raw time stamp and never compares it with a clock: whether a handshake is old is told by the
engine from when the value last *changed*. What cannot be read is an error in the report, and the layer is
then unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wgfo.model import HandshakeReport
from wgfo.plugin import ProbeContext, ProbeError, Report
from wgfo_linux.probes.wireguard import DeviceReader, choose_peer

DEFAULT_INTERVAL_US: Final = 2_000_000
MICROSECONDS: Final = 1_000_000


class HandshakeProbe:
    """Reports one path's peer; probes of one interface share what ``devices`` reads."""

    def __init__(self, context: ProbeContext, devices: DeviceReader) -> None:
        if context.path.interface is None:
            raise ProbeError(
                f"path {context.path.name!r} of group {context.path.group!r} has no interface to read; "
                'set interface = "…" on the path'
            )
        self._name = context.path.interface
        self._path = context.path
        self._interval_s = (context.interval_us or DEFAULT_INTERVAL_US) / MICROSECONDS
        self._devices = devices

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Report at once and then once every interval, until cancelled."""
        while True:
            emit(await self._report())
            await asyncio.sleep(self._interval_s)

    async def aclose(self) -> None:
        """Nothing is held between two reads."""

    async def _report(self) -> HandshakeReport:
        try:
            peer = choose_peer(await self._devices.read(self._name), self._path)
        except ProbeError as error:
            return HandshakeReport(stamp=0, received_bytes=0, sent_bytes=0, error=str(error))
        return HandshakeReport(peer.stamp, peer.received_bytes, peer.sent_bytes)
