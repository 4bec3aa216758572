"""The rights that the provider needs, as a drop-in for wgfo's systemd unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wgfo.model import RouteSet
from wgfo_linux.config import LinuxOptions

CAP_NET_ADMIN: Final = 12
CAP_SYS_ADMIN: Final = 21
"""Numbers of linux/capability.h, as bits of ``CapEff`` in /proc/self/status."""


def needed(options: LinuxOptions) -> dict[int, str]:
    """Return the capabilities by number: routes and rules need one, another namespace a second."""
    rights = {CAP_NET_ADMIN: "CAP_NET_ADMIN"}
    return rights | {CAP_SYS_ADMIN: "CAP_SYS_ADMIN"} if options.netns else rights


def systemd_drop_in(sets: Sequence[RouteSet], options: LinuxOptions) -> str:
    """Return the text of ``wgfo.service.d/linux.conf``: nothing more than these sets need."""
    names = " ".join(needed(options).values())
    tables = ", ".join(sorted({route_set.table for route_set in sets})) or "none"
    where = f"the network namespace {options.netns!r}" if options.netns else "the host's own namespace"
    return (
        f"# wgfo.service.d/linux.conf: routes in table {tables} of {where}.\n"
        "[Service]\n"
        f"CapabilityBoundingSet={names} CAP_NET_RAW\n"
        f"AmbientCapabilities={names} CAP_NET_RAW\n"
        "# CAP_NET_RAW is for probes that are bound to a device.\n"
        "RestrictAddressFamilies=AF_NETLINK AF_INET AF_INET6 AF_UNIX\n"
    )
