"""The handshake probe on a real tunnel of wireguard-go."""

import logging

import pytest
from tests.support.netns import namespaces
from tests.support.wireguard import Keys, tunnel, tunnelled_namespaces, wireguard_interface

from wgfo.model import HandshakeReport
from wgfo.plugin import ProbeError
from wgfo_linux.probes import offers
from wgfo_linux.probes.handshake import DEFAULT_INTERVAL_US, HandshakeProbe
from wgfo_linux.probes.wireguard import DeviceReader, read_device, reader, wireguard_interfaces

FAST_US = 20_000


@pytest.fixture
def probe(make_context, monkeypatch):
    monkeypatch.setattr(reader, "FRESH_S", 0.0)

    def make(name: str, **path) -> HandshakeProbe:
        return HandshakeProbe(make_context(name, interval_us=FAST_US, **path), DeviceReader())

    return make


@pytest.fixture
def pair():
    with tunnelled_namespaces() as (left, right, made), left.entered():
        yield left, right, made


@pytest.mark.net
class TestOnARealTunnel:
    async def test_stamp_is_zero_until_traffic_and_then_changes_once(self, pair, probe, running):
        left, _right, made = pair
        async with running(probe(made.left.name, peer=made.right_address)) as reports:
            for _ in range(3):
                assert await reports.next() == HandshakeReport(0, 0, 0)
            left.run("ping", "-c", "1", "-W", "5", made.right_address)
            first = await reports.until(lambda report: report.stamp > 0)
            left.run("ping", "-c", "1", "-W", "5", made.right_address)
            later = await reports.until(lambda report: report.received_bytes > first.received_bytes)
        assert later.stamp == first.stamp
        assert later.sent_bytes > first.sent_bytes > 0
        assert not first.error

    async def test_stamp_and_bytes_are_those_that_wg_shows(self, pair, probe, running):
        left, _right, made = pair
        left.run("ping", "-c", "2", "-i", "0.2", "-W", "5", made.right_address)
        async with running(probe(made.left.name, peer=made.right_address)) as reports:
            report = await reports.next()
        assert report.stamp // 10**9 == int(made.left.show("latest-handshakes").split()[1])
        assert [report.received_bytes, report.sent_bytes] == [
            int(n) for n in made.left.show("transfer").split()[1:]
        ]

    async def test_peer_that_covers_the_anchor_is_reported_and_no_other(self, pair, probe, running):
        left, _right, made = pair
        idle = Keys.make()
        made.left.set("peer", idle.public, "allowed-ips", "10.100.0.0/24,0.0.0.0/0")
        left.run("ping", "-c", "1", "-W", "5", made.right_address)
        async with running(probe(made.left.name, peer=made.right_address)) as reports:
            assert (await reports.next()).stamp > 0
        async with running(probe(made.left.name, peer="10.100.0.77")) as reports:
            assert await reports.next() == HandshakeReport(0, 0, 0)
        async with running(probe(made.left.name, peer=made.right_address, public_key=idle.public)) as reports:
            assert await reports.next() == HandshakeReport(0, 0, 0)

    async def test_allowed_ips_taken_by_another_peer_are_noticed(self, pair, probe, running):
        _left, _right, made = pair
        made.left.set("peer", made.right.keys.public, "allowed-ips", "192.0.2.0/24")
        async with running(probe(made.left.name, peer=made.right_address)) as reports:
            report = await reports.next()
        assert f"no peer of {made.left.name} with allowed-ips that cover {made.right_address}" in report.error
        assert f"{made.right.keys.public} (allowed-ips 192.0.2.0/24)" in report.error

    async def test_interface_that_goes_is_an_error_and_the_probe_goes_on(self, pair, probe, running):
        left, _right, made = pair
        async with running(probe(made.left.name, peer=made.right_address)) as reports:
            assert not (await reports.next()).error
            left.run("ip", "link", "del", made.left.name)
            report = await reports.until(lambda report: report.error)
            assert report == HandshakeReport(0, 0, 0, f"there is no interface {made.left.name}")
            assert (await reports.next()).error

    async def test_no_secret_key_stands_in_any_report_value_or_log(self, pair, probe, running, caplog):
        _left, _right, made = pair
        caplog.set_level(logging.DEBUG)
        preshared = Keys.make().private
        for end, other in ((made.left, made.right), (made.right, made.left)):
            end.set("peer", other.keys.public, "preshared-key", "/dev/stdin", stdin=preshared)
        said = [repr(await read_device(made.left.name))]
        async with running(probe(made.left.name, peer=made.right_address)) as reports:
            said.append(repr(await reports.next()))
        async with running(probe(made.left.name, peer="203.0.113.1")) as reports:
            said.append((await reports.next()).error)
        everything = " ".join([*said, caplog.text])
        assert made.right.keys.public in everything
        for secret in (made.left.keys.private, preshared):
            assert secret not in everything
            assert secret.rstrip("=") not in everything

    async def test_every_wireguard_interface_of_the_namespace_is_listed_and_nothing_else(self, pair):
        left, right, made = pair
        with wireguard_interface(left, "10.7.0.1/24") as lonely:
            found = await wireguard_interfaces()
            assert {device.name: len(device.peers) for device in found} == {made.left.name: 1, lonely.name: 0}
        with right.entered():
            assert [device.name for device in await wireguard_interfaces()] == [made.right.name]

    async def test_userspace_socket_of_another_namespace_does_not_pass_for_ours(self, pair, probe, running):
        _left, _right, made = pair
        async with running(probe(made.right.name, peer=made.left_address)) as reports:
            assert (await reports.next()).error == f"there is no interface {made.right.name}"


@pytest.mark.net
async def test_interface_of_another_kind_is_said_to_be_no_wireguard(inside, probe, running):
    async with running(probe("lo", peer="10.100.0.1")) as reports:
        report = await reports.next()
    assert report.error.startswith("lo is no WireGuard interface")


@pytest.mark.net
def test_harness_leaves_neither_process_nor_socket_nor_namespace():
    with namespaces("left", "right") as (left, right):
        with tunnel(left, right) as made:
            assert made.left.socket.exists()
            assert made.left.running
        assert not made.left.running
        assert not made.right.running
        assert not made.left.socket.exists()
        assert "wg" not in left.run("ip", "-o", "link")


def test_path_without_interface_is_refused_with_what_to_set(make_context):
    offer = offers()[1]
    with pytest.raises(
        ProbeError, match=r'path .primary. of group .cloud. has no interface.*interface = "…"'
    ):
        offer.open(make_context(None), offer.options_model())


def test_reads_every_two_seconds_unless_told_otherwise(make_context):
    assert DEFAULT_INTERVAL_US == 2_000_000
    assert HandshakeProbe(make_context("wg0"), DeviceReader())._interval_s == 2.0
    assert HandshakeProbe(make_context("wg0", interval_us=500_000), DeviceReader())._interval_s == 0.5
