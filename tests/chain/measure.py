"""How long both ways take, side by side: the daemon's own packets, and the classic chain of alerts.

Run by ``make chain``. Scrapes and evaluations are a second apart, as in the test; in production add yours.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.acceptance.trial import Trial
from tests.chain.chain import WITHIN_S, trial, well
from wgfo.lab import meter, state

FAULTS = ("silent-drop", "underlay-cut")
SECOND_US = 1_000_000


@dataclass(frozen=True)
class Figures:
    """Seconds, all from the fault on but the outage, which is what traffic saw."""

    fault: str
    decided: float
    written: float
    outage: float
    reason: str


def measure(name: str, *, classic: bool) -> Iterator[Figures]:
    with trial(name, classic=classic) as one:
        for fault in FAULTS:
            yield failover(one, fault)
            one.lab.heal()
            one.until("all is well again", lambda: well(one), within=WITHIN_S)


def failover(one: Trial, fault: str) -> Figures:
    active, before, start_us = one.active, len(one.switches), meter.now_us()
    one.lab.break_(fault, active)
    broken = datetime.now(UTC)
    one.until("the switch is verified", lambda: verified(one, before), within=WITHIN_S)
    one.until("packets again", lambda: one.ledger.silent_us < 200_000, within=WITHIN_S)
    switch = one.switches[before]
    decided = (datetime.fromisoformat(switch["at"]) - broken).total_seconds()
    outage_us = sum(outage.length_us for outage in one.outages_since(start_us))
    written = decided + float(switch["write_seconds"] or 0)
    return Figures(fault, decided, written, outage_us / SECOND_US, str(switch["reason"]))


def verified(one: Trial, before: int) -> bool:
    switches = one.switches
    return len(switches) > before and switches[before]["verified_seconds"] is not None


def main() -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setenv(state.ENVIRONMENT, directory)
        direct = list(measure("direct", classic=False))
        classic = list(measure("classic", classic=True))
    lines = [f"{'fault':<14} {'by':<22} {'decided':>9} {'written':>9} {'traffic out':>12}"]
    for pair in zip(direct, classic, strict=True):
        lines += [row(way, found) for way, found in zip(("own packets", "alerts"), pair, strict=True)]
    lines += [f"{found.fault}: {found.reason}" for found in (*direct, *classic)]
    sys.stdout.write("\n".join(lines) + "\n")


def row(way: str, found: Figures) -> str:
    times = f"{found.decided:>7.2f} s {found.written:>7.2f} s {found.outage:>10.2f} s"
    return f"{found.fault:<14} {way:<22} {times}"


if __name__ == "__main__":
    main()
