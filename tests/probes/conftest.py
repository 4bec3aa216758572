from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.probes.wires import Wires, wires


@pytest.fixture(scope="session")
def _lasting_net() -> Iterator[Wires]:
    with wires() as made:
        yield made


@pytest.fixture
def net(_lasting_net: Wires) -> Iterator[Wires]:
    """Two ways to a server; filters, sysctls and MTUs are restored after each test."""
    yield _lasting_net
    _lasting_net.restore()


@pytest.fixture
def fresh_net() -> Iterator[Wires]:
    """Two ways to a server, for one test that changes routes or devices."""
    with wires() as made:
        yield made
