"""Asks ``wg`` which tunnels run here, for a starting configuration."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from wgfo.config.starting import Tunnel

_TIMEOUT_S: Final = 5


def running_tunnels() -> tuple[Tunnel, ...]:
    """Return the tunnels in the order of their names; none where ``wg`` is missing or may not tell."""
    wg = shutil.which("wg")
    if wg is None:
        return ()
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [wg, "show", "all", "allowed-ips"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return read_allowed_ips(done.stdout)


def read_allowed_ips(text: str) -> tuple[Tunnel, ...]:
    """Read lines of ``INTERFACE<tab>KEY<tab>NET NET …``; a peer without any says ``(none)``."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        interface, _, rest = line.partition("\t")
        nets = rest.partition("\t")[2].split()
        found.setdefault(interface, []).extend(net for net in nets if net != "(none)")
    return tuple(Tunnel(interface, tuple(nets)) for interface, nets in sorted(found.items()))
