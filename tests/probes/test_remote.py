"""What another wgfo measured of a path."""

from __future__ import annotations

import copy

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.probes.asked import PATH, asked, running
from tests.support.example import example_path, example_report, example_setup
from wgfo.daemon.control import render
from wgfo.engine.report import GroupState
from wgfo.model import PathState, Verdict
from wgfo.probes.plugin import WGFO_OFFER
from wgfo.probes.remote import WgfoOptions, judge

SECOND_US = 1_000_000


def options(**changes) -> WgfoOptions:
    return WgfoOptions.model_validate({"url": "http://127.0.0.1:9785", **changes})


def status(state: PathState = PathState.UP, group: GroupState = GroupState.OK) -> dict:
    """What a real daemon answers."""
    path = example_path(state=state, reason="because")
    report = example_report(state=group, paths=(path, example_path("secondary")))
    view = render.View(example_setup(), "0.1.0", str, 0)
    return dict(copy.deepcopy(render.status([report], view)))


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (PathState.UP, Verdict.UP),
        (PathState.DOWN, Verdict.DOWN),
        (PathState.DEGRADED, Verdict.UNKNOWN),
        (PathState.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_up_and_down_are_taken_over(state, verdict):
    assert judge(options(), PATH, status(state)) == (verdict, f"the observer says {state}: because")


def test_an_isolated_observer_knows_nothing():
    found = judge(options(), PATH, status(PathState.DOWN, GroupState.ISOLATED))
    assert found == (Verdict.UNKNOWN, "the observer is isolated")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"group": "clowd"}, "no group clowd"),
        ({"path": "third"}, "no path third"),
        ({"path": "secondary"}, "up"),
    ],
)
def test_the_names_there_may_be_others(changes, reason):
    assert reason in judge(options(**changes), PATH, status())[1]


@pytest.mark.parametrize(
    "answer", [{}, {"api_version": 2}, {"api_version": 1}, {"api_version": 1, "groups": 1}]
)
def test_answers_of_another_shape_are_unknown(answer):
    assert judge(options(), PATH, answer)[0] is Verdict.UNKNOWN


def test_a_url_must_be_one():
    with pytest.raises(ValidationError, match="is no URL"):
        options(url="vpc:9785")


async def test_the_observer_is_asked_and_every_change_is_reported():
    state = [PathState.UP]
    async with asked(lambda _: status(state[0])) as server:
        async with running(WGFO_OFFER, options(url=server.url)) as probe:
            assert (await probe.report()).verdict is Verdict.UP
            state[0] = PathState.DOWN
            report = await probe.report()
            assert (report.verdict, report.code) == (Verdict.DOWN, "observer")
        assert {one.path for one in server.requests} == {"/api/v1/status"}


async def test_the_last_word_counts_until_it_is_too_old_and_is_then_unknown():
    away = [False]

    def answer(_request):
        return web.Response(status=503) if away[0] else status(PathState.DOWN)

    async with asked(answer) as server, running(WGFO_OFFER, options(url=server.url)) as probe:
        assert (await probe.report()).verdict is Verdict.DOWN
        away[0] = True
        asked_before = len(server.requests)
        while len(server.requests) < asked_before + 3:
            await probe.turn()
        assert probe.heard == []
        probe.now_us += 11 * SECOND_US
        report = await probe.report()
        assert (report.verdict, report.reason) == (Verdict.UNKNOWN, "observer: status 503")


async def test_an_observer_that_never_answered_is_unknown():
    async with (
        asked(lambda _: web.Response(status=404)) as server,
        running(WGFO_OFFER, options(url=server.url)) as probe,
    ):
        assert (await probe.report()).verdict is Verdict.UNKNOWN


async def test_a_token_is_sent_where_a_proxy_wants_one(tmp_path):
    path = tmp_path / "token"
    path.write_text("s3cret")
    path.chmod(0o600)
    async with asked(lambda _: status()) as server:
        async with running(WGFO_OFFER, options(url=server.url, token_file=path)) as probe:
            await probe.report(Verdict.UP)
        assert server.requests[0].headers["Authorization"] == "Bearer s3cret"
