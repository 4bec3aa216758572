"""Each switch is remembered with how long its phases took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wgfo.engine.decisions import Rule, SetConverged, Switch
from wgfo.engine.events import RoundClosed, ServiceClosed, Tick, WriteEnded
from wgfo.engine.policy import GroupPolicy, PathPolicy, ServicePolicy, SetPolicy, StreamPolicy
from wgfo.model import SMALL, FailureKind, Outcome, ProbeResult, SetOutcome, WriteFailure
from wgfo.telemetry.switches import REMEMBERED, SwitchLog

POLICY = GroupPolicy(
    "cloud",
    (PathPolicy("primary"), PathPolicy("secondary")),
    streams=(
        StreamPolicy(0, "icmp", SMALL, 1_000_000, 800_000, ("a", "b"), base=True),
        StreamPolicy(1, "tcp", "tcp", 1_000_000, 800_000, ("a:1",)),
    ),
    sets=(SetPolicy("linux/main/cloud", "linux", "main", 1), SetPolicy("aws/rtb/cloud", "aws", "rtb", 3)),
)
AT = 10_000_000


def switch(at_us=AT, epoch=4, source="primary", target="secondary", **changes):
    return Switch(at_us, epoch, source, target, Rule.SIGNAL_FAIL, "all dead", **changes)


def written(at_us, set_id="linux/main/cloud", *, epoch=4, failures=(), not_attempted=0, unknown=False):
    outcome = None if unknown else SetOutcome(set_id, 1, 0, failures, not_attempted)
    return WriteEnded(at_us, set_id, epoch, 1, outcome)


def converged(at_us, set_id="linux/main/cloud", epoch=4):
    return SetConverged(at_us, set_id, epoch, "secondary")


def closed(*results, path="secondary", stream=0, anchor=None):
    return RoundClosed(AT, path, stream, 1, results, anchor)


def ok(sent_us, rtt_us=500):
    return ProbeResult(Outcome.OK, sent_us, rtt_us)


class Log:
    def __init__(self, policy=POLICY, restored=()):
        self.changed = []
        self.log = SwitchLog({"cloud": policy}, lambda us: f"wall {us}", self.changed.append, restored)

    def step(self, event, *decisions):
        self.log.stepped("cloud", event, decisions, lambda: pytest.fail("no report is needed"))
        return self

    @property
    def last(self):
        return self.log.records()[-1]


@pytest.fixture
def log():
    return Log().step(Tick(AT), switch(fault_us=AT - 3_800_000))


def test_a_switch_is_a_record_with_its_reason(log):
    assert (log.last.at, log.last.group, log.last.epoch) == (f"wall {AT}", "cloud", 4)
    assert (log.last.source, log.last.target, log.last.rule) == ("primary", "secondary", Rule.SIGNAL_FAIL)
    assert log.last.reason == "all dead"
    assert log.last.prefixes == 4


def test_detection_counts_from_the_first_lost_probe(log):
    assert log.last.detect_us == 3_800_000


def test_a_switch_without_a_fault_has_no_detection_time():
    assert Log().step(Tick(AT), switch()).last.detect_us is None


def test_writing_ends_with_the_last_set(log):
    log.step(written(AT + 5_000))
    assert log.last.write_us is None
    log.step(written(AT + 9_000, "aws/rtb/cloud"))
    assert log.last.write_us == 9_000


def test_a_set_that_stood_already_needs_no_write(log):
    log.step(written(AT + 5_000))
    log.step(Tick(AT + 7_000), converged(AT + 7_000, "aws/rtb/cloud"))
    assert log.last.write_us == 5_000


def test_verified_is_when_every_set_was_read_back(log):
    log.step(written(AT + 5_000)).step(written(AT + 6_000, "aws/rtb/cloud"))
    log.step(Tick(AT + 7_000), converged(AT + 7_000))
    assert log.last.verified_us is None
    log.step(Tick(AT + 8_000), converged(AT + 8_000, "aws/rtb/cloud"))
    assert log.last.verified_us == 8_000


def test_a_group_without_sets_has_nothing_to_write():
    log = Log(replace(POLICY, sets=())).step(Tick(AT), switch())
    assert log.last.prefixes == 0
    assert log.last.verified_us is None


@pytest.mark.parametrize(
    ("event", "failed"),
    [
        (
            written(
                AT + 1, "aws/rtb/cloud", failures=(WriteFailure(FailureKind.DENIED, "no", "10.0.0.0/8"),)
            ),
            1,
        ),
        (written(AT + 1, "aws/rtb/cloud", failures=(WriteFailure(FailureKind.DENIED, "no"),)), 3),
        (written(AT + 1, "aws/rtb/cloud", not_attempted=2), 2),
        (written(AT + 1, "aws/rtb/cloud", unknown=True), 3),
    ],
)
def test_what_a_write_did_not_bring_about_is_counted(log, event, failed):
    log.step(event)
    assert (log.last.failed, log.last.write_us) == (failed, None)


def test_a_write_that_succeeds_in_the_end_is_no_failure(log):
    log.step(written(AT + 1_000, unknown=True)).step(written(AT + 5_000)).step(
        written(AT + 6_000, "aws/rtb/cloud")
    )
    assert (log.last.failed, log.last.write_us) == (0, 6_000)


def test_a_write_of_another_epoch_says_nothing_of_this_switch(log):
    log.step(written(AT + 1, epoch=3)).step(written(AT + 2, "aws/rtb/cloud", epoch=3))
    assert log.last.write_us is None


# --- the first packet ---------------------------------------------------------------------------------------


@pytest.fixture
def done(log):
    """All written at AT + 9 ms."""
    return log.step(written(AT + 9_000)).step(written(AT + 9_000, "aws/rtb/cloud"))


def test_the_first_packet_is_the_first_reply_to_a_probe_sent_after_the_last_write(done):
    done.step(closed(ok(AT + 8_000), ok(AT + 20_000, 700), ok(AT + 19_000, 300)))
    assert done.last.first_packet_us == 19_300


@pytest.mark.parametrize(
    "event",
    [
        closed(ok(AT + 8_999)),
        closed(ok(AT + 20_000), path="primary"),
        closed(ok(AT + 20_000), stream=1),
        closed(ProbeResult(Outcome.LOST, AT + 20_000)),
        closed(ProbeResult(Outcome.LOST, AT + 20_000), anchor=ok(AT + 20_000)),
    ],
    ids=["sent before the write", "through the other path", "of another class", "lost", "only the anchor"],
)
def test_what_proves_no_traffic_is_not_the_first_packet(done, event):
    assert done.step(event).last.first_packet_us is None


def test_the_anchor_stands_in_where_there_are_no_targets(done):
    assert done.step(closed(anchor=ok(AT + 20_000))).last.first_packet_us == 20_500


def test_a_probe_before_everything_is_written_does_not_count(log):
    log.step(written(AT + 9_000)).step(closed(ok(AT + 20_000)))
    assert log.last.first_packet_us is None


def test_with_a_service_only_the_service_counts():
    policy = replace(POLICY, services=(ServicePolicy(0, "http", ("http://x/",)),))
    log = (
        Log(policy)
        .step(Tick(AT), switch())
        .step(written(AT + 9_000))
        .step(written(AT + 9_000, "aws/rtb/cloud"))
    )
    log.step(closed(ok(AT + 20_000)))
    assert log.last.first_packet_us is None
    log.step(ServiceClosed(AT + 30_000, 0, alive=False, sent_us=AT + 25_000))
    log.step(ServiceClosed(AT + 31_000, 0, alive=True, sent_us=AT + 8_000))
    assert log.last.first_packet_us is None
    log.step(ServiceClosed(AT + 40_000, 0, alive=True, sent_us=AT + 39_000))
    assert log.last.first_packet_us == 40_000


# --- several switches ---------------------------------------------------------------------------------------


def test_the_next_switch_leaves_the_unfinished_phases_open(log):
    log.step(Tick(AT + 50), switch(AT + 50, 5, "secondary", "primary"))
    log.step(written(AT + 100)).step(written(AT + 100, "aws/rtb/cloud", epoch=5))
    first, second = log.log.records()
    assert (first.write_us, second.write_us) == (None, None)


def test_every_change_of_a_record_is_passed_on_once(done):
    count = len(done.changed)
    done.step(written(AT + 9_000)).step(Tick(AT + 10_000))
    assert len(done.changed) == count
    done.step(closed(ok(AT + 20_000)))
    assert len(done.changed) == count + 1


def test_earlier_sessions_are_restored_and_the_list_is_bounded(log):
    restored = [replace(log.last, epoch=epoch, at=f"t{epoch}") for epoch in range(REMEMBERED + 50)]
    again = Log(restored=restored)
    assert again.changed == []  # they are stored already, and their phases were measured then
    again.step(Tick(AT), switch(epoch=9_999))
    epochs = [record.epoch for record in again.log.records()]
    assert len(epochs) == REMEMBERED
    assert epochs[-1] == 9_999
    assert epochs[0] == 51


def test_a_group_that_is_gone_keeps_its_records(log):
    log.log.configure({})
    log.step(written(AT + 9_000)).step(written(AT + 9_000, "aws/rtb/cloud")).step(closed(ok(AT + 20_000)))
    assert log.last.write_us == 9_000
    assert log.last.first_packet_us is None
