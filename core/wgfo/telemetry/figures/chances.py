"""Binomial chances, exact to floating point for any number of probes."""

from __future__ import annotations

from math import exp, lgamma, log, log1p


def binomial(probes: int, lost: int, chance: float) -> float:
    """Return how likely exactly so many of the probes are lost; ``chance`` lies between 0 and 1."""
    if not 0 <= lost <= probes:
        return 0.0
    ways = lgamma(probes + 1) - lgamma(lost + 1) - lgamma(probes - lost + 1)
    return exp(ways + lost * log(chance) + (probes - lost) * log1p(-chance))


def at_least(probes: int, least: int, chance: float) -> float:
    """Return how likely so many of the probes, or more, are lost."""
    return min(1.0, sum(binomial(probes, lost, chance) for lost in range(least, probes + 1)))
