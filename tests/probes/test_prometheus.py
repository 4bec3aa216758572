"""What a Prometheus says of a path; one that is away, or stale, says nothing."""

from __future__ import annotations

import asyncio
import base64

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.probes.asked import asked, running
from wgfo.model import Verdict
from wgfo.plugin import ConfigError
from wgfo.probes.plugin import PROMETHEUS_OFFER
from wgfo.probes.prometheus import PrometheusOptions, Unclear, judge, read_values

AT = 1_700_000_000.0
QUERY = 'wgfo_path_up{group="{group}",path="{path}"}'


def options(**changes) -> PrometheusOptions:
    return PrometheusOptions.model_validate({"url": "http://127.0.0.1:9090", "query": QUERY, **changes})


def vector(*numbers: object, **more):
    result = [
        {"metric": {"__name__": "up", "n": str(place)}, "value": [AT, str(number)]}
        for place, number in enumerate(numbers)
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def said(*numbers: object, age: float = 0, **changes):
    values, stamps = read_values(vector(*numbers)), read_values(vector(*(AT - age for _ in numbers)))
    return judge(options(**changes), values, stamps)


@pytest.mark.parametrize(
    ("numbers", "up_if", "verdict"),
    [
        ([1], "== 1", Verdict.UP),
        ([0], "== 1", Verdict.DOWN),
        ([1, 1], "== 1", Verdict.UP),
        ([1, 0], "== 1", Verdict.DOWN),
        ([], "== 1", Verdict.UNKNOWN),
        (["NaN"], "== 1", Verdict.UNKNOWN),
        (["NaN"], "!= 1", Verdict.UNKNOWN),
        ([0.04], "< 0.05", Verdict.UP),
        ([0.06], "<0.05", Verdict.DOWN),
        ([-2], ">= -2", Verdict.UP),
        (["+Inf"], "> 3", Verdict.UP),
        ([3], "!= 3", Verdict.DOWN),
        ([3], "<= 2.5", Verdict.DOWN),
    ],
)
def test_every_sample_must_satisfy_the_condition(numbers, up_if, verdict):
    assert said(*numbers, up_if=up_if)[0] is verdict


def test_samples_that_are_too_old_say_nothing():
    assert said(0, age=61) == (Verdict.UNKNOWN, "the newest sample is older than 1m")
    assert said(0, age=60)[0] is Verdict.DOWN


def test_a_scalar_is_a_sample():
    scalar = {"data": {"resultType": "scalar", "result": [AT, "1"]}}
    assert judge(options(), read_values(scalar), ())[0] is Verdict.UP


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": None},
        {"data": {"resultType": "matrix", "result": []}},
        {"data": {"resultType": "vector", "result": [{"metric": {}}]}},
        {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "many"]}]}},
        vector(1, warnings=["a store did not answer"]),
    ],
)
def test_an_answer_that_is_not_whole_is_unclear(answer):
    with pytest.raises(Unclear):
        read_values(answer)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"url": "ftp://prometheus"}, "accepted: http://HOST:PORT"),
        ({"url": "http://user:secret@prometheus:9090"}, "without credentials"),
        ({"up_if": "is up"}, "is no condition"),
        ({"username": "wgfo"}, "belong together"),
        ({"username": "wgfo", "password_file": "/p", "token_file": "/t"}, "one of them"),
        ({"query": ""}, "at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes, text):
    with pytest.raises(ValidationError, match=text):
        options(**changes)


def samples(number: list[int], age: float = 0):
    def answer(request: web.Request):
        stamp = request.query["query"].startswith("timestamp(")
        return vector(AT - age if stamp else number[0])

    return answer


async def test_the_path_is_asked_for_by_name_and_every_change_is_reported():
    number = [1]
    async with (
        asked(samples(number)) as server,
        running(PROMETHEUS_OFFER, options(url=f"{server.url}/")) as probe,
    ):
        assert (await probe.report()).reason == "the query gives 1"
        number[0] = 0
        report = await probe.report()
        assert (report.verdict, report.reason) == (Verdict.DOWN, "the query gives 0, up is == 1")
        query = 'wgfo_path_up{group="cloud",path="primary"}'
        assert {one.query["query"] for one in server.requests} == {query, f"timestamp({query})"}
        assert {one.path for one in server.requests} == {"/api/v1/query"}


async def test_old_samples_of_a_real_answer_are_unknown():
    async with (
        asked(samples([0], age=3_600)) as server,
        running(PROMETHEUS_OFFER, options(url=server.url)) as probe,
    ):
        assert (await probe.report()).verdict is Verdict.UNKNOWN


async def test_an_expression_without_a_time_of_its_own_is_believed():
    def answer(request: web.Request):
        if request.query["query"].startswith("timestamp("):
            return web.json_response({"status": "error", "error": "expected type instant vector"}, status=400)
        return {"data": {"resultType": "scalar", "result": [AT, "0"]}}

    async with asked(answer) as server, running(PROMETHEUS_OFFER, options(url=server.url)) as probe:
        assert (await probe.report()).verdict is Verdict.DOWN


async def hang(_request):
    await asyncio.Event().wait()


UNCLEAR = {
    "an error": (
        lambda _: web.json_response({"error": "parse error"}, status=400),
        "status 400: parse error",
    ),
    "a proxy's page": (lambda _: web.Response(text="<html>"), "no JSON"),
    "a proxy's error": (lambda _: web.Response(text="<html>", status=502), "status 502"),
    "a redirect": (lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "302"),
    "a closed door": (lambda _: web.Response(status=401), "the token or password is not accepted"),
    "a list": (lambda _: [1], "no JSON object"),
}


@pytest.mark.parametrize("name", UNCLEAR)
async def test_any_other_answer_is_unknown_and_never_down(name):
    answer, reason = UNCLEAR[name]
    async with asked(answer) as server, running(PROMETHEUS_OFFER, options(url=server.url)) as probe:
        report = await probe.report()
        assert report.verdict is Verdict.UNKNOWN
        assert reason in report.reason


async def test_no_answer_in_time_is_unknown():
    async with (
        asked(hang) as server,
        running(PROMETHEUS_OFFER, options(url=server.url), timeout_us=50_000) as probe,
    ):
        assert (await probe.report()).reason == "Prometheus: no answer within 0.05 s"


async def test_a_prometheus_that_is_away_is_unknown_and_heard_again_when_it_is_back():
    async with asked(samples([1])) as server:
        url = server.url
    async with running(PROMETHEUS_OFFER, options(url=url)) as probe:
        report = await probe.report()
        assert (report.verdict, report.code) == (Verdict.UNKNOWN, "prometheus")
        assert "unreachable" in report.reason


@pytest.mark.parametrize("way", ["token", "password"])
async def test_credentials_come_from_files(tmp_path, way):
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    changes = {"token_file": path} if way == "token" else {"username": "wgfo", "password_file": path}
    basic = f"Basic {base64.b64encode(b'wgfo:s3cret').decode()}"
    async with (
        asked(samples([1])) as server,
        running(PROMETHEUS_OFFER, options(url=server.url, **changes)) as probe,
    ):
        await probe.report(Verdict.UP)
        sent = server.requests[0].headers["Authorization"]
        assert sent == ("Bearer s3cret" if way == "token" else basic)


async def test_a_missing_file_of_credentials_is_named(tmp_path):
    async with running(PROMETHEUS_OFFER, options(token_file=tmp_path / "none")) as probe:
        with pytest.raises(ConfigError, match="token_file"):
            await probe.report()
