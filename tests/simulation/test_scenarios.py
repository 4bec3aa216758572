"""Every scenario file holds, through the daemon's own code in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from wgfo.simulate.read import read
from wgfo.simulate.report import perform

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_the_scenario_holds(scenario: Path) -> None:
    played = perform(read(scenario), None, 1)
    assert played.failures() == []


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 28
