"""What a journal holds is enough to decide everything again, byte for byte (invariant I12)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.daemon.disks import HandClock

from wgfo.daemon import codec
from wgfo.daemon.journal import DiskJournal
from wgfo.daemon.records import Opened, SessionHeader, Stepped
from wgfo.daemon.segments import read_journal
from wgfo.engine import engine
from wgfo.engine.decisions import Decision, Switch
from wgfo.engine.events import RoundClosed, SessionStarted, SetObserved, Tick
from wgfo.engine.policy import GroupPolicy, PathPolicy, SetPolicy, StreamPolicy
from wgfo.engine.state import GroupState
from wgfo.model import SMALL, Outcome, PathHop, ProbeResult, SetObservation

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
POLICY = GroupPolicy(
    "cloud",
    (PathPolicy("primary"), PathPolicy("secondary")),
    streams=(StreamPolicy(0, "icmp", SMALL, SECOND_US, 800_000, ("a", "b"), base=True),),
    sets=(SetPolicy("linux/main/cloud", "linux", "main"),),
)


class Recorded:
    """An engine that runs and is journaled."""

    def __init__(self, directory):
        self.clock = HandClock()
        self.state = engine.initial(POLICY)
        self.journal = DiskJournal(
            directory,
            self.clock,
            lambda: {"cloud": codec.encode(self.state, GroupState)},
            lambda _healthy, text: pytest.fail(text),
            max_size=10**8,
            max_age_us=10**15,
        )
        self.decided = []
        header = SessionHeader("s", self.now, "", "b", {}, "d", "{}", {"cloud": POLICY})
        self.journal.begin(header)
        self.step(SessionStarted(self.now))
        self.step(
            SetObserved(self.now, SetObservation("linux/main/cloud", PathHop("primary"), text="dev wg0"))
        )

    @property
    def now(self):
        return self.clock.monotonic

    def step(self, event):
        taken = engine.step(POLICY, self.state, event)
        self.state = taken.state
        self.decided += taken.decisions
        self.journal.stepped("cloud", event, taken.decisions, None)

    def rounds(self, seconds, *, dead=()):
        for _ in range(seconds):
            self.clock.pass_us(SECOND_US)
            number = self.now // SECOND_US
            for path in ("primary", "secondary"):
                outcome = Outcome.LOST if path in dead else Outcome.OK
                result = ProbeResult(outcome, self.now - 900_000, 0 if path in dead else 1000)
                self.step(RoundClosed(self.now, path, 0, number, (result, result), result))
            self.step(Tick(self.now))


def replay(records):
    """Decide again from what is in the journal alone, and compare every step; return how many there were."""
    state, steps = None, 0
    for record in records:
        if isinstance(record, Opened):
            policy = record.header.policies["cloud"]
            state = engine.initial(policy)
            if record.checkpoint:
                state = codec.decode(record.states["cloud"], GroupState)
        elif isinstance(record, Stepped):
            taken = engine.step(policy, state, record.event)
            state = taken.state
            assert text(taken.decisions) == text(record.decisions)
            steps += 1
    return steps


def text(decisions):
    return codec.dumps([codec.encode(one, Decision) for one in decisions])


@pytest.fixture
def recorded(tmp_path):
    """A session with an outage of the primary in its second half, a checkpoint before it."""
    found = Recorded(tmp_path)
    found.rounds(30)
    found.clock.pass_us(HOUR_US)
    found.rounds(30)
    found.rounds(10, dead=("primary",))
    assert found.journal.close(10)
    assert any(isinstance(one, Switch) for one in found.decided)
    return list(read_journal(tmp_path))


def test_a_session_is_replayed_from_its_beginning(recorded):
    assert (
        replay(record for record in recorded if not (isinstance(record, Opened) and record.checkpoint)) > 200
    )


def test_a_session_is_replayed_from_a_checkpoint_alone(recorded):
    at = next(i for i, one in enumerate(recorded) if isinstance(one, Opened) and one.checkpoint)
    rest = recorded[at:]
    assert replay(rest) > 100
    assert any(
        isinstance(one, Switch)
        for record in rest[1:]
        if isinstance(record, Stepped)
        for one in record.decisions
    )


def test_a_changed_step_is_noticed(recorded):
    at = next(
        i
        for i, one in enumerate(recorded)
        if isinstance(one, Stepped) and any(isinstance(decision, Switch) for decision in one.decisions)
    )
    recorded[at] = replace(recorded[at], decisions=())
    with pytest.raises(AssertionError):
        replay(recorded)
