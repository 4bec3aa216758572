"""What ``wgfo lab status`` and ``break --list`` show."""

from __future__ import annotations

import time
from typing import Any, Final

from wgfo.lab import state as store
from wgfo.lab.enclosure import Enclosure
from wgfo.lab.errors import LabError
from wgfo.lab.faults import FAULTS
from wgfo.lab.state import LabState
from wgfo.lab.topology import TUNNELS, Node, Tunnel

Report = dict[str, Any]
CRASHED: Final = "crashed"


def reports(names: list[str] | None = None) -> list[Report]:
    """Return a report of each lab of this user, or of those named.

    Raises:
        LabError: one of those named is not there.
    """
    found = store.names()
    for name in names or []:
        if name not in found:
            raise LabError(f"no lab {name!r}; make it with `wgfo lab up --name {name}`")
    return [_report(name, store.load(name)) for name in names or found]


def _report(name: str, state: LabState | None) -> Report:
    alive = state is not None and state.enclosure.alive
    if state is None or not alive:
        return {"name": name, "state": CRASHED, "directory": str(store.directory(name))}
    return {
        "name": name,
        "state": "up" if state.ready else "building",
        "directory": str(store.directory(name)),
        "created": state.created,
        "pid": state.pid,
        "wireguard": "kernel" if state.kernel_wireguard else "wireguard-go",
        "user_namespace": state.user_namespace,
        "nodes": [str(node) for node in Node],
        "tunnels": [_tunnel(state.enclosure, one) for one in TUNNELS] if state.ready else [],
        "routes": _routes(state.enclosure) if state.ready else {},
        "faults": [
            {"fault": w.fault, "path": w.path, "value": w.value, "since": w.since} for w in state.wounds
        ],
    }


def _tunnel(enclosure: Enclosure, one: Tunnel) -> Report:
    shown = enclosure.run(
        "wg", "show", one.interface, "latest-handshakes", node=Node.ONPREM, check=False
    ).split()
    link = enclosure.run("ip", "-br", "link", "show", "dev", one.interface, node=Node.ONPREM, check=False)
    return {
        "path": str(one.path),
        "interface": one.interface,
        "link_up": "UP" in link.rpartition("<")[2].partition(">")[0].split(","),
        "gateway": str(one.gateway),
        "latest_handshake": int(shown[1]) if len(shown) > 1 else None,
    }


def _routes(enclosure: Enclosure) -> Report:
    """Return the managed prefixes as they are routed now."""
    wanted = {Node.ROUTER: "192.168.10.0/24", Node.ONPREM: "10.20.0.0/16"}
    return {
        str(node): enclosure.run("ip", "-4", "route", "show", prefix, node=node, check=False).strip()
        for node, prefix in wanted.items()
    }


def table(labs: list[Report]) -> str:
    """Return the reports as text for a person."""
    return "\n\n".join(_lines(lab) for lab in labs) or "no lab is up; make one with `wgfo lab up`"


def _lines(lab: Report) -> str:
    head = f"lab {lab['name']}: {lab['state']}"
    if lab["state"] == CRASHED:
        return f"{head}; clear it away with `wgfo lab down --name {lab['name']}`"
    lines = [f"{head} since {lab['created']}, {lab['wireguard']}, state in {lab['directory']}"]
    lines += [f"  {tunnel['path']:<10} {_tunnel_line(tunnel)}" for tunnel in lab["tunnels"]]
    lines += [f"  {node:<10} {route or 'no route'}" for node, route in lab["routes"].items()]
    lines += [f"  broken     {_wound(fault)} since {fault['since']}" for fault in lab["faults"]]
    return "\n".join(lines)


def _tunnel_line(tunnel: Report) -> str:
    stamp = tunnel["latest_handshake"]
    handshake = f"handshake {time.time() - stamp:.0f} s ago" if stamp else "no handshake"
    link = "up" if tunnel["link_up"] else "down"
    return f"{tunnel['interface']} {link}, to {tunnel['gateway']}, {handshake}"


def _wound(fault: Report) -> str:
    value = f"={fault['value']}" if fault["value"] else ""
    return f"{fault['fault']}{value}" + (f" on {fault['path']}" if fault["path"] else "")


def faults() -> str:
    """Return the faults, each with what it takes and does."""
    lines = []
    for fault in FAULTS.values():
        takes = f"={fault.default_value}" if fault.default_value else ""
        where = f"--path {fault.default_path}" if fault.default_path else "no path"
        lines.append(f"{fault.name + takes:<24} {fault.text} ({where})")
    return "\n".join(lines)
