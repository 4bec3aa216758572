from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.probes.wires import Wires, wires
from tests.support.netns import eventually
from wgfo.probes.ancillary import SO_TIMESTAMPNS, read_arrival


@pytest.fixture(scope="session")
def _kernel_stamps() -> Iterator[None]:
    """Keep the kernel stamping: it begins some milliseconds after the first socket has asked for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        eventually(lambda: _stamped_on_arrival(sock), what="the kernel stamps datagrams")
        yield


def _stamped_on_arrival(sock: socket.socket) -> bool:
    sock.sendto(b"?", sock.getsockname())
    time.sleep(0.005)
    _data, ancillary, *_rest = sock.recvmsg(1, 256)
    return time.time_ns() - read_arrival(ancillary)[1] > 5_000_000


@pytest.fixture(scope="session")
def _lasting_net(_kernel_stamps: None) -> Iterator[Wires]:
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
