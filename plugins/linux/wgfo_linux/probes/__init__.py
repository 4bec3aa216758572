"""The two lower layers: ``interface`` by the kernel's events, ``handshake`` by WireGuard's own figures."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from wgfo.model import Layer, PathView
from wgfo.plugin import Mode, ProbeContext, ProbeOffer, Role
from wgfo_linux.probes.handshake import HandshakeOptions, HandshakeProbe
from wgfo_linux.probes.interface import InterfaceOptions, InterfaceProbe
from wgfo_linux.probes.links import LinkTable
from wgfo_linux.probes.wireguard import DeviceReader, read_device, wireguard_interfaces

__all__ = ["offers", "read_device", "wireguard_interfaces"]


def offers() -> Sequence[ProbeOffer]:
    """Return both kinds; the probes made by one pair of offers share their sockets, on one event loop."""
    return (_interface_offer(LinkTable()), _handshake_offer(DeviceReader()))


def _interface_offer(links: LinkTable) -> ProbeOffer:
    def make(context: ProbeContext, _options: BaseModel) -> InterfaceProbe:
        return InterfaceProbe(context, links)

    return ProbeOffer(
        kind="interface",
        layer=Layer.INTERFACE,
        role=Role.AUTHORITY,
        mode=Mode.PUSH,
        options_model=InterfaceOptions,
        open=make,
        default_when=_has_interface,
    )


def _handshake_offer(devices: DeviceReader) -> ProbeOffer:
    def make(context: ProbeContext, _options: BaseModel) -> HandshakeProbe:
        return HandshakeProbe(context, devices)

    return ProbeOffer(
        kind="handshake",
        layer=Layer.HANDSHAKE,
        role=Role.EVIDENCE,
        mode=Mode.PUSH,
        options_model=HandshakeOptions,
        open=make,
        default_when=_has_interface,
    )


def _has_interface(path: PathView) -> bool:
    return path.interface is not None
