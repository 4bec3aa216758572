"""Real echoes through real wires."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.probes.making import (
    BY_ADDRESS,
    LOST,
    OK,
    TOO_BIG,
    UNKNOWN,
    context,
    made,
    monotonic_us,
    opened,
    said,
    stalled,
)
from tests.probes.responder import Responder, responder
from tests.probes.wires import (
    TARGET,
    TARGET2,
    TARGET6,
    Wires,
    allow_datagram_icmp,
    as_nobody,
    batch,
    nft,
)
from wgfo.model import LARGE, Bind, BindKind
from wgfo.plugin import ProbeError
from wgfo.probes.echo_pool import pool_of_running_loop
from wgfo.probes.echo_socket import EchoSocket, Flight
from wgfo.probes.plugin import ICMP_OFFER as ICMP

pytestmark = pytest.mark.net

BOTH_KINDS_OF_SOCKET = pytest.mark.parametrize("socket_kind", ["datagram", "raw"])


@pytest.fixture
def socket_net(net: Wires, socket_kind: str) -> Wires:
    """The wires, where the client may use the kind of ICMP socket that the test names."""
    if socket_kind == "datagram":
        allow_datagram_icmp(net.client)
    return net


@pytest.fixture
def fresh_socket_net(fresh_net: Wires, socket_kind: str) -> Wires:
    """As ``socket_net``, for a test that changes routes or devices."""
    if socket_kind == "datagram":
        allow_datagram_icmp(fresh_net.client)
    return fresh_net


# --- reaching ---------------------------------------------------------------------------------------------


@BOTH_KINDS_OF_SOCKET
async def test_a_live_path_answers_over_ipv4_and_ipv6(socket_net: Wires, socket_kind: str) -> None:
    with socket_net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            before = monotonic_us()
            results = await probe.round([TARGET, TARGET6, TARGET2], 0)
            after = monotonic_us()
    assert [r.outcome for r in results] == [OK] * 3
    assert all(before <= r.sent_us <= after and 0 <= r.rtt_us < 250_000 for r in results)


@BOTH_KINDS_OF_SOCKET
async def test_a_dead_path_is_lost_although_another_one_is_alive(socket_net: Wires, socket_kind: str) -> None:
    socket_net.cut(socket_net.gate_a)
    with socket_net.client.entered():
        async with opened(ICMP, context("wa")) as dead, opened(ICMP, context("wb")) as alive:
            for _ in range(3):
                through_a, through_b = await asyncio.gather(
                    dead.round([TARGET, TARGET6], 0), alive.round([TARGET, TARGET6], 0)
                )
                assert said(through_a) == [(LOST, "no reply")] * 2
                assert [r.outcome for r in through_b] == [OK] * 2


async def test_a_path_that_is_preferred_by_routing_does_not_lend_its_health(net: Wires) -> None:
    net.cut(net.gate_b)
    with net.client.entered():
        async with opened(ICMP, context("wb")) as dead:
            assert said(await dead.round([TARGET], 0)) == [(LOST, "no reply")]


@BOTH_KINDS_OF_SOCKET
async def test_a_reply_that_comes_back_another_way_is_no_success_and_is_named(
    fresh_socket_net: Wires, socket_kind: str
) -> None:
    batch(fresh_socket_net.server, "route replace 10.1.0.0/24 via 10.2.1.1")
    batch(fresh_socket_net.gate_b, "route add 10.1.0.0/24 via 10.2.0.1")
    with fresh_socket_net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            first, *later = [said(await probe.round([TARGET], 0)) for _ in range(4)]
    assert first == [(LOST, "no reply")]
    assert later == [[(LOST, "reply by another path")]] * 3


async def test_an_address_that_is_routed_by_another_interface_is_no_success(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("wb", BY_ADDRESS)) as probe:
            assert said(await probe.round([TARGET], 0)) == [(LOST, "reply by another path")]


async def test_an_address_whose_interface_is_missing_is_no_success(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("gone", BY_ADDRESS)) as probe:
            assert said(await probe.round([TARGET], 0)) == [(LOST, "no such device")]


async def test_a_mark_leads_the_probe_by_its_own_rule(fresh_net: Wires) -> None:
    batch(fresh_net.client, "rule add fwmark 7 lookup 7", "route add default via 10.2.0.2 table 7")
    fresh_net.cut(fresh_net.gate_a)
    with fresh_net.client.entered():
        async with opened(ICMP, context(None, Bind(BindKind.MARK, 7))) as marked:
            assert [r.outcome for r in await marked.round([TARGET], 0)] == [OK]
        async with opened(ICMP, context(None, BY_ADDRESS)) as plain:
            assert said(await plain.round([TARGET], 0)) == [(LOST, "no reply")]


async def test_a_mark_without_its_rule_does_not_leak_where_the_interface_is_known(net: Wires) -> None:
    net.cut(net.gate_b)
    with net.client.entered():
        async with opened(ICMP, context("wb", Bind(BindKind.MARK, 7))) as marked:
            assert said(await marked.round([TARGET], 0)) == [(LOST, "no reply")]


async def test_targets_leave_one_stagger_apart(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            results = await probe.round([TARGET, TARGET2, TARGET], 20_000)
    first, second, third = (r.sent_us for r in results)
    assert second - first >= 19_000
    assert third - first >= 39_000


async def test_a_round_ends_as_soon_as_every_target_has_answered(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=5000)) as probe:
            before = monotonic_us()
            await probe.round([TARGET, TARGET2], 10_000)
            assert monotonic_us() - before < 2_000_000


async def test_a_target_that_is_no_address_is_unknown_and_harms_no_other(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            bad, good = await probe.round(["db", TARGET], 0)
    assert bad.outcome is UNKNOWN
    assert "'db' is not an IP address" in bad.reason
    assert good.outcome is OK


# --- sizes ------------------------------------------------------------------------------------------------


@BOTH_KINDS_OF_SOCKET
async def test_large_packets_carry_the_mtu_and_are_told_where_they_do_not_fit(
    socket_net: Wires, socket_kind: str
) -> None:
    socket_net.narrow(1300)
    with socket_net.client.entered():
        async with (
            opened(ICMP, context("wa", probe_class=LARGE), size="mtu") as large,
            opened(ICMP, context("wa")) as small,
        ):
            for _ in range(3):  # the path MTU that the kernel learns changes nothing
                got = said(await large.round([TARGET, TARGET6], 0))
                assert got[0] == (LOST, "fragmentation needed, next-hop MTU 1300 (from 10.1.0.2)")
                assert got[1] == (LOST, "fragmentation needed, next-hop MTU 1300 (from fd01::2)")
                assert [r.outcome for r in await small.round([TARGET, TARGET6], 0)] == [OK, OK]


async def test_a_silent_black_hole_for_large_packets_is_seen_by_large_probes_alone(net: Wires) -> None:
    nft(net.gate_a, "forward", "meta length > 1000 drop")
    with net.client.entered():
        async with (
            opened(ICMP, context("wa", probe_class=LARGE)) as large,
            opened(ICMP, context("wa")) as small,
        ):
            assert said(await large.round([TARGET], 0)) == [(LOST, "no reply")]
            assert [r.outcome for r in await small.round([TARGET], 0)] == [OK]


@BOTH_KINDS_OF_SOCKET
async def test_a_packet_larger_than_the_device_is_a_finding_not_a_loss(
    socket_net: Wires, socket_kind: str
) -> None:
    with socket_net.client.entered():
        async with opened(ICMP, context("wa", probe_class=LARGE), size=1501) as probe:
            results = await probe.round([TARGET, TARGET6], 0)
    assert said(results) == [(TOO_BIG, "larger than the device's MTU")] * 2


@pytest.mark.parametrize("target", [TARGET, TARGET6])
async def test_the_size_is_that_of_the_ip_packet(net: Wires, target: str) -> None:
    batch(net.client, "link set wa mtu 1400")
    with net.client.entered():
        async with opened(ICMP, context("wa", probe_class=LARGE), size=1400) as fits:
            assert [r.outcome for r in await fits.round([target], 0)] == [OK]
        async with opened(ICMP, context("wa", probe_class=LARGE), size=1401) as too_large:
            assert [r.outcome for r in await too_large.round([target], 0)] == [TOO_BIG]


async def test_a_small_class_may_be_fragmented(net: Wires) -> None:
    net.narrow(1300)
    with net.client.entered():
        async with opened(ICMP, context("wa"), size=3000) as probe:
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [OK]


async def test_the_mtu_is_read_anew_each_round(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("wa", probe_class=LARGE), size="mtu") as probe:
            net.narrow(1300)
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [LOST]
            batch(net.client, "link set wa mtu 1300")
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [OK]


# --- errors -----------------------------------------------------------------------------------------------


@BOTH_KINDS_OF_SOCKET
async def test_a_prohibition_explains_the_loss_and_does_not_shorten_the_wait(
    socket_net: Wires, socket_kind: str
) -> None:
    nft(socket_net.gate_a, "forward", "reject with icmpx admin-prohibited")
    with socket_net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=200)) as probe:
            before = monotonic_us()
            results = await probe.round([TARGET, TARGET6], 0)
            assert monotonic_us() - before >= 200_000
    assert said(results) == [(LOST, "prohibited (from 10.1.0.2)"), (LOST, "prohibited (from fd01::2)")]


@BOTH_KINDS_OF_SOCKET
async def test_one_target_s_icmp_errors_never_touch_another_target(
    socket_net: Wires, socket_kind: str
) -> None:
    nft(socket_net.gate_a, "forward", f"ip daddr {TARGET2} reject with icmp host-unreachable")
    with socket_net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=60)) as probe:
            for _ in range(10):
                bad, *good = await probe.round([TARGET2, TARGET, TARGET, TARGET], 2000)
                assert (bad.outcome, bad.reason) == (LOST, "host unreachable (from 10.1.0.2)")
                assert [r.outcome for r in good] == [OK] * 3


@BOTH_KINDS_OF_SOCKET
async def test_a_forged_prohibition_does_not_condemn_a_reply_that_follows(
    socket_net: Wires, socket_kind: str
) -> None:
    with responder(socket_net) as far, socket_net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=1000)) as probe:
            running = asyncio.create_task(probe.round([TARGET], 0))
            request = await asyncio.to_thread(far.next_request)
            far.forge_prohibited(request)
            await asyncio.sleep(0)
            far.reply(request)
            assert [r.outcome for r in await running] == [OK]


@BOTH_KINDS_OF_SOCKET
async def test_an_icmp_error_that_comes_just_before_a_send_does_not_fail_it(
    socket_net: Wires, socket_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = EchoSocket.send
    forged: list[tuple[bytes, str]] = []

    def send_and_get_an_error(via: EchoSocket, *rest: Any) -> Flight:
        flight = send(via, *rest)
        if not forged:
            forged.append(far.next_request())
            far.forge_prohibited(forged[0])
        return flight

    monkeypatch.setattr(EchoSocket, "send", send_and_get_an_error)
    with responder(socket_net) as far, socket_net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=100)) as probe:
            first, second = await probe.round([TARGET, TARGET2], 0)
    assert forged
    assert first.reason == "prohibited (from 10.9.0.1)"
    assert (second.outcome, second.reason) == (LOST, "no reply"), "it was sent, and nobody answered"


async def test_this_host_s_own_firewall_makes_it_unknown(net: Wires) -> None:
    nft(net.client, "output", "meta l4proto icmp drop")
    with net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            assert said(await probe.round([TARGET], 0)) == [
                (UNKNOWN, "this host refused: a local firewall rule")
            ]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unreachable", "host unreachable"),
        ("prohibit", "prohibited by a route of this host"),
        ("blackhole", "blackholed by a route of this host"),
    ],
)
async def test_a_route_of_this_host_that_refuses_is_a_loss(fresh_net: Wires, kind: str, reason: str) -> None:
    batch(fresh_net.client, f"route add {kind} {TARGET}/32")
    with fresh_net.client.entered():
        async with opened(ICMP, context(None, BY_ADDRESS)) as probe:
            assert said(await probe.round([TARGET], 0)) == [(LOST, reason)]


async def test_no_route_is_a_loss(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context(None, BY_ADDRESS)) as probe:
            assert said(await probe.round(["10.77.0.1", "fd77::1"], 0)) == [(LOST, "no route")] * 2


async def test_a_device_that_is_down_is_a_loss(fresh_net: Wires) -> None:
    batch(fresh_net.client, "link set wa down")
    with fresh_net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [LOST]


# --- devices that come and go -----------------------------------------------------------------------------


@BOTH_KINDS_OF_SOCKET
async def test_a_device_that_is_removed_and_made_again_is_used_again(
    fresh_socket_net: Wires, socket_kind: str
) -> None:
    with fresh_socket_net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            assert [r.outcome for r in await probe.round([TARGET, TARGET6], 0)] == [OK, OK]
            batch(fresh_socket_net.client, "link del wa")
            assert said(await probe.round([TARGET, TARGET6], 0)) == [(LOST, "no such device")] * 2
            fresh_socket_net.lay("wa")
            fresh_socket_net.warm("wa")
            assert [r.outcome for r in await probe.round([TARGET, TARGET6], 0)] == [OK, OK]


async def test_a_probe_opens_without_its_device_and_finds_it_later(fresh_net: Wires) -> None:
    batch(fresh_net.client, "link set wa down", "link set wa name later")
    with fresh_net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            assert said(await probe.round([TARGET], 0)) == [(LOST, "no such device")]
            batch(
                fresh_net.client,
                "link set later name wa",
                "link set wa up",
                "route add 10.9.0.0/24 via 10.1.0.2 dev wa",
            )
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [OK]


async def test_a_device_that_was_renamed_is_not_used_under_its_old_name(fresh_net: Wires) -> None:
    with fresh_net.client.entered():
        async with opened(ICMP, context("wa")) as probe:
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [OK]
            batch(fresh_net.client, "link set wa down", "link set wa name other", "link set other up")
            assert said(await probe.round([TARGET], 0)) == [(LOST, "no such device")]


# --- time -------------------------------------------------------------------------------------------------


@BOTH_KINDS_OF_SOCKET
@pytest.mark.parametrize("beyond_ms", [60, 1000])
async def test_replies_read_late_after_a_stall_condemn_nothing(
    socket_net: Wires, socket_kind: str, beyond_ms: int
) -> None:
    timeout_ms = 50
    with socket_net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=timeout_ms)) as probe:
            await probe.round([TARGET, TARGET6], 0)
            results = await stalled(
                probe.round([TARGET, TARGET2, TARGET6] * 20, 0),
                lambda: time.sleep((timeout_ms + beyond_ms) / 1000),
            )
    assert [r.outcome for r in results] == [OK] * 60
    assert all(r.rtt_us <= timeout_ms * 1000 for r in results)


async def test_a_reply_after_its_deadline_is_lost_even_when_read_at_once_with_a_stall(net: Wires) -> None:
    with responder(net) as far, net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=50)) as probe:
            results = await stalled(probe.round([TARGET], 0), lambda: _answer_after(far, 0.08))
    assert said(results) == [(LOST, "reply too late")]


def _answer_after(far: Responder, delay_s: float) -> None:
    """Stall the loop, and answer in the middle of it."""
    request = far.next_request()
    time.sleep(delay_s)
    far.reply(request)
    time.sleep(0.02)


async def test_a_process_that_is_stopped_right_after_polling_still_reads_before_it_judges(
    net: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop asks the selector, is then stopped beyond the deadline, and runs the timer first."""
    with responder(net) as far, net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=50)) as probe:
            selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
            poll = selector.select

            def poll_and_stop(timeout: float | None) -> object:
                ready = poll(0)
                monkeypatch.undo()
                far.reply(far.next_request())
                time.sleep(0.08)
                return ready

            monkeypatch.setattr(selector, "select", poll_and_stop)
            assert [r.outcome for r in await probe.round([TARGET], 0)] == [OK]


async def test_a_late_reply_to_an_old_round_is_not_taken_for_the_next_one(net: Wires) -> None:
    with responder(net) as far, net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=60)) as probe:
            assert said(await probe.round([TARGET], 0)) == [(LOST, "no reply")]
            old = far.next_request()
            running = asyncio.create_task(probe.round([TARGET], 0))
            await asyncio.to_thread(far.next_request)
            far.reply(old)
            assert said(await running) == [(LOST, "no reply")]


# --- identity ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "forgery"),
    [
        ("id", {"flip": 5}),
        ("sequence", {"flip": 7}),
        ("cookie", {"flip": 8}),
        ("time", {"flip": 23}),
        ("address", {"source": TARGET2}),
    ],
)
async def test_a_reply_that_differs_in_anything_does_not_count(
    net: Wires, what: str, forgery: dict[str, Any]
) -> None:
    with responder(net) as far, net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=100)) as probe:
            running = asyncio.create_task(probe.round([TARGET], 0))
            far_request = await asyncio.to_thread(far.next_request)
            far.reply(far_request, **forgery)
            assert said(await running) == [(LOST, "no reply")]


async def test_a_reply_that_comes_twice_counts_once(net: Wires) -> None:
    with responder(net) as far, net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=500)) as probe:
            running = asyncio.create_task(probe.round([TARGET, TARGET2], 0))
            first = await asyncio.to_thread(far.next_request)
            second = await asyncio.to_thread(far.next_request)
            for request in (first, first, second, second):
                far.reply(request)
            assert [r.outcome for r in await running] == [OK, OK]


@BOTH_KINDS_OF_SOCKET
async def test_the_icmp_id_changes_after_a_failing_run(socket_net: Wires, socket_kind: str) -> None:
    idents = set()
    with responder(socket_net) as far, socket_net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=20)) as probe:
            for number in range(12):
                await probe.round([TARGET], 0)
                packet, _source = far.next_request()
                idents.add((number // 5, packet[24:26]))
    assert len(idents) == 3, "one id for five rounds, then another"
    assert len({ident for _run, ident in idents}) > 1


async def test_probes_of_one_path_share_a_socket_and_never_each_other_s_replies(net: Wires) -> None:
    with net.client.entered():
        async with (
            opened(ICMP, context("wa")) as one,
            opened(ICMP, context("wa")) as two,
            opened(ICMP, context("wa", probe_class=LARGE)) as large,
        ):
            assert len(pool_of_running_loop()) == 2
            rounds = await asyncio.gather(
                one.round([TARGET] * 30, 0), two.round([TARGET] * 30, 0), large.round([TARGET] * 30, 0)
            )
            nowhere, there = await asyncio.gather(one.round(["10.9.0.9"], 0), two.round([TARGET], 0))
    assert all(r.outcome is OK for results in rounds for r in results)
    assert nowhere[0].outcome is LOST
    assert there[0].outcome is OK


async def test_nothing_stays_open_or_under_way(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP, context("wa", timeout_ms=5000)) as probe:
            running = asyncio.create_task(probe.round(["10.9.0.9", TARGET6], 0))
            await asyncio.sleep(0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert not pool_of_running_loop().flights
    assert len(pool_of_running_loop()) == 0


# --- rights -----------------------------------------------------------------------------------------------


async def test_without_any_right_the_error_names_both_remedies(net: Wires) -> None:
    with net.client.entered():
        probe = made(ICMP, context("wa"))
        with as_nobody(), pytest.raises(ProbeError) as caught:
            await probe.open()
    assert "net.ipv4.ping_group_range" in str(caught.value)
    assert "CAP_NET_RAW" in str(caught.value)
    assert len(pool_of_running_loop()) == 0


async def test_ping_group_range_is_all_the_right_that_a_device_bound_probe_needs(net: Wires) -> None:
    allow_datagram_icmp(net.client)
    net.cut(net.gate_b)
    with net.client.entered(), as_nobody():
        async with opened(ICMP, context("wa")) as alive, opened(ICMP, context("wb")) as dead:
            assert [r.outcome for r in await alive.round([TARGET, TARGET6], 0)] == [OK, OK]
            assert said(await dead.round([TARGET], 0)) == [(LOST, "no reply")]
            assert said(await dead.round([TARGET], 0)) == [(LOST, "no reply")]


async def test_a_mark_without_the_right_to_set_it_is_an_error_that_says_so(net: Wires) -> None:
    allow_datagram_icmp(net.client)
    with net.client.entered(), as_nobody():
        probe = made(ICMP, context(None, Bind(BindKind.MARK, 7)))
        with pytest.raises(ProbeError, match="marks need CAP_NET_RAW"):
            await probe.open()


def test_a_device_bind_without_an_interface_is_refused() -> None:
    with pytest.raises(ProbeError, match="and no interface"):
        made(ICMP, context(None))
