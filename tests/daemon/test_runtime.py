"""The decision loop: stepping, listeners, the store before a switch's writes, ticks."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.daemon.fakes import (
    MS_US,
    PATHS,
    SECOND_US,
    FakeNet,
    group_setup,
    play,
    round_setup,
    route_set,
    until,
    with_sets,
)

from wgfo.daemon.runtime import GRACE_US, Beginning, Runtime
from wgfo.daemon.state import MemoryStore
from wgfo.daemon.stored import Times
from wgfo.engine.decisions import Observe, Point, Switch
from wgfo.engine.events import (
    OperatorRequest,
    RequestKind,
    RoundClosed,
    SetObserved,
    StoreChanged,
    Tick,
)
from wgfo.model import Outcome, PathHop, PathName, ProbeResult, SetObservation

PRIMARY, SECONDARY = PATHS


@dataclass
class Carried:
    """A carrier that remembers."""

    acts: list[Point | Observe] = field(default_factory=list)
    superseded: list[tuple[str, int]] = field(default_factory=list)

    def submit(self, decisions):
        self.acts += decisions

    def supersede(self, group, epoch):
        self.superseded.append((group, epoch))

    def points(self):
        return [act for act in self.acts if isinstance(act, Point)]


class Rig:
    """A runtime with one group of two paths and one route set."""

    def __init__(self, clock, spawn, *names, store=None):
        self.clock = clock
        self.notices = []
        self.store = store or MemoryStore("s", Times(clock, "boot"))
        self.runtime = Runtime(clock, self.store, spawn, self.notices.append)
        self.carried = Carried()
        self.heard = []
        self.runtime.carrier = self.carried
        self.runtime.listeners = (self,)
        self.sets = {name: route_set(name) for name in names or ("g",)}
        net = FakeNet(clock)
        self.setups = [
            with_sets(group_setup(name, round_setup(net.offer(), anchors=False)), one)
            for name, one in self.sets.items()
        ]

    def start(self):
        self.runtime.configure([Beginning(setup.policy) for setup in self.setups])
        return self

    def stepped(self, group, event, decisions, report):
        self.heard.append((group, event, tuple(decisions)))

    def round(self, number, *, primary=True, secondary=True, group="g"):
        """Close a round of both paths now; it was sent 10 ms ago."""
        for path, good in ((PRIMARY, primary), (SECONDARY, secondary)):
            sent = self.clock.monotonic_us() - 10 * MS_US
            result = ProbeResult(Outcome.OK if good else Outcome.LOST, sent, 1_000 if good else 0)
            event = RoundClosed(self.clock.monotonic_us(), path, 0, number, (result,))
            self.runtime.dispatch(group, event)

    async def rounds(self, first, last, **answers):
        for number in range(first, last):
            await asyncio.sleep(1)
            self.round(number, **answers)

    def observe(self, path, group="g"):
        observation = SetObservation(self.sets[group].id, PathHop(path))
        self.runtime.dispatch(group, SetObserved(self.clock.monotonic_us(), observation))

    async def settled(self):
        """A group that stands on its primary."""
        self.start()
        self.observe(PRIMARY)
        await self.rounds(0, 15)
        return self

    def switches(self):
        return [one for _, _, decisions in self.heard for one in decisions if isinstance(one, Switch)]

    def events(self, kind):
        return [event for _, event, _ in self.heard if isinstance(event, kind)]


def test_a_group_that_starts_asks_for_its_routes():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn).start()
        assert [type(act) for act in rig.carried.acts] == [Observe]

    play(scenario)


def test_a_lost_primary_is_left_and_the_intent_is_stored_before_anything_is_written():
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn).settled()
        assert rig.runtime.reports()[0].active == PRIMARY
        await rig.rounds(15, 19, primary=False)
        switch = rig.switches()[0]
        assert (switch.source, switch.target) == (PRIMARY, SECONDARY)
        assert [point.path for point in rig.carried.points()] == [SECONDARY]
        assert rig.store.saved["g"].stored.desired == SECONDARY
        assert rig.carried.superseded == [("g", switch.epoch)]

    play(scenario)


class SlowStore(MemoryStore):
    """Takes a while, or never gets there; remembers when it was asked."""

    takes_s = 0.03
    durable = True

    async def save_bounded(self, group, stored, wait_ms=50):
        await asyncio.sleep(min(self.takes_s, wait_ms / 1000))
        await super().save_bounded(group, stored)
        return self.durable and self.takes_s * 1000 <= wait_ms


@pytest.mark.parametrize(("takes_s", "waits_ms"), [(0.03, 30), (3_600, 50)])
def test_a_switch_waits_for_the_store_and_never_longer_than_50_ms(takes_s, waits_ms):
    async def scenario(clock, spawn):
        store = SlowStore("s", Times(clock, "boot"))
        store.takes_s = takes_s
        rig = await Rig(clock, spawn, store=store).settled()
        await rig.rounds(15, 18, primary=False)
        await until(rig.switches)
        decided = rig.switches()[0].at_us
        assert rig.carried.points() == []
        await until(rig.carried.points)
        assert (clock.monotonic_us() - decided) / MS_US == pytest.approx(waits_ms, abs=2)

    play(scenario)


def test_a_store_that_fails_is_an_event_of_every_group():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, "a", "b").start()
        rig.runtime.store_told("state", False, "state: disk full")
        rig.runtime.store_told("journal", False, "journal: disk full")
        rig.runtime.store_told("state", True, "")
        rig.runtime.store_told("journal", True, "")
        said = [(event.healthy, event.text) for event in rig.events(StoreChanged)][::2]
        assert said == [
            (False, "state: disk full"),
            (False, "state: disk full; journal: disk full"),
            (False, "journal: disk full"),
            (True, ""),
        ]

    play(scenario)


def test_groups_share_nothing():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, "a", "b").start()
        for number in range(15):
            await asyncio.sleep(1)
            rig.round(number, group="a")
        before = rig.runtime.group("b").state
        rig.round(99, group="a", primary=False)
        assert rig.runtime.group("b").state is before

    play(scenario)


def test_events_of_a_group_that_is_gone_are_forgotten():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn).start()
        rig.runtime.dispatch("gone", Tick(clock.monotonic_us()))
        assert rig.notices == []

    play(scenario)


def test_an_event_that_the_engine_refuses_is_noted_and_changes_nothing():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn).start()
        before = rig.runtime.group("g").state
        rig.runtime.dispatch("g", RoundClosed(clock.monotonic_us(), PathName("nowhere"), 0, 0, ()))
        assert rig.runtime.group("g").state is before
        assert "refused" in rig.notices[0]

    play(scenario)


def test_time_of_events_never_decreases():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn).start()
        rig.runtime.dispatch("g", Tick(clock.monotonic_us() + 5_000))
        rig.runtime.dispatch("g", Tick(clock.monotonic_us()))
        times = [event.at_us for _, event, _ in rig.heard]
        assert times == sorted(times)
        assert rig.runtime.now_us() == clock.monotonic_us() + 5_000

    play(scenario)


def test_a_listener_that_raises_stops_neither_the_step_nor_the_other_listeners():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn)

        class Broken:
            def stepped(self, group, event, decisions, report):
                raise RuntimeError("metrics exploded")

        rig.runtime.listeners = (Broken(), rig)
        rig.start()
        assert rig.heard
        assert "metrics exploded" in rig.notices[0]

    play(scenario)


def test_an_event_that_comes_out_of_a_step_follows_it():
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn)
        order = []

        class Nested:
            def stepped(self, group, event, decisions, report):
                order.append(type(event).__name__)
                if len(order) == 1:
                    rig.runtime.dispatch("g", Tick(clock.monotonic_us()))
                    order.append("returned")

        rig.runtime.listeners = (Nested(),)
        rig.start()
        assert order == ["SessionStarted", "returned", "Tick"]

    play(scenario)


# --- ticks --------------------------------------------------------------------------------------------------


def test_a_deadline_becomes_a_tick_at_its_microsecond(monkeypatch):
    async def scenario(clock, spawn):
        due = clock.monotonic_us() + 1_234_567
        monkeypatch.setattr(
            "wgfo.engine.engine.next_deadline_us", lambda _policy, state: due if state.at_us < due else None
        )
        rig = Rig(clock, spawn).start()
        await asyncio.sleep(5)
        assert [tick.at_us for tick in rig.events(Tick)] == [due]

    play(scenario)


def test_a_deadline_that_moved_away_is_no_tick(monkeypatch):
    async def scenario(clock, spawn):
        due = [clock.monotonic_us() + SECOND_US]
        monkeypatch.setattr("wgfo.engine.engine.next_deadline_us", lambda _policy, _state: due[0])
        rig = Rig(clock, spawn).start()
        due[0] += 10 * SECOND_US
        await asyncio.sleep(5)
        assert rig.events(Tick) == []
        due[0] = clock.monotonic_us() + 3_600 * SECOND_US

    play(scenario)


def test_a_tick_waits_for_rounds_that_should_have_been_closed_but_not_for_long():
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn).settled()
        overdue: list[Callable[[], bool]] = [lambda: True]
        rig.runtime.overdue = lambda _group, _by: overdue[0]()
        before = len(rig.events(Tick))
        asked = []

        def asking():
            asked.append(clock.monotonic_us())
            return True

        overdue[0] = asking
        await until(lambda: len(rig.events(Tick)) > before)
        tick = rig.events(Tick)[before]
        assert 0 < tick.at_us - asked[0] <= GRACE_US

    play(scenario)


def test_what_waits_in_a_socket_is_stepped_before_a_tick_that_a_stall_delayed(monkeypatch):
    async def scenario(clock, spawn):
        due = clock.monotonic_us() + SECOND_US
        rig = Rig(clock, spawn)
        monkeypatch.setattr(
            "wgfo.engine.engine.next_deadline_us", lambda _policy, _state: None if rig.events(Tick) else due
        )
        rig.start()
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there:
            arrived = loop.create_future()

            def drain():
                here.recv(64)
                loop.remove_reader(here)
                arrived.set_result(None)

            async def reply():
                await asyncio.wait_for(arrived, 10)

            async def close_the_round():
                await asyncio.gather(reply())
                rig.round(0)

            loop.add_reader(here, drain)
            task = asyncio.ensure_future(close_the_round())

            def stall():
                there.send(b"reply")
                clock.advance(60 * MS_US)

            loop.call_later(0.999, stall)
            await task
            await until(lambda: rig.events(Tick))
        kinds = [type(event).__name__ for _, event, _ in rig.heard]
        assert kinds == ["SessionStarted", "RoundClosed", "RoundClosed", "Tick"]

    play(scenario)


def test_a_deadline_that_does_not_move_is_no_busy_loop(monkeypatch):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn).start()
        monkeypatch.setattr("wgfo.engine.engine.next_deadline_us", lambda _policy, state: state.at_us)
        rig.round(0)
        await asyncio.sleep(1)
        assert 500 <= len(rig.events(Tick)) <= 1_001

    play(scenario)


def test_progress_is_counted_and_lateness_is_seen():
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn).settled()
        steps = rig.runtime.steps
        rig.round(50)
        assert rig.runtime.steps == steps + 2
        assert rig.runtime.late_us() == 0
        clock.advance(60 * SECOND_US)
        assert rig.runtime.late_us() > 10 * SECOND_US

    play(scenario)


# --- reload and writes --------------------------------------------------------------------------------------


def test_a_reload_keeps_unchanged_groups_and_restarts_the_others_from_what_they_knew():
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn).settled()
        state = rig.runtime.group("g").state
        policy = rig.setups[0].policy
        other = with_sets(group_setup("new"), route_set("new")).policy
        rig.runtime.configure([Beginning(other), Beginning(policy)], unchanged=["g"])
        assert rig.runtime.group("g").state is state
        assert [report.name for report in rig.runtime.reports()] == ["new", "g"]
        changed = replace(policy, rise=3)
        stored = rig.runtime.group("g").stored(clock.monotonic_us())
        rig.runtime.configure([Beginning(changed, stored)])
        report = rig.runtime.reports()[0]
        assert (report.desired, report.epoch) == (PRIMARY, stored.epoch)

    play(scenario)


def test_a_paused_group_may_not_write():
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn).settled()
        epoch = rig.runtime.reports()[0].epoch
        assert rig.runtime.may_write("g", epoch) is None
        assert rig.runtime.may_write("g", epoch - 1)
        request = OperatorRequest(clock.monotonic_us(), "r1", RequestKind.PAUSE, by="me", reason="test")
        rig.runtime.dispatch("g", request)
        assert "paused" in rig.runtime.may_write("g", epoch)
        assert rig.runtime.may_write("gone", 1)

    play(scenario)


def test_what_is_stored_follows_the_timers_only_when_something_changed():
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn).settled()
        rig.runtime.save_all()
        rig.store.saved.clear()
        rig.runtime.save_all()
        assert rig.store.saved == {}

    play(scenario)
