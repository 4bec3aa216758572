"""Real test packets through real wires, towards a real reflector."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from tests.probes.making import BY_ADDRESS, LOST, OK, UNKNOWN, context, made, opened, said, stalled
from tests.probes.wires import TARGET, TARGET2, TARGET6, Wires, as_nobody, batch, nft
from wgfo.daemon.reflector import ReflectorSocket, open_all
from wgfo.model import LARGE, Bind, BindKind, FlowReport
from wgfo.plugin import ProbeError, ReportsFlows, RoundProbe
from wgfo.probes.plugin import STAMP_OFFER as STAMP
from wgfo.probes.reflect import Reflector
from wgfo.probes.stamp_key import Key
from wgfo.probes.stamp_packet import Reply, decode_request, encode_reply

pytestmark = pytest.mark.net

HERE, HERE2, HERE6 = f"{TARGET}:862", f"{TARGET2}:862", f"[{TARGET6}]:862"
SECRET, OTHER = "sixteen octets !", "another sixteen!"
FAST_MS = 40


@dataclass
class FarSide:
    """A reflector in the server's namespace, served by the test's own loop."""

    net: Wires
    reflector: Reflector
    sockets: list[ReflectorSocket] = field(default_factory=list)

    def start(self, *, serving: bool = True) -> None:
        with self.net.server.entered():
            self.sockets = open_all((), None, self.reflector)
        for one in self.sockets if serving else ():
            one.start()

    def stop(self) -> None:
        while self.sockets:
            self.sockets.pop().close()

    def start_anew(self) -> None:
        """As after a crash: no session is remembered."""
        self.stop()
        self.reflector = Reflector(self.reflector.key)
        self.start()


@contextlib.asynccontextmanager
async def reflecting(net: Wires, *, serving: bool = True, **changes: object) -> AsyncIterator[FarSide]:
    far = FarSide(net, Reflector(**changes))  # type: ignore[arg-type]
    far.start(serving=serving)
    try:
        yield far
    finally:
        far.stop()


@contextlib.contextmanager
def client(net: Wires) -> Iterator[None]:
    with net.client.entered():
        yield


def key_file(tmp_path, secret: str = SECRET):
    path = tmp_path / "stamp.key"
    path.write_text(secret)
    path.chmod(0o600)
    return path


async def rounds(probe: RoundProbe, count: int, *targets: str) -> list[tuple[object, str]]:
    return [one for _ in range(count) for one in said(await probe.round(targets or [HERE], 0))]


def report(probe: RoundProbe) -> FlowReport:
    assert isinstance(probe, ReportsFlows)
    found = probe.flow_report()
    assert found is not None
    return found


# --- reaching ---------------------------------------------------------------------------------------------


async def test_a_live_path_answers_over_ipv4_and_ipv6(net: Wires) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa")) as probe:
                results = await probe.round([HERE, HERE6, HERE2], 0)
                seen = report(probe)
    assert [one.outcome for one in results] == [OK] * 3
    assert all(0 <= one.rtt_us < 250_000 for one in results)
    assert (seen.sent, seen.lost, seen.text) == (3, 0, "")


async def test_a_dead_path_is_lost_although_another_one_is_alive(net: Wires) -> None:
    net.cut(net.gate_a)
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa")) as dead, opened(STAMP, context("wb")) as alive:
                assert said(await dead.round([HERE, HERE6], 0)) == [(LOST, "no reply")] * 2
                assert [one.outcome for one in await alive.round([HERE, HERE6], 0)] == [OK] * 2


async def test_the_flows_go_through_all_their_source_ports(net: Wires) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa"), flows=8) as probe:
                await rounds(probe, 16, HERE, HERE2)
                flows = report(probe).flows
    for target in (HERE, HERE2):
        ports = [one.source_port for one in flows if one.target == target]
        assert ports == list(range(ports[0], ports[0] + 8))
        assert {one.sent for one in flows} == {2}


async def test_where_nothing_listens_it_says_so(net: Wires) -> None:
    with client(net):
        async with opened(STAMP, context("wa", timeout_ms=FAST_MS)) as probe:
            for _ in range(2):
                assert (
                    said(await probe.round([HERE, HERE6], 0))
                    == [(LOST, "nothing listens on that port: start wgfo reflect there")] * 2
                )


async def test_replies_that_waited_through_a_stall_count(net: Wires) -> None:
    async with reflecting(net, serving=False) as far:

        def stand_still() -> None:
            time.sleep(0.02)
            for one in far.sockets:
                one.serve()
            time.sleep(0.4)

        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=200)) as probe:
                results = await stalled(probe.round([HERE, HERE6], 0), stand_still)
    assert [one.outcome for one in results] == [OK] * 2
    assert all(one.rtt_us < 200_000 for one in results)


async def test_a_reply_after_the_deadline_is_lost_but_was_lost_on_no_way(net: Wires) -> None:
    async with reflecting(net, serving=False) as far:
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS)) as probe:
                assert said(await probe.round([HERE], 0)) == [(LOST, "no reply")]
                for one in far.sockets:
                    one.serve()
                    one.start()
                assert await rounds(probe, 2) == [(OK, "")] * 2
                seen = report(probe)
    assert (seen.lost, seen.lost_forward, seen.lost_return) == (1, 0, 0)


# --- on which way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "forward", "back", "words"),
    [
        ("udp dport 862 numgen inc mod 3 0 drop", 8, 0, "lost towards the far side"),
        ("udp sport 862 numgen inc mod 3 0 drop", 0, 8, "lost on the way back"),
    ],
)
async def test_a_loss_is_put_on_its_way(net: Wires, rule: str, forward: int, back: int, words: str) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 2)
                nft(net.gate_a, "forward", rule)
                await rounds(probe, 24)
                net.gate_a.run("nft", "flush", "ruleset")
                await rounds(probe, 6)  # each flow comes through: none can look dead by the order of turns
                seen = report(probe)
    assert (seen.lost, seen.lost_forward, seen.lost_return) == (8, forward, back)
    assert seen.text.endswith(f"some of the time: {words}")


async def test_losses_on_both_ways_are_told_apart(net: Wires) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 1)
                for rule in ("udp dport 862 drop", "udp sport 862 drop"):
                    nft(net.gate_a, "forward", rule)
                    await rounds(probe, 3)
                    net.gate_a.run("nft", "flush", "ruleset")
                    await rounds(probe, 1)
                seen = report(probe)
    assert (seen.lost, seen.lost_forward, seen.lost_return) == (6, 3, 3)
    assert "lost on both ways (3 towards the far side, 3 on the way back)" in seen.text


async def test_a_blackout_has_no_direction_until_a_reply_comes(net: Wires) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 1)
                nft(net.gate_a, "forward", "udp sport 862 drop")
                await rounds(probe, 3)
                assert "on which way is not known" in report(probe).text
                net.gate_a.run("nft", "flush", "ruleset")
                await rounds(probe, 1)
                assert report(probe).lost_return == 3


async def test_a_quarter_of_the_flows_is_named_with_its_ports(net: Wires) -> None:
    nft(net.gate_a, "forward", "udp dport 862 @th,0,16 & 3 == 0 drop")
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS)) as probe:
                await rounds(probe, 3 * 16, HERE, HERE2)
                seen = report(probe)
    ports = sorted({one.source_port for one in seen.flows if one.lost})
    assert [port % 4 for port in ports] == [0] * 4
    assert seen.text.startswith(
        f"a quarter of the flows, all of the time (source ports {', '.join(map(str, ports))}): "
    )
    assert seen.lost == 24
    assert seen.lost_forward > 12  # most: which way the newest went is known by the next reply only
    assert seen.lost_return == 0


async def test_random_loss_takes_all_flows_some_of_the_time(net: Wires) -> None:
    nft(net.gate_a, "forward", "udp dport 862 numgen random mod 100 < 30 drop")
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=8) as probe:
                await rounds(probe, 20, HERE, HERE2, f"{TARGET}:862", HERE6)
                seen = report(probe)
    assert 0 < seen.lost < seen.sent
    assert "on all flows, some of the time" in seen.text
    assert seen.lost_return == 0


async def test_a_reflector_started_anew_makes_no_loss(net: Wires) -> None:
    async with reflecting(net) as far:
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 5)
                far.stop()
                await rounds(probe, 2)
                far.start_anew()
                await rounds(probe, 3)
                nft(net.gate_a, "forward", "udp dport 862 drop")
                await rounds(probe, 2)
                net.gate_a.run("nft", "flush", "ruleset")
                await rounds(probe, 1)
                seen = report(probe)
    assert (seen.lost, seen.lost_forward, seen.lost_return) == (4, 2, 0)


async def test_a_reflector_without_sessions_gives_no_direction(net: Wires) -> None:
    async with reflecting(net, max_sessions=0):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 1)
                nft(net.gate_a, "forward", "udp dport 862 drop")
                await rounds(probe, 2)
                net.gate_a.run("nft", "flush", "ruleset")
                await rounds(probe, 2)
                seen = report(probe)
    assert (seen.lost, seen.lost_forward, seen.lost_return) == (2, 0, 0)


# --- authenticated mode ------------------------------------------------------------------------------------


async def test_with_the_same_key_it_is_answered(net: Wires, tmp_path) -> None:
    async with reflecting(net, key=Key(SECRET.encode())):
        with client(net):
            async with opened(STAMP, context("wa"), key_file=key_file(tmp_path)) as probe:
                assert await rounds(probe, 2, HERE, HERE6) == [(OK, "")] * 4


async def test_another_key_is_not_answered_and_the_reason_gives_the_hint(net: Wires, tmp_path) -> None:
    async with reflecting(net, key=Key(OTHER.encode())) as far:
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), key_file=key_file(tmp_path)) as probe:
                assert await rounds(probe, 1) == [
                    (LOST, "no authenticated reply: the reflector drops or the keys differ")
                ]
    assert far.reflector.statistics.unauthenticated == 1


async def test_a_reflector_without_a_key_is_not_believed(net: Wires, tmp_path) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), key_file=key_file(tmp_path)) as probe:
                assert await rounds(probe, 1) == [
                    (LOST, "reply without our key's HMAC: the keys differ, or the reflector has none")
                ]


async def test_a_reflector_with_a_key_does_not_answer_without_one(net: Wires) -> None:
    async with reflecting(net, key=Key(OTHER.encode())):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS)) as probe:
                assert await rounds(probe, 1) == [(LOST, "no reply")]


async def test_a_key_that_cannot_be_read_stops_the_probe(net: Wires, tmp_path) -> None:
    with client(net), pytest.raises(ProbeError, match="key file"):
        await made(STAMP, context("wa"), key_file=tmp_path / "none").open()


# --- by the right way ---------------------------------------------------------------------------------------


async def test_a_reply_rides_back_on_the_path_that_was_asked(fresh_net: Wires) -> None:
    """The server's routes prefer the second gateway for replies to both; a ping would go astray."""
    batch(
        fresh_net.server,
        "route replace 10.1.0.0/24 via 10.2.1.1 metric 5",
        "route add 10.1.0.0/24 via 10.1.1.1 metric 10",
    )
    batch(fresh_net.gate_b, "route add 10.1.0.0/24 via 10.2.0.1")
    async with reflecting(fresh_net):
        with client(fresh_net):
            async with opened(STAMP, context("wa")) as first, opened(STAMP, context("wb")) as second:
                assert await rounds(first, 3) == [(OK, "")] * 3
                assert await rounds(second, 3) == [(OK, "")] * 3


async def test_a_reply_is_lost_rather_than_led_over_another_path(fresh_net: Wires) -> None:
    batch(fresh_net.server, "route replace 10.1.0.0/24 via 10.2.1.1")
    batch(fresh_net.gate_b, "route add 10.1.0.0/24 via 10.2.0.1")
    async with reflecting(fresh_net):
        with client(fresh_net):
            async with opened(STAMP, context("wa", BY_ADDRESS, timeout_ms=FAST_MS)) as probe:
                assert await rounds(probe, 2) == [(LOST, "no reply")] * 2


async def test_an_address_that_is_routed_by_another_interface_is_no_success(net: Wires) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wb", BY_ADDRESS, timeout_ms=FAST_MS)) as probe:
                assert await rounds(probe, 1) == [(LOST, "reply by another path")]


async def test_a_missing_device_is_a_loss_and_is_found_when_it_is_back(fresh_net: Wires) -> None:
    async with reflecting(fresh_net):
        with client(fresh_net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 4)
                before = {one.source_port for one in report(probe).flows}
                batch(fresh_net.client, "link del wa")
                assert await rounds(probe, 1) == [(LOST, "no such device")]
                fresh_net.lay("wa")
                fresh_net.warm("wa")
                assert await rounds(probe, 4) == [(OK, "")] * 4
                assert {one.source_port for one in report(probe).flows} == before


async def test_long_silence_takes_other_source_ports(net: Wires) -> None:
    async with reflecting(net):
        with client(net):
            async with opened(STAMP, context("wa", timeout_ms=FAST_MS), flows=4) as probe:
                await rounds(probe, 4)
                before = {one.source_port for one in report(probe).flows}
                net.cut(net.gate_a)
                await rounds(probe, 5)
                net.gate_a.run("nft", "flush", "ruleset")
                assert await rounds(probe, 4) == [(OK, "")] * 4
                seen = report(probe)
    assert before.isdisjoint(one.source_port for one in seen.flows)
    assert (seen.lost, seen.lost_forward) == (5, 5)


# --- what is not believed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("forged", ["number", "time", "identifier", "port"])
async def test_a_reply_to_something_else_does_not_count(net: Wires, forged: str) -> None:
    with net.server.entered():
        honest, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with honest, other:
        honest.setblocking(False)
        honest.bind((TARGET, 862))
        other.bind((TARGET, 863))

        def answer() -> None:
            data, source = honest.recvfrom(100)
            asked = decode_request(data, None)
            reply = Reply(
                sequence=0,
                timestamp=1,
                received=1,
                sender_sequence=asked.sequence + (forged == "number"),
                sender_timestamp=asked.timestamp + (forged == "time"),
                sender_ttl=64,
                ssid=asked.ssid % 0xFFFF + (forged == "identifier"),
            )
            (other if forged == "port" else honest).sendto(encode_reply(reply, None), source)

        asyncio.get_running_loop().add_reader(honest, answer)
        try:
            with client(net):
                async with opened(STAMP, context("wa", timeout_ms=FAST_MS)) as probe:
                    assert await rounds(probe, 1) == [(LOST, "no reply")]
        finally:
            asyncio.get_running_loop().remove_reader(honest)


async def test_a_flood_leaves_the_reflector_bounded_and_answering(net: Wires) -> None:
    async with reflecting(net, max_sessions=50, rate=200) as far:
        with client(net):
            async with opened(STAMP, context("wb")) as probe:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
                    flood.bind(("10.1.0.1", 0))
                    for n in range(1000):
                        flood.sendto(n.to_bytes(16, "big") + bytes(28), (TARGET, 862))
                assert await rounds(probe, 2) == [(OK, "")] * 2
    figures = far.reflector.statistics
    assert figures.sessions <= 50
    assert figures.limited > 0
    assert figures.reflected <= 200 + 200 + 2


# --- rights and options ---------------------------------------------------------------------------------------


async def test_a_mark_without_the_right_to_set_it_says_what_to_grant(net: Wires) -> None:
    with client(net):
        probe = made(STAMP, context(None, Bind(BindKind.MARK, 7)))
        with as_nobody(), pytest.raises(ProbeError, match="marks need CAP_NET_ADMIN"):
            await probe.open()


async def test_large_packets_are_not_its_business(net: Wires) -> None:
    with client(net), pytest.raises(ProbeError, match='kind = "icmp"'):
        await made(STAMP, context("wa", probe_class=LARGE)).open()


async def test_a_target_that_is_no_address_is_unknown(net: Wires) -> None:
    with client(net):
        async with opened(STAMP, context("wa")) as probe:
            [(outcome, reason)] = await rounds(probe, 1, "db:862")
    assert outcome is UNKNOWN
    assert "is not an IP address" in reason
