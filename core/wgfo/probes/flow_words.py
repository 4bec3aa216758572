"""What the losses of a path look like, in words: which way, and whether they follow the flow; pure.

A broken member of a bundle, or one bad bucket of a load balancer, loses every probe of some flows and none of
the others; congestion and bad radio lose some probes of all. The first asks for another path or another
repair than the second, and pings see no difference.

A flow counts as dead when so many of its probes were lost in a row that chance is no explanation: less than
once in a hundred such reports, given what the other flows lose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from wgfo.model import FlowTally

ENOUGH: Final = 3
"""Probes of a flow lost in a row, at least."""
_CHANCE: Final = 0.01
_QUIET: Final = 0.02
"""A share of losses on the other flows below this is not worth a word."""
_PORTS_SHOWN: Final = 16
_FRACTIONS: Final = {
    Fraction(1, 8): "an eighth",
    Fraction(1, 4): "a quarter",
    Fraction(1, 3): "a third",
    Fraction(1, 2): "half",
    Fraction(2, 3): "two thirds",
    Fraction(3, 4): "three quarters",
}


@dataclass(frozen=True, slots=True)
class Losses:
    """How many probes of all flows were sent and lost, those of flows that are no more included."""

    sent: int
    lost: int
    forward: int
    """Of those lost: known to be lost towards the far side."""
    back: int
    """Known to be lost on the way back."""


def describe(flows: Sequence[FlowTally], losses: Losses) -> str:
    """Return the pattern and the direction of the losses; empty where nothing is lost.

    Args:
        flows: what became of each present flow's probes.
        losses: what became of all probes together.
    """
    if not losses.lost:
        return ""
    return f"{_pattern(flows, losses)}: {_direction(losses)}"


def _direction(losses: Losses) -> str:
    forward, back = losses.forward, losses.back
    unknown = max(0, losses.lost - forward - back)
    if not forward and not back:
        return "on which way is not known"
    rest = f", {unknown} on a way not known" if unknown else ""
    if not back:
        return f"{_some(forward, rest)}lost towards the far side{rest}"
    if not forward:
        return f"{_some(back, rest)}lost on the way back{rest}"
    return f"lost on both ways ({forward} towards the far side, {back} on the way back{rest})"


def _some(count: int, rest: str) -> str:
    return f"{count} " if rest else ""


def _pattern(flows: Sequence[FlowTally], losses: Losses) -> str:
    if losses.lost == losses.sent:
        return "all flows, all of the time"
    dead = dead_flows(flows)
    if not dead:
        share = _percent(losses.lost, losses.sent)
        return f"{share} of the probes, on all flows, some of the time"
    if len(dead) == len(flows):
        return "all flows, all of the time"
    alive = [flow for flow in flows if flow not in dead]
    return f"{_share(len(dead), len(flows))}, all of the time ({_ports(dead, flows)}{_others(alive)})"


def dead_flows(flows: Sequence[FlowTally]) -> tuple[FlowTally, ...]:
    """Return the flows that lose everything, where chance does not explain it."""
    suspects = tuple(flow for flow in flows if flow.lost_running >= ENOUGH)
    others = [flow for flow in flows if flow not in suspects]
    if not others:
        return suspects
    background = _ratio(others)
    return tuple(flow for flow in suspects if len(flows) * background**flow.lost_running < _CHANCE)


def _ratio(flows: Iterable[FlowTally]) -> float:
    flows = tuple(flows)
    return sum(flow.lost for flow in flows) / max(1, sum(flow.sent for flow in flows))


def _share(part: int, whole: int) -> str:
    word = _FRACTIONS.get(Fraction(part, whole))
    return f"{word} of the flows" if word else f"{part} of {whole} flows"


def _ports(dead: Sequence[FlowTally], flows: Sequence[FlowTally]) -> str:
    """Name the source ports; where a port is dead towards some targets only, the targets too."""
    ports = sorted({flow.source_port for flow in dead})
    whole = sum(1 for flow in flows if flow.source_port in ports) == len(dead)
    names = (
        [str(port) for port in ports]
        if whole
        else [f"{flow.source_port} to {flow.target}" for flow in sorted(dead, key=_order)]
    )
    more = f" and {len(names) - _PORTS_SHOWN} more" if len(names) > _PORTS_SHOWN else ""
    return f"source port{'s' if len(names) > 1 else ''} {', '.join(names[:_PORTS_SHOWN])}{more}"


def _order(flow: FlowTally) -> tuple[int, str]:
    return flow.source_port, flow.target


def _others(alive: Sequence[FlowTally]) -> str:
    lost, sent = sum(flow.lost for flow in alive), sum(flow.sent for flow in alive)
    return f"; the others lose {_percent(lost, sent)}" if lost > sent * _QUIET else ""


def _percent(lost: int, sent: int) -> str:
    share = 100 * lost / max(1, sent)
    return f"{share:.0f} %" if share >= 1 else "less than 1 %"
