"""Rounds: when they go out, who hears of them, and what a stall or a broken probe makes of them."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.daemon.fakes import (
    MS_US,
    SECOND_US,
    FakeNet,
    FakeProbe,
    Heard,
    Sent,
    Spawned,
    group_setup,
    play,
    round_setup,
)

from wgfo.daemon.prober import Prober
from wgfo.engine.events import RoundClosed
from wgfo.model import FlowReport, Outcome
from wgfo.plugin import ProbeError
from wgfo.simulate.loop import VirtualTime


def started(
    clock: VirtualTime, spawn: Spawned, *groups: Callable[[FakeNet], object]
) -> tuple[FakeNet, Heard, Prober]:
    net, heard = FakeNet(clock), Heard()
    prober = Prober(clock, heard, spawn, heard.problem)
    prober.configure([make(net) for make in groups])  # type: ignore[misc]
    return net, heard, prober


def one_group(net: FakeNet):
    return group_setup("g", round_setup(net.offer()))


async def passing(clock: VirtualTime, us: int) -> None:
    await clock.sleep_until_us(clock.monotonic_us() + us)


def test_a_round_goes_out_on_all_paths_at_once_under_one_number():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)
        await passing(clock, 2_500 * MS_US)
        primary, secondary = heard.of("g", "primary"), heard.of("g", "secondary")
        assert [event.round for event in primary] == [event.round for event in secondary] == [0, 1, 2]
        assert [sent.at_us for sent in net.of("primary")] == [sent.at_us for sent in net.of("secondary")]

    play(scenario)


def test_rounds_are_an_interval_apart_and_closed_as_soon_as_all_answered():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)
        await passing(clock, 3_500 * MS_US)
        times = [sent.at_us for sent in net.of("primary")]
        assert {later - earlier for earlier, later in itertools.pairwise(times)} == {SECOND_US}
        closed = heard.of("g", "primary")[0]
        assert closed.at_us - times[0] == net.rtt_us + 25 * MS_US

    play(scenario)


def test_targets_and_anchor_are_staggered_over_a_twentieth_of_the_interval():
    async def scenario(clock, spawn):
        net, heard, _ = started(
            clock, spawn, lambda net: group_setup("g", round_setup(net.offer(), targets=["a", "b", "c", "d"]))
        )
        await passing(clock, 500 * MS_US)
        assert net.of("primary")[0].targets == ("a", "b", "c", "d", "10.0.0.1")
        assert net.of("primary")[0].stagger_us == 10 * MS_US
        event = heard.of("g", "primary")[0]
        assert len(event.results) == 4
        assert event.anchor is not None
        assert event.anchor.sent_us == event.results[0].sent_us + 40 * MS_US

    play(scenario)


def test_a_stall_gives_one_late_unknown_round_and_no_burst():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)
        await passing(clock, 1_500 * MS_US)
        clock.advance(5 * SECOND_US)  # the process stands still
        await passing(clock, 2_600 * MS_US)
        times = [sent.at_us for sent in net.of("primary")]
        assert all(later - earlier >= SECOND_US for earlier, later in itertools.pairwise(times))
        outcomes = [event.results[0].outcome for event in heard.of("g", "primary")]
        assert outcomes[:5] == [Outcome.OK, Outcome.OK, Outcome.UNKNOWN, Outcome.OK, Outcome.OK]

    play(scenario)


def test_a_round_judged_late_keeps_its_good_replies_and_forgets_its_losses():
    async def scenario(clock, spawn):
        net, heard, _ = started(
            clock, spawn, lambda net: group_setup("g", round_setup(net.offer(), targets=["good", "bad"]))
        )
        net.answer = lambda _sent, target: Outcome.LOST if target == "bad" else Outcome.OK
        await passing(clock, 400 * MS_US)
        clock.advance(5 * SECOND_US)
        await passing(clock, 100 * MS_US)
        good, bad = heard.of("g", "primary")[0].results
        assert (good.outcome, bad.outcome, bad.reason) == (Outcome.OK, Outcome.UNKNOWN, "judged late")

    play(scenario)


def test_losses_while_the_machine_slept_are_unknown():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)
        net.answer = lambda _sent, _target: Outcome.LOST
        await passing(clock, 400 * MS_US)
        clock.suspend(60 * SECOND_US)
        await passing(clock, 600 * MS_US)
        result = heard.of("g", "primary")[0].results[0]
        assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "the machine slept")

    play(scenario)


def test_a_lost_round_that_is_on_time_is_lost():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)
        net.answer = lambda _sent, _target: Outcome.LOST
        await passing(clock, SECOND_US)
        assert heard.of("g", "primary")[0].results[0].outcome is Outcome.LOST

    play(scenario)


def test_an_open_round_does_not_hold_up_the_next():
    async def scenario(clock, spawn):
        net, heard, _ = started(
            clock, spawn, lambda net: group_setup("g", round_setup(net.offer(), timeout_us=2_500 * MS_US))
        )
        net.answer = lambda _sent, _target: Outcome.LOST
        await passing(clock, 3_800 * MS_US)
        assert len(net.of("primary")) == 4
        assert [event.round for event in heard.of("g", "primary")] == [0, 1]

    play(scenario)


def test_rounds_under_way_are_bounded():
    async def scenario(clock, spawn):
        net, heard, _ = started(
            clock, spawn, lambda net: group_setup("g", round_setup(net.offer(), timeout_us=20 * SECOND_US))
        )
        net.answer = lambda _sent, _target: Outcome.LOST
        await passing(clock, 6_500 * MS_US)
        assert len(net.of("primary")) == 4
        reasons = {event.results[0].reason for event in heard.of("g", "primary")}
        assert reasons == {"earlier rounds are still open"}

    play(scenario)


def test_identical_streams_of_two_groups_are_sent_once_and_heard_by_both():
    async def scenario(clock, spawn):
        net, heard, _ = started(
            clock,
            spawn,
            lambda net: group_setup("a", round_setup(net.offer(), targets=["x", "y"])),
            lambda net: group_setup("b", round_setup(net.offer(), targets=["y", "z"])),
        )
        net.answer = lambda _sent, target: Outcome.LOST if target == "z" else Outcome.OK
        await passing(clock, SECOND_US)
        assert len(net.of("primary")) == 1
        assert sorted(net.of("primary")[0].targets) == ["10.0.0.1", "x", "y", "z"]
        assert [result.outcome for result in heard.of("a", "primary")[0].results] == [Outcome.OK] * 2
        b = heard.of("b", "primary")[0]
        assert [result.outcome for result in b.results] == [Outcome.OK, Outcome.LOST]

    play(scenario)


def test_stanzas_of_another_interval_have_rounds_of_their_own():
    async def scenario(clock, spawn):
        net, _, _ = started(
            clock,
            spawn,
            lambda net: group_setup("a", round_setup(net.offer())),
            lambda net: group_setup("b", round_setup(net.offer(), interval_us=2 * SECOND_US)),
        )
        await passing(clock, 3_900 * MS_US)
        assert len(net.of("primary")) == 4 + 2

    play(scenario)


def test_a_probe_that_raises_makes_its_round_unknown_and_is_opened_again():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)

        def broken_once(sent: Sent, _target: str) -> Outcome:
            if sent.path == "primary" and len(net.of("primary")) == 2:
                raise RuntimeError("password=hunter2 exploded")
            return Outcome.OK

        net.answer = broken_once
        await passing(clock, 4_500 * MS_US)
        outcomes = [event.results[0].outcome for event in heard.of("g", "primary")]
        assert outcomes[:2] == [Outcome.OK, Outcome.UNKNOWN]
        assert outcomes[-1] is Outcome.OK
        assert {event.results[0].outcome for event in heard.of("g", "secondary")} == {Outcome.OK}
        assert net.opened.count("primary") == 2
        assert "bug in a plugin" in heard.problems[0]
        assert "hunter2" not in heard.problems[0]

    play(scenario)


def test_a_probe_that_cannot_be_opened_reports_unknown_with_the_reason_and_is_tried_ever_more_rarely():
    async def scenario(clock, spawn):
        net, heard, prober = started(clock, spawn, one_group)
        tries = []

        def refuse(path: str) -> Exception | None:
            if path == "primary":
                tries.append(clock.monotonic_us())
                return ProbeError("no such device wg0")
            return None

        net.open_error = refuse
        await passing(clock, 70 * SECOND_US)
        first = heard.of("g", "primary")[0]
        assert (first.results[0].outcome, first.results[0].reason) == (Outcome.UNKNOWN, "no such device wg0")
        gaps = [round((b - a) / SECOND_US) for a, b in itertools.pairwise(tries)]
        assert gaps[:6] == [1, 2, 4, 8, 16, 30]
        assert [str(error) for error in await prober.opened()] == ["no such device wg0"]

    play(scenario)


def test_a_round_that_hangs_is_given_up_and_the_probe_restarted():
    async def scenario(clock, spawn):
        net, heard, _ = started(clock, spawn, one_group)

        async def hang(sent: Sent) -> None:
            if sent.path == "primary":
                await clock.sleep_until_us(clock.monotonic_us() + 3_600 * SECOND_US)

        net.during_round = hang
        await passing(clock, 4 * SECOND_US)
        assert heard.of("g", "primary")[0].results[0].reason == "no answer in time"
        assert net.closed == ["primary"]

    play(scenario)


def test_a_probe_that_returns_too_few_results_is_not_believed():
    async def scenario(clock, spawn):
        net, heard, _ = started(
            clock, spawn, lambda net: group_setup("g", round_setup(net.offer(), anchors=False))
        )

        class Short:
            async def open(self) -> None: ...
            async def aclose(self) -> None: ...
            async def round(self, targets, stagger_us):
                return []

        prober = Prober(clock, heard, spawn, heard.problem)
        offer = type(net.offer())(**{**_fields(net.offer()), "open": lambda _c, _o: Short()})
        prober.configure([group_setup("short", round_setup(offer, anchors=False))])
        await passing(clock, 100 * MS_US)
        event = heard.of("short", "primary")[0]
        assert event.results[0].outcome is Outcome.UNKNOWN
        assert "returned 0 results for 1 targets" in event.results[0].reason

    play(scenario)


def _fields(offer):
    return {name: getattr(offer, name) for name in type(offer).__dataclass_fields__}


def test_a_reload_leaves_the_schedules_that_stay_the_same_alone():
    async def scenario(clock, spawn):
        net, heard, prober = started(clock, spawn, one_group)
        await passing(clock, 1_500 * MS_US)
        offer = net.offer()
        more = group_setup("new", round_setup(offer, interval_us=500 * MS_US))
        prober.configure([group_setup("g", round_setup(offer)), more])
        await passing(clock, 1_000 * MS_US)
        assert [event.round for event in heard.of("g", "primary")] == [0, 1, 2]
        assert heard.of("new", "primary")
        prober.configure([group_setup("g", round_setup(offer))])
        before = len(heard.of("new", "primary"))
        await passing(clock, 2_000 * MS_US)
        assert len(heard.of("new", "primary")) == before
        assert net.closed == ["primary", "secondary"]

    play(scenario)


def test_an_overdue_round_is_known_until_it_is_closed():
    async def scenario(clock, spawn):
        net, _, prober = started(clock, spawn, one_group)
        net.answer = lambda _sent, _target: Outcome.LOST
        await passing(clock, 100 * MS_US)
        now = clock.monotonic_us()
        assert not prober.overdue("g", now)
        assert prober.overdue("g", now + SECOND_US)
        await passing(clock, 850 * MS_US)
        assert not prober.overdue("g", clock.monotonic_us())

    play(scenario)


def test_a_closed_round_is_an_event_of_its_moment():
    async def scenario(clock, spawn):
        _, heard, _ = started(clock, spawn, one_group)
        await passing(clock, 100 * MS_US)
        name, event = heard.events[0]
        assert name == "g"
        assert isinstance(event, RoundClosed)
        assert event.at_us >= event.results[0].sent_us + event.results[0].rtt_us

    play(scenario)


@pytest.mark.parametrize("count", [20])
def test_many_schedules_do_not_start_in_one_burst(count):
    async def scenario(clock, spawn):
        makers = [
            lambda net, at=index: group_setup(f"g{at}", round_setup(net.offer(), timeout_us=700_000 + at))
            for index in range(count)
        ]
        net, _, _ = started(clock, spawn, *makers)
        await passing(clock, 500 * MS_US)
        starts = [sent.at_us for sent in net.of("primary")]
        assert len(starts) == count
        assert len(set(starts)) == 3

    play(scenario)


# --- flows --------------------------------------------------------------------------------------------------


class FlowProbe(FakeProbe):
    """A fake that knows something of its flows, or fails to say it."""

    error: Exception | None = None

    def flow_report(self):
        if self.error is not None:
            raise self.error
        return FlowReport("fake", SECOND_US, 1, 0, 0, 0, (), str(self._context.path.name))


def flow_group(name: str, net: FakeNet, *, error: Exception | None = None):
    def opened(context, _options):
        probe = FlowProbe(net, context)
        probe.error = error
        return probe

    return group_setup(name, round_setup(replace(net.offer(), open=opened)))


def test_what_a_probe_says_of_its_flows_is_told_to_every_group_that_shares_it():
    async def scenario(clock, spawn):
        _, _, prober = started(
            clock, spawn, lambda net: flow_group("g", net), lambda net: flow_group("h", net)
        )
        await passing(clock, SECOND_US)
        told = {key: [one.text for one in found] for key, found in prober.flow_reports().items()}
        assert {key: texts[0] for key, texts in told.items()} == {
            (group, path): path for group in ("g", "h") for path in ("primary", "secondary")
        }

    play(scenario)


def test_a_probe_without_flows_says_nothing_of_them():
    async def scenario(clock, spawn):
        _, _, prober = started(clock, spawn, one_group)
        await passing(clock, SECOND_US)
        assert prober.flow_reports() == {}

    play(scenario)


def test_a_probe_that_fails_to_say_its_flows_is_made_anew():
    async def scenario(clock, spawn):
        net, heard, prober = started(
            clock, spawn, lambda net: flow_group("g", net, error=RuntimeError("no idea"))
        )
        await passing(clock, SECOND_US)
        assert prober.flow_reports() == {}
        await passing(clock, 3 * SECOND_US)
        assert "no idea" in heard.problems[0]
        assert len(net.opened) > 2

    play(scenario)
