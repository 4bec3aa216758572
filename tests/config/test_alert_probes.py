"""Probes that wait for alerts need a webhook; probes that decide alone need no packets."""

from __future__ import annotations

import pytest

from tests.telemetry.emitted import ALERTS, BY_ALERTS, DIRECT, setup
from wgfo.config.problems import ConfigProblems
from wgfo.engine.policy import Act

NO_TOKEN = BY_ALERTS.replace('webhook_token_file = "/etc/wgfo/webhook.token"\n', "")
NO_HTTP = BY_ALERTS.replace('http = "127.0.0.1:9785"\n', "")


@pytest.mark.parametrize(("text", "key"), [(NO_TOKEN, "webhook_token_file"), (NO_HTTP, "http")])
def test_without_a_webhook_no_alert_could_ever_come(text, key):
    with pytest.raises(ConfigProblems, match=rf"POST /api/v1/alerts.*\[daemon\] {key} is not set") as raised:
        setup(text)
    assert 'webhook_token_file = "/etc/wgfo/webhook.token"' in str(raised.value)


def test_alerts_that_another_site_hears_need_no_webhook_here():
    here = f'[site.here]\nhosts = ["host"]\n[site.there]\nhosts = ["other"]\n{NO_TOKEN}'
    elsewhere = here.replace('kind = "alertmanager"', 'kind = "alertmanager"\nsites = ["there"]')
    assert [probe.offer.kind for probe in setup(elsewhere).groups[0].probes if probe.offer.hears_alerts] == []


def test_alerts_alone_leave_no_packet_to_send_and_that_is_no_oversight():
    made = setup(BY_ALERTS)
    assert made.groups[0].policy.streams == ()
    assert [source.kind for source in made.groups[0].policy.leading] == ["alertmanager"]
    assert not any("no data-plane probe" in notice for notice in made.notices)


def test_evidence_beside_packets_decides_nothing_unless_told_to():
    beside = DIRECT.replace("[[group.route]]", f"{ALERTS}[[group.route]]").replace(
        "[[group]]", 'webhook_token_file = "/etc/wgfo/webhook.token"\n[[group]]'
    )
    acts = {
        act: setup(beside.replace('act = "alone"\n', line)).groups[0].policy
        for act, line in ((Act.ALONE, 'act = "alone"\n'), (Act.CORROBORATE, ""))
    }
    assert [one.sources[0].act for one in acts.values()] == list(acts)
    assert [one.leading for one in acts.values()] == [(), ()]


def test_the_interval_of_a_source_is_how_long_a_clean_round_takes():
    slow = BY_ALERTS.replace('act = "alone"', 'act = "alone"\ninterval = "15s"')
    assert setup(slow).groups[0].policy.vouch_us == 15_000_000


def test_a_misspelt_field_of_a_label_is_refused_with_its_line():
    with pytest.raises(ConfigProblems, match=r"accepted: \{group\} and \{path\}"):
        setup(BY_ALERTS.replace("{path}", "{pth}", 1))
