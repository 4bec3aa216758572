"""A right that is missing is told with its cause, so that the daemon ends instead of trying for ever."""

from __future__ import annotations

import socket

import pytest

from wgfo.model import Bind, BindKind, GroupName, PathName, PathView
from wgfo.plugin import ProbeContext, ProbeError
from wgfo.probes.plugin import ICMP_OFFER


async def test_a_missing_right_names_the_permission_as_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_args: object, **_options: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", denied)
    path = PathView(GroupName("g"), PathName("p"), "wg0", "10.0.0.1", Bind(BindKind.DEVICE))
    probe = ICMP_OFFER.open(ProbeContext(path, 800_000, lambda: 0), ICMP_OFFER.options_model())
    with pytest.raises(ProbeError, match="CAP_NET_RAW") as caught:
        await probe.open()  # type: ignore[union-attr]
    assert isinstance(caught.value.__cause__, PermissionError)
