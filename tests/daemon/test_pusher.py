"""Push probes: heard at once, bounded, and restarted."""

import asyncio

from tests.daemon.fakes import MS_US, SECOND_US, Heard, group_setup, play, push_offer, push_setup

from wgfo.daemon.pusher import MAILBOX, Pusher
from wgfo.engine.events import HandshakeRead, LayerReported
from wgfo.model import HandshakeReport, Layer, LayerReport, Verdict

UP = LayerReport(Layer.INTERFACE, Verdict.UP, "up")
FOREVER = 3_600


def pushing(clock, spawn, script, *names, layer=Layer.INTERFACE):
    heard = Heard()
    pusher = Pusher(clock, heard, spawn, heard.problem)
    pusher.configure([group_setup(name, push_setup(push_offer(script, layer))) for name in names])
    return heard, pusher


def test_a_report_is_stepped_in_the_same_moment():
    async def scenario(clock, spawn):
        async def script(emit):
            emit(UP)
            await asyncio.sleep(FOREVER)

        heard, _ = pushing(clock, spawn, script, "g")
        now = clock.monotonic_us()
        await asyncio.sleep(0.001)
        assert heard.of("g", "primary") == [LayerReported(now, "primary", 1, UP)]

    play(scenario)


def test_a_handshake_report_becomes_a_handshake_event():
    async def scenario(clock, spawn):
        async def script(emit):
            emit(HandshakeReport(17, 1, 2))
            await asyncio.sleep(FOREVER)

        heard, _ = pushing(clock, spawn, script, "g", layer=Layer.HANDSHAKE)
        await asyncio.sleep(0.001)
        assert isinstance(heard.of("g", "primary")[0], HandshakeRead)

    play(scenario)


def test_a_probe_that_crashes_makes_its_layer_unknown_and_is_started_again():
    async def scenario(clock, spawn):
        async def script(emit):
            emit(UP)
            await asyncio.sleep(0.5)
            raise OSError("netlink: no buffer space")

        heard, _ = pushing(clock, spawn, script, "g")
        await clock.sleep_until_us(clock.monotonic_us() + 1_600 * MS_US)
        verdicts = [event.report.verdict for event in heard.of("g", "primary")]
        assert verdicts == [Verdict.UP, Verdict.UNKNOWN, Verdict.UP]
        assert "no buffer space" in heard.of("g", "primary")[1].report.reason

    play(scenario)


def test_a_probe_that_ends_by_itself_is_started_again():
    async def scenario(clock, spawn):
        runs = []

        async def script(_emit):
            runs.append(clock.monotonic_us())

        heard, _ = pushing(clock, spawn, script, "g")
        await clock.sleep_until_us(clock.monotonic_us() + SECOND_US * 3 // 2)
        assert len(runs) == 2 * 2
        assert "ended by itself" in heard.problems[0]

    play(scenario)


def test_a_local_layer_is_watched_once_for_all_groups():
    async def scenario(clock, spawn):
        runs = []

        async def script(emit):
            runs.append(1)
            emit(UP)
            await asyncio.sleep(FOREVER)

        heard, _ = pushing(clock, spawn, script, "a", "b")
        await asyncio.sleep(0.001)
        assert len(runs) == 2  # one per path
        assert heard.of("a", "primary")
        assert heard.of("b", "primary")

    play(scenario)


def test_queries_about_the_data_plane_are_asked_for_each_group():
    async def scenario(clock, spawn):
        runs = []

        async def script(_emit):
            runs.append(1)
            await asyncio.sleep(FOREVER)

        pushing(clock, spawn, script, "a", "b", layer=Layer.DATAPLANE)
        await asyncio.sleep(0.001)
        assert len(runs) == 4

    play(scenario)


def test_of_a_flood_the_latest_reports_count():
    async def scenario(clock, spawn):
        async def script(emit):
            for number in range(10 * MAILBOX):
                emit(LayerReport(Layer.INTERFACE, Verdict.UP, str(number)))
            await asyncio.sleep(FOREVER)

        heard, _ = pushing(clock, spawn, script, "g")
        await asyncio.sleep(0.001)
        reasons = [event.report.reason for event in heard.of("g", "primary")]
        assert len(reasons) == MAILBOX
        assert reasons[-1] == str(10 * MAILBOX - 1)

    play(scenario)


def test_nobody_is_heard_after_the_stop():
    async def scenario(clock, spawn):
        async def script(emit):
            while True:
                emit(UP)
                await asyncio.sleep(1)

        heard, pusher = pushing(clock, spawn, script, "g")
        await asyncio.sleep(1.5)
        pusher.stop()
        await asyncio.sleep(0)
        before = len(heard.events)
        await asyncio.sleep(5)
        assert len(heard.events) == before

    play(scenario)
