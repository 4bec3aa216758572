"""One lab, one daemon with its default timings, one stream of traffic, for all trials in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.trial import Trial
from wgfo.lab import actors, config, lab, state
from wgfo.lab.topology import Node


@pytest.fixture(scope="package")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(state.ENVIRONMENT, str(tmp_path_factory.mktemp("labs")))
        with (
            lab.founded("acceptance") as (made, _),
            actors.running_daemon(made, Node.ONPREM, config.text(made.directory)) as daemon,
            actors.running_traffic(made) as traffic,
        ):
            one = Trial(made, daemon, traffic)
            one.settle()
            yield one


@pytest.fixture(autouse=True)
def whole(trial: Trial) -> Iterator[None]:
    """A trial that ends early leaves nothing broken to the next one."""
    yield
    trial.lab.heal()
    trial.settle()
