"""wgfo keeps prefixes reachable over one of several isolated WireGuard paths."""

__version__ = "0.1.0"
