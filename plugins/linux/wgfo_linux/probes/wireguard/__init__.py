"""WireGuard interfaces as wgfo reads them: names, public keys, allowed-ips, handshakes, bytes; never secrets."""

from wgfo_linux.probes.wireguard.device import Device, Peer, choose_peer
from wgfo_linux.probes.wireguard.reader import DeviceReader, read_device, wireguard_interfaces

__all__ = ["Device", "DeviceReader", "Peer", "choose_peer", "read_device", "wireguard_interfaces"]
