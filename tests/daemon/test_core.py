"""The whole core in virtual time: fake packets, a fake cloud, the real engine."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.daemon.fakes import (
    MS_US,
    PATHS,
    SECOND_US,
    FakeCloud,
    FakeNet,
    group_setup,
    play,
    push_offer,
    push_setup,
    round_setup,
    route_set,
    until,
    whole_setup,
    with_sets,
)

from wgfo.daemon.core import Core, NotPermitted
from wgfo.daemon.instances import OpenFailed
from wgfo.daemon.state import MemoryStore
from wgfo.daemon.stored import Restored, Stamp, Times
from wgfo.daemon.unavailable import Unavailable
from wgfo.engine.decisions import Switch
from wgfo.engine.events import Override, OverrideKind, StoredGroup
from wgfo.model import Layer, LayerReport, Outcome, PathHop, Verdict
from wgfo.plugin import Capabilities, ProbeError, Transient

PRIMARY, SECONDARY = PATHS
FOREVER_S = 360_000


class Rig:
    """A core over a fake net and a fake cloud, with one group on one table."""

    def __init__(self, clock, spawn, tmp, *, dry_run=False, groups=("g",), **capabilities):
        self.clock = clock
        self.tmp = tmp
        self.net = FakeNet(clock)
        self.cloud = FakeCloud(clock, Capabilities(**capabilities))
        self.notices = []
        self.sessions = []
        self.decisions = []
        self.store = MemoryStore("s", Times(clock, "boot"))
        self.core = Core(
            clock,
            self.store,
            spawn,
            self.notices.append,
            dry_run=dry_run,
            begin=lambda setup, unchanged: self.sessions.append((setup, tuple(unchanged))),
        )
        self.core.runtime.listeners = (self,)
        self.groups = groups

    def stepped(self, group, event, decisions, report):
        self.decisions += decisions

    def switches(self):
        return [one for one in self.decisions if isinstance(one, Switch)]

    def setup(self, *groups, **provider):
        made = groups or [self.group(name) for name in self.groups]
        return whole_setup(self.tmp, [self.cloud.setup(**provider)], *made)

    def group(self, name, *probes, **policy):
        probe = round_setup(self.net.offer(), anchors=False)
        return with_sets(group_setup(name, probe, *probes, **policy), route_set(name, f"rtb-{name}"))

    async def start(self, *groups, restored=None):
        await self.core.start(self.setup(*groups), restored or {}, None)
        return self

    async def settled(self):
        await self.start()
        await asyncio.sleep(15)
        assert self.cloud.routes[route_set("g", "rtb-g").id] == PathHop(PRIMARY)
        return self

    def dead(self, path):
        self.net.answer = lambda sent, _target: Outcome.LOST if sent.path == path else Outcome.OK

    def points(self):
        return [(path, epoch) for _, path, epoch in self.cloud.said("point")]

    def report(self, name="g"):
        return next(one for one in self.core.runtime.reports() if one.name == name)


def test_an_absent_route_is_written_and_then_nothing_more(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        await asyncio.sleep(600)
        assert rig.points() == [(PRIMARY, 1)]
        assert rig.report().converged

    play(scenario)


def test_a_dead_primary_is_left_before_its_deadline_and_the_table_follows(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        last_good = max(sent.at_us for sent in rig.net.of(PRIMARY))
        rig.dead(PRIMARY)
        await until(rig.switches)
        switch = rig.switches()[0]
        assert switch.at_us <= last_good + 3 * SECOND_US + 800 * MS_US + 10 * MS_US
        await asyncio.sleep(1)
        assert rig.points()[-1] == (SECONDARY, switch.epoch)

    play(scenario)


def test_an_interruption_shorter_than_fall_less_one_intervals_moves_nothing(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        rig.dead(PRIMARY)
        await asyncio.sleep(1.999)
        rig.net.answer = lambda _sent, _target: Outcome.OK
        await asyncio.sleep(30)
        assert rig.switches() == []

    play(scenario)


def test_a_stall_of_the_process_moves_nothing(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        for _ in range(5):
            clock.advance(4 * SECOND_US)
            await asyncio.sleep(2)
        assert rig.switches() == []

    play(scenario)


def test_the_policy_knows_what_only_an_open_provider_can_say(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path, visibility_ms=7_000, late_write_ms=9_000).start()
        policy = rig.core.setup.groups[0].policy.sets[0]
        assert (policy.settle_us, policy.late_write_us) == (7 * SECOND_US, 9 * SECOND_US)

    play(scenario)


def test_where_reads_are_consistent_nothing_has_to_settle(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)
        group = rig.group("g")
        eager = replace(group.policy.sets[0], settle_us=5 * SECOND_US)
        await rig.start(replace(group, policy=replace(group.policy, sets=(eager,))))
        assert rig.core.setup.groups[0].policy.sets[0].settle_us == 0

    play(scenario)


def test_a_stored_desired_path_is_gone_on_with(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)
        one = route_set("g", "rtb-g")
        rig.cloud.routes[one.id] = PathHop(SECONDARY)
        stored = StoredGroup(SECONDARY, epoch=7, owned=(one.id,))
        await rig.start(restored={"g": Restored(stored, Stamp("s", "boot", 0, 0), SECOND_US)})
        await asyncio.sleep(30)
        assert rig.points() == []
        assert (rig.report().desired, rig.report().epoch) == (SECONDARY, 7)

    play(scenario)


def test_a_dry_run_writes_nothing_and_opens_read_only(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path, dry_run=True).start()
        await asyncio.sleep(600)
        assert rig.points() == []
        assert rig.cloud.said("open") == [True]
        said = [text for text in rig.notices if "would point" in text]
        assert 3 <= len(said) <= 60

    play(scenario)


def test_a_dry_run_lets_no_write_out_while_a_provider_opens(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path, dry_run=True)

        async def write(context):
            await context.permit.read()
            await context.permit.write()

        rig.cloud.before_open = write
        with pytest.raises(OpenFailed, match="nothing may be changed"):
            await rig.start()

    play(scenario)


def test_a_provider_that_cannot_be_opened_stops_the_start_and_closes_the_others(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)
        bad = FakeCloud(clock)

        async def refuse(_context):
            raise Transient("no credentials found; set AWS_PROFILE")

        bad.before_open = refuse
        setup = replace(rig.setup(), providers=(rig.cloud.setup(), bad.setup("bad")))
        with pytest.raises(OpenFailed, match="provider bad: cannot be opened: no credentials found"):
            await rig.core.start(setup, {}, None)
        assert rig.cloud.said("close") == [None]

    play(scenario)


def test_a_provider_whose_opening_hangs_is_given_up_at_its_deadline(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)

        async def hang(_context):
            await asyncio.sleep(FOREVER_S)

        rig.cloud.before_open = hang
        begun = clock.monotonic_us()
        with pytest.raises(OpenFailed, match="no answer in time"):
            await rig.start()
        assert clock.monotonic_us() - begun < 6 * SECOND_US

    play(scenario)


def test_a_probe_without_the_right_to_send_stops_the_start(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)

        def refuse(_path):
            error = ProbeError("icmp: no raw socket; give the service CAP_NET_RAW")
            error.__cause__ = PermissionError(1, "not permitted")
            return error

        rig.net.open_error = refuse
        with pytest.raises(NotPermitted, match="CAP_NET_RAW"):
            await rig.start()

    play(scenario)


def test_a_probe_whose_device_is_missing_does_not(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)
        rig.net.open_error = lambda path: ProbeError("no such device wg0") if path == PRIMARY else None
        await rig.start()
        await asyncio.sleep(20)
        assert rig.report().desired == SECONDARY

    play(scenario)


def test_stopping_moves_nothing_closes_the_providers_and_stores_the_timers(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        before = len(rig.cloud.said("point"))
        await rig.core.stop()
        sent = len(rig.net.sent)
        await asyncio.sleep(60)
        assert len(rig.cloud.said("point")) == before
        assert len(rig.net.sent) == sent
        assert rig.cloud.said("close") == [None]
        assert rig.store.saved["g"].stored.desired == PRIMARY

    play(scenario)


def test_a_full_disk_stops_no_escape(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        rig.store.set_working(works=False)
        rig.dead(PRIMARY)
        await until(lambda: rig.points()[-1][0] == SECONDARY)

    play(scenario)


# --- reload -------------------------------------------------------------------------------------------------


def test_a_reload_leaves_an_unchanged_group_alone(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        state = rig.core.runtime.group("g").state
        await rig.core.reload(rig.setup(), {}, None)
        assert rig.core.runtime.group("g").state is state
        assert rig.sessions[-1][1] == ("g",)
        assert rig.cloud.said("open") == [False]
        await asyncio.sleep(3)
        times = [sent.at_us for sent in rig.net.of(PRIMARY)]
        assert {after - before for before, after in pairwise(times)} == {SECOND_US}

    play(scenario)


def test_a_reload_of_a_changed_group_goes_on_from_what_it_knew(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        rig.dead(PRIMARY)
        await until(lambda: rig.points()[-1][0] == SECONDARY)
        await asyncio.sleep(2)
        epoch = rig.report().epoch
        writes = len(rig.points())
        await rig.core.reload(rig.setup(rig.group("g", rise=5)), {}, None)
        await asyncio.sleep(30)
        assert (rig.report().desired, rig.report().epoch) == (SECONDARY, epoch)
        assert len(rig.points()) == writes

    play(scenario)


def test_a_group_that_begins_anew_hears_the_present_state_of_its_layers_again(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path)

        async def script(emit):
            emit(LayerReport(Layer.INTERFACE, Verdict.UP, "up"))
            await asyncio.sleep(FOREVER_S)

        push = push_setup(push_offer(script))
        await rig.start(rig.group("g", push))
        await asyncio.sleep(1)
        await rig.core.reload(rig.setup(rig.group("g", push, rise=5)), {}, None)
        await asyncio.sleep(0.1)
        evidence = rig.core.runtime.group("g").state.evidence[PRIMARY]
        assert Verdict.UP in str(evidence.sources)

    play(scenario)


def test_a_reload_with_a_provider_that_cannot_be_opened_changes_nothing(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        setup = rig.core.setup
        bad = FakeCloud(clock)

        async def refuse(_context):
            raise Transient("no route to the API")

        bad.before_open = refuse
        with pytest.raises(OpenFailed, match="no route to the API"):
            await rig.core.reload(
                replace(rig.setup(), providers=(rig.cloud.setup(), bad.setup("bad"))), {}, None
            )
        assert rig.core.setup is setup
        rig.dead(PRIMARY)
        await until(lambda: rig.points()[-1][0] == SECONDARY)

    play(scenario)


def test_another_prefix_opens_the_provider_anew_after_a_trial_that_writes_nothing(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        rig.cloud.log.clear()
        group = rig.group("g")
        moved = with_sets(group, route_set("g", "rtb-other"))
        await rig.core.reload(rig.setup(moved), {}, None)
        words = [word for word, _ in rig.cloud.log if word in {"open", "close"}]
        assert words == ["open", "close", "close", "open"]
        assert rig.cloud.said("open") == [True, False]
        await asyncio.sleep(20)
        assert rig.cloud.said("point")[-1][0] == route_set("g", "rtb-other").id

    play(scenario)


def test_a_provider_lost_between_trial_and_opening_is_tried_again_while_the_rest_goes_on(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        attempts = []

        async def flaky(context):
            attempts.append(context.read_only)
            if len(attempts) in {2, 3}:
                raise Transient("the API is away")

        rig.cloud.before_open = flaky
        moved = with_sets(rig.group("g"), route_set("g", "rtb-other"))
        await rig.core.reload(rig.setup(moved), {}, None)
        assert isinstance(rig.core.instances["cloud"].provider, Unavailable)
        await asyncio.sleep(60)
        assert attempts == [True, False, False, False]
        assert rig.cloud.said("point")[-1][0] == route_set("g", "rtb-other").id
        assert any("the API is away; tried again" in text for text in rig.notices)

    play(scenario)


def test_calls_that_a_reload_cuts_off_are_made_again_on_the_new_instance(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()

        async def hang(*_asked):
            await asyncio.sleep(FOREVER_S)

        rig.cloud.before_observe = rig.cloud.before_point = hang
        rig.dead(PRIMARY)
        await until(rig.switches)
        await asyncio.sleep(0.1)
        rig.cloud.before_observe = rig.cloud.before_point = None
        more = with_sets(group_setup("h"), route_set("h", "rtb-h"))  # on the same instance
        await rig.core.reload(rig.setup(rig.group("g"), more), {}, None)
        begun = clock.monotonic_us()
        await until(lambda: rig.points()[-1][0] == SECONDARY)
        assert clock.monotonic_us() - begun < SECOND_US

    play(scenario)


def test_a_group_that_is_gone_is_neither_probed_nor_written(tmp_path):
    async def scenario(clock, spawn):
        rig = Rig(clock, spawn, tmp_path, groups=("g", "h"))
        await rig.settled()
        await rig.core.reload(rig.setup(rig.group("g")), {}, None)
        rig.cloud.routes[route_set("h", "rtb-h").id] = PathHop(SECONDARY)
        before = len(rig.cloud.said("point"))
        await asyncio.sleep(60)
        assert len(rig.cloud.said("point")) == before
        assert [report.name for report in rig.core.runtime.reports()] == ["g"]

    play(scenario)


# --- sleep --------------------------------------------------------------------------------------------------


def test_after_the_machine_slept_evidence_is_gathered_anew_and_overrides_end_on_time(tmp_path):
    async def scenario(clock, spawn):
        rig = await Rig(clock, spawn, tmp_path).settled()
        ends = clock.monotonic_us() + 3_600 * SECOND_US
        override = Override(OverrideKind.LOCKOUT, SECONDARY, "work", "me", "", expires_us=ends)
        stored = StoredGroup(PRIMARY, 1, (override,), (route_set("g", "rtb-g").id,))
        await rig.core.reload(rig.setup(rig.group("g", rise=5)), {}, None)
        rig.core.runtime.configure([])
        restored = {"g": Restored(stored, Stamp("s", "boot", 0, 0), 0)}
        await rig.core.reload(rig.setup(rig.group("g", rise=6)), restored, None)
        assert rig.report().overrides == (override,)
        rig.core.slept(1_800 * SECOND_US)
        assert rig.report().overrides[0].expires_us == ends - 1_800 * SECOND_US
        assert rig.report().desired == PRIMARY
        await asyncio.sleep(30)
        assert rig.switches() == []

    play(scenario)
