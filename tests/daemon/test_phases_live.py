"""A switch of a whole daemon has all its phases in the history, the metrics, the log and the event stream."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.page.station import Station

from wgfo.telemetry.happenings import Kind

PHASES = {"detect", "write", "verify", "first_packet"}


@pytest.fixture
def station(tmp_path):
    with Station(tmp_path, 1, 200_000).running() as made:
        made.until(made.healthy, "all is well")
        yield made


def records(station):
    return station.call(station.house.live.switches)


def complete(record):
    return None not in (record.detect_us, record.write_us, record.verified_us, record.first_packet_us)


def test_every_switch_there_and_back_has_all_its_phases(station, caplog):
    caplog.set_level(logging.INFO, "wgfo")
    station.cut("g1", "primary")
    station.until(lambda: records(station) and complete(records(station)[-1]), "the escape has its phases")
    station.mend("g1", "primary")
    station.until(lambda: station.report("g1").paths[0].usable, "primary is usable")
    station.cut("g1", "secondary")
    station.until(
        lambda: len(records(station)) == 2 and complete(records(station)[-1]), "and so has the way back"
    )
    for record in records(station):
        assert 0 <= record.write_us <= record.verified_us
        assert record.write_us <= record.first_packet_us
        assert record.failed == 0
    text = station.call(station.house._metrics.exposition).decode()
    counted = {
        sample.labels["phase"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "wgfo_switch_phase_seconds_count"
    }
    assert counted == dict.fromkeys(PHASES, 2)
    lines = [line for line in caplog.messages if "took its course" in line]
    assert len(lines) == 2
    assert "(never)" not in "".join(lines)
    told = station.call(station.house._views.feed.latest, frozenset({Kind.PHASES}), 9)
    assert [one.happening.fields["to"] for one in told] == ["primary", "secondary"]
