"""Damping: a penalty per automatic switch that decays by halves, in the terms of RFC 2439 (route flap damping).

Decides whether *returns* are suppressed. An escape from a path that is down is never asked about here. States:
free, suppressed (from ``suppress`` until the penalty has decayed to ``reuse``).

May not be added here: anything about paths or health.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final

from wgfo.engine.policy import DampingRule
from wgfo.engine.values import replace

PENALTY: Final = 1000
"""Of one switch."""
_STEPS: Final = 64
"""The decay is read from a table of so many steps for each half-life: integers, the same everywhere."""
_SHIFT: Final = 64
_MAX_HALVINGS: Final = 32


def _decay_table() -> tuple[int, ...]:
    """Return 2^(-step/64) for the steps of one half-life, in 1/2^64; integer square roots, no floats."""
    root = 1 << (_SHIFT - 1)
    for _ in range(_STEPS.bit_length() - 1):
        root = isqrt(root << _SHIFT)
    table = [1 << _SHIFT]
    for _ in range(_STEPS - 1):
        table.append(table[-1] * root >> _SHIFT)
    return tuple(table)


_DECAY: Final = _decay_table()


@dataclass(frozen=True, slots=True)
class Damping:
    """The penalty as it stood at ``at_us``, and the times of the voluntary moves in the window."""

    penalty: int = 0
    at_us: int = 0
    suppressed: bool = False
    moves_us: tuple[int, ...] = ()


def penalty_at(rule: DampingRule, damping: Damping, now_us: int) -> int:
    """Return the penalty decayed to now."""
    steps = max(0, now_us - damping.at_us) * _STEPS // rule.half_life_us
    halvings, step = divmod(steps, _STEPS)
    return (damping.penalty * _DECAY[step] >> _SHIFT) >> min(halvings, _MAX_HALVINGS)


def settled(rule: DampingRule, damping: Damping, now_us: int) -> Damping:
    """Return the damping with its suppression ended, if the penalty has decayed to the reuse threshold."""
    if damping.suppressed and penalty_at(rule, damping, now_us) <= rule.reuse:
        return replace(damping, suppressed=False)
    return damping


def switched(rule: DampingRule, damping: Damping, now_us: int, *, voluntary: bool) -> Damping:
    """Return the damping after an automatic switch."""
    penalty = penalty_at(rule, damping, now_us) + PENALTY
    kept = tuple(at for at in damping.moves_us if now_us - at < rule.max_moves_window_us)
    moves = (*kept, now_us)[-rule.max_moves :] if voluntary else kept
    suppressed = damping.suppressed or penalty >= rule.suppress
    return Damping(penalty, now_us, suppressed, moves)


def reuse_us(rule: DampingRule, damping: Damping) -> int | None:
    """Return when the suppression ends; None where there is none."""
    if not damping.suppressed:
        return None
    step_us = -(-rule.half_life_us // _STEPS)
    low, high = 0, _STEPS * _MAX_HALVINGS
    while low < high:  # the decay only falls: bisect the first step at or below the threshold
        middle = (low + high) // 2
        if penalty_at(rule, damping, damping.at_us + middle * step_us) <= rule.reuse:
            high = middle
        else:
            low = middle + 1
    return damping.at_us + low * step_us


def exhausted(rule: DampingRule, damping: Damping, now_us: int) -> bool:
    """Whether the voluntary moves of the window are used up (I6)."""
    inside = sum(1 for at in damping.moves_us if now_us - at < rule.max_moves_window_us)
    return inside >= rule.max_moves


def move_free_us(rule: DampingRule, damping: Damping) -> int | None:
    """Return when the oldest voluntary move leaves the window; None where there is none."""
    return damping.moves_us[0] + rule.max_moves_window_us if damping.moves_us else None
