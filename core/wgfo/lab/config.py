"""The ``wgfo.toml`` that fits a lab: on-prem moves both halves, or a third host in the cloud does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wgfo.lab.topology import (
    BACKEND,
    CLIENT,
    CLOUD,
    LAN,
    PRIMARY,
    REFERENCE,
    ROUTER,
    SECONDARY,
    SERVER,
    TUNNELS,
    Node,
    Tunnel,
)

SHORT: Final = """\
wait_to_restore = "8s"   # short, for a demonstration; 5m is the default
"""
SHORT_DETECT: Final = """
[group.detect]
recover = { percent = 2, window = "10s" }   # short as well; the other numbers are the defaults
"""


def controller(*, third_host: bool) -> Node:
    """Return the node in which the daemon runs."""
    return Node.CONTROLLER if third_host else Node.ONPREM


def control_socket(directory: Path) -> Path:
    """Return the daemon's control socket, at a path that is the same inside the lab and outside."""
    return directory / "control.sock"


def text(directory: Path, *, third_host: bool = False, demo: bool = False) -> str:
    """Return the configuration of the daemon of a lab whose state is in ``directory``."""
    parts = (
        _head(directory, third_host=third_host),
        _third_host_group(demo=demo) if third_host else _onprem_group(demo=demo),
        _routes(third_host=third_host),
        _service(third_host=third_host),
    )
    return "\n".join(parts)


def _head(directory: Path, *, third_host: bool) -> str:
    node = controller(third_host=third_host)
    reference = ROUTER if third_host else REFERENCE
    elsewhere = {"onprem": Node.ONPREM, "vpc": Node.ROUTER} if third_host else {"vpc": Node.ROUTER}
    providers = "".join(
        f'\n[provider.{name}]\nkind = "linux"\nnetns = "{where}"\n' for name, where in elsewhere.items()
    )
    return (
        f"# For the lab in {directory}; run it in there:\n"
        f"# wgfo lab exec {node} -- wgfo run --config FILE\n\n"
        "[daemon]\n"
        f'state_dir = "{directory}/state"\n'
        f'control = "{control_socket(directory)}"\n'
        f'http = "127.0.0.1:9785"\n'
        f'reference = ["{reference}"]\n'
        f"{providers}"
    )


def _group(name: str, *, demo: bool) -> str:
    return f'[[group]]\nname = "{name}"\n{SHORT if demo else ""}{SHORT_DETECT if demo else ""}'


def _onprem_group(*, demo: bool) -> str:
    paths = "".join(_onprem_path(one) for one in TUNNELS)
    probes = _probe([CLIENT, BACKEND]) + _probe([CLIENT, BACKEND], large=True)
    return _group("cloud", demo=demo) + paths + probes


def _onprem_path(one: Tunnel) -> str:
    return (
        f'\n[[group.path]]\nname = "{one.path}"\ninterface = "{one.interface}"\n'
        f'peer = "{one.cloud}"   # the gateway\'s tunnel address\n'
    )


def _third_host_group(*, demo: bool) -> str:
    paths = "".join(_third_host_path(one) for one in TUNNELS)
    probes = _probe(["db", "desk"]) + _probe(["db", "desk"], large=True)
    return _group("onprem", demo=demo) + paths + probes


def _third_host_path(one: Tunnel) -> str:
    return (
        f'\n[[group.path]]\nname = "{one.path}"\n'
        f'peer = "{one.onprem}"   # on-prem\'s tunnel address, routed for good through this path\n'
        'bind = "address"      # the address itself chooses the path\n'
        f'targets = {{ db = "{one.server}", desk = "{one.reference}" }}\n'
    )


def _probe(targets: list[str], *, large: bool = False) -> str:
    listed = ", ".join(f'"{target}"' for target in targets)
    extra = 'class = "large"\nsize = "mtu"\ninterval = "2s"\n' if large else 'interval = "1s"\n'
    return f'\n[[group.probe]]\nkind = "icmp"\ntargets = [{listed}]\n{extra}'


def _routes(*, third_host: bool) -> str:
    onprem = _route("onprem" if third_host else "linux", CLOUD, [f"dev {one.interface}" for one in TUNNELS])
    return onprem + "\n" + _route("vpc", LAN, [f"via {one.vpc}" for one in TUNNELS])


def _route(provider: str, prefix: str, hops: list[str]) -> str:
    primary, secondary = hops
    return (
        f'[[group.route]]\nprovider = "{provider}"\ntables = ["main"]\nprefixes = ["{prefix}"]\n'
        f'next_hop = {{ {PRIMARY.path} = "{primary}", {SECONDARY.path} = "{secondary}" }}\n'
    )


def _service(*, third_host: bool) -> str:
    target = SERVER if third_host else CLIENT
    return (
        f"[[group.service]]   # follows the real route; tells the first good packet\n"
        f'kind = "icmp"\ntargets = ["{target}"]\ninterval = "1s"\n'
    )
