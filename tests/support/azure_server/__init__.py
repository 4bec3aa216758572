"""A strict stand-in for the part of Azure Resource Manager that route failover uses, over real HTTP.

clock.py      real or hand-driven time
state.py      tables, routes, etags, operations, and what traffic really follows
schema.py     what the SDK's own models say a request may hold
faults.py     everything that may go wrong
server.py     the HTTP side
timeline.py   every instant, and who had a route in it
"""

from __future__ import annotations

from tests.support.azure_server.clock import Clock, ManualClock
from tests.support.azure_server.faults import Answer, Faults, Style
from tests.support.azure_server.server import AzureServer, azure_server
from tests.support.azure_server.state import Nic, Platform
from tests.support.azure_server.timeline import Timeline

__all__ = [
    "Answer",
    "AzureServer",
    "Clock",
    "Faults",
    "ManualClock",
    "Nic",
    "Platform",
    "Style",
    "Timeline",
    "azure_server",
]
