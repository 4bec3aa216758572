"""A plugin that imports its SDK (an XML-RPC client will do) when it is discovered."""

from __future__ import annotations

import xmlrpc.client

from wgfo.testing.memory import wgfo_route_offers

SDK = xmlrpc.client
__all__ = ["SDK", "wgfo_route_offers"]
