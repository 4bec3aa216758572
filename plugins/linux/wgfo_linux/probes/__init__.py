"""The two lower layers: ``interface`` by the kernel's events, ``handshake`` by WireGuard's own figures.

What does the work is imported when the first probe of a kind is opened: discovery costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from wgfo.model import Layer, PathView
from wgfo.plugin import Mode, ProbeContext, ProbeOffer, Role

if TYPE_CHECKING:
    from wgfo_linux.probes.handshake import HandshakeProbe
    from wgfo_linux.probes.interface import InterfaceProbe
    from wgfo_linux.probes.links import LinkTable
    from wgfo_linux.probes.wireguard import DeviceReader


class NoOptions(BaseModel):
    """The path says which interface and peer, the stanza how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def offers() -> Sequence[ProbeOffer]:
    """Return both kinds; the probes made by one pair of offers share their sockets, on one event loop."""
    return (_interface_offer(), _handshake_offer())


def _interface_offer() -> ProbeOffer:
    @cache
    def links() -> LinkTable:
        from wgfo_linux.probes.links import LinkTable  # noqa: PLC0415 - loads when it is used

        return LinkTable()

    def make(context: ProbeContext, _options: BaseModel) -> InterfaceProbe:
        from wgfo_linux.probes.interface import InterfaceProbe  # noqa: PLC0415 - loads when it is used

        return InterfaceProbe(context, links())

    return ProbeOffer(
        kind="interface",
        layer=Layer.INTERFACE,
        role=Role.AUTHORITY,
        mode=Mode.PUSH,
        options_model=NoOptions,
        open=make,
        default_when=_has_interface,
    )


def _handshake_offer() -> ProbeOffer:
    @cache
    def devices() -> DeviceReader:
        from wgfo_linux.probes.wireguard import DeviceReader  # noqa: PLC0415 - loads when it is used

        return DeviceReader()

    def make(context: ProbeContext, _options: BaseModel) -> HandshakeProbe:
        from wgfo_linux.probes.handshake import HandshakeProbe  # noqa: PLC0415 - loads when it is used

        return HandshakeProbe(context, devices())

    return ProbeOffer(
        kind="handshake",
        layer=Layer.HANDSHAKE,
        role=Role.EVIDENCE,
        mode=Mode.PUSH,
        options_model=NoOptions,
        open=make,
        default_when=_has_interface,
    )


def _has_interface(path: PathView) -> bool:
    return path.interface is not None
