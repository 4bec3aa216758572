from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.bench import Watched
from wgfo.lab import lab, state


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One lab for all tests that leave it as they found it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(state.ENVIRONMENT, str(tmp_path_factory.mktemp("labs")))
        with lab.founded("shared") as (made, _):
            yield Watched(made)


@pytest.fixture
def own_root(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A directory of labs for one test alone; nothing may be up in there afterwards."""
    monkeypatch.setenv(state.ENVIRONMENT, str(tmp_path / "labs"))
    yield tmp_path / "labs"
    for name in state.names():
        lab.down(name)
