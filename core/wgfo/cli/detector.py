"""The detector's figures as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wgfo.cli.screen import duration
from wgfo.engine.policy import SECOND_US
from wgfo.telemetry.figures.false_alarms import BURST_S, NEVER_S, YEAR_S
from wgfo.telemetry.figures.figures import GRAY, FalseAlarms, Figures, Gray
from wgfo.telemetry.figures.outage import Span

Line = tuple[str, str]
_UNITS: Final = ((YEAR_S, "years"), (86_400.0, "days"), (3_600.0, "h"), (60.0, "min"))
_FEW: Final = 2
"""A time is told in the largest unit of which it has so many."""


def figure_lines(figures: Figures) -> Iterator[Line]:
    """Yield what is found, and how fast: a fault, and a sentence."""
    yield "full outage", _found_within(figures.outage)
    for gray in figures.losses:
        yield f"{gray.loss:.0%} loss", _gray(gray)
    for name, span in figures.classes:
        yield f"class {name} fails", _found_within(span)
    if figures.hold_off_us:
        yield (
            "hold-off",
            f"then {duration(figures.hold_off_us / SECOND_US)} before a path that is down is left",
        )
    yield "handshake alone", _handshake(figures)


def false_alarm_lines(figures: Figures) -> Iterator[Line]:
    """Yield how often nothing is taken for a fault: a background loss, and a sentence."""
    for one in figures.false_alarms:
        yield f"{one.loss:.1%} of probes lost", _false_alarms(one)


def _handshake(figures: Figures) -> str:
    worst, gray = duration(figures.handshake.worst_us / SECOND_US), long_time(figures.handshake_gray_s)
    return f"would take up to {worst} for a full outage, {gray} on average for {GRAY:.0%} loss"


def _found_within(span: Span) -> str:
    worst, mean = duration(span.worst_us / SECOND_US), duration(span.mean_us / SECOND_US)
    return f"found within {worst}, {mean} on average"


def _gray(gray: Gray) -> str:
    found = gray.found
    after = duration(found.horizon_us / SECOND_US)
    if found.median_us is None:
        return f"NOT reliably found: {found.share:.0%} within {after}"
    median = duration(found.median_us / SECOND_US)
    if found.p99_us is None:
        return f"NOT reliably found: {found.share:.0%} within {after}, half within {median}"
    return f"99% within {duration(found.p99_us / SECOND_US)}, half within {median}"


def _false_alarms(one: FalseAlarms) -> str:
    return (
        f"one in {long_time(one.independent_s)} if independent, one in {long_time(one.bursty_s)} "
        f"if in bursts of {BURST_S:g} s"
    )


def long_time(seconds: float) -> str:
    """Return a long time in the unit that reads best, two figures."""
    if seconds >= NEVER_S:
        return "more than a million years"
    for size_s, unit in _UNITS:
        if seconds >= _FEW * size_s:
            return f"{float(f'{seconds / size_s:.2g}'):,g} {unit}"
    return f"{seconds:.2g} s"


# --- as JSON ----------------------------------------------------------------------------------------------


def figures_json(figures: Figures) -> dict[str, object]:
    """Return the figures; a time of more than a million years, or one that is not reached, is null."""
    return {
        "full_outage": _span(figures.outage),
        "hold_off_seconds": figures.hold_off_us / SECOND_US,
        "loss": [_gray_json(gray) for gray in figures.losses],
        "classes": [{"class": name, **_span(span)} for name, span in figures.classes],
        "handshake_alone": {
            "full_outage": _span(figures.handshake),
            "loss": {"loss_ratio": GRAY, "mean_seconds": _long(figures.handshake_gray_s)},
        },
        "false_failovers": [
            {
                "loss_ratio": one.loss,
                "independent_seconds": _long(one.independent_s),
                "bursty_seconds": _long(one.bursty_s),
            }
            for one in figures.false_alarms
        ],
        "bears_loss_ratio": figures.bears,
        "not_found": list(figures.unseen),
    }


def _span(span: Span) -> dict[str, object]:
    return {"mean_seconds": span.mean_us / SECOND_US, "worst_seconds": span.worst_us / SECOND_US}


def _gray_json(gray: Gray) -> dict[str, object]:
    found = gray.found
    return {
        "loss_ratio": gray.loss,
        "median_seconds": None if found.median_us is None else found.median_us / SECOND_US,
        "p99_seconds": None if found.p99_us is None else found.p99_us / SECOND_US,
        "found_ratio": found.share,
        "within_seconds": found.horizon_us / SECOND_US,
    }


def _long(seconds: float) -> float | None:
    return None if seconds >= NEVER_S else seconds
