"""WireGuard interfaces as wgfo reads them, with their peers; never a secret key."""

from wgfo_linux.probes.wireguard.device import Device, Peer, choose_peer
from wgfo_linux.probes.wireguard.reader import DeviceReader, read_device, wireguard_interfaces

__all__ = ["Device", "DeviceReader", "Peer", "choose_peer", "read_device", "wireguard_interfaces"]
