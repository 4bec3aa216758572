"""What a person sees of a path whose probes no longer run: nothing, rather than how it was."""

from __future__ import annotations

from tests.engine.world import A, World
from wgfo.engine import engine
from wgfo.engine.report import TargetVerdict
from wgfo.model import Layer, PathState, Verdict


def seen(world: World):
    report = engine.report(world.policy, world.state, world.now)
    return next(path for path in report.paths if path.name == A)


def test_figures_of_probes_that_stand_still_vanish_and_come_back() -> None:
    world = World()
    world.muted = (60, 90)
    fresh = seen(world.run(55))
    assert (fresh.state, fresh.known > 0, fresh.rtt_us is not None) == (PathState.UP, True, True)
    old = seen(world.run(80))
    assert old.state is PathState.UNKNOWN
    assert (old.lost, old.known, old.rtt_us) == (0, 0, None)
    assert old.layers[Layer.DATAPLANE] is Verdict.UNKNOWN
    assert set(old.classes.values()) == {Verdict.UNKNOWN}
    assert {(one.state, one.known, one.rtt_us) for one in old.targets} == {(TargetVerdict.UNKNOWN, 0, None)}
    assert len(old.targets) == len(fresh.targets)
    again = seen(world.run(120))
    assert (again.state, again.layers[Layer.DATAPLANE]) == (PathState.UP, Verdict.UP)
