"""The traffic meter in a lab."""

from __future__ import annotations

import json

import pytest

from tests.lab.bench import Watched
from tests.support.netns import eventually
from wgfo.lab.actors import Traffic, running_traffic
from wgfo.lab.ledger import Ledger
from wgfo.lab.meter import MAX_LATE_US, RATE, now_us

pytestmark = pytest.mark.net


def read(traffic: Traffic, ledger: Ledger, until_us: int) -> None:
    def told() -> bool:
        for line in traffic.lines():
            ledger.feed(line)
        return ledger.at_us >= until_us

    eventually(told, within=20, what="the meter's lines")


def test_an_outage_is_measured_on_real_packets(watched: Watched) -> None:
    ledger = Ledger()
    with running_traffic(watched.lab) as traffic:
        read(traffic, ledger, now_us() + 1_500_000)
        with watched.broken("underlay-cut"):
            began_us = now_us()
            read(traffic, ledger, now_us() + 1_000_000)
            ended_us = now_us()
        read(traffic, ledger, now_us() + 2_000_000)
    # A busy machine may hold the meter up for a moment at other times.
    (outage,) = [one for one in ledger.outages() if one.from_us < ended_us and one.to_us > began_us]
    assert outage.from_us <= began_us + 50_000
    assert outage.length_us >= ended_us - began_us - 100_000
    assert ledger.first_good_after(began_us) == outage.to_us
    expected = outage.length_us * RATE // 1_000_000
    assert abs(outage.lost - expected) <= expected // 5 + 2
    summary = ledger.summary()
    assert summary.requests > 5
    assert summary.requests_failed >= 1
    assert summary.duplicates == 0


def test_kernel_stamps_make_round_trips_plausible(watched: Watched) -> None:
    echoes: list[list[int]] = []

    def fifty(traffic: Traffic) -> bool:
        echoes.extend(echo for line in traffic.lines() for echo in json.loads(line)["echoes"])
        return len(echoes) > 50

    with running_traffic(watched.lab) as traffic:
        eventually(lambda: fifty(traffic), within=30, what="fifty echoes")
    assert all(0 < received - sent < MAX_LATE_US for _, sent, received in echoes)
