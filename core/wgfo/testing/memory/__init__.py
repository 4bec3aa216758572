"""An in-memory platform and its provider: the reference for the contract, for tests and demonstrations.

``platform.py`` is the platform with its API, ``provider.py`` the provider, ``world.py`` how the conformance suite
sees both. This module is the plugin: ``registry_of(wgfo.testing.memory)`` offers the kind ``memory``.
"""

from __future__ import annotations

from collections.abc import Sequence

from wgfo.plugin import RouteOffer, hookimpl
from wgfo.testing.memory.options import MEMORY, MemoryOptions
from wgfo.testing.memory.platform import MemoryPlatform

__all__ = ["MEMORY", "MemoryOptions", "MemoryPlatform", "wgfo_route_offers"]


@hookimpl
def wgfo_route_offers() -> Sequence[RouteOffer]:
    """Offer tables in memory."""
    return (MEMORY,)
