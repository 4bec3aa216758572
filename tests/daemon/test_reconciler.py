"""What the reconciler makes of decisions: order, locks, deadlines, supersession, failures."""

import asyncio
from pathlib import Path

import pytest
from tests.daemon.fakes import (
    MS_US,
    SECOND_US,
    FakeCloud,
    Heard,
    group_setup,
    play,
    route_set,
    whole_setup,
    with_sets,
)

from wgfo.daemon.instances import Accounts, Opener, open_all
from wgfo.daemon.reconciler import Reconciler
from wgfo.daemon.terms import Terms
from wgfo.engine.decisions import Observe, Point
from wgfo.engine.events import ObserveFailed, SetChanged, SetObserved, WriteEnded
from wgfo.model import Changed, FailureKind, PathHop, SetOutcome, WriteFailure
from wgfo.plugin import Capabilities, Denied, NotFound, OutcomeUnknown, RequestRates, Transient

HOUR_S = 3_600


class Rig:
    """A reconciler over one fake cloud."""

    def __init__(self, clock, spawn, *sets, **capabilities):
        self.clock = clock
        self.cloud = FakeCloud(clock, Capabilities(**capabilities))
        self.heard = Heard()
        self.requests = []
        self.spawn = spawn
        self.groups = {}
        for one in sets:
            self.groups.setdefault(one.group, []).append(one)
        self.providers = [self.cloud.setup()]
        self.terms = Terms(
            clock, requests=lambda *what: self.requests.append(what), notice=self.heard.problem
        )

    async def start(self, **terms):
        for name, value in terms.items():
            object.__setattr__(self.terms, name, value)
        groups = [with_sets(group_setup(name), *sets) for name, sets in self.groups.items()]
        setup = whole_setup(Path("/nowhere"), self.providers, *groups)
        instances = await open_all(Opener(self.clock, Accounts(self.clock)), setup)
        self.reconciler = Reconciler(self.terms, self.heard, self.spawn)
        self.reconciler.configure(instances, groups)
        return self

    def point(self, one, path="secondary", epoch=1, attempt=1, urgent=True):
        now = self.clock.monotonic_us()
        self.reconciler.submit([Point(now, one.id, path, epoch, attempt, urgent, False, "switch")])

    def observe(self, *sets, urgent=False):
        now = self.clock.monotonic_us()
        self.reconciler.submit([Observe(now, one.id, urgent, "test") for one in sets])

    def ended(self):
        return [event for _, event in self.heard.events if isinstance(event, WriteEnded)]

    def observed(self):
        return [event for _, event in self.heard.events if isinstance(event, SetObserved)]

    def failed(self):
        return [event for _, event in self.heard.events if isinstance(event, ObserveFailed)]


def test_a_point_is_written_and_its_end_reported():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()
        rig.point(one, epoch=3, attempt=2)
        await asyncio.sleep(1)
        event = rig.ended()[0]
        assert (event.epoch, event.attempt, event.outcome) == (3, 2, SetOutcome(one.id, written=1))
        assert rig.cloud.routes[one.id] == PathHop("secondary")
        assert rig.requests[-1][1:3] == ("point", "ok")

    play(scenario)


def test_one_table_is_never_written_twice_at_once_across_groups():
    async def scenario(clock, spawn):
        sets = [route_set(f"g{index}") for index in range(5)]
        rig = await Rig(clock, spawn, *sets, parallel_tables=8).start()
        for one in sets:
            rig.point(one)
        await asyncio.sleep(5)
        assert len(rig.ended()) == 5
        assert rig.cloud.most == 1

    play(scenario)


def test_one_table_is_never_written_twice_at_once_across_instances_of_an_account():
    async def scenario(clock, spawn):
        sets = [route_set("a", provider="cloud"), route_set("b", provider="again")]
        rig = Rig(clock, spawn, *sets)
        rig.providers = [rig.cloud.setup("cloud"), rig.cloud.setup("again")]
        await rig.start()
        for one in sets:
            rig.point(one)
        await asyncio.sleep(5)
        assert len(rig.ended()) == 2
        assert rig.cloud.most == 1

    play(scenario)


@pytest.mark.parametrize(("declared", "configured", "at_once"), [(3, None, 3), (3, 2, 2), (3, 9, 3)])
def test_tables_run_in_parallel_as_far_as_declared_and_configured(declared, configured, at_once):
    async def scenario(clock, spawn):
        sets = [route_set("g", f"rtb-{index}") for index in range(6)]
        rig = Rig(clock, spawn, *sets, parallel_tables=declared)
        rig.providers = [rig.cloud.setup(parallel=configured)]
        running, most = [0], [0]

        async def count(_change, _permit):
            running[0] += 1
            most[0] = max(most[0], running[0])
            await asyncio.sleep(1)
            running[0] -= 1

        rig.cloud.before_point = count
        await rig.start()
        for one in sets:
            rig.point(one)
        await asyncio.sleep(20)
        assert len(rig.ended()) == 6
        assert most[0] == at_once

    play(scenario)


def test_failovers_go_before_repairs_and_in_configured_order():
    async def scenario(clock, spawn):
        sets = [route_set(name, f"rtb-{name}") for name in "abcd"]
        rig = await Rig(clock, spawn, *sets, parallel_tables=1).start()
        rig.point(sets[0], urgent=False)
        rig.point(sets[3])
        rig.point(sets[2])
        rig.point(sets[1], urgent=False)
        await asyncio.sleep(5)
        assert [what[0][-1] for what in rig.cloud.said("point")] == ["c", "d", "a", "b"]

    play(scenario)


def test_a_waiting_decision_is_replaced_by_a_newer_epoch():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()
        rig.point(one, "secondary", epoch=1)
        rig.point(one, "primary", epoch=2)
        await asyncio.sleep(5)
        assert rig.cloud.said("point") == [(one.id, "primary", 2)]

    play(scenario)


def test_an_older_decision_that_comes_late_changes_nothing():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()
        rig.point(one, "primary", epoch=2)
        rig.point(one, "secondary", epoch=1)
        await asyncio.sleep(5)
        assert rig.cloud.said("point") == [(one.id, "primary", 2)]

    play(scenario)


def test_a_superseded_write_is_withdrawn_not_killed_and_the_newer_one_follows_it():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()
        withdrawn = []

        async def slow(change, permit):
            if change.epoch == 1:
                await asyncio.sleep(2)
                try:
                    await permit.write()
                except Exception as error:
                    withdrawn.append(str(error))
                    raise

        rig.cloud.before_point = slow
        rig.point(one, "secondary", epoch=1)
        await asyncio.sleep(1)
        rig.reconciler.supersede("g", 2)
        rig.point(one, "primary", epoch=2)
        await asyncio.sleep(5)
        assert withdrawn == ["epoch 2 replaces it"]
        assert [event.epoch for event in rig.ended()] == [1, 2]
        first = rig.ended()[0].outcome
        assert (first.failures[0].kind, first.not_attempted) == (FailureKind.WITHDRAWN, 1)
        assert rig.cloud.said("point") == [(one.id, "primary", 2)]

    play(scenario)


def test_a_write_past_its_deadline_is_of_unknown_outcome_and_locks_its_table_until_it_cannot_land():
    async def scenario(clock, spawn):
        one, other = route_set("g"), route_set("h")
        rig = await Rig(clock, spawn, one, other, late_write_ms=30_000).start()

        async def hang(change, _permit):
            if change.route_set.id == one.id:
                await asyncio.sleep(HOUR_S)

        rig.cloud.before_point = hang
        begun = clock.monotonic_us()
        rig.point(one)
        rig.point(other)
        await asyncio.sleep(6)
        event = rig.ended()[0]
        assert event.outcome is None
        assert "may still land" in event.text
        assert 5_000 <= (event.at_us - begun) / MS_US <= 5_200
        assert len(rig.ended()) == 1
        await asyncio.sleep(28)
        assert len(rig.ended()) == 1
        await asyncio.sleep(3)
        assert rig.ended()[1].set_id == other.id
        assert rig.requests[-2][2] == "timeout"

    play(scenario)


def test_a_call_that_ends_after_its_deadline_frees_its_table():
    async def scenario(clock, spawn):
        one, other = route_set("g"), route_set("h")
        rig = await Rig(clock, spawn, one, other, late_write_ms=60_000).start()

        async def stubborn(change, _permit):
            if change.route_set.id == one.id:
                try:
                    await asyncio.sleep(HOUR_S)
                except asyncio.CancelledError:
                    await asyncio.sleep(2)  # the request cannot be taken back; it ends now
                    raise Transient("reset") from None

        rig.cloud.before_point = stubborn
        rig.point(one)
        rig.point(other)
        await asyncio.sleep(6)
        assert len(rig.ended()) == 1
        await asyncio.sleep(2)
        assert len(rig.ended()) == 2

    play(scenario)


def test_a_retry_after_pauses_every_instance_of_the_account():
    async def scenario(clock, spawn):
        sets = [route_set("a", "rtb-a", "cloud"), route_set("b", "rtb-b", "again")]
        rig = Rig(clock, spawn, *sets)
        rig.providers = [rig.cloud.setup("cloud", 60 * SECOND_US), rig.cloud.setup("again", 60 * SECOND_US)]

        async def throttled(change, _permit):
            if change.route_set.group == "a":
                raise Transient("RequestLimitExceeded", retry_after_ms=20_000)

        rig.cloud.before_point = throttled
        await rig.start()
        rig.point(sets[0])
        await asyncio.sleep(1)
        assert rig.ended()[0].outcome.failures == (
            WriteFailure(FailureKind.TRANSIENT, "RequestLimitExceeded", retry_after_ms=20_000),
        )
        rig.point(sets[1])
        await asyncio.sleep(18)
        assert len(rig.ended()) == 1
        await asyncio.sleep(3)
        assert rig.ended()[1].outcome.ok

    play(scenario)


def test_a_table_that_is_busy_holds_up_no_other_table_of_the_account():
    async def scenario(clock, spawn):
        sets = [route_set("a", "rtb-a"), route_set("b", "rtb-b")]
        rig = Rig(clock, spawn, *sets)

        async def another_operation(change, _permit):
            if change.route_set.group == "a":
                raise Transient("AnotherOperationInProgress", retry_after_ms=20_000, busy=True)

        rig.cloud.before_point = another_operation
        await rig.start()
        rig.point(sets[0])
        await asyncio.sleep(1)
        (failure,) = rig.ended()[0].outcome.failures
        assert (failure.retry_after_ms, failure.busy) == (20_000, True)
        rig.point(sets[1])
        await asyncio.sleep(1)
        assert rig.ended()[1].outcome.ok

    play(scenario)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Denied("no ec2:ReplaceRoute"), FailureKind.DENIED), (NotFound("no rtb-0aaa"), FailureKind.NOT_FOUND)],
)
def test_a_refused_write_keeps_its_kind(error, kind):
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()

        async def refuse(_change, _permit):
            raise error

        rig.cloud.before_point = refuse
        rig.point(one)
        await asyncio.sleep(1)
        assert rig.ended()[0].outcome.failures[0].kind is kind

    play(scenario)


@pytest.mark.parametrize("error", [OutcomeUnknown("reset after the request was sent"), ValueError("oops")])
def test_what_may_have_happened_is_of_unknown_outcome(error):
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()

        async def refuse(_change, _permit):
            raise error

        rig.cloud.before_point = refuse
        rig.point(one)
        await asyncio.sleep(1)
        assert rig.ended()[0].outcome is None
        assert str(error) in rig.ended()[0].text

    play(scenario)


def test_a_veto_stops_every_write():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start(veto=lambda _group, _epoch: "the lease is not ours")
        rig.point(one)
        await asyncio.sleep(1)
        assert rig.cloud.said("point") == []
        failure = rig.ended()[0].outcome.failures[0]
        assert (failure.kind, failure.text) == (FailureKind.WITHDRAWN, "the lease is not ours")

    play(scenario)


def test_a_dry_run_says_what_it_would_write_and_writes_nothing():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start(dry_run=True)
        rig.point(one)
        await asyncio.sleep(1)
        assert rig.cloud.said("point") == []
        assert "would point 1 prefixes of main at dev secondary" in rig.heard.problems[0]
        assert not rig.ended()[0].outcome.ok

    play(scenario)


# --- reading ------------------------------------------------------------------------------------------------


def test_sets_that_are_asked_for_together_are_read_in_one_call():
    async def scenario(clock, spawn):
        sets = [route_set(f"g{index}") for index in range(10)]
        rig = await Rig(clock, spawn, *sets).start()
        for one in sets:
            rig.observe(one)
        await asyncio.sleep(1)
        assert [len(ids) for ids in rig.cloud.said("observe")] == [10]
        assert len(rig.observed()) == 10

    play(scenario)


def test_one_set_that_cannot_be_read_does_not_blind_the_others():
    async def scenario(clock, spawn):
        sets = [route_set(name, f"rtb-{name}") for name in "abc"]
        rig = await Rig(clock, spawn, *sets).start()

        async def missing(asked, _permit):
            if any(one.table == "rtb-b" for one in asked):
                raise NotFound("rtb-b does not exist")

        rig.cloud.before_observe = missing
        rig.observe(*sets)
        await asyncio.sleep(1)
        assert {event.observation.set_id[-1] for event in rig.observed()} == {"a", "c"}
        assert [(event.set_id[-1], event.text, event.permanent) for event in rig.failed()] == [
            ("b", "rtb-b does not exist", True)
        ]

    play(scenario)


def test_a_throttled_read_is_not_multiplied():
    async def scenario(clock, spawn):
        sets = [route_set(name, f"rtb-{name}") for name in "abc"]
        rig = await Rig(clock, spawn, *sets).start()

        async def throttled(_asked, _permit):
            raise Transient("slow down", retry_after_ms=5_000)

        rig.cloud.before_observe = throttled
        rig.observe(*sets)
        await asyncio.sleep(1)
        assert len(rig.cloud.said("observe")) == 1
        assert {event.retry_after_us for event in rig.failed()} == {5 * SECOND_US}

    play(scenario)


def test_a_read_that_hangs_fails_at_its_deadline():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()

        async def hang(_asked, _permit):
            await asyncio.sleep(HOUR_S)

        rig.cloud.before_observe = hang
        rig.observe(one)
        await asyncio.sleep(6)
        assert [event.text for event in rig.failed()] == ["no answer within 5 s"]

    play(scenario)


def test_a_bug_in_observe_is_a_transient_failure_that_says_so():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()

        async def bug(_asked, _permit):
            raise KeyError("token=abc")

        rig.cloud.before_observe = bug
        rig.observe(one)
        await asyncio.sleep(1)
        event = rig.failed()[0]
        assert "bug in a plugin: KeyError" in event.text
        assert "abc" not in event.text
        assert not event.permanent

    play(scenario)


def test_an_urgent_read_does_not_wait_for_a_slow_one():
    async def scenario(clock, spawn):
        slow, urgent = route_set("g", "rtb-slow"), route_set("g", "rtb-urgent")
        rig = await Rig(clock, spawn, slow, urgent).start()

        async def delay(asked, _permit):
            if asked[0].table == "rtb-slow":
                await asyncio.sleep(4)

        rig.cloud.before_observe = delay
        rig.observe(slow)
        await asyncio.sleep(0.1)
        rig.observe(urgent, urgent=True)
        await asyncio.sleep(1)
        assert [event.observation.set_id for event in rig.observed()] == [urgent.id]

    play(scenario)


def test_a_read_that_a_write_overtook_is_done_again():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()
        rig.cloud.routes[one.id] = PathHop("primary")

        async def slow(_asked, _permit):
            rig.cloud.before_observe = None
            await asyncio.sleep(0)
            rig.cloud.took_us = 2 * SECOND_US

        rig.cloud.before_observe = slow
        rig.observe(one)
        await asyncio.sleep(0.5)
        rig.point(one, "secondary")
        await asyncio.sleep(10)
        assert [event.observation.majority for event in rig.observed()] == [PathHop("secondary")]

    play(scenario)


def test_the_newest_read_is_the_fence_of_the_next_write_and_of_no_other():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()
        fences = []

        async def note(change, _permit):
            fences.append(change.observed.token if change.observed else None)

        rig.cloud.before_point = note
        rig.observe(one)
        await asyncio.sleep(1)
        rig.point(one, epoch=1)
        await asyncio.sleep(1)
        rig.point(one, "primary", epoch=2)
        await asyncio.sleep(1)
        assert fences == ["t", None]

    play(scenario)


def test_failover_writes_are_not_starved_by_reconcile_reads():
    async def scenario(clock, spawn):
        sets = [route_set(name, f"rtb-{name}") for name in "abcdef"]
        rates = RequestRates(writes_per_s=1, write_burst=1, reads_per_s=1, read_burst=1)
        rig = await Rig(clock, spawn, *sets, rates=rates).start()
        rig.observe(*sets)
        rig.point(sets[5])
        before = clock.monotonic_us()
        await asyncio.sleep(2)
        assert rig.ended()[0].at_us - before < SECOND_US

    play(scenario)


def test_hints_become_events_and_a_watch_that_breaks_is_started_again():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one, watches=True).start()
        rig.cloud.hints.put_nowait(Changed(one.id))
        await asyncio.sleep(0.1)
        rig.cloud.hints.put_nowait(None)  # breaks the watch
        await asyncio.sleep(5)
        rig.cloud.hints.put_nowait(Changed(one.id))
        await asyncio.sleep(0.1)
        events = [event for _, event in rig.heard.events if isinstance(event, SetChanged)]
        assert [event.set_id for event in events] == [one.id, one.id]
        assert "watching for changes" in rig.heard.problems[0]

    play(scenario)


def test_closing_lets_a_write_end_and_begins_nothing_more():
    async def scenario(clock, spawn):
        one, two = route_set("g", "rtb-1"), route_set("g", "rtb-2")
        rig = await Rig(clock, spawn, one, two, parallel_tables=1).start()
        rig.cloud.took_us = SECOND_US
        rig.point(one)
        rig.point(two)
        await asyncio.sleep(0.5)
        await rig.reconciler.close(4 * SECOND_US)
        assert [event.outcome.ok for event in rig.ended()] == [True]
        assert len(rig.cloud.said("point")) == 1

    play(scenario)


def test_closing_is_bounded_however_long_a_write_hangs():
    async def scenario(clock, spawn):
        one = route_set("g")
        rig = await Rig(clock, spawn, one).start()

        async def hang(_change, _permit):
            await asyncio.sleep(HOUR_S)

        rig.cloud.before_point = hang
        rig.point(one)
        await asyncio.sleep(0.1)
        before = clock.monotonic_us()
        await rig.reconciler.close(4 * SECOND_US)
        assert clock.monotonic_us() - before <= 4 * SECOND_US

    play(scenario)
