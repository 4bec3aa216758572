"""What a session is called and about: for the journal's header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from wgfo import __version__
from wgfo.config.setup import Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.records import SessionHeader
from wgfo.plugin.manager import Registry

OWN: Final = "wgfo"
"""The distribution of the core."""


def session_name(boot_id: str, clock: Clock) -> str:
    """Return a name that no other session on this host has."""
    return f"{boot_id[:8]}-{clock.boottime_us()}"


def versions(registry: Registry) -> Mapping[str, str]:
    """Return the versions of wgfo and of every distribution that brings plugins."""
    found = {plugin.distribution: plugin.version for plugin in registry.plugins if plugin.distribution}
    return {**dict(sorted(found.items())), OWN: installed()}


def installed() -> str:
    """Return the version of wgfo that runs."""
    try:
        return version(OWN)
    except PackageNotFoundError:
        return __version__


def header(session: str, boot_id: str, clock: Clock, setup: Setup, found: Mapping[str, str]) -> SessionHeader:
    """Return the header of a session that begins now."""
    now_us = clock.monotonic_us()
    return SessionHeader(
        session=session,
        at_us=now_us,
        wall=clock.rfc3339(now_us),
        boot_id=boot_id,
        versions=found,
        digest=setup.digest,
        effective=json.dumps(setup.effective, sort_keys=True, default=str),
        policies={group.name: group.policy for group in setup.groups},
    )
