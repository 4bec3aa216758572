"""One timer for all groups: it rings at the earliest deadline, and again where one moved away."""

from __future__ import annotations

import asyncio

from wgfo.daemon.deadlines import Deadlines
from wgfo.model import GroupName
from wgfo.simulate.loop import VirtualLoop, VirtualTime, run_virtually

A, B = GroupName("a"), GroupName("b")
S = 1_000_000


class Book:
    """What each group waits for, and when it was called."""

    def __init__(self, clock: VirtualTime) -> None:
        self.clock = clock
        self.begun_us = clock.monotonic_us()
        self.due_s: dict[GroupName, int] = {}
        self.called: list[tuple[float, list[GroupName]]] = []
        self.deadlines = Deadlines(clock, self.due, self.stands)

    def wants(self, **due_s: int) -> None:
        """Say what each group waits for; it is armed for that unless it was for something earlier."""
        for order, (name, at_s) in enumerate(sorted(due_s.items())):
            self.due_s[GroupName(name)] = at_s
            self.deadlines.arm(GroupName(name), order, self.begun_us + at_s * S)

    def stands(self, group: GroupName, now_us: int) -> bool:
        due_us = self.begun_us + self.due_s[group] * S
        if due_us > now_us:
            self.deadlines.arm(group, 0, due_us)
        return due_us <= now_us

    def due(self, groups: object) -> None:
        self.called.append(((self.clock.monotonic_us() - self.begun_us) / S, list(groups)))  # type: ignore[call-overload]


def play(seconds: int, *wanted: dict[str, int]) -> Book:
    async def live() -> Book:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        book = Book(loop.clock)
        for wants in wanted:
            book.wants(**wants)
        for _ in range(seconds):
            await asyncio.sleep(1)
            assert len([one for one in loop._scheduled if not one.cancelled()]) <= 1
        return book

    return run_virtually(live())


def test_groups_of_one_moment_are_called_together_in_their_order() -> None:
    assert play(9, {"b": 3, "a": 3}).called == [(3, [A, B])]


def test_a_deadline_that_moved_away_is_called_when_it_comes() -> None:
    assert play(30, {"a": 3}, {"a": 20}).called == [(20, [A])]


def test_one_that_moved_away_beside_one_that_did_not_leaves_one_timer() -> None:
    assert play(30, {"a": 3, "b": 3}, {"a": 20}).called == [(3, [B]), (20, [A])]


def test_nothing_is_called_once_all_is_forgotten() -> None:
    async def live() -> Book:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        book = Book(loop.clock)
        book.wants(a=3)
        book.deadlines.clear()
        assert book.deadlines.next_us() is None
        await asyncio.sleep(9)
        return book

    assert run_virtually(live()).called == []
