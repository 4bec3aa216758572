"""A short campaign of random worlds; ``make soak`` plays more of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation import soak
from tests.simulation.soak import Tried
from wgfo.config.load import of_mapping
from wgfo.engine.events import RequestKind
from wgfo.model import PathName
from wgfo.simulate.campaign import make
from wgfo.simulate.defaults import Shape, configuration
from wgfo.simulate.plan import (
    Ask,
    Content,
    DiskState,
    Fault,
    FaultKind,
    Mishap,
    MishapKind,
    Plan,
    Rewrite,
    TroubleKind,
)
from wgfo.simulate.play import Options, Run, play
from wgfo.simulate.timeline import What
from wgfo.simulate.world import World

WORLDS = 24
DRAWN = 400
"""Worlds that are drawn, not played."""
_S = 1_000_000


# --- worlds are played ------------------------------------------------------------------------------------


def test_no_random_world_breaks_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.soak(WORLDS, seed=1, jobs=1) == 0, capsys.readouterr().out
    assert " 0 switches" not in capsys.readouterr().out


def test_a_seed_makes_the_same_story_whatever_the_hashes_of_names_are() -> None:
    script = (
        "from wgfo.simulate.campaign import run_world\n"
        "for seed in (3, 10): print(*[e.line() for e in run_world(seed).run.entries], sep='\\n')"
    )
    stories = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("1", "4711")
    ]
    assert stories[0] == stories[1]
    assert stories[0].count("switch") > 0


DECIDED = {What.START, What.SWITCH, What.PATH, What.ALARM, What.CLEAR, What.SENT, What.SYNC, What.TABLE}


def decided(run: Run) -> list[tuple[int, str]]:
    """What happened in one microsecond has no order."""
    return sorted((entry.at_us, entry.text) for entry in run.entries if entry.what in DECIDED)


@pytest.mark.parametrize("seed", [2, 5, 17])
def test_the_lean_prober_makes_the_same_decisions_as_the_daemons_own(seed: int) -> None:
    world = make(seed)
    assert all(one.step is None for one in world.plan.mishaps), (
        "steps of one moment have no order: another seed"
    )
    document = of_mapping(world.configuration)
    whole, lean = (play(world.plan, document, Options(seed, lean=lean)) for lean in (False, True))
    assert decided(whole) == decided(lean)


CUT = Fault(FaultKind.CUT, 12 * _S, 300 * _S, (PathName("B"),))
FORCED = Ask(12 * _S, RequestKind.FORCE, PathName("A"), for_us=200 * _S)
DRAINED = Ask(12 * _S, RequestKind.SWITCH, PathName("B"))


@pytest.mark.parametrize(
    ("changes", "lasted_s"),
    [
        ({}, 42),  # forty seconds without a move, since it began
        ({"faults": (CUT,)}, 120),
        ({"asks": (FORCED,)}, 120),
        ({"asks": (DRAINED,)}, 120),
        ({"rewrites": (Rewrite(30 * _S, Content.FOREIGN),)}, 52),  # twenty seconds without a write
        ({"mishaps": (Mishap(MishapKind.KILL, 30 * _S, 5 * _S),)}, 76),
        ({"mishaps": (Mishap(MishapKind.DISK, 30 * _S, 300 * _S, disk=DiskState.FULL),)}, 120),
    ],
)
def test_a_world_ends_early_where_nothing_is_left_to_come(changes: dict[str, Any], lasted_s: int) -> None:
    plan = Plan(120 * _S, begin=PathName("A"), **changes)
    shape = Shape(("A", "B"), tables={"linux": ("main",)})
    document = of_mapping(configuration(shape))
    run = play(plan, document, Options(lean=True, calm_after_us=10 * _S))
    assert run.lasted_us // _S == pytest.approx(lasted_s, abs=1)
    assert play(plan, document, Options(lean=True)).lasted_us == 120 * _S


# --- what they are made of --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [make(seed) for seed in range(1, DRAWN + 1)]


def drawn(worlds: list[World]) -> Iterator[str]:
    """Name everything that the worlds are made of."""
    for world in worlds:
        plan = world.plan
        yield from (one.kind for one in plan.faults)
        yield from (one.kind for one in plan.troubles)
        yield from (one.kind for one in plan.mishaps)
        yield from (one.kind for one in plan.asks)
        yield from ("rewritten by another" for _ in plan.rewrites)
        yield from ("a crash at a step" for one in plan.mishaps if one.step is not None)
        yield from ("a crash after a write" for one in plan.mishaps if one.writes is not None)
        yield from ("a lease" for _ in (plan.lease,) if plan.lease is not None)
        (group,) = world.configuration["group"]
        yield f"{len(group['path'])} paths"
        yield f"{len(group['probe'][0].get('targets', ()))} targets"
        yield "no reference" if not world.configuration["daemon"] else "a reference"
        yield from (f"class {probe.get('class', probe['kind'])}" for probe in group["probe"])


NAMED = {
    *(f"{count} paths" for count in (2, 3, 4)),
    *(f"{count} targets" for count in (1, 2, 3)),
    *("class icmp", "class large", "class tcp", "class observer"),
    *("a reference", "no reference", "a lease"),
    *("a crash at a step", "a crash after a write", "rewritten by another"),
    *(RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN),
    *(RequestKind.CLEAR, RequestKind.PAUSE, RequestKind.RESUME),
}
SCENARIOS_ONLY = {FaultKind.ONE_WAY_OUT}
"""A cut by another name: no probe can tell them apart, save by its words."""


def test_everything_that_may_go_wrong_goes_wrong_in_some_world(worlds: list[World]) -> None:
    counted = Counter(drawn(worlds))
    expected = {*FaultKind, *TroubleKind, *MishapKind} - SCENARIOS_ONLY | NAMED
    assert {kind for kind in expected if counted[kind] < 3} == set()


def test_sites_go_dark_at_every_phase_of_the_probes(worlds: list[World]) -> None:
    dark = [
        one.start_us % _S * 10 // _S
        for world in worlds
        for one in world.plan.faults
        if len(one.paths) == len(world.configuration["group"][0]["path"])
    ]
    assert set(dark) == set(range(10))


def test_crashes_come_between_all_steps(worlds: list[World]) -> None:
    steps = [one.step for world in worlds for one in world.plan.mishaps if one.step is not None]
    assert min(steps) < 20
    assert max(steps) > 300


# --- what is said of a world that fails -------------------------------------------------------------------


def test_a_world_that_fails_is_told_with_the_command_that_makes_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def third_breaks(seed: int) -> Tried:
        return Tried(seed, ("I5 at 0:03: switched while paused",) if seed == 3 else (), 0)

    monkeypatch.setattr(soak, "tried", third_breaks)
    monkeypatch.setattr(sys, "argv", ["soak", "--worlds", "5", "--jobs", "1"])
    assert soak.main() == 1
    told = capsys.readouterr().out
    assert "seed 3: I5 at 0:03" in told
    assert "again: make soak WORLDS=1 SEED=3\n" in told
    assert "5 worlds from seed 1: 1 failed" in told


def test_an_exception_of_the_core_is_a_failure_of_its_world(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int) -> None:
        raise ZeroDivisionError(f"in world {seed}")

    monkeypatch.setattr(soak, "run_world", broken)
    assert "in world 7" in soak.tried(7).failures[0]
