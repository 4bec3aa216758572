"""A starting file for ``wgfo config init``: from the tunnels that run here, or a template to fill in."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

_DAEMON = """\
# wgfo.toml: 'wgfo config check' validates it, 'wgfo config show' prints what is in force.

[daemon]
state_dir = "/var/lib/wgfo"
control   = "/run/wgfo/control.sock"
http      = "127.0.0.1:9785"                # metrics and status page; omit for none
# reference = ["192.168.10.1"]              # local hosts: all dead = this controller is isolated
"""

_GROUP = """
[[group]]
name = "cloud"
wait_to_restore = "5m"
"""

_PATH = """
[[group.path]]{comment}
name = "{name}"
interface = "{interface}"
peer = "{peer}"{peer_comment}
"""

_REST = """
[[group.probe]]                             # applied to every path, through that path
kind = "icmp"
targets = {targets}{targets_comment}
interval = "1s"

[[group.route]]
provider = "linux"
tables   = ["main"]
prefixes = {prefixes}{prefixes_comment}
next_hop = {{ {next_hop} }}
"""
_NAMES = ("primary", "secondary")
_FILL_IN = "           # FILL IN: "
_MIN_PATHS = 2


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A running tunnel, as ``wg show all allowed-ips`` tells it."""

    interface: str
    allowed_ips: tuple[str, ...]

    @property
    def hosts(self) -> list[str]:
        """Single addresses among the allowed IPs: usually the far gateway's tunnel address."""
        return [str(net.network_address) for net in self._networks() if net.prefixlen == net.max_prefixlen]

    @property
    def networks(self) -> list[str]:
        """The networks behind the tunnel, without the default route."""
        return [str(net) for net in self._networks() if 0 < net.prefixlen < net.max_prefixlen]

    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(text, strict=False) for text in self.allowed_ips]


def starting_file(tunnels: Sequence[Tunnel]) -> str:
    """Return the text of a starting file; what could not be found out says FILL IN."""
    if len(tunnels) < _MIN_PATHS:
        return _DAEMON + _commented(_group(_EXAMPLE))
    return _DAEMON + _group(tunnels)


_EXAMPLE = (
    Tunnel("wg0", ("10.100.0.1/32", "10.20.0.0/16")),
    Tunnel("wg1", ("10.200.0.1/32", "10.20.0.0/16")),
)


def _commented(text: str) -> str:
    intro = "\n# Fewer than two tunnels run here. A group looks so; remove the marks and fill in your own:\n"
    return intro + "".join(f"# {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _group(tunnels: Sequence[Tunnel]) -> str:
    names = [_NAMES[index] if index < len(_NAMES) else f"path{index + 1}" for index in range(len(tunnels))]
    paths = "".join(
        _path(name, tunnel, is_first=name == _NAMES[0]) for name, tunnel in zip(names, tunnels, strict=True)
    )
    prefixes = _shared(tunnels)
    hops = ", ".join(
        f'{name} = "dev {tunnel.interface}"' for name, tunnel in zip(names, tunnels, strict=True)
    )
    rest = _REST.format(
        targets="[]",
        targets_comment=f"{_FILL_IN}hosts behind the far gateways; without, the peer alone is probed",
        prefixes=str(prefixes).replace("'", '"'),
        prefixes_comment="" if prefixes else f"{_FILL_IN}what both tunnels lead to, such as 10.20.0.0/16",
        next_hop=hops,
    )
    return _GROUP + paths + rest


def _path(name: str, tunnel: Tunnel, *, is_first: bool) -> str:
    peer = next(iter(tunnel.hosts), "")
    return _PATH.format(
        comment="                              # order is preference" if is_first else "",
        name=name,
        interface=tunnel.interface,
        peer=peer,
        peer_comment="" if peer else f"{_FILL_IN}the far gateway's own tunnel address",
    )


def _shared(tunnels: Sequence[Tunnel]) -> list[str]:
    """Networks that every tunnel leads to and that hold no far gateway."""
    common = set.intersection(*(set(tunnel.networks) for tunnel in tunnels))
    peers = [ipaddress.ip_address(host) for tunnel in tunnels for host in tunnel.hosts[:1]]
    return sorted(text for text in common if not any(peer in ipaddress.ip_network(text) for peer in peers))
