"""The engine itself, over random losses, from a moment at which all was well: what the figures must agree with."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from random import Random

from wgfo.engine import engine
from wgfo.engine.decisions import Decision, Switch
from wgfo.engine.events import Event, RoundClosed, SessionStarted, Tick
from wgfo.engine.policy import SECOND_US, GroupPolicy, PathPolicy, StreamPolicy
from wgfo.model import SMALL, Outcome, ProbeResult

RTT_US = 3_000
CALM_ROUNDS = 130
Lost = Callable[[str, int], bool]
"""Whether the probe to a target (its stream's name before it) that was sent then is lost, on the active path."""


def policy_of(*targets: str, anchor: bool = True, **changes: object) -> GroupPolicy:
    """Return two paths and one stream of a round a second."""
    stream = StreamPolicy(0, "icmp", SMALL, SECOND_US, 800_000, targets, base=True)
    paths = tuple(PathPolicy(name, anchor=anchor) for name in ("a", "b"))
    settings = {"streams": (stream,), "revertive": False, **changes}
    return GroupPolicy("g", paths, **settings)


class Bench:
    """Runs that all begin in the same healthy state, ``start_us`` being the beginning of a round."""

    def __init__(self, policy: GroupPolicy) -> None:
        self.policy = policy
        self.state = engine.initial(policy)
        self._queue: list[tuple[int, int, Event]] = []
        self._order = 0
        self._step(SessionStarted(0))
        longest = max(stream.interval_us for stream in policy.streams)
        self.start_us = CALM_ROUNDS * longest
        for _ in self._run(0, self.start_us, lambda _target, _at: False):
            pass
        self._healthy = self.state

    def seconds_to_switch(self, lost: Lost, within_us: int) -> float | None:
        """Return when the group leaves the active path, in seconds after ``start_us``."""
        self.state, self._queue = self._healthy, []
        for decisions in self._run(self.start_us, self.start_us + within_us, lost):
            for one in decisions:
                if isinstance(one, Switch):
                    return (one.at_us - self.start_us) / SECOND_US
        return None

    def _step(self, event: Event) -> tuple[Decision, ...]:
        made = engine.step(self.policy, self.state, event)
        self.state = made.state
        return made.decisions

    def _run(self, start_us: int, end_us: int, lost: Lost) -> Iterator[tuple[Decision, ...]]:
        sent = {stream.index: start_us for stream in self.policy.streams}
        while True:
            stream = min(self.policy.streams, key=lambda one: sent[one.index])
            at_us = sent[stream.index]
            yield from self._until(at_us)
            if at_us >= end_us:
                return
            sent[stream.index] += stream.interval_us
            for path in self.policy.paths:
                self._send(stream, path, at_us, lost if path.name == "a" else lambda _target, _at: False)

    def _send(self, stream: StreamPolicy, path: PathPolicy, at_us: int, lost: Lost) -> None:
        names = [*stream.targets, *(["peer"] if stream.base and path.anchor else [])]
        step_us = stream.interval_us // 20 // len(names)
        results = []
        ends_us = 0
        for place, name in enumerate(names):
            sent_us = at_us + place * step_us
            gone = lost(f"{stream.probe_class} {name}", sent_us)
            ends_us = max(ends_us, sent_us + (stream.timeout_us if gone else RTT_US))
            outcome = Outcome.LOST if gone else Outcome.OK
            results.append(ProbeResult(outcome, sent_us, 0 if gone else RTT_US))
        anchor = results.pop() if stream.base and path.anchor else None
        number = at_us // stream.interval_us
        event = RoundClosed(ends_us, path.name, stream.index, number, tuple(results), anchor)
        self._order += 1
        heapq.heappush(self._queue, (ends_us, self._order, event))

    def _until(self, end_us: int) -> Iterator[tuple[Decision, ...]]:
        """Step what is due before ``end_us``, the engine's own deadlines between."""
        while True:
            due_us = engine.next_deadline_us(self.policy, self.state)
            closes_us = self._queue[0][0] if self._queue else end_us
            if due_us is not None and due_us < min(closes_us, end_us):
                yield self._step(Tick(due_us))
            elif self._queue and closes_us <= end_us:
                yield self._step(heapq.heappop(self._queue)[2])
            else:
                return


def times_to_switch(policy: GroupPolicy, loss: float, runs: int, *, within_s: int, seed: int) -> list[float]:
    """Return, sorted, how long each run took to find a loss that began at a random moment."""
    random, bench = Random(seed), Bench(policy)
    found = []
    for _ in range(runs):
        since_us = bench.start_us + random.randrange(SECOND_US)

        def lost(_target: str, at_us: int, since_us: int = since_us) -> bool:
            return at_us >= since_us and random.random() < loss

        took = bench.seconds_to_switch(lost, within_s * SECOND_US)
        found.append(float("inf") if took is None else took - (since_us - bench.start_us) / SECOND_US)
    return sorted(found)
