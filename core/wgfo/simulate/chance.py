"""Chance that depends on what is asked alone, never on the order of asking.

A draw is a hash of the seed and of what it is for, so that a run with fewer or other requests keeps the luck
of the rest, and a probe is lost or not whoever sends it.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

_MASK: Final = (1 << 64) - 1


def mix(value: int) -> int:
    """Return 64 well-mixed bits (the finaliser of SplitMix64)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def key(*words: str) -> int:
    """Return a number for names; the same in every process."""
    return crc32("\0".join(words).encode())


def hits(percent: int, seed: int, what: int, number: int) -> bool:
    """Whether a draw with a chance of ``percent`` in a hundred succeeds."""
    if percent >= 100:  # noqa: PLR2004 - per cent
        return True
    return mix(mix(seed * 0x10001 + what) ^ number) % 100 < percent
