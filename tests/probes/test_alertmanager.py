"""What alerts say of a path: down while one fires, up only by a fresh heartbeat, else unknown."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from wgfo.daemon.alerts import AlertBoard, Word
from wgfo.model import LayerReport, PathView, Verdict
from wgfo.plugin import ProbeContext
from wgfo.plugin.alerts import Alert, AlertState
from wgfo.probes.alertmanager import NO_WEBHOOK, AlertmanagerOptions, AlertmanagerProbe, Wanted, judge

SECOND_US = 1_000_000
MATCH = {"alertname": "PathDown", "path": "{path}"}
BEAT = {"alertname": "Alive", "group": "{group}"}
PATH = PathView("cloud", "primary")


def wanted(**options) -> Wanted:
    options = {"match": MATCH, "heartbeat": BEAT, "expiry": "60s", **options}
    return Wanted.of(AlertmanagerOptions.model_validate(options), PATH)


def down(heard_s: int = 0, state: AlertState = AlertState.FIRING, path: str = "primary") -> Alert:
    return Alert({"alertname": "PathDown", "path": path}, state, 0, heard_s * SECOND_US)


def beat(heard_s: int = 0, state: AlertState = AlertState.FIRING) -> Alert:
    return Alert({"alertname": "Alive", "group": "cloud"}, state, 0, heard_s * SECOND_US)


def said(*alerts: Alert, at_s: float = 1, **options) -> tuple[Verdict, str]:
    found = judge(wanted(**options), alerts, round(at_s * SECOND_US))
    return found.verdict, found.reason


@pytest.mark.parametrize(
    ("alerts", "verdict"),
    [
        ([], Verdict.UNKNOWN),
        ([beat()], Verdict.UP),
        ([beat(), down()], Verdict.DOWN),
        ([down()], Verdict.DOWN),
        ([beat(), down(path="secondary")], Verdict.UP),
        ([beat(), down(state=AlertState.RESOLVED)], Verdict.UP),
        ([beat(), down(state=AlertState.DOUBTFUL)], Verdict.UNKNOWN),
        ([beat(state=AlertState.RESOLVED)], Verdict.UNKNOWN),
    ],
)
def test_what_the_alerts_say(alerts, verdict):
    assert said(*alerts)[0] is verdict


def test_a_firing_alert_that_expires_is_unknown_and_never_up():
    assert said(down(0), beat(50), at_s=60) == (
        Verdict.UNKNOWN,
        "alert PathDown fired and was not repeated for 1m",
    )
    assert said(down(0), beat(9_990), at_s=10_000)[0] is Verdict.UNKNOWN


def test_a_stale_heartbeat_is_unknown():
    assert said(beat(0), at_s=60) == (Verdict.UNKNOWN, "no heartbeat for 1m")


def test_a_doubt_ends_with_the_expiry():
    doubt = down(0, AlertState.DOUBTFUL)
    assert said(doubt, beat(55), at_s=59)[0] is Verdict.UNKNOWN
    assert said(doubt, beat(55), at_s=60)[0] is Verdict.UP


def test_without_a_heartbeat_the_absence_of_alerts_proves_nothing():
    assert said(heartbeat=None)[0] is Verdict.UNKNOWN
    assert said(down(), heartbeat=None)[0] is Verdict.DOWN


def test_a_label_that_is_wanted_empty_may_be_missing():
    assert said(down(), match={"alertname": "PathDown", "team": ""})[0] is Verdict.DOWN


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"match": {}}, "at least 1"),
        ({"match": {"path": "{pth}"}}, "accepted: {group} and {path}"),
        ({"match": MATCH, "expiry": "10ms"}, "at least 1s"),
        ({"match": MATCH, "hartbeat": BEAT}, "Extra inputs"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, text):
    with pytest.raises(ValidationError, match=text):
        AlertmanagerOptions.model_validate(options)


class Listening:
    """A probe that runs on a board, with a clock that only the test moves."""

    def __init__(self) -> None:
        self.now_us = 0
        self.board = AlertBoard(self.clock)
        self.heard: list[LayerReport] = []
        options = AlertmanagerOptions.model_validate({"match": MATCH, "heartbeat": BEAT, "expiry": "1s"})
        context = ProbeContext(PATH, SECOND_US, self.clock, alerts=self.board)
        self.task = asyncio.create_task(AlertmanagerProbe(context, options).run(self.heard.append))

    def clock(self) -> int:
        return self.now_us

    async def verdicts(self, count: int) -> list[Verdict]:
        async with asyncio.timeout(20):
            while len(self.heard) < count:  # noqa: ASYNC110 - the probe only appends
                await asyncio.sleep(0.001)
        return [report.verdict for report in self.heard]


@pytest.fixture
async def listening():
    made = Listening()
    yield made
    made.task.cancel()
    await asyncio.wait([made.task])
    assert not made.board._subscribers


def word(labels, *, firing=True):
    return Word(labels, firing=firing, starts_us=1)


async def test_every_change_is_reported_once_and_silence_is_a_change(listening):
    assert await listening.verdicts(1) == [Verdict.UNKNOWN]
    alive, dead = {"alertname": "Alive", "group": "cloud"}, {"alertname": "PathDown", "path": "primary"}
    listening.board.hear([word(alive)])
    await listening.verdicts(2)
    listening.board.hear([word(alive), word(dead), word(dead)])
    await listening.verdicts(3)
    listening.board.hear([word(dead, firing=False)])
    await listening.verdicts(4)
    listening.now_us += SECOND_US
    expected = [Verdict.UNKNOWN, Verdict.UP, Verdict.DOWN, Verdict.UP, Verdict.UNKNOWN]
    assert await listening.verdicts(5) == expected


async def test_alerts_of_other_paths_are_not_asked_for(listening):
    await listening.verdicts(1)
    listening.board.hear([word({"alertname": "PathDown", "path": "secondary"})])
    assert list(listening.board.alerts()) == []


async def test_where_no_webhook_is_served_nothing_is_known():
    heard: list[LayerReport] = []
    context = ProbeContext(PATH, SECOND_US, lambda: 0)
    options = AlertmanagerOptions.model_validate({"match": MATCH})
    task = asyncio.create_task(AlertmanagerProbe(context, options).run(heard.append))
    while not heard:  # noqa: ASYNC110 - the probe only appends
        await asyncio.sleep(0.001)
    task.cancel()
    assert (heard[0].verdict, heard[0].reason) == (Verdict.UNKNOWN, NO_WEBHOOK)
