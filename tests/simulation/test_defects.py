"""The campaign can fail: each defect, put into the daemon on purpose, is caught by the invariant meant for it.

Worlds are tried from a seed on at which the defect was caught when this was written, so that little time is
spent; where a world has changed since, the next ones are tried too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wgfo.daemon import core
from wgfo.daemon.lease import LeaseKeeper
from wgfo.daemon.stored import saved_group
from wgfo.daemon.writing import Write
from wgfo.engine import actuation, alarms, detection, engine, faults, judgement, selection, vouching
from wgfo.engine.actuation import Driven
from wgfo.engine.judgement import DOWN, UP, Signal
from wgfo.engine.selection import Wait
from wgfo.model import Absent
from wgfo.simulate.campaign import run_world
from wgfo.simulate.provider import SimulatedProvider
from wgfo.simulate.read import read
from wgfo.simulate.report import perform
from wgfo.simulate.tables import Landing, TableId

Patch = pytest.MonkeyPatch
WITHIN = 12
"""Worlds."""


def no_check_of_the_standby(patch: Patch) -> None:
    def unfit(_situation: Any, chosen: Any, path: Any, _failing: Any) -> str:
        return "locked out" if chosen.locked_out(path) else ""

    patch.setattr(selection, "unfit", unfit)


def no_newer_proof(patch: Patch) -> None:
    def everybody(scene: Any, name: Any, _fault: Any) -> tuple[Any, ...]:
        return tuple(other for other, _ in scene.others(name))

    patch.setattr(faults, "proved", everybody)


def edge_triggered_writes(patch: Patch) -> None:
    drive = actuation.drive

    def once(policy: Any, track: Any, goal: Any, now_us: int) -> Driven:
        written = track.attempt > 0 and track.epoch == goal.epoch
        return Driven(replace(track, next_us=None)) if written else drive(policy, track, goal, now_us)

    patch.setattr(actuation, "drive", once)


def no_isolation_rule(patch: Patch) -> None:
    patch.setattr(engine, "is_isolated", lambda _policy, _state: False)


def no_hysteresis(patch: Patch) -> None:
    eager = {**judgement.TRANSITIONS, (DOWN, Signal.QUIET): UP, (judgement.U, Signal.QUIET): UP}
    patch.setattr(judgement, "TRANSITIONS", eager)


def delete_then_add(patch: Patch) -> None:
    send = SimulatedProvider._send

    async def in_two_steps(provider: Any, change: Any, prefix: Any) -> None:
        now_us = provider._stage.clock.monotonic_us()
        table = TableId((provider._kind, change.route_set.table))
        gone = Landing(now_us, table, prefix, Absent(), "wgfo", now_us, change.epoch, provider._life)
        provider._stage.land(gone)
        await send(provider, change, prefix)

    patch.setattr(SimulatedProvider, "_send", in_two_steps)


def no_wait_for_a_late_write(patch: Patch) -> None:
    async def at_once(_write: Any) -> None:
        pass

    informed = core._informed
    patch.setattr(Write, "landed", at_once)
    patch.setattr(core, "_informed", lambda one, can: replace(informed(one, can), late_write_us=0))


def routes_in_place_are_written_again(patch: Patch) -> None:
    keep = actuation._keep

    def again(policy: Any, track: Any, goal: Any, now_us: int) -> Driven:
        if track.attempt:
            return keep(policy, track, goal, now_us)
        return actuation._point(track, goal, now_us, "again")

    patch.setattr(actuation, "_keep", again)


def no_alarm_for_routes_out_of_step(patch: Patch) -> None:
    patch.setattr(alarms, "out_of_step", lambda _policy, _track, _now_us: False)


def forced_switches_ignored(patch: Patch) -> None:
    rules = tuple(rule for rule in selection.PRIORITY if rule is not selection.forced)
    patch.setattr(selection, "PRIORITY", rules)


def rejected_paths_unsaid(patch: Patch) -> None:
    sift = selection._sift
    patch.setattr(selection, "_sift", lambda *all_of_it: ((), sift(*all_of_it)[1]))


def the_state_of_another_path_is_stored(patch: Patch) -> None:

    def wrong(group: Any, stored: Any, session: str, times: Any) -> Any:
        other = "B" if stored.desired == "A" else "A"
        return saved_group(group, replace(stored, desired=other), session, times)

    patch.setattr("wgfo.simulate.disk.saved_group", wrong)


def no_wait_to_restore(patch: Patch) -> None:
    patch.setattr(Wait, "passed_us", lambda _wait, _now_us: 1 << 60)


def a_pause_that_does_not_stop_writes(patch: Patch) -> None:
    patch.setattr(selection, "frozen_reason", lambda _situation, _selection: "")
    patch.setattr("wgfo.engine.state.frozen_reason", lambda _situation, _selection: "")


def no_interval_for_the_other_word(patch: Patch) -> None:
    patch.setattr(vouching, "proves", lambda _policy, _evidence, _fault_us, _now_us: True)


def losses_under_strict_filtering_count(patch: Patch) -> None:
    patch.setattr(detection, "round_doubted", detection.round_closed)


def the_first_name_is_preferred(patch: Patch) -> None:
    sift = selection._sift

    def by_name(*all_of_it: Any) -> Any:
        rejected, fit = sift(*all_of_it)
        return rejected, sorted(fit)

    patch.setattr(selection, "_sift", by_name)


DEFECTS: list[tuple[Callable[[Patch], None], set[str], int]] = [
    (no_check_of_the_standby, {"I3"}, 36),
    (no_newer_proof, {"I3", "I14"}, 36),
    (edge_triggered_writes, {"I9"}, 2),
    (no_isolation_rule, {"I5"}, 439),
    (no_hysteresis, {"I3"}, 12),
    (delete_then_add, {"I19"}, 2),
    (no_wait_for_a_late_write, {"I2"}, 8007),
    (routes_in_place_are_written_again, {"I10"}, 2),
    (no_alarm_for_routes_out_of_step, {"I8"}, 2),
    (forced_switches_ignored, {"I21"}, 3),
    (rejected_paths_unsaid, {"I22"}, 5),
    (the_state_of_another_path_is_stored, {"I11"}, 8),
    (no_wait_to_restore, {"I4"}, 45),
    (a_pause_that_does_not_stop_writes, {"I5"}, 46),
    (no_interval_for_the_other_word, {"I3", "I14"}, 105),
    (losses_under_strict_filtering_count, {"I14", "I18"}, 36),
    (the_first_name_is_preferred, {"I15"}, 160),
]


@pytest.mark.parametrize(
    ("defect", "invariants", "seed"), DEFECTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_defect_is_caught(
    defect: Callable[[Patch], None], invariants: set[str], seed: int, monkeypatch: Patch
) -> None:
    defect(monkeypatch)
    found: set[str] = set()
    for number in range(seed, seed + WITHIN):
        found |= {failure.split()[0].rstrip(":") for failure in run_world(number).failures}
        if found & invariants:
            return
    pytest.fail(f"{WITHIN} worlds from {seed} on, and of {invariants} none was broken (others: {found})")


def test_a_writer_that_takes_no_notice_of_the_lease_is_caught(monkeypatch: Patch) -> None:
    tell = LeaseKeeper._tell

    def told(keeper: Any, *, held: bool, term: int, text: str) -> None:
        if held:
            tell(keeper, held=held, term=term, text=text)

    monkeypatch.setattr(LeaseKeeper, "_tell", told)
    monkeypatch.setattr(LeaseKeeper, "veto", lambda _keeper: None)
    scenario = read(Path(__file__).parent / "scenarios" / "s42-paused-leader.toml")
    assert "I7" in {violation.invariant for _, violation in perform(scenario).violations}
