"""The hooks of wgfo: few, typed, run once at start; none is on the hot path.

A plugin is a module (or object) behind an entry point of the group ``wgfo``; it implements any of these with
:data:`hookimpl`. First-party plugins are found in exactly the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pluggy

from wgfo.plugin.lease import LeaseOffer
from wgfo.plugin.probe import ProbeOffer
from wgfo.plugin.route import RouteOffer

PROJECT: Final = "wgfo"
hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """What a plugin may offer."""

    @hookspec
    def wgfo_route_offers(self) -> Sequence[RouteOffer]:
        """Return the kinds of route provider that this plugin offers."""
        raise NotImplementedError

    @hookspec
    def wgfo_probe_offers(self) -> Sequence[ProbeOffer]:
        """Return the kinds of probe that this plugin offers."""
        raise NotImplementedError

    @hookspec
    def wgfo_lease_offers(self) -> Sequence[LeaseOffer]:
        """Return the kinds of lease store that this plugin offers."""
        raise NotImplementedError
