"""The public contract: with :mod:`wgfo.model`, the only thing that a plugin imports."""

from wgfo.plugin.errors import (
    ConfigError,
    Conflict,
    Denied,
    LeaseError,
    NotFound,
    OutcomeUnknown,
    PluginError,
    ProbeError,
    ProviderError,
    Transient,
    Unsupported,
    WgfoError,
    Withdrawn,
)
from wgfo.plugin.hookspecs import Hooks, hookimpl, hookspec
from wgfo.plugin.lease import Grant, Lease, LeaseOffer
from wgfo.plugin.probe import (
    Mode,
    ProbeContext,
    ProbeOffer,
    PushProbe,
    Report,
    ReportsFlows,
    Role,
    RoundProbe,
)
from wgfo.plugin.route import Capabilities, Permit, ProviderContext, RequestRates, RouteOffer, RouteProvider
from wgfo.plugin.values import Duration

__all__ = [
    "Capabilities",
    "ConfigError",
    "Conflict",
    "Denied",
    "Duration",
    "Grant",
    "Hooks",
    "Lease",
    "LeaseError",
    "LeaseOffer",
    "Mode",
    "NotFound",
    "OutcomeUnknown",
    "Permit",
    "PluginError",
    "ProbeContext",
    "ProbeError",
    "ProbeOffer",
    "ProviderContext",
    "ProviderError",
    "PushProbe",
    "Report",
    "ReportsFlows",
    "RequestRates",
    "Role",
    "RoundProbe",
    "RouteOffer",
    "RouteProvider",
    "Transient",
    "Unsupported",
    "WgfoError",
    "Withdrawn",
    "hookimpl",
    "hookspec",
]
