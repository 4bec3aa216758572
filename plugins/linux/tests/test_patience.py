"""A kernel that says nothing is waited for no longer than the call has time (rule 9)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from wgfo.plugin import OutcomeUnknown, Transient
from wgfo.testing import RecordingPermit
from wgfo_linux import bulk, wire
from wgfo_linux.bulk import RouteSocket, RouteWrite, patience_s
from wgfo_linux.wire import Body


class Left(RecordingPermit):
    """A permit with always so much time left: what is slow is this machine, not the kernel."""

    def __init__(self, ms: int) -> None:
        super().__init__()
        self.ms = ms

    def remaining_ms(self) -> int:
        return self.ms


class Mute:
    """A socket to nobody, in the place of the kernel's."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ours.setblocking(False)

    def fileno(self) -> int:
        return self.ours.fileno()

    def getsockname(self) -> tuple[int, int]:
        return (4711, 0)

    def send(self, data: bytes) -> int:
        return self.ours.send(data)

    def recv(self, size: int) -> bytes:
        return self.ours.recv(size)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[RouteSocket]:
    made: list[Mute] = []

    def mute(_namespace: str | None) -> Mute:
        made.append(Mute())
        return made[-1]

    monkeypatch.setattr(bulk, "netlink_socket", mute)
    yield RouteSocket(None)
    for one in made:
        one.close()


async def test_a_dump_ends_before_the_calls_deadline(routes: RouteSocket) -> None:
    with pytest.raises(Transient, match=r"did not answer within 0\.09 s"):
        await routes.dump(254, socket.AF_INET, lambda _destination, _body: None, Left(100))


async def test_a_write_that_is_not_answered_in_the_calls_time_has_an_unknown_outcome(
    routes: RouteSocket,
) -> None:
    body = Body(wire.TYPE_UNICAST, 119, 0, 254, 0, 1)
    with pytest.raises(OutcomeUnknown, match=r"did not answer within 0\.09 s"):
        await routes.write([RouteWrite(wire.destination("10.20.0.0/16"), body)], Left(100))


def test_without_a_permit_and_with_much_time_the_wait_is_bounded_all_the_same() -> None:
    assert patience_s(None) == patience_s(Left(60_000)) == 5.0
