"""A random world: what the seed made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wgfo.simulate.plan import Plan


@dataclass(frozen=True, slots=True)
class World:
    """What happens, and the configuration that meets it: plain values of a wgfo.toml."""

    seed: int
    plan: Plan
    configuration: Mapping[str, Any]
