"""The charts of the status page as SVG paths: no script draws them, and no style attribute either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.telemetry.trends import SLICE_US, SLICES, Slice

HEIGHT: Final = 40
LEAST_LOSS_PERCENT: Final = 10
"""The top of a loss chart at least: small losses stay small."""
LEAST_RTT_US: Final = 1_000
_SCALES: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in a box of ``SLICES`` by ``HEIGHT``; the present is at the right edge."""

    path: str
    """Of SVG; empty: there is nothing to show."""
    top: str
    """What the upper edge stands for."""
    text: str
    """The chart in words."""


@dataclass(frozen=True, slots=True)
class PathCharts:
    """Both charts of one path."""

    loss: Chart
    rtt: Chart


def path_charts(slices: Sequence[Slice], now_us: int, rtt_top_us: int) -> PathCharts:
    """Draw one path; ``rtt_top_us`` is shared by the paths of a group, so that they can be compared."""
    shown = _within(slices, now_us)
    return PathCharts(_loss(shown), _rtt(shown, rtt_top_us))


def rtt_top_us(paths: Iterable[Sequence[Slice]]) -> int:
    """Return a round upper edge for the round-trip times of several paths."""
    most = max((_mean_us(one) for slices in paths for one in slices if one.replies), default=0)
    return rounded_up(max(most, LEAST_RTT_US))


def rounded_up(value: int) -> int:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for scale in _SCALES:
            if scale * power >= value:
                return scale * power
        power *= 10


def _within(slices: Sequence[Slice], now_us: int) -> Sequence[tuple[int, Slice]]:
    """Return each slice with its column, 0 at the left edge."""
    first = now_us // SLICE_US - SLICES + 1
    return [(one.number - first, one) for one in slices if 0 <= one.number - first < SLICES]


def _loss(shown: Sequence[tuple[int, Slice]]) -> Chart:
    known, lost = sum(one.known for _, one in shown), sum(one.lost for _, one in shown)
    most = max((100 * one.lost / one.known for _, one in shown if one.known), default=0.0)
    top = max(LEAST_LOSS_PERCENT, min(100, rounded_up(int(most) + 1) if most else 0))
    bars = "".join(_bars(shown, top))
    text = f"{_percent(lost, known)} of {known} probes lost" if known else "no probe has ended"
    return Chart(bars, f"{top} %", text)


def _bars(shown: Sequence[tuple[int, Slice]], top: int) -> Iterator[str]:
    for column, one in shown:
        if one.lost:
            height = max(1.0, HEIGHT * 100 * one.lost / one.known / top)
            yield f"M{column} {HEIGHT}v-{height:.1f}h1v{height:.1f}z"


def _percent(lost: int, known: int) -> str:
    """Never 0 % where something was lost, never 100 % where something arrived."""
    share = 100 * lost / known
    if 0 < share < 0.1:  # noqa: PLR2004 - one digit behind the point
        return "less than 0.1 %"
    return f"{share:.1f} %" if lost < known and lost else f"{share:.0f} %"


def _rtt(shown: Sequence[tuple[int, Slice]], top_us: int) -> Chart:
    answered = [(column, one) for column, one in shown if one.replies]
    line = "".join(_line(answered, top_us))
    top = milliseconds(top_us)
    if not answered:
        return Chart("", top, "nothing has answered")
    mean_us = sum(one.rtt_sum_us for _, one in answered) // sum(one.replies for _, one in answered)
    most_us = max(one.rtt_most_us for _, one in answered)
    return Chart(line, top, f"mean {milliseconds(mean_us)}, longest {milliseconds(most_us)}")


def _line(answered: Sequence[tuple[int, Slice]], top_us: int) -> Iterator[str]:
    """Half-minutes without an answer leave a gap; one alone between gaps is a short dash."""
    before = -2
    for column, one in answered:
        height = HEIGHT - min(1.0, _mean_us(one) / top_us) * (HEIGHT - 1)
        yield f"{'L' if column == before + 1 else 'M'}{column} {height:.1f}h1"
        before = column


def _mean_us(one: Slice) -> int:
    return one.rtt_sum_us // one.replies


def milliseconds(us: int) -> str:
    """Return a time in milliseconds, as short as it is still told apart."""
    ms = us / 1_000
    return f"{ms:.0f} ms" if ms >= 10 or ms == int(ms) else f"{ms:.1f} ms"  # noqa: PLR2004 - two digits
