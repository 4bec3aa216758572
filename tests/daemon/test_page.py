"""The status page as HTML: what it says, that it is escaped, and what it forbids."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import aiohttp
import pytest
from tests.support.example import (
    RECORDS,
    FakeSource,
    example_path,
    example_report,
    example_set,
    example_setup,
    exposed,
)

from wgfo.daemon.control import page as endpoint
from wgfo.daemon.control.access import access_for
from wgfo.daemon.control.api import ControlApi
from wgfo.daemon.control.endpoint import Views
from wgfo.daemon.control.server import ControlServer
from wgfo.daemon.page import view, words
from wgfo.daemon.page.charts import path_charts, rounded_up, rtt_top_us
from wgfo.engine.decisions import AlarmCleared, AlarmName, PathChanged
from wgfo.engine.events import Override, OverrideKind, Tick
from wgfo.engine.report import AlarmReport, GroupState, Mode
from wgfo.model import Foreign, PathState, RouteException, SetObservation
from wgfo.telemetry.feed import Feed
from wgfo.telemetry.trends import SLICE_US, SLICES, Slice


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
def views():
    return Views(Feed("s1", lambda us: f"2026-01-01T00:00:{us:02}.000Z"))


@pytest.fixture
async def client(source, views, tmp_path):
    access = access_for(None)
    daemon = example_setup(control=tmp_path / "control.sock", http="127.0.0.1:0").daemon
    server = ControlServer(ControlApi(source, exposed(), access, views), daemon, access)
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.http_port}") as session:
        yield session
    await server.aclose()


async def got(client, path="/"):
    async with client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.text()


def text_of(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


# --- what it says -------------------------------------------------------------------------------------------


async def test_it_shows_paths_layers_routes_and_switches(client):
    text = text_of(await got(client))
    for said in (
        "Groups ok 1 / 1",
        "Paths up 2 / 2",
        "active primary",
        "interface up handshake up dataplane up",
        "dev wg0 dev wg0 in sync",
        "switch primary → secondary",
        "signal_fail: dead",
    ):
        assert said in text


async def test_it_shows_timers_overrides_and_alarms(client, source):
    source.report = example_report(
        state=GroupState.ON_STANDBY,
        mode=Mode.FORCED,
        overrides=(
            Override(OverrideKind.FORCED, "secondary", "work", "ann", "2026-01-01T00:00:00Z", None, None),
        ),
        alarms=(AlarmReport(AlarmName.FLAPPING, 5, "primary comes and goes", page=False),),
        restore_due_us=120_000_010,
    )
    text = text_of(await got(client))
    assert "forced secondary work by ann" in text
    assert "flapping primary comes and goes" in text
    assert "returns in 2 min 0 s" in text
    assert "Alarms 1" in text


async def test_it_shows_what_is_out_of_sync_and_why(client, source):
    odd = RouteException("10.20.0.0/16", Foreign("via 10.9.9.9"), "denied")
    observation = SetObservation("linux/main/cloud", Foreign("via 10.9.9.9"), exceptions=(odd,))
    source.report = example_report(
        sets=(example_set(in_sync=False, observation=observation, error="not permitted"),), converged=False
    )
    text = text_of(await got(client))
    for said in (
        "Routes out of sync 1",
        "not converged",
        "out of sync",
        "not permitted",
        "10.20.0.0/16 → via 10.9.9.9",
    ):
        assert said in text


async def test_the_timeline_has_what_happened_in_this_run_too(client, views):
    change = PathChanged(30, "primary", PathState.UP, PathState.DOWN, "blackout", "3 rounds silent")
    views.feed.stepped("cloud", Tick(30), (change,), None)
    text = text_of(await got(client))
    assert "2026-01-01 00:00:30 path primary is down cloud 3 rounds silent" in text
    assert text.index("path primary is down") < text.index("switch primary")  # newest first


async def test_a_group_that_was_never_read_is_shown_as_such(client, source):
    source.report = example_report(
        state=GroupState.STARTING,
        active=None,
        desired=None,
        reason="",
        paths=(example_path(rtt_us=None, known=0, handshake_age_us=None, state=PathState.UNKNOWN),),
        sets=(example_set(observation=None, in_sync=False),),
    )
    text = text_of(await got(client))
    for said in ("starting", "active unclear", "not read", "nothing is decided yet", "no probe has ended"):
        assert said in text


async def test_a_part_is_head_groups_and_timeline_alone(client):
    whole = re.findall(r'id="([\w-]+)"', await got(client, "/part"))
    assert [one for one in whole if one in {"head", "group-cloud", "timeline"}] == [
        "head",
        "group-cloud",
        "timeline",
    ]
    other = await got(client, "/part?group=other")
    assert "group-cloud" not in other
    assert 'id="head"' in other


async def test_with_very_many_groups_those_that_are_well_have_a_page_of_their_own(
    client, source, monkeypatch
):
    monkeypatch.setattr("wgfo.daemon.control.page.MANY_GROUPS", 0)
    assert "dataplane" not in await got(client)
    assert "dataplane" in await got(client, "/?whole=cloud")
    source.report = example_report(state=GroupState.DEGRADED)
    source.now += endpoint.FIGURES_HOLD_US
    assert "dataplane" in await got(client)


async def test_many_who_look_on_cost_little_more_than_one(client, source, views, monkeypatch):
    drawn = []
    real = endpoint.group_view
    monkeypatch.setattr(
        endpoint, "group_view", lambda *given, **named: drawn.append(1) or real(*given, **named)
    )
    for _ in range(5):
        await got(client, "/part")
    assert len(drawn) == 1
    views.feed.stepped("cloud", Tick(30), (AlarmCleared(30, AlarmName.DRIFT),), None)
    await got(client, "/part")
    assert len(drawn) == 2  # what is an event is seen at once
    source.now = 10 + endpoint.FIGURES_HOLD_US
    await got(client, "/part")
    assert len(drawn) == 3  # and figures soon
    source.setup = example_setup()
    await got(client, "/part")
    assert len(drawn) == 4


# --- closed -------------------------------------------------------------------------------------------------


async def test_nothing_that_is_shown_becomes_code(client, source):
    nasty = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    source.report = example_report(
        reason=nasty,
        paths=(example_path(reason=nasty),),
        sets=(example_set(error=nasty, table=nasty),),
        alarms=(AlarmReport(AlarmName.DRIFT, 5, nasty, page=True),),
        overrides=(Override(OverrideKind.FORCED, "secondary", nasty, nasty, nasty, None, None),),
    )
    page = await got(client)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 6


async def test_the_page_brings_its_policy_and_needs_no_exception_from_it(client):
    async with client.get("/") as response:
        policy = response.headers["Content-Security-Policy"]
        page = await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?! src=)", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


async def test_the_files_beside_the_page_are_kept_under_a_name_that_changes_with_them(client):
    page = await got(client)
    for name in re.findall(r'"(static/[^"]+)"', page):
        assert "?v=" in name
        async with client.get(f"/{name}") as response:
            assert response.status == 200
            assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["nothing.js", "..%2f__init__.py", "%2e%2e/%2e%2e/api.py", "page.css%00"])
async def test_no_other_file_is_served(client, name):
    async with client.get(f"/static/{name}") as response:
        assert response.status == 404


def test_a_daemon_whose_page_nobody_opens_never_loads_the_template_library():
    program = "import sys, wgfo.daemon.supervisor; sys.exit('jinja2' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# --- charts and words ---------------------------------------------------------------------------------------


def one_slice(column, *, lost=0, known=30, rtt_us=20_000):
    replies = known - lost
    return Slice(column, known, lost, replies, replies * rtt_us, rtt_us)


NOW_US = (SLICES - 1) * SLICE_US
"""The present half-minute is the last column."""


def test_losses_are_bars_and_small_ones_are_seen():
    chart = path_charts([one_slice(3, lost=1, known=1000), one_slice(5, lost=30)], NOW_US, 50_000).loss
    assert chart.path == "M3 40v-1.0h1v1.0zM5 40v-40.0h1v40.0z"
    assert chart.top == "100 %"


def test_a_chart_without_loss_has_no_bar_and_a_scale_for_small_ones():
    chart = path_charts([one_slice(3)], NOW_US, 50_000).loss
    assert (chart.path, chart.top, chart.text) == ("", "10 %", "0 % of 30 probes lost")


def test_little_loss_is_never_called_none():
    slices = [one_slice(column, lost=int(column == 7), known=3000) for column in range(100)]
    assert path_charts(slices, NOW_US, 50_000).loss.text == "less than 0.1 % of 300000 probes lost"


def test_round_trip_times_are_a_line_with_gaps_where_nothing_answered():
    slices = [one_slice(0), one_slice(1), one_slice(2, lost=30), one_slice(3)]
    assert path_charts(slices, NOW_US, 20_000).rtt.path == "M0 1.0h1L1 1.0h1M3 1.0h1"


def test_what_is_older_than_an_hour_is_not_drawn():
    chart = path_charts([one_slice(0)], NOW_US + SLICE_US, 20_000)
    assert (chart.rtt.path, chart.rtt.text, chart.loss.text) == (
        "",
        "nothing has answered",
        "no probe has ended",
    )


def test_the_paths_of_a_group_share_a_scale():
    assert rtt_top_us([[one_slice(0, rtt_us=3_000)], [one_slice(0, rtt_us=120_000)]]) == 200_000
    assert rtt_top_us([[], []]) == 1_000


@pytest.mark.parametrize(("value", "up"), [(0, 1), (1, 1), (3, 5), (11, 20), (50, 50), (501, 1000)])
def test_scales_end_at_round_numbers(value, up):
    assert rounded_up(value) == up


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, words.NOTHING),
        (0.0012, "1.2 ms"),
        (0.05, "50 ms"),
        (3.84, "3.8 s"),
        (31, "31 s"),
        (125, "2 min 5 s"),
        (7_500, "2 h 5 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_durations_have_two_or_three_digits(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(None, words.NOTHING), (0.0, "0 %"), (0.004, "0.4 %"), (0.19, "19 %"), (1.0, "100 %")]
)
def test_shares(ratio, text):
    assert words.percent(ratio) == text


def test_every_state_has_a_level():
    quiet = {state: words.level(state) for state in GroupState}
    assert quiet[GroupState.OK] == "good"
    assert {quiet[state] for state in (GroupState.ISOLATED, GroupState.NO_USABLE_PATH)} == {"bad"}


def test_the_timeline_is_bounded_and_keeps_the_switches_in_sight_whatever_else_happens():
    many = [replace(RECORDS[0], epoch=number) for number in range(500)]
    feed = Feed("s", lambda us: f"2027-01-01T00:00:00.{us:03}Z")
    for number in range(500):
        change = PathChanged(number, "primary", PathState.UP, PathState.DOWN, "blackout", "silent")
        feed.stepped("cloud", Tick(number), (change,), None)
    levels = [one.level for one in view.timeline(many, feed)]
    assert (levels.count("switch"), levels.count("bad")) == (view.SWITCHES, view.OTHERS)
