"""Real connects through real wires."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from tests.probes.making import (
    BY_ADDRESS,
    LOST,
    OK,
    UNKNOWN,
    context,
    made,
    monotonic_us,
    opened,
    said,
    stalled,
)
from tests.probes.wires import TARGET, TARGET6, Wires, as_nobody, batch, nft
from wgfo.model import Bind, BindKind
from wgfo.plugin import ProbeError
from wgfo.probes.plugin import TCP_OFFER as TCP

pytestmark = pytest.mark.net

HERE, HERE6, CLOSED = f"{TARGET}:7000", f"[{TARGET6}]:7000", f"{TARGET}:7001"


@pytest.fixture
def listener(net: Wires) -> Iterator[socket.socket]:
    """Port 7000 of the server, over both families; the kernel answers, nobody need accept."""
    with net.server.entered():
        sock = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    sock.settimeout(5)
    with sock:
        yield sock


async def test_a_live_path_connects_over_ipv4_and_ipv6(net: Wires, listener: socket.socket) -> None:
    with net.client.entered():
        async with opened(TCP, context("wa")) as probe:
            results = await probe.round([HERE, HERE6], 5000)
    assert [r.outcome for r in results] == [OK, OK]
    assert all(0 < r.rtt_us < 250_000 for r in results)
    assert results[1].sent_us - results[0].sent_us >= 4500


async def test_a_dead_path_is_lost_although_another_one_is_alive(net: Wires, listener: socket.socket) -> None:
    net.cut(net.gate_a)
    with net.client.entered():
        async with opened(TCP, context("wa")) as dead, opened(TCP, context("wb")) as alive:
            through_a, through_b = await asyncio.gather(
                dead.round([HERE, HERE6], 0), alive.round([HERE, HERE6], 0)
            )
    assert said(through_a) == [(LOST, "no reply")] * 2
    assert [r.outcome for r in through_b] == [OK, OK]


async def test_a_mark_without_its_rule_does_not_leak_where_the_interface_is_known(
    net: Wires, listener: socket.socket
) -> None:
    net.cut(net.gate_b)
    with net.client.entered():
        async with opened(TCP, context("wb", Bind(BindKind.MARK, 7))) as marked:
            assert said(await marked.round([HERE], 0)) == [(LOST, "no reply")]


@pytest.mark.parametrize(("refused", "outcome"), [("fail", LOST), ("pass", OK)])
async def test_a_refusal_counts_as_configured(net: Wires, refused: str, outcome: object) -> None:
    with net.client.entered():
        async with opened(TCP, context("wa"), refused=refused) as probe:
            (result,) = await probe.round([CLOSED], 0)
    assert result.outcome is outcome
    assert result.reason == ("refused" if outcome is LOST else "")


async def test_a_gateway_s_refusal_is_a_loss_with_its_reason(net: Wires, listener: socket.socket) -> None:
    nft(net.gate_a, "forward", "reject with icmpx host-unreachable")
    with net.client.entered():
        async with opened(TCP, context("wa"), refused="pass") as probe:
            assert said(await probe.round([HERE], 0)) == [(LOST, "host unreachable")]


async def test_this_host_s_own_firewall_makes_it_unknown_or_lost_never_good(
    net: Wires, listener: socket.socket
) -> None:
    nft(net.client, "output", "meta l4proto tcp reject with icmp admin-prohibited")
    with net.client.entered():
        async with opened(TCP, context("wa")) as probe:
            (result,) = await probe.round([HERE], 0)
    assert result.outcome is not OK
    assert result.reason


async def test_no_route_is_a_loss(net: Wires) -> None:
    with net.client.entered():
        async with opened(TCP, context(None, BY_ADDRESS)) as probe:
            assert said(await probe.round(["10.77.0.1:80"], 0)) == [(LOST, "no route")]


async def test_a_missing_device_is_a_loss_until_it_is_there(fresh_net: Wires) -> None:
    with fresh_net.server.entered():
        listener = socket.create_server((TARGET, 7000))
    batch(fresh_net.client, "link set wa down", "link set wa name later")
    with listener, fresh_net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=900)) as probe:
            assert said(await probe.round([HERE], 0)) == [(LOST, "no such device")]
            batch(
                fresh_net.client,
                "link set later name wa",
                "link set wa up",
                "route add 10.9.0.0/24 via 10.1.0.2 dev wa",
            )
            assert [r.outcome for r in await probe.round([HERE], 0)] == [OK]


async def test_each_connect_has_a_new_source_port_and_ends_without_a_reset(
    net: Wires, listener: socket.socket
) -> None:
    ports = set()
    with net.client.entered():
        async with opened(TCP, context("wa")) as probe:
            for _ in range(4):
                await probe.round([HERE], 0)
                connection, (_host, port, *_rest) = listener.accept()
                with connection:
                    ports.add(port)
                    assert connection.recv(1) == b"", "a FIN, not ConnectionResetError"
    assert len(ports) == 4


async def test_a_greeting_is_read_away_so_that_no_reset_is_sent(net: Wires, listener: socket.socket) -> None:
    accepted: list[socket.socket] = []

    def greet() -> None:
        accepted.append(listener.accept()[0])
        accepted[0].settimeout(5)
        accepted[0].sendall(b"220 hello\r\n")

    with net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=1000)) as probe:
            await stalled(probe.round([HERE], 0), greet, turns=2)
    with accepted[0] as connection:
        assert connection.recv(1) == b""


@pytest.mark.parametrize("beyond_ms", [60, 1000])
async def test_a_connection_made_during_a_stall_is_good_with_its_true_time(
    net: Wires, listener: socket.socket, beyond_ms: int
) -> None:
    with net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=50)) as probe:
            results = await stalled(
                probe.round([HERE, HERE6] * 5, 0), lambda: time.sleep((50 + beyond_ms) / 1000), turns=2
            )
    assert [r.outcome for r in results] == [OK] * 10
    assert all(r.rtt_us < 50_000 for r in results)


async def test_a_greeting_after_the_deadline_does_not_make_the_connect_late(
    net: Wires, listener: socket.socket
) -> None:
    accepted: list[socket.socket] = []

    def greet_late() -> None:
        accepted.append(listener.accept()[0])
        time.sleep(0.1)
        accepted[0].sendall(b"220 hello\r\n")

    with net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=50)) as probe:
            results = await stalled(probe.round([HERE], 0), greet_late, turns=2)
    accepted[0].close()
    assert [r.outcome for r in results] == [OK]


async def test_a_stall_does_not_make_a_dead_path_good(net: Wires, listener: socket.socket) -> None:
    net.cut(net.gate_a)
    with net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=50)) as probe:
            results = await stalled(probe.round([HERE], 0), lambda: time.sleep(0.2), turns=2)
    assert said(results) == [(LOST, "no reply")]


async def test_a_connection_that_needed_a_second_syn_is_late(net: Wires, listener: socket.socket) -> None:
    """The kernel repeats a SYN after a second: a stall may not hide that it came after the deadline."""
    net.cut(net.gate_a)

    def heal_and_wait_for_the_second_syn() -> None:
        net.gate_a.run("nft", "flush", "ruleset")
        listener.accept()[0].close()

    with net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=300)) as probe:
            results = await stalled(probe.round([HERE], 0), heal_and_wait_for_the_second_syn, turns=2)
    assert said(results) == [(LOST, "no reply")]


async def test_it_waits_no_longer_than_the_timeout(net: Wires) -> None:
    net.cut(net.gate_a)
    with net.client.entered():
        async with opened(TCP, context("wa", timeout_ms=100)) as probe:
            before = monotonic_us()
            await probe.round([HERE], 0)
            assert 100_000 <= monotonic_us() - before < 1_000_000


async def test_a_target_without_a_port_is_unknown() -> None:
    async with opened(TCP, context(None, BY_ADDRESS)) as probe:
        (result,) = await probe.round(["10.9.0.1"], 0)
    assert result.outcome is UNKNOWN
    assert "is not host:port" in result.reason


async def test_a_mark_without_the_right_to_set_it_is_an_error_that_says_so(net: Wires) -> None:
    with net.client.entered(), as_nobody():
        probe = made(TCP, context(None, Bind(BindKind.MARK, 7)))
        with pytest.raises(ProbeError, match="marks need CAP_NET_ADMIN or CAP_NET_RAW"):
            await probe.open()


async def test_a_device_bind_needs_no_right(net: Wires, listener: socket.socket) -> None:
    with net.client.entered(), as_nobody():
        async with opened(TCP, context("wa")) as probe:
            assert [r.outcome for r in await probe.round([HERE], 0)] == [OK]
