"""WireGuard on both sides of a tunnel: keys, interfaces, and waiting until they carry packets."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo.lab.enclosure import Enclosure
from wgfo.lab.errors import LabError
from wgfo.lab.topology import (
    CLOUD,
    LAN,
    ONPREM_UNDERLAY,
    WIREGUARD_MTU,
    Node,
    Tunnel,
    tunnel_routes,
)

KEEPALIVE_S: Final = 25
READY_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A WireGuard key pair in wg's base64."""

    private: str
    public: str


def new_key_pair() -> KeyPair:
    """Return a fresh key pair, made by ``wg``."""
    private = _wg("genkey")
    return KeyPair(private, _wg("pubkey", given=private))


def write_settings(directory: Path, one: Tunnel) -> None:
    """Write the ``wg setconf`` files of both sides of a tunnel, readable by their owner alone."""
    cloud, onprem = new_key_pair(), new_key_pair()
    directory.mkdir(mode=0o700, exist_ok=True)
    sides = ((Node.ONPREM, onprem, cloud, one.underlay), (one.gateway, cloud, onprem, ONPREM_UNDERLAY))
    for node, own, other, endpoint in sides:
        _write(settings_file(directory, one, node), _settings(one, node, own, other, endpoint))


def settings_file(directory: Path, one: Tunnel, node: Node) -> Path:
    """Return where the settings of one side of a tunnel are kept."""
    return directory / f"{node}-{one.interface}.conf"


def allowed_ips(one: Tunnel, node: Node) -> str:
    """Return the allowed-ips of the peer that a node has for a tunnel."""
    return f"{one.network},{CLOUD if node is Node.ONPREM else LAN}"


def private_key(directory: Path, one: Tunnel, node: Node) -> str:
    """Return a node's own private key for a tunnel."""
    text = settings_file(directory, one, node).read_text(encoding="ascii")
    return next(line.split()[2] for line in text.splitlines() if line.startswith("PrivateKey"))


def start(enclosure: Enclosure, one: Tunnel, node: Node, directory: Path, *, kernel: bool) -> None:
    """Make one side's interface with its keys, address and routes."""
    if kernel:
        enclosure.run("ip", "link", "add", one.interface, "type", "wireguard", node=node)
    else:
        # It goes to the background by itself once the interface and its socket are there; with LOG_LEVEL
        # set it would keep our pipes open.
        enclosure.run("env", "-u", "LOG_LEVEL", "wireguard-go", one.interface, node=node)
    enclosure.run("wg", "setconf", one.interface, str(settings_file(directory, one, node)), node=node)
    address = one.onprem if node is Node.ONPREM else one.cloud
    enclosure.ip(
        [
            f"address add {address}/24 dev {one.interface}",
            f"link set dev {one.interface} mtu {WIREGUARD_MTU} up",
            *(f"route replace {text}" for text in tunnel_routes(one, node)),
        ],
        node,
    )


def await_packets(enclosure: Enclosure, one: Tunnel, within_s: float = READY_S) -> None:
    """Wait until packets pass through a tunnel both ways.

    Raises:
        LabError: they do not within the time given.
    """
    deadline = time.monotonic() + within_s
    ping = ("ping", "-q", "-c", "1", "-W", "1", "-I", one.interface, one.cloud)
    while not enclosure.succeeds(*ping, node=Node.ONPREM):
        if time.monotonic() > deadline:
            shown = enclosure.run("wg", "show", one.interface, node=Node.ONPREM, check=False)
            raise LabError(
                f"no packet passed through {one.interface} within {within_s:.0f} s; wg says:\n{shown}"
            )


def _settings(one: Tunnel, node: Node, own: KeyPair, other: KeyPair, endpoint: str) -> str:
    return (
        f"[Interface]\nPrivateKey = {own.private}\nListenPort = {one.port}\n"
        f"[Peer]\nPublicKey = {other.public}\nAllowedIPs = {allowed_ips(one, node)}\n"
        f"Endpoint = {endpoint}:{one.port}\nPersistentKeepalive = {KEEPALIVE_S}\n"
    )


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def _wg(verb: str, given: str = "") -> str:
    done = subprocess.run(  # noqa: S603 - fixed words
        ["wg", verb],  # noqa: S607 - found on PATH, as the survey found it
        input=given, capture_output=True, text=True, timeout=10, check=True,
    )  # fmt: skip
    return done.stdout.strip()
