"""The configuration that a scenario runs unless its ``[group]`` says otherwise: plain values of a wgfo.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

REFERENCE: Final = "192.0.2.1"
GROUP: Final = "cloud"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a default configuration is made for."""

    paths: tuple[str, ...] = ("A", "B")
    targets: tuple[str, ...] = ("t1", "t2", "t3")
    classes: tuple[str, ...] = ("small",)
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prefixes: int = 1
    reference: bool = True
    service: bool = False


def configuration(shape: Shape) -> dict[str, Any]:
    """Return the whole configuration."""
    daemon = {"reference": [REFERENCE]} if shape.reference else {}
    return {"daemon": daemon, "group": [group(shape)]}


def group(shape: Shape) -> dict[str, Any]:
    """Return the one group: not revertive, read back every round."""
    made: dict[str, Any] = {
        "name": GROUP,
        "revertive": False,
        "reconcile": "1s",
        "path": [_path(number, name) for number, name in enumerate(shape.paths)],
        "probe": [_probe(word, shape.targets) for word in shape.classes],
        "route": [_route(shape, provider, tables) for provider, tables in shape.tables.items()],
    }
    if shape.service:
        made["service"] = [{"kind": "http", "targets": ["http://service/health"]}]
    return made


def _path(number: int, name: str) -> dict[str, str]:
    return {"name": name, "interface": f"wg{name}", "peer": f"10.100.{number}.1"}


def _probe(word: str, targets: tuple[str, ...]) -> dict[str, Any]:
    """Small packets each second; the other classes at half that pace."""
    if word == "small":
        return {"kind": "icmp", "targets": list(targets)}
    if word == "large":
        return {"kind": "icmp", "class": "large", "size": "mtu", "targets": list(targets), "interval": "2s"}
    return {"kind": word, "targets": list(targets), "interval": "2s", "timeout": "800ms"}


def _route(shape: Shape, provider: str, tables: tuple[str, ...]) -> dict[str, Any]:
    base = "192.168" if provider != "linux" else "10.20"
    return {
        "provider": provider,
        "tables": list(tables),
        "prefixes": [f"{base}.{number}.0/24" for number in range(shape.prefixes)],
        "next_hop": {name: f"gateway-{name}" for name in shape.paths},
    }
