"""How ``wgfo replay --config`` shows what was done beside what would have been done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import typer

from wgfo.cli.output import message
from wgfo.cli.replayed import wall
from wgfo.cli.screen import duration
from wgfo.daemon.whatif import Moved, Span, WhatIf

SAME_US: Final = 1_000
"""So close, two switches are at the same time."""
NEAR_US: Final = 300 * 1_000_000
"""So far apart, two switches to the same path may still answer the same trouble."""


class Kind(StrEnum):
    """How a switch of one side stands to those of the other."""

    SAME = "same"
    MOVED = "moved"
    RECORDED = "only_recorded"
    NEW = "only_new"


@dataclass(frozen=True, slots=True)
class Pair:
    """A switch that was made, the one that would have been, or both where they answer the same trouble."""

    recorded: Moved | None
    new: Moved | None

    @property
    def kind(self) -> Kind:
        """How they stand to each other."""
        if self.recorded is None:
            return Kind.NEW
        if self.new is None:
            return Kind.RECORDED
        return Kind.SAME if abs(self.later_us) <= SAME_US else Kind.MOVED

    @property
    def later_us(self) -> int:
        """By how much the new one comes later."""
        return self.new.at_us - self.recorded.at_us if self.new and self.recorded else 0

    @property
    def at_us(self) -> int:
        """When the first of them was."""
        return min(one.at_us for one in (self.recorded, self.new) if one is not None)


def pairs(recorded: Sequence[Moved], new: Sequence[Moved]) -> list[Pair]:
    """Pair the switches in order: same ends, near in time; each belongs to one pair."""
    left = list(new)
    found = []
    for one in recorded:
        other = next((it for it in left if _alike(one, it)), None)
        if other is not None:
            found += [Pair(None, passed) for passed in left[: left.index(other)]]
            del left[: left.index(other) + 1]
        found.append(Pair(one, other))
    found += [Pair(None, rest) for rest in left]
    return sorted(found, key=lambda pair: pair.at_us)


def _alike(one: Moved, other: Moved) -> bool:
    ends = (one.source, one.target) == (other.source, other.target)
    return ends and abs(one.at_us - other.at_us) <= NEAR_US


# --- as JSON ----------------------------------------------------------------------------------------------


def what_if_json(found: WhatIf) -> dict[str, object]:
    """Return the whole as JSON."""
    return {
        "spans": [_span_json(one) for one in found.spans],
        "gaps": list(found.gaps),
        "groups_not_recorded": list(found.absent),
        "groups_not_configured": list(found.dropped),
    }


def _span_json(span: Span) -> dict[str, object]:
    return {
        "group": span.group,
        "session": span.header.session,
        "from": wall(span.header, span.from_us),
        "to": wall(span.header, span.to_us),
        "missing": list(span.missing),
        "notes": span.notes,
        "desired_recorded": span.recorded_path,
        "desired_new": span.supposed_path,
        "switches": [_pair_json(span, pair) for pair in pairs(span.recorded, span.supposed)],
    }


def _pair_json(span: Span, pair: Pair) -> dict[str, object]:
    return {
        "kind": pair.kind,
        "later_seconds": pair.later_us / 1_000_000 if pair.recorded and pair.new else None,
        "recorded": _moved_json(span, pair.recorded),
        "new": _moved_json(span, pair.new),
    }


def _moved_json(span: Span, one: Moved | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {
        "at": wall(span.header, one.at_us),
        "from": one.source,
        "to": one.target,
        "rule": one.rule,
        "reason": one.reason,
    }


# --- for a person -----------------------------------------------------------------------------------------


def print_what_if(found: WhatIf) -> None:
    """Print each group's stretch: ``=`` the same, ``~`` at another time, ``-`` recorded only, ``+`` new only."""
    for span in found.spans:
        for line in _span(span):
            typer.echo(line)
    for text in found.gaps:
        message(f"not replayable: {text}")
    for name in found.absent:
        message(f"group {name} is not in the recording: nothing can be said of it")
    for name in found.dropped:
        message(f"group {name} is in the recording, and not in the new configuration")


def _span(span: Span) -> Iterator[str]:
    lasted = duration((span.to_us - span.from_us) / 1_000_000)
    yield (
        f"group {span.group}, {wall(span.header, span.from_us)}, {lasted}: "
        f"{_count(span.recorded)} recorded, {_count(span.supposed)} with the new configuration"
    )
    yield from (f"  not in the recording: {text}" for text in span.missing)
    yield from (f"  note: {text}" for text in span.notes)
    for pair in pairs(span.recorded, span.supposed):
        yield from _pair(span, pair)
    if span.recorded_path != span.supposed_path:
        yield f"  at the end: recorded on {span.recorded_path or '-'}, new on {span.supposed_path or '-'}"


def _count(switches: Sequence[Moved]) -> str:
    return f"{len(switches)} switch{'es' * (len(switches) != 1)}"


def _pair(span: Span, pair: Pair) -> Iterator[str]:
    if pair.kind is Kind.SAME and pair.recorded is not None:
        yield f"  = {_moved(span, pair.recorded)}"
    elif pair.kind is Kind.MOVED and pair.new is not None:
        by, way = duration(abs(pair.later_us) / 1_000_000), "later" if pair.later_us > 0 else "earlier"
        yield f"  ~ {_moved(span, pair.new)}, {by} {way} than recorded"
    if pair.kind is Kind.RECORDED and pair.recorded is not None:
        yield f"  - {_moved(span, pair.recorded)}"
    if pair.kind is Kind.NEW and pair.new is not None:
        yield f"  + {_moved(span, pair.new)}"


def _moved(span: Span, one: Moved) -> str:
    return f"{wall(span.header, one.at_us)} {one.source or '-'} → {one.target} by {one.rule}: {one.reason}"
